/**
 * Reads the body of one DATE event: sub-events, equipments, S-LINK blocks, multiplexers taken apart. The checks and
 * their order are those of the collaboration's decoder; a part that cannot be read does not hide the next one.
 */
import type { DataFaultCode, FaultPlace } from '../../core/data-fault.ts'
import {
  isMultiplexer,
  MULTIPLEXER_HEADER_BYTES,
  SLINK_HEADER_BYTES,
  slinkEvent,
  slinkSource,
  slinkSpill,
  slinkWords
} from '../../core/slink.ts'
import {
  DATE_MAGIC,
  type DateHeader,
  EQUIPMENT_BYTES,
  hasData,
  isKnownType,
  isRunFile,
  isSameEvent,
  isSizeGood,
  OLD_EQUIPMENT_BYTES,
  readDateHeader
} from './date-header.ts'
import type { DateEvent } from './date-walk.ts'

/** One S-LINK block; offsets are those of the bytes that were walked. */
export interface SlinkBlock {
  readonly offset: number
  readonly word0: number
  readonly word1: number
  /** 0 for a multiplexer */
  readonly word2: number
  readonly source: number
  readonly event: number
  /** first byte after the block */
  readonly end: number
  /** sizes agree, so the payload can be read */
  readonly isReadable: boolean
  /** blocks of a multiplexer */
  readonly inner?: readonly SlinkBlock[]
}
export interface Equipment {
  readonly offset: number
  readonly size: number
  readonly type: number
  readonly id: number
  /** first attribute word: our fragment status in files of ours, 0 elsewhere */
  readonly attribute: number
  /** undefined: too short to hold one */
  readonly slink: SlinkBlock | undefined
}
export interface SubEvent {
  readonly offset: number
  readonly size: number
  readonly header: DateHeader
  readonly equipments: readonly Equipment[]
}
export interface DateBody {
  readonly subs: readonly SubEvent[]
  /** of an event without sub-events */
  readonly equipments: readonly Equipment[]
}

export type ReportFault = (code: DataFaultCode, offset: number, place?: FaultPlace) => void

/** sub-events inside sub-events that are followed; the format has none */
const NESTING_MAX = 4

/**
 * Never throws. Only end of spill, physics and calibration events have equipments that are read; where there are
 * sub-events, their own type decides, as in the reference decoder.
 */
export function readBody(view: DataView, event: DateEvent, report: ReportFault): DateBody {
  const { header, body, end, offset } = event
  const reader = new BodyReader(view, header, report)
  const isOrphan = body === offset
  if (!header.isSuper && !isOrphan)
    return { subs: [], equipments: reader.equipments(offset, body, end, header) }
  if (header.isSwapped) report('EVENT_SWAPPED', offset)
  const subs = reader.subEvents(body, end)
  const isTypeWrong = !hasData(header.type) && subs.some((sub) => hasData(sub.header.type))
  if (isTypeWrong || !isKnownType(header.type)) report('EVENT_UNKNOWN', offset, { got: header.type })
  return { subs, equipments: [] }
}

class BodyReader {
  readonly #view: DataView
  readonly #header: DateHeader
  readonly #report: ReportFault

  constructor(view: DataView, header: DateHeader, report: ReportFault) {
    this.#view = view
    this.#header = header
    this.#report = report
  }

