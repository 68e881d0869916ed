/**
 * Finds the events in a stream of DATE bytes, whole or damaged. The collaboration's decoder stops at the first
 * damage without a word; this one says what it met and goes on at the next event:
 *
 *     size and magic right                     an event
 *     magic wrong, all else right              the event, EVENT_BAD_MAGIC
 *     size lies (0, odd, too large, too small) the event up to the next one, EVENT_BAD_SIZE
 *     outer header gone, sub-events there      the event from its sub-events, EVENT_HEADER_LOST
 *     nothing that could be read               FILE_GARBAGE with its length
 *     end of file inside an event              the event as far as it goes, EVENT_TRUNCATED, FILE_TRUNCATED
 */
import type { DataFaultCode } from '../../core/data-fault.ts'
import {
  DATE_MAGIC,
  HEADER_BYTES,
  type DateHeader,
  hasData,
  isHeaderAt,
  isKnownType,
  isSameEvent,
  isSizeGood,
  readDateHeader
} from './date-header.ts'

export interface DateEvent {
  /** of the header (of the first sub-event when the header is lost) */
  readonly offset: number
  /** first byte after the event, whatever its size word says */
  readonly end: number
  /** first byte of the body */
  readonly body: number
  readonly header: DateHeader
  readonly faults: readonly DataFaultCode[]
}
export interface StreamFault {
  readonly code: DataFaultCode
  readonly offset: number
  readonly bytes: number
}
export type DateItem =
  | { readonly kind: 'event'; readonly event: DateEvent }
  | { readonly kind: 'fault'; readonly fault: StreamFault }

/** An event may not be longer: a size word above it lies. */
export const EVENT_BYTES_MAX = 64 << 20

const MAGIC_BYTES = Buffer.from([0xfe, 0x5a, 0x1e, 0xda])

/**
 * Events and faults in the order of the stream.
 * @param isFinal nothing follows `bytes`. Otherwise the generator stops in front of what it cannot settle yet
 * @returns bytes consumed; the caller puts the rest in front of what comes next
 */
export function* walkDate(bytes: Uint8Array, isFinal = true): Generator<DateItem, number, void> {
  const stream = new Stream(bytes)
  let at = 0
  let hasSuperEvents = false
  let isResynchronised = false
  while (at < bytes.length) {
    const header = readDateHeader(stream.view, at)
    const isEvent = header !== undefined && (header.hasMagic || stream.isEventButMagic(at, header))
    if (!isEvent) {
      if (!isFinal && bytes.length - at < EVENT_BYTES_MAX) return at
      const next = stream.nextHeader(at + 1)
      const isCut = header === undefined && (bytes.length - at < 8 || stream.hasMagicAt(at))
      const code = isCut ? 'FILE_TRUNCATED' : 'FILE_GARBAGE'
      yield { kind: 'fault', fault: { code, offset: at, bytes: next - at } }
      at = next
      isResynchronised = true
      continue
    }
    const isBare = header.size === header.headLen
    const isOrphan: boolean =
      isResynchronised && hasSuperEvents && !header.isSuper && hasData(header.type) && !isBare
    const { end, faults }: Extent = isOrphan
      ? stream.endOfSubEvents(at, header)
      : stream.endOfEvent(at, header)
    const isUnsettled = faults.length > 0 || end === bytes.length
    if (!isFinal && isUnsettled && !stream.isClean(at, header) && bytes.length - at < EVENT_BYTES_MAX)
      return at
    const body = isOrphan ? at : Math.min(at + header.headLen, end)
    yield { kind: 'event', event: { offset: at, end, body, header, faults } }
    if (faults.includes('EVENT_TRUNCATED'))
      yield { kind: 'fault', fault: { code: 'FILE_TRUNCATED', offset: end, bytes: at + header.size - end } }
    if (!isOrphan) isResynchronised = faults.includes('EVENT_BAD_SIZE')
    hasSuperEvents ||= header.isSuper
    at = end
  }
  return at
}

interface Extent {
  readonly end: number
  readonly faults: readonly DataFaultCode[]
}

class Stream {
  readonly view: DataView
  readonly #bytes: Buffer

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  hasMagicAt(at: number): boolean {
    return at + 8 <= this.view.byteLength && this.view.getUint32(at + 4, true) === DATE_MAGIC
  }

  /** Start of the next plausible header at or after `from`; the end of the bytes when there is none. */
  nextHeader(from: number): number {
    let magic = this.#bytes.indexOf(MAGIC_BYTES, from + 4)
    while (magic >= 0) {
      if (isHeaderAt(this.view, magic - 4)) return magic - 4
      magic = this.#bytes.indexOf(MAGIC_BYTES, magic + 1)
    }
    return this.#bytes.length
  }

