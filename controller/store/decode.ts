/**
 * DATE files as JSON: the structure of test/golden/date/good.json, value for value, with a list `faults` per event
 * (and one for the file when something is wrong between the events). For `spillway decode` and for tests.
 */
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import {
  DATA_FAULTS,
  type DataFault,
  type DataFaultCode,
  type FaultPlace,
  type PayloadView,
  restOf
} from '../../core/data-fault.ts'
import { ErrorCode, SpillwayError } from '../../core/errors.ts'
import {
  FIRST_MULTIPLEXER,
  SLINK_HEADER_BYTES,
  slinkErrorFlag,
  slinkErrorWords,
  slinkEvent,
  slinkEventType,
  slinkFormat,
  slinkSpill,
  slinkStat,
  slinkStatus,
  slinkTcsError
} from '../../core/slink.ts'
import { type ApvEventTag, type ApvPayload, inspectApv } from '../../drivers/digitiser/slink-apv/inspect.ts'
import { inspectMsadc, type MsadcPayload } from '../../drivers/digitiser/slink-msadc/inspect.ts'
import {
  type F1DebugPayload,
  type F1SparsePayload,
  inspectF1
} from '../../drivers/digitiser/slink-tdc/inspect.ts'
import { inspectTrigger, type TriggerPayload } from '../../drivers/trigger/trigger-crate/inspect.ts'
import { type Equipment, readBody, type SlinkBlock } from './date-body.ts'
import { type DateHeader, hasData } from './date-header.ts'
import { type DateEvent, walkDate } from './date-walk.ts'
import { decompressFrame, frameLength, isSkippable, isZstd, nextFrame } from './zstd-frames.ts'

export const SOURCE_FORMATS = ['msadc', 'apv', 'f1', 'trigger', 'scaler'] as const
export type SourceFormat = (typeof SOURCE_FORMATS)[number]
/** Expected sources and what they send; multiplexers are known by their source ids and not named. */
export type SourceFormats = ReadonlyMap<number, SourceFormat>

/** Words as hexadecimal: of a format without a reader, of a block whose size is wrong, of a first event of run. */
export interface WordsPayload {
  kind: 'words' | 'configuration' | 'scaler'
  words: string[]
}
export type Payload =
  MsadcPayload | ApvPayload | F1DebugPayload | F1SparsePayload | TriggerPayload | WordsPayload

export interface DecodedSlink {
  src: number
  etype: number
  err: number
  event: number
  spill: number
  stat: number
  status: number
  tcs: number
  errcnt: number
  format: number
  payload: Payload
}
export interface DecodedMultiplexer {
  src: number
  etype: number
  event: number
  spill: number
  blocks: DecodedSlink[]
}
export interface DecodedEquipment {
  type: number
  id: number
  /** null: too short to hold one */
  slink: DecodedSlink | DecodedMultiplexer | null
  offset: number
  size: number
}
export interface DecodedEvent {
  type: number
  run: number
  nbInRun: number
  spill: number
  nbInSpill: number
  trigger: number
  time: number
  attr: readonly number[]
  subs: { ldc: number; equipments: DecodedEquipment[]; offset: number; size: number }[]
  /** of an event without sub-events */
  equipments?: DecodedEquipment[]
  offset: number
  /** as found: of a damaged event not what its size word says */
  size: number
  faults: DataFault[]
}
export interface DecodedFile {
  /** decompressed */
  bytes: number
  /** of the first event */
  headLen: number
  version: number
  events: DecodedEvent[]
  /** between the events, and of the compression; absent when there are none */
  faults?: DataFault[]
}

/** Decoding holds the whole file, decompressed, in memory; a larger one is refused. */
export const DECODE_BYTES_MAX = 1 << 30

/**
 * `600=msadc,610=apv,...` as given on the command line.
 * @throws SpillwayError `usage` that names every wrong part
 */
