/**
 * Reads an MSADC payload (data format 3) word by word, for people and tests: the twin of `decode.ts`, which fills
 * columns. Keeps exactly what the collaboration's decoder keeps, and reports more than it does.
 *
 *     ADC header      [11:0] event  [23:12] words with this one  [24] error  [26:25] adc  [29:27] port  [31:30] 11
 *     channel header  [15:0] sum    [24:16] samples n            [29:26] channel                        [31:30] 01
 *     ceil(n/2) words [11:0] sample 2k  [23:12] sample 2k+1      [31:30] 01 in the first, 10 in the others
 */
import { type PayloadView, restOf } from '../../../core/data-fault.ts'

export interface MsadcChannel {
  ch: number
  sum: number
  /** three hexadecimal digits per sample, in time order */
  samples: string
  /** samples that the header announces, when there are fewer */
  announced?: number
}
export interface MsadcModule {
  port: number
  adc: number
  channels: MsadcChannel[]
  /** the module does not answer */
  missing?: true
  /** the module set its error bit */
  error?: true
  /** words of the block that could not be read */
  rest?: string[]
}
export interface MsadcPayload {
  kind: 'msadc'
  modules: MsadcModule[]
  /** words that could not be read */
  rest?: string[]
}

const KEY_MODULE = 3
const KEY_MISSING = 0
const CHANNEL = 1
const FIRST_SAMPLES = 1
const NEXT_SAMPLES = 2

/** Never throws and always ends: each step goes on by at least one word. */
export function inspectMsadc(view: PayloadView): MsadcPayload {
  const payload: MsadcPayload = { kind: 'msadc', modules: [] }
  const seen = new Set<number>()
  let at = 0
  while (at < view.words) {
    const header = view.word(at)
    const size = (header >>> 12) & 0xfff
    const adc = (header >>> 25) & 3
    const port = (header >>> 27) & 7
    const key = header >>> 30
    const isMissing = key === KEY_MISSING && size === 1
    if (key === KEY_MISSING) view.report('SADC_MODULE_MISSING', at, { port, adc })
    if (key !== KEY_MODULE && !isMissing) {
      view.report('SADC_BAD_H_ADC', at, { port, adc, got: header })
      break
    }
    const event = header & 0xfff
    // the reference decoder checks the size only against the payload, and loops for ever on 0
    const isSizeGood = size >= 1 && at + size <= view.words
    if (!isSizeGood)
      view.report('SADC_H_ADC_BAD_SIZE', at, { port, adc, expected: view.words - at, got: size })
    if (event !== (view.event & 0xfff) && (isSizeGood || size === 0)) {
      const { dateEvent } = view
      view.report('SADC_WRONG_EVENT', at, { port, adc, expected: view.event & 0xfff, got: event, dateEvent })
      break
    }
    if (!isSizeGood) break
    const module: MsadcModule = { port, adc, channels: [] }
    payload.modules.push(module)
    if (isMissing) module.missing = true
    if (((header >>> 24) & 1) === 1) {
      module.error = true
      view.report('SADC_H_ADC_ERROR', at, { port, adc })
    }
    const address = (port << 2) | adc
    if (seen.has(address)) view.report('SADC_MODULE_TWICE', at, { port, adc })
    seen.add(address)
    inspectChannels(view, module, at + 1, at + size)
    at += size
  }
  if (at < view.words) payload.rest = restOf(view, at)
  return payload
}

function inspectChannels(view: PayloadView, module: MsadcModule, from: number, end: number): void {
  const { port, adc } = module
  let at = from
  let previous = -1
  while (at < end) {
    const header = view.word(at)
    const announced = (header >>> 16) & 0x1ff
    const channel = (header >>> 26) & 0xf
    if (header >>> 30 !== CHANNEL) {
      view.report('SADC_BAD_DATA_HEADER', at, { port, adc, got: header })
      break
    }
    const words = (announced + 1) >> 1
    if (announced === 0 || at + 1 + words > end) {
      view.report('SADC_DATA_OUTSIDE', at, { port, adc, channel, got: announced })
      break
    }
    if (channel <= previous) view.report('SADC_BAD_CHAN_N', at, { port, adc, channel, got: channel })
    previous = channel
    module.channels.push(inspectSamples(view, at, channel, announced, { port, adc }))
    at += 1 + words
  }
  if (at < end) module.rest = restOf(view, at, end)
}

function inspectSamples(
  view: PayloadView,
  header: number,
  ch: number,
  announced: number,
  place: { port: number; adc: number }
): MsadcChannel {
  let samples = ''
  let count = 0
  for (let at = header + 1; count < announced; at++) {
    const word = view.word(at)
    if (word >>> 30 !== (count === 0 ? FIRST_SAMPLES : NEXT_SAMPLES)) {
      view.report('SADC_BAD_DATA', at, { ...place, channel: ch, got: word })
      break
    }
    samples += hex12(word & 0xfff)
    count++
    if (count < announced) {
      samples += hex12((word >>> 12) & 0xfff)
      count++
    }
  }
  const channel: MsadcChannel = { ch, sum: view.word(header) & 0xffff, samples }
  if (count < announced) {
    view.report('SADC_BAD_N_SAMPLES', header, { ...place, channel: ch, expected: announced, got: count })
    channel.announced = announced
  }
  return channel
}

const hex12 = (value: number): string => value.toString(16).padStart(3, '0')
