import type { Experiment } from '../../config/schema.ts'
import type { Rng } from '../../core/rng.ts'
import { MSADC_PERIOD_NS } from '../../core/units.ts'
import { Chance } from './chance.ts'
import type { Deposits } from './deposits.ts'

export const ADC_MAX = 4095
const NOISE_LENGTH = 1 << 16
/** table points per sample */
const OVERSAMPLING = 32
/** order of the shaper: (t e^(1 - t))^n, smooth at its start, longer behind than before */
const SHAPER_ORDER = 4
const shape = (t: number): number => (t <= 0 ? 0 : (t * Math.exp(1 - t)) ** SHAPER_ORDER)
/** full width at half maximum of that shape with its maximum at t = 1 */
const SHAPE_FWHM = shapeWidth()
/** the pulse is cut where it has fallen below a thousandth */
const SHAPE_END = 4.7

function shapeWidth(): number {
  const crossing = (inside: number, outside: number): number => {
    for (let i = 0; i < 60; i++) {
      const middle = (inside + outside) / 2
      if (shape(middle) > 0.5) inside = middle
      else outside = middle
    }
    return inside
  }
  return crossing(1, 4) - crossing(1, 0)
}

/** Photomultiplier pulses, pedestals, noise and clipping: from pulses of an event to samples of a channel. */
export class Electronics {
  readonly pedestalEven: Float32Array
  readonly pedestalOdd: Float32Array
  /** Gaussian noise, drawn once; every waveform starts somewhere in it */
  readonly #noise = new Float32Array(NOISE_LENGTH + 64)
  readonly #shape: Float32Array
  /** table index of the maximum */
  readonly #peak: number
  readonly #pulseAtSample: number
  readonly #pulse = new Float32Array(64)
  readonly #chance = new Chance()

  constructor(experiment: Experiment, rng: Rng) {
    const e = experiment.simulation.electronics
    const pedestals = rng.split('pedestals')
    const n = experiment.channels.length
    this.pedestalEven = Float32Array.from({ length: n }, () =>
      pedestals.normal(e.pedestalMeanCounts, e.pedestalSpreadCounts)
    )
    this.pedestalOdd = this.pedestalEven.map((even) => even + pedestals.normal(0, e.oddEvenSpreadCounts))
    const noise = new Chance(rng.split('noise'))
    for (let i = 0; i < this.#noise.length; i++) this.#noise[i] = e.noiseCounts * noise.normal()
    const samplesToPeak = e.pulseFwhmNs / SHAPE_FWHM / MSADC_PERIOD_NS
    this.#peak = samplesToPeak * OVERSAMPLING
    this.#shape = Float32Array.from({ length: Math.ceil(this.#peak * SHAPE_END) + 2 }, (_, i) =>
      shape(i / this.#peak)
    )
    this.#pulseAtSample = e.pulseAtSample
  }

  /** Fixes the noise of the waveforms that follow. */
  startEvent(spillSeed: number, event: number, source: number): void {
    this.#chance.reseed(spillSeed ^ Math.imul(source + 1, 0x9e3779b1), event)
  }

  /**
   * Samples of one channel: pedestals, noise and the channel's pulses, rounded and clipped to 12 bits.
   * @param shiftSamples how much later than usual the pulses lie in the window
   */
  digitise(
    channel: number,
    deposits: Deposits,
    shiftSamples: number,
    samples: number,
    out: Uint16Array,
    at: number
  ): void {
    const noise = this.#noise
    const start = this.#chance.bits() & (NOISE_LENGTH - 1)
    // 0.5 rounds what the store to an integer cuts
    const even = this.pedestalEven[channel]! + 0.5
    const odd = this.pedestalOdd[channel]! + 0.5
    if (deposits.head[channel]! < 0) {
      for (let i = 0; i < samples; i += 2) {
        out[at + i] = clip(even + noise[start + i]!)
        out[at + i + 1] = clip(odd + noise[start + i + 1]!)
      }
      return
    }
    const pulse = this.#addPulses(channel, deposits, shiftSamples, samples)
    for (let i = 0; i < samples; i += 2) {
      out[at + i] = clip(even + noise[start + i]! + pulse[i]!)
      out[at + i + 1] = clip(odd + noise[start + i + 1]! + pulse[i + 1]!)
    }
  }

  #addPulses(channel: number, deposits: Deposits, shift: number, samples: number): Float32Array {
    const pulse = this.#pulse
    const table = this.#shape
    const end = table.length - 1
    pulse.fill(0, 0, samples)
    for (let d = deposits.head[channel]!; d >= 0; d = deposits.next[d]!) {
      const amplitude = deposits.amplitude[d]!
      const maximumAt = this.#pulseAtSample + shift + deposits.timeNs[d]! / MSADC_PERIOD_NS
      // position in the table of sample 0; later samples are OVERSAMPLING further
      const origin = this.#peak - maximumAt * OVERSAMPLING
      const first = Math.max(0, Math.ceil(-origin / OVERSAMPLING))
      for (let i = first; i < samples; i++) {
        const x = origin + i * OVERSAMPLING
        const k = x | 0
        if (k >= end) break
        const low = table[k]!
        pulse[i]! += amplitude * (low + (x - k) * (table[k + 1]! - low))
      }
    }
    return pulse
  }
}

function clip(value: number): number {
  return value < 0 ? 0 : value > ADC_MAX ? ADC_MAX : value | 0
}
