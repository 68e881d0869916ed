/**
 * Reads an APV payload (GeSiCA) word by word. Keeps exactly the hits that the collaboration's decoder keeps as
 * `data`; the hits that it throws away stay visible as `discarded`.
 *
 *     ADC header  w0 [15:0] words with these two  [23:16] id       w1 [23:0] time tag  [31:24] format
 *     APV header  w0 [15:0] words with header and common mode  [27:16] event  [31:28] chip
 *                 w1 three times {good, Gray address [8 bits]}
 *     data        sparse: [7:0] [15:8] [24:16] frames  [31:25] channel;  latch-all: three times 10 bits
 *     last word, only with format bit 3: common mode, three times 10 bits, [31:30] 10
 */
import { type PayloadView, restOf } from '../../../core/data-fault.ts'

/** [chip channel, frame 1, frame 2, frame 3] as stored */
export type ApvHit = [number, number, number, number]
export interface ApvChip {
  chip: number
  good: [number, number, number]
  /** pipeline column of frame 1 */
  column: number
  gray: [number, number, number]
  commonMode?: [number, number, number]
  data: ApvHit[]
  /** hits that do not count: a frame is not good, or the source is not to be trusted */
  discarded?: ApvHit[]
}
export interface ApvAdc {
  id: number
  format: number
  timeTag: number
  apvs: ApvChip[]
}
export interface ApvPayload {
  kind: 'apv'
  adcs: ApvAdc[]
  /** words that could not be read */
  rest?: string[]
}

/** Time tags of one event: all APV sources must agree. Make one per event. */
export interface ApvEventTag {
  first: number | undefined
  hasFailed: boolean
}

const SINGLE_FRAME_BIT = 1
const SPARSE_BIT = 2
const COMMON_MODE_BIT = 8
const SKIPPED_BIT = 32
const GRAY_OFFSET = 32
const COLUMNS = 192

/** Never throws and always ends: each step goes on by at least two words. */
export function inspectApv(view: PayloadView, tag: ApvEventTag): ApvPayload {
  const payload: ApvPayload = { kind: 'apv', adcs: [] }
  let at = 0
  let isSourceBad = view.isDistrusted
  while (at < view.words) {
    const left = view.words - at
    const w0 = view.word(at)
    const size = w0 & 0xffff
    if (left < 2 || size < 2 || size > left) {
      view.report('APV_ADC_OUT', at, { expected: left, got: size })
      isSourceBad = true
      break
    }
    const w1 = view.word(at + 1)
    const adc: ApvAdc = { id: (w0 >>> 16) & 0xff, format: w1 >>> 24, timeTag: w1 & 0xffffff, apvs: [] }
    checkTag(view, at, adc, payload.adcs[0]?.timeTag, tag)
    payload.adcs.push(adc)
    if ((adc.format & SKIPPED_BIT) !== 0) view.report('APV_DATA_SKIPPED', at, { adc: adc.id })
    const stop = inspectChips(view, adc, at + 2, at + size)
    if (stop !== undefined) {
      at = stop.at
      isSourceBad ||= stop.isSourceBad
      break
    }
    at += size
  }
  if (at < view.words) payload.rest = restOf(view, at)
  if (isSourceBad)
    for (const chip of payload.adcs.flatMap((adc) => adc.apvs)) {
      if (chip.data.length > 0) chip.discarded = [...(chip.discarded ?? []), ...chip.data.splice(0)]
    }
  return payload
}

function checkTag(
  view: PayloadView,
  at: number,
  adc: ApvAdc,
  firstOfSource: number | undefined,
  event: ApvEventTag
): void {
  if (firstOfSource !== undefined && firstOfSource !== adc.timeTag)
    view.report('APV_LOCAL_TIMETAG_FAILED', at, { adc: adc.id, expected: firstOfSource, got: adc.timeTag })
  event.first ??= adc.timeTag
  // once per event, as in the reference decoder: after the first difference no tag is better than the others
  if (event.first !== adc.timeTag && !event.hasFailed) {
    event.hasFailed = true
    view.report('APV_LAST_TRIGGER_TICKS_FAILED', at, { adc: adc.id, expected: event.first, got: adc.timeTag })
  }
}