export function parseSources(text: string): SourceFormats {
  const formats = new Map<number, SourceFormat>()
  const faults: { where: string; what: string; hint?: string }[] = []
  for (const part of text.split(',').map((p) => p.trim())) {
    const match = /^(\d+)=([\w-]+)$/.exec(part)
    const id = Number(match?.[1])
    const format = SOURCE_FORMATS.find((name) => name === match?.[2])
    const where = `--sources ${part}`
    if (match === null)
      faults.push({ where, what: 'not of the form id=format', hint: 'for example 600=msadc' })
    else if (id >= FIRST_MULTIPLEXER)
      faults.push({
        where,
        what: `source ids are 0 to ${FIRST_MULTIPLEXER - 1}`,
        hint: 'multiplexers are recognised by their ids; name the sources inside'
      })
    else if (format === undefined)
      faults.push({
        where,
        what: `no such format: ${match[2] ?? ''}`,
        hint: `known: ${SOURCE_FORMATS.join(', ')}`
      })
    else if (formats.has(id)) faults.push({ where, what: `source ${id} is named twice` })
    else formats.set(id, format)
  }
  if (faults.length > 0) {
    const what = faults.map((fault) => `${fault.where}: ${fault.what}`).join('; ')
    throw new SpillwayError(ErrorCode.usage, what, {
      faults,
      hint: 'example: --sources 600=msadc,610=apv,620=f1'
    })
  }
  return formats
}

/**
 * Reads a plain or zstd DATE file.
 * @throws SpillwayError `not-found` or `overflow` (file too large); never for what the file holds
 */
export function decodeFile(path: string, formats: SourceFormats, bytesMax = DECODE_BYTES_MAX): DecodedFile {
  let bytes: Uint8Array
  try {
    const file = openSync(path, 'r')
    try {
      const { size } = fstatSync(file)
      if (size > bytesMax)
        throw new SpillwayError(ErrorCode.overflow, `${path} has ${size} bytes, more than ${bytesMax}`, {
          hint: 'decode a part of it: zstd -d and head -c, or use replay, which reads event by event'
        })
      bytes = readFileSync(file)
    } finally {
      closeSync(file)
    }
  } catch (error) {
    if (error instanceof SpillwayError) throw error
    throw new SpillwayError(ErrorCode.notFound, `cannot read ${path}`, {
      cause: error,
      hint: 'give the path of a DATE file, plain or zstd'
    })
  }
  return decodeBytes(bytes, formats, bytesMax)
}

/** As `decodeFile`, of bytes in memory. Never throws for what they hold, and ends in time linear in their length. */
export function decodeBytes(
  bytes: Uint8Array,
  formats: SourceFormats,
  bytesMax = DECODE_BYTES_MAX
): DecodedFile {
  const fileFaults: DataFault[] = []
  const plain = isZstd(bytes) ? decompressAll(bytes, fileFaults, bytesMax) : bytes
  const view = new DataView(plain.buffer, plain.byteOffset, plain.byteLength)
  const events: DecodedEvent[] = []
  let first: DateHeader | undefined
  for (const item of walkDate(plain)) {
    if (item.kind === 'fault') {
      const { code, offset, bytes: length } = item.fault
      fileFaults.push({ ...makeFault(code, offset), bytes: length })
      continue
    }
    first ??= item.event.header
    events.push(new EventDecoder(view, item.event, formats).decode())
  }
  reportMissingAdcs(events)
  const file: DecodedFile = {
    bytes: plain.length,
    headLen: first?.headLen ?? 0,
    version: first?.version ?? 0,
    events
  }
  if (fileFaults.length > 0) file.faults = fileFaults
  return file
}

function makeFault(code: DataFaultCode, offset: number, place: FaultPlace = {}): DataFault {
  const { severity, text } = DATA_FAULTS[code]
  return { code, severity, ...place, offset, text }
}

function decompressAll(bytes: Uint8Array, faults: DataFault[], bytesMax: number): Uint8Array {
  const parts: Uint8Array[] = []
  let total = 0
  let at = 0
  const fault = (code: DataFaultCode, offset: number, length: number): void => {
    faults.push({ ...makeFault(code, offset), bytes: length })
  }
  while (at < bytes.length) {
    const length = frameLength(bytes, at)
    if (length < 0) {
      // a damaged length can look like the end of the file: the next frame decides
      const next = nextFrame(bytes, at + 4)
      const isCut = length === -1 && next === bytes.length
      fault(isCut ? 'FRAME_TRUNCATED' : 'FRAME_GARBAGE', at, next - at)
      at = next
      continue
    }
    if (!isSkippable(bytes, at)) {
      const content = decompressFrame(bytes.subarray(at, at + length), at, bytesMax - total)
      if (content instanceof Uint8Array) {
        parts.push(content)
        total += content.length
      } else {
        fault(content.code, at, length)
        // its length is not to be trusted either: another frame may start inside
        const next = nextFrame(bytes, at + 4)
        if (next < at + length) {
          at = next
          continue
        }
      }
    }
    at += length
  }
  return Buffer.concat(parts, total)
}