  /** Nothing speaks against this event: it closes, and another one or the end of the bytes follows. */
  isClean(at: number, header: DateHeader): boolean {
    const end = at + header.size
    if (!header.hasMagic || !header.isPlausible || !isSizeGood(header) || end > this.#bytes.length)
      return false
    const isFollowed =
      end === this.#bytes.length || (isHeaderAt(this.view, end) && !this.#isPart(end, header))
    return isFollowed && (header.size === header.headLen || this.#parts(at, header) !== undefined)
  }

  /** Only the magic word is wrong: the size leads to the next event. */
  isEventButMagic(at: number, header: DateHeader): boolean {
    const end = at + header.size
    return (
      header.isPlausible &&
      isSizeGood(header) &&
      isKnownType(header.type) &&
      (end === this.#bytes.length || isHeaderAt(this.view, end))
    )
  }

  /** Where the event at `at` ends, and what is wrong with its header. */
  endOfEvent(at: number, header: DateHeader): Extent {
    const end = at + header.size
    if (!header.hasMagic) return { end, faults: ['EVENT_BAD_MAGIC'] }
    if (this.isClean(at, header)) return { end, faults: [] }
    const faults: DataFaultCode[] = header.isPlausible ? [] : ['EVENT_BAD_HEADER']
    const next = this.#nextEvent(at, header)
    if (isSizeGood(header) && header.size <= EVENT_BYTES_MAX) {
      if (end > this.#bytes.length && next === this.#bytes.length)
        return { end: next, faults: [...faults, 'EVENT_TRUNCATED'] }
      // the size is right: something inside is damaged, or garbage follows, or an event without its magic word
      const closes = this.#parts(at, header) !== undefined && !this.#isPart(end, header)
      if (end === next || (end < next && (closes || this.#isLikeHeader(end)))) return { end, faults }
    }
    return { end: next, faults: [...faults, 'EVENT_BAD_SIZE'] }
  }

  /** The row of sub-events from `at` on that lost their common header. */
  endOfSubEvents(at: number, first: DateHeader): Extent {
    const faults: DataFaultCode[] = ['EVENT_HEADER_LOST']
    let end = at
    while (end === at || this.#isPart(end, first)) {
      const header = readDateHeader(this.view, end)!
      if (!isSizeGood(header) || end + header.size > this.#bytes.length) {
        // the last one reaches to the next header at most; what it holds is read as far as it goes
        end = this.nextHeader(end + 8)
        break
      }
      end += header.size
    }
    return { end, faults }
  }

  /** The next header after `at` that does not belong to this event as a sub-event. */
  #nextEvent(at: number, header: DateHeader): number {
    const parts = this.#parts(at, header)
    let next = this.nextHeader(at + HEADER_BYTES)
    // a sub-event with wrong numbers still belongs to an event that closes
    while (next < this.#bytes.length && (this.#isPart(next, header) || parts?.has(next) === true))
      next = this.nextHeader(next + 8)
    return next
  }

  /** A sub-event of this event starts at `at`. */
  #isPart(at: number, header: DateHeader): boolean {
    const part = readDateHeader(this.view, at)
    if (part === undefined || !part.hasMagic || !part.isPlausible) return false
    return !part.isSuper && hasData(part.type) && isSameEvent(header, part)
  }

  /** Where the parts of the body start, when they add up to the size exactly. */
  #parts(at: number, header: DateHeader): ReadonlySet<number> | undefined {
    const end = at + header.size
    if (!isSizeGood(header) || end > this.#bytes.length) return undefined
    const starts = new Set<number>()
    let p = at + header.headLen
    while (p < end) {
      const bytes = header.isSuper ? this.#subEventBytes(p, header) : this.#equipmentBytes(p, header)
      if (bytes === 0) return undefined
      starts.add(p)
      p += bytes
    }
    return p === end ? starts : undefined
  }

  #subEventBytes(at: number, event: DateHeader): number {
    const header = readDateHeader(this.view, at)
    if (header === undefined || !header.hasMagic || !header.isPlausible || !isSizeGood(header)) return 0
    // with other numbers it is the next event, which a lying size would swallow
    return header.isSuper && !isSameEvent(event, header) ? 0 : header.size
  }

  #equipmentBytes(at: number, header: DateHeader): number {
    if (at + 12 > this.#bytes.length) return 0
    // another event that a lying size would swallow; sub-events of an event without its super bit stay inside
    if (this.hasMagicAt(at) && !this.#isPart(at, header)) return 0
    if (header.isOld) return 12 + this.view.getUint16(at, true) + this.view.getUint32(at + 8, true)
    const size = this.view.getUint32(at, true)
    return size >= 28 && size % 4 === 0 ? size : 0
  }

  /** A header whose magic word alone is damaged. */
  #isLikeHeader(at: number): boolean {
    const header = readDateHeader(this.view, at)
    if (header === undefined || header.hasMagic) return false
    return header.isPlausible && isSizeGood(header) && isKnownType(header.type)
  }
}
