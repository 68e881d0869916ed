/**
 * Reads an F1 TDC payload word by word, in the mode that the S-LINK format byte names (bit 1: sparsified).
 * Debug mode is a state machine over headers, data, trailers and error words; it follows the collaboration's
 * decoder, so that both keep the same hits. Hits that do not count stay visible as `discarded`.
 *
 *     header, trailer  [3:0] PLL [7:4] port [10:8] channel [13:11] chip [14] xor [23:15] trigger time [29:24] event
 *                      [30] trigger buffer overflow [31] 0
 *     data             [3:0] PLL [7:4] port [23:8] time [26:24] channel [29:27] chip [30] 0 [31] 1
 *     sparsified       [15:0] time [18:16] channel [21:19] chip [31:22] geoID
 *     error word       [31:20] 0xfff [19:10] geoID [9:6] port [5:4] special code [3:0] code
 */
import type { DataFaultCode, FaultPlace, PayloadView } from '../../../core/data-fault.ts'

/** [chip, channel, time] */
export type F1DebugHit = [number, number, number]
/** [geoID, chip, channel, time] */
export type F1SparseHit = [number, number, number, number]
export interface F1Port {
  port: number
  /** null: data without a header */
  trigTime: number | null
  hits: F1DebugHit[]
  discarded?: F1DebugHit[]
}
export interface F1DebugPayload {
  kind: 'f1debug'
  ports: F1Port[]
}
export interface F1SparsePayload {
  kind: 'f1sparse'
  hits: F1SparseHit[]
  discarded?: F1SparseHit[]
}

const SPARSE_BIT = 2
const HOTLINK_BIT = 0x40
const ERROR_MARKER = 0xfff
const PLL_LOCKED = 0xf

const ERROR_CODES: readonly (DataFaultCode | undefined)[] = [
  undefined,
  'TDC_ERR1',
  'TDC_ERR2',
  'TDC_ERR3',
  'TDC_ERR4',
  'TDC_ERR5',
  'TDC_ERR6',
  'TDC_ERR7',
  'TDC_UNDEF8',
  'TDC_UNDEF9',
  'TDC_ERR10',
  'TDC_UNDEF11',
  'TDC_ERR12',
  'TDC_UNDEF13',
  'TDC_UNDEF14',
  'TDC_UNDEF15'
]
/** Codes after which data of the named port and geoID are still used. */
const HARMLESS = new Set<DataFaultCode>([
  'TDC_ERR5',
  'TDC_ERR6',
  'TDC_UNDEF8',
  'TDC_UNDEF9',
  'TDC_UNDEF13',
  'TDC_UNDEF14',
  'TDC_UNDEF15'
])

/** Never throws and always ends: each step goes on by one word at least. */
export function inspectF1(view: PayloadView): F1DebugPayload | F1SparsePayload {
  return (view.format & SPARSE_BIT) === 0 ? inspectDebug(view) : inspectSparse(view)
}

/**
 * Reports an error word and names port and geoID as bad, as its code asks for.
 * @returns its code, or undefined when the word is none
 */
function errorWord(view: PayloadView, at: number, bad: Set<number>): number | undefined {
  const word = view.word(at)
  if (word >>> 20 !== ERROR_MARKER) return undefined
  const code = word & 0xf
  const special = (word >>> 4) & 3
  const port = (word >>> 6) & 0xf
  const geoId = (word >>> 10) & 0x3ff
  const report = (name: DataFaultCode): void => {
    view.report(name, at, { port, geoId, got: code })
    if (!HARMLESS.has(name)) bad.add(port).add(geoId)
  }
  const named = ERROR_CODES[code]
  if (named !== undefined) report(named)
  else if (special === 0) report('TDC_WRGEOID')
  if (special === 2) report('TDC_SERR2')
  if (special === 3) report('TDC_SERR3')
  if (special === 1 && (code === 0 || code === 3 || code === 7)) report('TDC_SERR1')
  return code
}

function inspectSparse(view: PayloadView): F1SparsePayload {
  const payload: F1SparsePayload = { kind: 'f1sparse', hits: [] }
  const bad = new Set<number>()
  for (let at = 0; at < view.words; at++) {
    if (errorWord(view, at, bad) !== undefined) {
      at++ // the word after an error word is the faulty one
      continue
    }
    const word = view.word(at)
    const geoId = word >>> 22
    const hit: F1SparseHit = [geoId, (word >>> 19) & 7, (word >>> 16) & 7, word & 0xffff]
    if (bad.has(geoId)) (payload.discarded ??= []).push(hit)
    else payload.hits.push(hit)
  }
  return payload
}

const portOf = (word: number): number => (word >>> 4) & 0xf