/** What the reference decoder does with a source for which it has no rule: it goes by the format byte. */
function formatOf(byte: number): SourceFormat | undefined {
  if ((byte & 1) !== 0) return 'f1'
  if ((byte & 2) !== 0) return undefined
  const who = (byte >>> 4) & 7
  return who === 0 ? 'apv' : who === 3 ? 'scaler' : undefined
}

class EventDecoder {
  readonly #view: DataView
  readonly #event: DateEvent
  readonly #formats: SourceFormats
  readonly #faults: DataFault[]
  readonly #sources = new Set<number>()
  readonly #tag: ApvEventTag = { first: undefined, hasFailed: false }

  constructor(view: DataView, event: DateEvent, formats: SourceFormats) {
    this.#view = view
    this.#event = event
    this.#formats = formats
    this.#faults = event.faults.map((code) => makeFault(code, event.offset))
  }

  decode(): DecodedEvent {
    const { header, offset, end } = this.#event
    const body = readBody(this.#view, this.#event, (code, at, place) => this.#report(code, at, place))
    const subs = body.subs.map((sub) => ({
      ldc: sub.header.ldc,
      equipments: sub.equipments.map((equipment) => this.#equipment(equipment)),
      offset: sub.offset,
      size: sub.size
    }))
    const equipments = body.equipments.map((equipment) => this.#equipment(equipment))
    const isUnpacked = subs.length > 0 ? body.subs.some((sub) => hasData(sub.header.type)) : !header.isSwapped
    if (hasData(header.type) ? isUnpacked || header.isSuper : subs.length > 0 && isUnpacked)
      this.#checkSources(offset)
    return {
      type: header.type,
      run: header.run,
      nbInRun: header.eventInRun,
      spill: header.spill,
      nbInSpill: header.eventInSpill,
      trigger: header.trigger,
      time: header.time,
      attr: header.attr,
      subs,
      ...(equipments.length > 0 ? { equipments } : {}),
      offset,
      size: end - offset,
      faults: this.#faults
    }
  }

  #report(code: DataFaultCode, offset: number, place: FaultPlace = {}): void {
    this.#faults.push(makeFault(code, offset, place))
  }

  #checkSources(offset: number): void {
    for (const source of this.#formats.keys())
      if (!this.#sources.has(source)) this.#report('EVENT_MISSING_SRCID', offset, { source })
    for (const source of this.#sources)
      if (!this.#formats.has(source)) this.#report('EVENT_UNKNOWN_SRCID', offset, { source })
  }

  #equipment(equipment: Equipment): DecodedEquipment {
    const { type, id, slink, offset, size } = equipment
    return { type, id, slink: slink === undefined ? null : this.#slinkOrMultiplexer(slink), offset, size }
  }

  #slinkOrMultiplexer(block: SlinkBlock): DecodedSlink | DecodedMultiplexer {
    if (block.inner === undefined) return this.#slink(block)
    if (slinkErrorFlag(block.word0) !== 0)
      this.#report('SLINK_ERRFLAG', block.offset, { source: block.source })
    return {
      src: block.source,
      etype: slinkEventType(block.word0),
      event: slinkEvent(block.word1),
      spill: slinkSpill(block.word1),
      blocks: block.inner.map((inner) => this.#slink(inner))
    }
  }

  #slink(block: SlinkBlock): DecodedSlink {
    const { word0, word1, word2, source } = block
    return {
      src: source,
      etype: slinkEventType(word0),
      err: slinkErrorFlag(word0),
      event: slinkEvent(word1),
      spill: slinkSpill(word1),
      stat: slinkStat(word1),
      status: slinkStatus(word2),
      tcs: slinkTcsError(word2),
      errcnt: slinkErrorWords(word2),
      format: slinkFormat(word2),
      payload: this.#payload(block)
    }
  }

  #payload(block: SlinkBlock): Payload {
    const { source, offset, word2 } = block
    const view = this.#payloadView(block)
    if (!block.isReadable) return { kind: 'words', words: restOf(view, 0) }
    if (this.#sources.has(source)) this.#report('SOURCE_TWICE', offset, { source })
    this.#sources.add(source)
    this.#checkStatus(block)
    const format = slinkFormat(word2)
    if ((format & 0x80) !== 0) {
      this.#report('SLINK_FIRST_OF_RUN', offset, { source })
      return { kind: 'configuration', words: restOf(view, 0) }
    }
    switch (this.#formats.get(source) ?? formatOf(format)) {
      case 'msadc':
        return inspectMsadc(view)
      case 'apv':
        return inspectApv(view, this.#tag)
      case 'f1':
        return inspectF1(view)
      case 'trigger':
        return inspectTrigger(view)
      case 'scaler':
        return { kind: 'scaler', words: restOf(view, 0) }
      case undefined:
        this.#report('SLINK_UNSUPPORTED', offset, { source, got: format })
        return { kind: 'words', words: restOf(view, 0) }
    }
  }

  #payloadView(block: SlinkBlock): PayloadView {
    const { source, event, word2 } = block
    const start = block.offset + SLINK_HEADER_BYTES
    const data = this.#view
    return {
      source,
      event,
      words: (block.end - start) >> 2,
      word: (index) => data.getUint32(start + 4 * index, true),
      dateEvent: this.#event.header.eventInSpill,
      format: slinkFormat(word2),
      isDistrusted: (slinkTcsError(word2) & 0x41) !== 0,
      report: (code, index, place) => this.#report(code, start + 4 * index, { source, ...place })
    }
  }

  #checkStatus(block: SlinkBlock): void {
    const { offset, source, word0, word2 } = block
    const tcs = slinkTcsError(word2)
    const report = (code: DataFaultCode, got: number): void => this.#report(code, offset, { source, got })
    if ((tcs & 1) !== 0) report('TCS_FIFO', tcs)
    if ((tcs & 8) === 0) report('TCS_ECC', tcs)
    if ((tcs & 0x40) !== 0) report('TCS_SYNC', tcs)
    if ((tcs & 0xb6) !== 0) report('TCS_UNDEF', tcs)
    if (slinkErrorFlag(word0) !== 0) report('SLINK_ERRFLAG', 1)
    if (slinkErrorWords(word2) !== 0) report('SLINK_ERRNR', slinkErrorWords(word2))
  }
}

/**
 * The reference decoder knows from its map which ADCs an APV source has, and that each sends its header in every
 * event. The file itself knows as well: an ADC in more than half of the source's events belongs to it.
 */
function reportMissingAdcs(events: readonly DecodedEvent[]): void {
  const found = new Map<number, { payload: ApvPayload; event: DecodedEvent; offset: number }[]>()
  for (const event of events)
    for (const equipment of [...event.subs.flatMap((sub) => sub.equipments), ...(event.equipments ?? [])]) {
      const { slink, offset } = equipment
      const blocks = slink === null ? [] : 'blocks' in slink ? slink.blocks : [slink]
      for (const { src, payload } of blocks) {
        if (payload.kind !== 'apv' || payload.rest !== undefined) continue
        const list = found.get(src) ?? []
        found.set(src, list)
        list.push({ payload, event, offset })
      }
    }
  for (const [source, list] of found) {
    const counts = new Map<number, number>()
    for (const { payload } of list)
      for (const adc of new Set(payload.adcs.map(({ id }) => id))) counts.set(adc, (counts.get(adc) ?? 0) + 1)
    const expected = [...counts].filter(([, count]) => 2 * count > list.length).map(([adc]) => adc)
    for (const { payload, event, offset } of list)
      for (const adc of expected)
        if (!payload.adcs.some(({ id }) => id === adc))
          event.faults.push(makeFault('APV_MISS_ADC', offset, { source, adc }))
  }
}