  subEvents(from: number, end: number, depth = 0): SubEvent[] {
    const subs: SubEvent[] = []
    let at = from
    while (at < end) {
      const header = readDateHeader(this.#view, at)
      if (header === undefined || at + header.headLen > end) {
        this.#report('EVENT_CORRUPTED0', at, { expected: end - at })
        break
      }
      const isOurs = header.isPlausible && isSameEvent(this.#header, header)
      const isWhole = isSizeGood(header) && at + header.size <= end
      // when the magic word alone is damaged the numbers still say whose sub-event it is
      if (!isOurs || header.hasMagic !== this.#header.hasMagic) this.#report('EVENT_SUBEVENT_HEADER_DIFF', at)
      if (!isWhole) this.#report('EVENT_CORRUPTED0', at, { expected: end - at, got: header.size })
      // one that lies about its size reaches to the next one that is ours
      const isSizeUsed = isWhole && (isOurs || header.hasMagic)
      const next = isSizeUsed ? at + header.size : this.#nextSubEvent(at + 4, end)
      if (isOurs && header.isSuper) {
        this.#report('SUBEVENT_NESTED', at)
        if (depth < NESTING_MAX) subs.push(...this.subEvents(at + header.headLen, next, depth + 1))
      } else if (isOurs) {
        const equipments = this.equipments(at, at + header.headLen, next, header)
        subs.push({ offset: at, size: next - at, header, equipments })
      }
      at = next
    }
    return subs
  }

  #nextSubEvent(from: number, end: number): number {
    for (let at = from; at + 8 <= end; at++) {
      if (this.#word(at + 4) !== DATE_MAGIC) continue
      const header = readDateHeader(this.#view, at)
      if (header?.isPlausible === true && isSameEvent(this.#header, header)) return at
    }
    return end
  }

  /** Equipments from `from` to `end`, of the event or sub-event that starts at `start`. */
  equipments(start: number, from: number, end: number, header: DateHeader): Equipment[] {
    const equipments: Equipment[] = []
    if (!isKnownType(header.type) || (!hasData(header.type) && from < end && !isRunFile(header.type)))
      this.#report('EVENT_UNKNOWN', start, { got: header.type })
    if (header.isSwapped) this.#report('EVENT_SWAPPED', start)
    if (header.isSwapped || !hasData(header.type)) return equipments
    const headBytes = header.isOld ? OLD_EQUIPMENT_BYTES : EQUIPMENT_BYTES
    let at = from
    while (at < end) {
      const left = end - at
      if (left < headBytes) {
        this.#report('EVENT_CORRUPTED0', at, { expected: headBytes, got: left })
        break
      }
      const equipment = header.isOld ? this.#oldEquipment(at) : this.#equipment(at)
      const { size, data } = equipment
      if (size > left) {
        this.#report('EVENT_CORRUPTED0', at, { expected: left, got: size })
        break
      }
      if (size < headBytes || size % 4 !== 0) {
        this.#report('EVENT_CORRUPTED1', at, { got: size })
        break
      }
      const { type, id, attribute } = equipment
      const hasSlink = at + size - data >= SLINK_HEADER_BYTES
      if (!hasSlink) this.#report('EQUIPMENT_SKIPPED', at, { got: size })
      const slink = hasSlink ? this.#slink(data, at + size) : undefined
      equipments.push({ offset: at, size, type, id, attribute, slink })
      at += size
    }
    return equipments
  }

  #word(at: number): number {
    return this.#view.getUint32(at, true)
  }

  #equipment(at: number): Omit<Equipment, 'slink'> & { data: number } {
    return {
      offset: at,
      size: this.#word(at),
      type: this.#word(at + 4),
      id: this.#word(at + 8),
      attribute: this.#word(at + 12),
      data: at + EQUIPMENT_BYTES
    }
  }

  #oldEquipment(at: number): Omit<Equipment, 'slink'> & { data: number } {
    const extension = this.#view.getUint16(at, true)
    return {
      offset: at,
      size: OLD_EQUIPMENT_BYTES + extension + this.#word(at + 8),
      type: this.#view.getUint16(at + 2, true),
      id: this.#view.getUint16(at + 6, true),
      attribute: 0,
      data: at + OLD_EQUIPMENT_BYTES + extension
    }
  }

  /** The block that must fill the equipment from `at` to `end`. */
  #slink(at: number, end: number): SlinkBlock {
    const word0 = this.#word(at)
    const source = slinkSource(word0)
    const got = 4 * slinkWords(word0)
    this.#checkNumbers(at, source)
    const isSizeRight = got === end - at
    if (!isSizeRight) this.#report('EVENT_CORRUPTED2', at, { source, expected: end - at, got })
    // the reference decoder mends the size of a multiplexer from that of its equipment
    if (isMultiplexer(source)) return this.#multiplexer(at, end, source)
    return this.#block(at, end, isSizeRight)
  }

  #block(offset: number, end: number, isReadable: boolean): SlinkBlock {
    const word0 = this.#word(offset)
    const word1 = this.#word(offset + 4)
    const word2 = this.#word(offset + 8)
    const source = slinkSource(word0)
    return { offset, word0, word1, word2, source, event: slinkEvent(word1), end, isReadable }
  }

  #checkNumbers(at: number, source: number): void {
    const word1 = this.#word(at + 4)
    const { eventInSpill, spill } = this.#header
    // S-LINK has 20 bits of event and 11 of spill; the old header has more of both
    if (slinkEvent(word1) !== eventInSpill)
      this.#report('SLINK_WRONG_EVENT_NUMBER', at, { source, expected: eventInSpill, got: slinkEvent(word1) })
    if (slinkSpill(word1) !== (spill & 0x7ff))
      this.#report('SLINK_WRONG_SPILL', at, { source, expected: spill & 0x7ff, got: slinkSpill(word1) })
  }

  #multiplexer(offset: number, end: number, source: number): SlinkBlock {
    const word0 = this.#word(offset)
    const word1 = this.#word(offset + 4)
    const mux = { offset, word0, word1, word2: 0, source, event: slinkEvent(word1), end }
    const starts: number[] = []
    let at = offset + MULTIPLEXER_HEADER_BYTES
    while (at < end) {
      const words = slinkWords(this.#word(at))
      if (words === 0 || at + 4 * words > end) {
        this.#report('SLINKM_BAD_SIZE', at, { source, expected: (end - at) / 4, got: words })
        return { ...mux, isReadable: false, inner: [] }
      }
      starts.push(at)
      at += 4 * words
    }
    const inner: SlinkBlock[] = []
    for (const [i, start] of starts.entries()) {
      const innerSource = slinkSource(this.#word(start))
      const innerEnd = starts[i + 1] ?? end
      if (innerEnd - start < SLINK_HEADER_BYTES) {
        this.#report('SLINK_BAD_SIZE', start, { source: innerSource, got: (innerEnd - start) / 4 })
        continue
      }
      this.#checkNumbers(start, innerSource)
      inner.push(this.#block(start, innerEnd, true))
    }
    return { ...mux, isReadable: true, inner }
  }
}

/** Blocks with data, multiplexers taken apart, in the order of the event. */
export function* blocksOf(
  body: DateBody
): Generator<{ block: SlinkBlock; equipment: Equipment }, void, void> {
  const equipments = [...body.subs.flatMap((sub) => sub.equipments), ...body.equipments]
  for (const equipment of equipments) {
    if (equipment.slink === undefined) continue
    if (equipment.slink.inner !== undefined)
      for (const block of equipment.slink.inner) yield { block, equipment }
    else if (equipment.slink.isReadable) yield { block: equipment.slink, equipment }
  }
}