/** What the reference decoder tolerates between trigger times of different ports: 2 units, modulo the range. */
function trigTimesAgree(a: number, b: number): boolean {
  return (
    Math.abs(wrapped((a - b) << 7, 64_239)) <= 2 << 7 || Math.abs(wrapped((a - b) << 7, 64_600)) <= 1 << 7
  )
}
function wrapped(difference: number, range: number): number {
  let d = difference
  for (let i = 0; i < 3 && Math.abs(d) >= 30_000; i++) d += d < 0 ? range : -range
  return d
}

function inspectDebug(view: PayloadView): F1DebugPayload {
  const payload: F1DebugPayload = { kind: 'f1debug', ports: [] }
  const isCmc = (view.format & HOTLINK_BIT) === 0
  const eventLow = view.event & 0x3f
  const bad = new Set<number>()
  // a front end may leave out headers and trailers but in every 128th event
  let hasHeaders = view.event % 128 === 1
  /** where in header - data - trailer the reader is */
  const now: { expectTrailer: boolean; port: F1Port | undefined } = { expectTrailer: false, port: undefined }
  let port = -1
  let trigTime: number | undefined
  /** code of the error word just before this word */
  let error: number | undefined

  for (let at = 0; at < view.words; at++) {
    const code = errorWord(view, at, bad)
    if (code === undefined) {
      const word = view.word(at)
      if (word >>> 31 === 0) header(word, at)
      else data(word, at)
    }
    error = code
  }
  if (now.expectTrailer && now.port !== undefined && now.port.trigTime !== null)
    view.report('TDC_NO_TRAILER', view.words - 1, { port })
  return payload

  function header(word: number, at: number): void {
    const place = { port: portOf(word), chip: (word >>> 11) & 7, channel: (word >>> 8) & 7 }
    const time = (word >>> 15) & 0x1ff
    const event = (word >>> 24) & 0x3f
    const afterEventError = error === 3 || error === 7
    const fail = (code: DataFaultCode, more: FaultPlace = {}): void => {
      view.report(code, at, { ...place, ...more })
      if (code !== 'TDC_WRPORT_T' && code !== 'TDC_WRERR') bad.add(place.port)
    }
    if (error === undefined) {
      hasHeaders = true
      if (trigTime !== undefined && !trigTimesAgree(trigTime, time))
        fail('TDC_WRTIME', { expected: trigTime, got: time })
      trigTime = time
    }
    // after an error word its code tells where in header - data - trailer this word is
    let checksPort = hasHeaders
    if (error === undefined || afterEventError) {
      if (!now.expectTrailer) port = place.port
    } else if (error === 1) {
      port = place.port
      now.expectTrailer = false
    } else {
      now.expectTrailer = true
      checksPort &&= error === 5
    }
    if (checksPort && now.expectTrailer && port !== place.port) fail('TDC_WRPORT_T', { expected: port })
    if (now.expectTrailer) now.port = undefined
    else payload.ports.push((now.port = { port: place.port, trigTime: time, hits: [] }))
    now.expectTrailer = !now.expectTrailer

    if (error === undefined || afterEventError) {
      if (((word >>> 30) & 1) === 1) fail('TDC_TBO')
      if (isCmc && (word & 0xf) !== PLL_LOCKED) fail('TDC_WRPLL_H', { got: word & 0xf })
    }
    if (error === undefined && event !== eventLow)
      fail(event < eventLow ? 'TDC_ERR3U' : 'TDC_ERR7U', { expected: eventLow, got: event })
    if (afterEventError && event === eventLow) fail('TDC_WRERR')
  }

  function data(word: number, at: number): void {
    const place = { port: portOf(word), chip: (word >>> 27) & 7, channel: (word >>> 24) & 7 }
    let isGood = true
    if (!now.expectTrailer && hasHeaders) {
      view.report('TDC_ERR1U', at, place)
      port = place.port
      isGood = false
    }
    now.expectTrailer = true
    if (port !== place.port && hasHeaders) {
      view.report('TDC_WRPORT', at, { ...place, expected: port })
      isGood = false
    }
    if (isCmc && (word & 0xf) !== PLL_LOCKED) {
      view.report('TDC_WRPLL', at, { ...place, got: word & 0xf })
      bad.add(place.port)
      isGood = false
    }
    if (now.port?.port !== place.port) {
      now.port = { port: place.port, trigTime: null, hits: [] }
      payload.ports.push(now.port)
    }
    const hit: F1DebugHit = [place.chip, place.channel, (word >>> 8) & 0xffff]
    if (isGood && !bad.has(place.port)) now.port.hits.push(hit)
    else (now.port.discarded ??= []).push(hit)
  }
}
