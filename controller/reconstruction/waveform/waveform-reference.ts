import { BlockHeader, type EventBlock, HitStatus } from '../../../core/block.ts'
import type { WaveformParameters } from './parameters.ts'

/*
 * From samples s[0..n) to pedestals, amplitude, time and integral. All values are f32, every operation is rounded
 * to f32, and sums of samples are integers (below 2^24, so exact in any order). kernels/waveform.ts does the same
 * operations; the results are equal bit for bit.
 *
 *   p        = min(pedestalSamples, n rounded down to even); p = 0: nothing to say, the hit is empty
 *   pedestal = (sum of the even / odd samples among the first p) / (p / 2)      two interleaved ADCs
 *   y[i]     = s[i] - pedestal(i & 1)
 *   amplitude = largest y; peak = the first i that has it
 *   integral = (sumEven - pedestalEven * nEven) + (sumOdd - pedestalOdd * nOdd)
 *   time     = where the line from y[i-1] to y[i] crosses fraction * amplitude, i the last crossing before the peak
 *   pile-up  = going away from the peak, on either side, y rises by more than pileUpRise above its valley so far
 */
const f = Math.fround
const CLEARED = ~(HitStatus.saturated | HitStatus.pileUp | HitStatus.pedestalNoisy | HitStatus.empty)

/** The waveform stage in plain TypeScript: what the kernel must equal, and what runs where there is no kernel. */
export function waveformReference(block: EventBlock, parameters: WaveformParameters): void {
  const count = block.header[BlockHeader.hitCount]!
  const { samples } = block
  const noise = f(parameters.pedestalNoiseCounts)
  const threshold = f(parameters.thresholdCounts)
  const fraction = f(parameters.fraction)
  const rise = f(parameters.pileUpRiseCounts)
  const period = f(parameters.periodNs)
  const saturation = parameters.saturationCounts
  for (let hit = 0; hit < count; hit++) {
    const begin = block.sampleBegin[hit]!
    const n = block.sampleCount[hit]!
    let status = block.hitStatus[hit]! & CLEARED
    const p = Math.min(parameters.pedestalSamples, n & ~1)
    if (p === 0) {
      block.hitStatus[hit] = status | HitStatus.empty
      block.pedestalEven[hit] = block.pedestalOdd[hit] = 0
      block.amplitude[hit] = block.timeNs[hit] = block.integral[hit] = 0
      continue
    }

    let pedestalSumEven = 0
    let pedestalSumOdd = 0
    let lowEven = 65535
    let lowOdd = 65535
    let highEven = 0
    let highOdd = 0
    for (let i = 0; i < p; i += 2) {
      const even = samples[begin + i]!
      const odd = samples[begin + i + 1]!
      pedestalSumEven += even
      pedestalSumOdd += odd
      if (even < lowEven) lowEven = even
      if (even > highEven) highEven = even
      if (odd < lowOdd) lowOdd = odd
      if (odd > highOdd) highOdd = odd
    }
    const half = p >>> 1
    const pedestalEven = f(pedestalSumEven / half)
    const pedestalOdd = f(pedestalSumOdd / half)
    if (Math.max(highEven - lowEven, highOdd - lowOdd) > noise) status |= HitStatus.pedestalNoisy

    let sumEven = 0
    let sumOdd = 0
    let largest = 0
    let amplitude = f(samples[begin]! - pedestalEven)
    let peak = 0
    for (let i = 0; i < n; i++) {
      const s = samples[begin + i]!
      if (s > largest) largest = s
      const y = f(s - ((i & 1) === 0 ? pedestalEven : pedestalOdd))
      if ((i & 1) === 0) sumEven += s
      else sumOdd += s
      if (y > amplitude) {
        amplitude = y
        peak = i
      }
    }
    if (largest >= saturation) status |= HitStatus.saturated
    const integral = f(
      f(sumEven - f(pedestalEven * ((n + 1) >>> 1))) + f(sumOdd - f(pedestalOdd * (n >>> 1)))
    )

    let time = 0
    if (amplitude < threshold) status |= HitStatus.empty
    else {
      const level = f(fraction * amplitude)
      let above = amplitude
      let valley = amplitude
      let isCrossed = false
      let hasPileUp = false
      for (let i = peak - 1; i >= 0; i--) {
        const y = f(samples[begin + i]! - ((i & 1) === 0 ? pedestalEven : pedestalOdd))
        if (!isCrossed && y < level) {
          isCrossed = true
          time = f(f(i + f(f(level - y) / f(above - y))) * period)
        }
        above = y
        if (y < valley) valley = y
        if (f(y - valley) > rise) hasPileUp = true
      }
      valley = amplitude
      for (let i = peak + 1; i < n; i++) {
        const y = f(samples[begin + i]! - ((i & 1) === 0 ? pedestalEven : pedestalOdd))
        if (y < valley) valley = y
        if (f(y - valley) > rise) hasPileUp = true
      }
      if (hasPileUp) status |= HitStatus.pileUp
    }
    block.hitStatus[hit] = status
    block.pedestalEven[hit] = pedestalEven
    block.pedestalOdd[hit] = pedestalOdd
    block.amplitude[hit] = amplitude
    block.timeNs[hit] = time
    block.integral[hit] = integral
  }
}
