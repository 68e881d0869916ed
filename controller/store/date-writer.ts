/**
 * Writes DATE 3.6 events as the collaboration's decoders read them (test/golden/date/README.md): per event a super
 * event of one sub-event with one S-LINK equipment per fragment; start of run and spill and end of run are bare
 * headers. The end of a spill is unpacked by those decoders and checked for every source, so it holds an empty block
 * of each, under the next event number.
 * The first attribute word of an equipment, which no decoder reads, holds our fragment status: what the stream
 * knew of the fragment and its own header does not say (lost frames before it) is there for replay.
 */
import { BlockHeader, type EventBlock, EventStatus } from '../../core/block.ts'
import { ErrorCode, SpillwayError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { SLINK_HEADER_BYTES, TCS_GOOD } from '../../core/slink.ts'
import {
  DATE_MAGIC,
  DATE_VERSION,
  DateType,
  EQUIPMENT_BYTES,
  HEADER_BYTES,
  SUPER_EVENT_BIT,
  VOID_ID
} from './date-header.ts'
import type { WordBuffer } from './word-buffer.ts'

const HEADER_WORDS = HEADER_BYTES / 4
const EQUIPMENT_WORDS = EQUIPMENT_BYTES / 4
const SLINK_TYPE = 64
const SLINK_WORDS = SLINK_HEADER_BYTES / 4
const ELEMENT_BYTES = 4
const LDC = 1
const GDC = 1
/** attribute word 0 of calibration events (COOOL's LED events) */
const CALIBRATION_ATTRIBUTE = 0x68000000

/** What a source writes when it has nothing to say: its header and so many zero words. */
export interface EmptyBlock {
  readonly source: number
  /** S-LINK format byte */
  readonly format: number
  readonly words: number
}

export const DATE_SPILL_MAX = 0xfff
export const DATE_EVENT_IN_SPILL_MAX = 0xfffff
const WORD_MAX = 0xffffffff

function check(name: string, value: number, max: number): void {
  if (Number.isInteger(value) && value >= 0 && value <= max) return
  throw new SpillwayError(ErrorCode.overflow, `${name} ${value} does not fit its field of the DATE header`, {
    expected: `0 to ${max}`,
    hint: 'start a new run; `spillsPerRun` bounds the spills of a run'
  })
}

/** One run's events, in order. Throws `overflow` for numbers that do not fit, before it writes anything. */
export class DateWriter {
  readonly #run: number
  /** number in the run of the last event written */
  #eventInRun = 0
  /** number in the spill of the last event written */
  #eventInSpill = 0

  constructor(run: number) {
    check('run number', run, WORD_MAX)
    this.#run = run
  }

  /** @param time unix seconds, here and below */
  startOfRun(time: number, out: WordBuffer): void {
    this.#control(DateType.startOfRun, 0, time, out)
  }
  startOfSpill(spill: number, time: number, out: WordBuffer): void {
    this.#eventInSpill = 0
    this.#control(DateType.startOfSpill, spill, time, out)
  }
  /** @param sources whose empty blocks it holds; none: a bare header */
  endOfSpill(spill: number, time: number, out: WordBuffer, sources: readonly EmptyBlock[] = []): void {
    if (sources.length === 0) {
      this.#control(DateType.endOfSpill, spill, time, out)
      return
    }
    check('spill number', spill, DATE_SPILL_MAX)
    const number = Math.min(this.#eventInSpill + 1, DATE_EVENT_IN_SPILL_MAX)
    const size = sources.reduce((sum, { words }) => sum + EQUIPMENT_WORDS + SLINK_WORDS + words, 0)
    out.ensure(2 * HEADER_WORDS + size)
    const event = { type: DateType.endOfSpill, spill, time }
    this.#header(out, { ...event, words: 2 * HEADER_WORDS + size, isSuper: true }, number, 0)
    this.#header(out, { ...event, words: HEADER_WORDS + size, isSuper: false }, number, 0)
    sources.forEach((source, index) => this.#emptyBlock(out, source, index + 1, spill, number))
  }
  endOfRun(time: number, out: WordBuffer): void {
    this.#control(DateType.endOfRun, 0, time, out)
  }

  #control(type: number, spill: number, time: number, out: WordBuffer): void {
    check('spill number', spill, DATE_SPILL_MAX)
    out.ensure(HEADER_WORDS)
    this.#header(out, { ...{ words: HEADER_WORDS, type, spill, time }, isSuper: false }, 0, 0)
    out.words[out.length - 3] = 0 // no LDC: written by nobody below the builder
  }

  /**
   * Every row that is in use, in order. Allocates nothing once `out` is large enough.
   * @param sources S-LINK ids in the order of the block's columns
   * @returns events written
   */
  appendBlock(block: EventBlock, sources: readonly number[], out: WordBuffer): number {
    const { header } = block
    const rows = header[BlockHeader.eventCount]!
    const spill = header[BlockHeader.spill]!
    const time = header[BlockHeader.time]! >>> 0
    const firstInRun = header[BlockHeader.firstEventInRun]!
    check('spill number', spill, DATE_SPILL_MAX)
    check('event number in the run', firstInRun + rows, WORD_MAX)
    for (let row = 0; row < rows; row++)
      if ((block.eventStatus[row]! & EventStatus.absent) === 0)
        check('event number in the spill', block.eventNumber[row]!, DATE_EVENT_IN_SPILL_MAX)
    let written = 0
    const event = { words: 0, type: 0, spill, time, isSuper: true }
    for (let row = 0; row < rows; row++) {
      if ((block.eventStatus[row]! & EventStatus.absent) !== 0) continue
      let words = 0
      for (let s = row * sources.length; s < (row + 1) * sources.length; s++)
        if (block.fragmentBytes[s]! > 0) words += EQUIPMENT_WORDS + (block.fragmentBytes[s]! >>> 2)
      // without the trigger block the type is not known: what the detectors sent is physics until shown otherwise
      event.type = block.eventType[row]! === 0 ? DateType.physics : block.eventType[row]!
      this.#eventInRun = firstInRun + row
      this.#eventInSpill = block.eventNumber[row]!
      out.ensure(2 * HEADER_WORDS + words)
      event.words = 2 * HEADER_WORDS + words
      event.isSuper = true
      this.#header(out, event, block.eventNumber[row]!, block.triggerMask[row]!)
      event.words = HEADER_WORDS + words
      event.isSuper = false
      this.#header(out, event, block.eventNumber[row]!, block.triggerMask[row]!)
      for (let s = 0; s < sources.length; s++) this.#equipment(out, block, row * sources.length + s, s + 1)
      written++
    }
    return written
  }

  #emptyBlock(out: WordBuffer, source: EmptyBlock, id: number, spill: number, event: number): void {
    const { words } = out
    const size = SLINK_WORDS + source.words
    let at = out.length
    words[at++] = EQUIPMENT_BYTES + 4 * size
    words[at++] = SLINK_TYPE
    words[at++] = id
    words[at++] = 0
    words[at++] = 0
    words[at++] = 0
    words[at++] = ELEMENT_BYTES
    words[at++] = (source.source << 16) | size
    words[at++] = ((spill & limits.spillNumberMax) << 20) | event
    words[at++] = ((source.format << 24) | (TCS_GOOD << 8)) >>> 0
    words.fill(0, at, at + source.words)
    out.length = at + source.words
  }

  #header(
    out: WordBuffer,
    event: { words: number; type: number; spill: number; time: number; isSuper: boolean },
    eventInSpill: number,
    trigger: number
  ): void {
    const { words } = out
    let at = out.length
    words[at++] = 4 * event.words
    words[at++] = DATE_MAGIC
    words[at++] = HEADER_BYTES
    words[at++] = DATE_VERSION
    words[at++] = event.type
    words[at++] = this.#run
    words[at++] = this.#eventInRun
    words[at++] = (event.spill << 20) | eventInSpill
    words[at++] = trigger << 1
    words[at++] = trigger >>> 31
    words[at++] = 0
    words[at++] = event.type === DateType.calibration ? CALIBRATION_ATTRIBUTE : 0
    words[at++] = 0
    words[at++] = event.isSuper ? SUPER_EVENT_BIT : 0
    words[at++] = event.isSuper ? VOID_ID : LDC
    words[at++] = GDC
    words[at++] = event.time
    out.length = at
  }

  #equipment(out: WordBuffer, block: EventBlock, fragment: number, id: number): void {
    const bytes = block.fragmentBytes[fragment]!
    if (bytes === 0) return
    const { words } = out
    let at = out.length
    words[at++] = EQUIPMENT_BYTES + bytes
    words[at++] = SLINK_TYPE
    words[at++] = id
    words[at++] = block.fragmentStatus[fragment]!
    words[at++] = 0
    words[at++] = 0
    words[at++] = ELEMENT_BYTES
    const from = block.fragmentOffset[fragment]! >>> 2
    for (let i = from; i < from + (bytes >>> 2); i++) words[at++] = block.rawWords[i]!
    out.length = at
  }
}