/** @returns where and how the source ends early; undefined when the ADC block was read to its end */
function inspectChips(
  view: PayloadView,
  adc: ApvAdc,
  from: number,
  end: number
): { at: number; isSourceBad: boolean } | undefined {
  const hasCommonMode = (adc.format & COMMON_MODE_BIT) !== 0
  const isSingleFrame = (adc.format & SINGLE_FRAME_BIT) === 0
  for (let at = from; at < end;) {
    const w0 = view.word(at)
    const size = w0 & 0xffff
    const chip = w0 >>> 28
    const event = (w0 >>> 16) & 0xfff
    if (event !== (view.event & 0xfff)) {
      view.report('APV_H_WR_EV', at, { adc: adc.id, chip, expected: view.event & 0xfff, got: event })
      return { at, isSourceBad: false }
    }
    if (size < (hasCommonMode ? 3 : 2) || at + size > end) {
      view.report('APV_APV_OUT', at, { adc: adc.id, chip, expected: end - at, got: size })
      return { at, isSourceBad: true }
    }
    if (isSingleFrame) {
      // the reference decoder gives up the whole event here; the layout is not documented
      view.report('APV_SINGLE_FRAME', at, { adc: adc.id, chip })
      return { at, isSourceBad: false }
    }
    adc.apvs.push(inspectChip(view, adc, at, size, hasCommonMode))
    at += size
  }
  return undefined
}

function inspectChip(
  view: PayloadView,
  adc: ApvAdc,
  at: number,
  size: number,
  hasCommonMode: boolean
): ApvChip {
  const w1 = view.word(at + 1)
  const gray: [number, number, number] = [(w1 >>> 1) & 0xff, (w1 >>> 10) & 0xff, (w1 >>> 19) & 0xff]
  const good: [number, number, number] = [w1 & 1, (w1 >>> 9) & 1, (w1 >>> 18) & 1]
  const column = fromGray(gray[0]) - GRAY_OFFSET
  const chip: ApvChip = { chip: view.word(at) >>> 28, good, column, gray, data: [] }
  const place = { adc: adc.id, chip: chip.chip }
  if (column < 0 || column >= COLUMNS) view.report('APV_BAD_ADDRESS', at + 1, { ...place, got: gray[0] })
  const dataEnd = at + size - (hasCommonMode ? 1 : 0)
  if (hasCommonMode) {
    const word = view.word(dataEnd)
    if (word >>> 30 !== 2) view.report('APV_BAD_COMMON_MODE', dataEnd, { ...place, got: word })
    chip.commonMode = [word & 0x3ff, (word >>> 10) & 0x3ff, (word >>> 20) & 0x3ff]
  }
  const isSparse = (adc.format & SPARSE_BIT) !== 0
  const isGood = good[0] === 1 && good[1] === 1 && good[2] === 1
  for (let i = at + 2; i < dataEnd; i++) {
    const word = view.word(i)
    const hit: ApvHit = isSparse
      ? [word >>> 25, word & 0xff, (word >>> 8) & 0xff, (word >>> 16) & 0x1ff]
      : [i - at - 2, word & 0x3ff, (word >>> 10) & 0x3ff, (word >>> 20) & 0x3ff]
    if (isGood) chip.data.push(hit)
    else {
      ;(chip.discarded ??= []).push(hit)
      view.report('APV_H_S_E', i, place)
    }
  }
  if (!isGood && chip.discarded === undefined) view.report('APV_H_S_E', at + 1, place)
  return chip
}

function fromGray(gray: number): number {
  let n = gray
  for (let shift = 1; shift < 8; shift <<= 1) n ^= n >> shift
  return n
}
