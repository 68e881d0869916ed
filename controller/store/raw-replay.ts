/**
 * A raw file as a source of fragments: what the data streams gave the event builder, again, spill by spill. The
 * caller pulls: between two steps it may drain blocks or wait, so nothing piles up.
 */
import { FragmentStatus } from '../../core/fragment.ts'
import { slinkErrorFlag, slinkErrorWords, slinkFormat, slinkTcsError, TCS_GOOD } from '../../core/slink.ts'
import type { DataFaultCode } from '../../core/data-fault.ts'
import { blocksOf, readBody, type SlinkBlock } from './date-body.ts'
import { DateType } from './date-header.ts'
import { type DateEvent, type StreamFault, walkDate } from './date-walk.ts'
import { readRawFile } from './raw-file-reader.ts'

/** Takes the fragments; `bytes` is one whole S-LINK block, only valid during the call. */
export type FragmentReceiver = (
  source: number,
  spill: number,
  event: number,
  bytes: Uint8Array,
  status: number
) => void

export type ReplayStep =
  /** a spill starts: header of the start-of-spill event, or of its first event when that is lost */
  | { readonly kind: 'start'; readonly run: number; readonly spill: number; readonly time: number }
  /** an event whose fragments have been handed over */
  | {
      readonly kind: 'event'
      readonly run: number
      readonly spill: number
      readonly event: number
      readonly eventInRun: number
      /** 7 physics, 8 calibration */
      readonly type: number
      readonly trigger: number
      readonly time: number
      readonly fragments: number
    }
  /** all events of the spill have been handed over; `isClosed`: its end-of-spill event is there */
  | { readonly kind: 'end'; readonly run: number; readonly spill: number; readonly isClosed: boolean }
  /** offsets are those of the decompressed file, of a frame that of the file */
  | { readonly kind: 'fault'; readonly fault: StreamFault }

/**
 * Hands the fragments of a raw file (plain or zstd) to `receive` and says after each event, spill and fault what it
 * did. Damaged events give the fragments that can be read.
 * @throws SpillwayError `not-found` when the file cannot be opened
 */
export function* replayRawFile(path: string, receive: FragmentReceiver): Generator<ReplayStep, void, void> {
  const replay = new Replay(receive)
  let rest: Uint8Array = new Uint8Array(0)
  for (const item of readRawFile(path)) {
    if (item.kind === 'fault') {
      // what was carried over cannot go on behind a hole
      yield* replay.walk(rest, true)
      rest = new Uint8Array(0)
      yield item
      continue
    }
    const bytes = rest.length === 0 ? item.bytes : Buffer.concat([rest, item.bytes])
    const consumed = yield* replay.walk(bytes, false)
    rest = bytes.subarray(consumed)
  }
  yield* replay.walk(rest, true)
  yield* replay.endSpill(false)
}

class Replay {
  readonly #receive: FragmentReceiver
  #open: { run: number; spill: number } | undefined
  /** of the bytes being walked, in the decompressed file */
  #base = 0

  constructor(receive: FragmentReceiver) {
    this.#receive = receive
  }

  *walk(bytes: Uint8Array, isFinal: boolean): Generator<ReplayStep, number, void> {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const walk = walkDate(bytes, isFinal)
    for (;;) {
      const item = walk.next()
      if (item.done === true) {
        this.#base += item.value
        return item.value
      }
      if (item.value.kind === 'fault') yield this.#fault(item.value.fault)
      else yield* this.#event(bytes, view, item.value.event)
    }
  }

  *#event(bytes: Uint8Array, view: DataView, event: DateEvent): Generator<ReplayStep, void, void> {
    const { header, offset } = event
    const { type, run, spill, time } = header
    for (const code of event.faults)
      yield { kind: 'fault', fault: { code, offset, bytes: event.end - offset } }
    if (type === DateType.startOfSpill) yield* this.#startSpill(run, spill, time)
    else if (type === DateType.endOfSpill) {
      if (this.#open?.spill === spill) yield* this.endSpill(true)
    } else if (type === DateType.endOfRun) yield* this.endSpill(false)
    else if (type === DateType.physics || type === DateType.calibration) {
      if (this.#open?.run !== run || this.#open.spill !== spill) yield* this.#startSpill(run, spill, time)
      const faults: StreamFault[] = []
      const report = (code: DataFaultCode, at: number): void => {
        faults.push({ code, offset: at, bytes: 0 })
      }
      let fragments = 0
      for (const { block, equipment } of blocksOf(readBody(view, event, report))) {
        const status = fragmentStatus(block) | (equipment.attribute & FragmentStatus.afterGap)
        this.#receive(block.source, spill, block.event, bytes.subarray(block.offset, block.end), status)
        fragments++
      }
      for (const fault of faults) yield this.#fault(fault)
      const { eventInSpill, eventInRun, trigger } = header
      yield { kind: 'event', run, spill, event: eventInSpill, eventInRun, type, trigger, time, fragments }
    }
  }

  #fault(fault: StreamFault): ReplayStep {
    return { kind: 'fault', fault: { ...fault, offset: fault.offset + this.#base } }
  }

  *#startSpill(run: number, spill: number, time: number): Generator<ReplayStep, void, void> {
    yield* this.endSpill(false)
    this.#open = { run, spill }
    yield { kind: 'start', run, spill, time }
  }

  *endSpill(isClosed: boolean): Generator<ReplayStep, void, void> {
    if (this.#open === undefined) return
    const { run, spill } = this.#open
    this.#open = undefined
    yield { kind: 'end', run, spill, isClosed }
  }
}

/** What the header of the block itself says of it. */
function fragmentStatus({ word0, word2 }: SlinkBlock): number {
  let status = 0
  if (slinkErrorFlag(word0) !== 0) status |= FragmentStatus.slinkError
  if (slinkErrorWords(word2) !== 0) status |= FragmentStatus.errorWords
  if (slinkTcsError(word2) !== TCS_GOOD) status |= FragmentStatus.tcsError
  if ((slinkFormat(word2) & 0x80) !== 0) status |= FragmentStatus.firstOfRun
  return status
}
