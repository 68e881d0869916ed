/**
 * The waveform stage: closed-form pulses through the reference, and the compiled kernel equal to the reference bit
 * for bit, on random and on nasty waveforms.
 */
import { describe, expect, it } from 'vitest'
import { kernelMemory, KERNEL_BASE, loadKernels } from '../../../../controller/kernels.ts'
import { attachBlocks } from '../../../../controller/event/block-pool.ts'
import type { WaveformParameters } from '../../../../controller/reconstruction/waveform/parameters.ts'
import { makeWaveformStage } from '../../../../controller/reconstruction/waveform/waveform.ts'
import { blockBytes, BlockHeader, type EventBlock, HitStatus, makeBlock } from '../../../../core/block.ts'
import { Rng } from '../../../../core/rng.ts'

const PARAMETERS: WaveformParameters = {
  pedestalSamples: 6,
  pedestalNoiseCounts: 6,
  thresholdCounts: 6,
  fraction: 0.5,
  saturationCounts: 4095,
  pileUpRiseCounts: 20,
  periodNs: 10
}
const SHAPE = { events: 1, sources: 1, rawBytes: 4, hits: 4000, samples: 4000 * 64, sums: 1 }

function load(block: EventBlock, waveforms: readonly (readonly number[])[]): void {
  block.samples.fill(0)
  let at = 0
  waveforms.forEach((samples, hit) => {
    block.sampleBegin[hit] = at
    block.sampleCount[hit] = samples.length
    block.hitStatus[hit] = 0
    block.samples.set(samples, at)
    at += Math.ceil(samples.length / 8) * 8
  })
  block.header[BlockHeader.hitCount] = waveforms.length
}

function reference(samples: readonly number[], parameters: Partial<WaveformParameters> = {}) {
  const block = makeBlock({ ...SHAPE, hits: 1, samples: 512 })
  load(block, [samples])
  makeWaveformStage({ ...PARAMETERS, ...parameters }).process(block)
  return {
    pedestalEven: block.pedestalEven[0]!,
    pedestalOdd: block.pedestalOdd[0]!,
    amplitude: block.amplitude[0]!,
    timeNs: block.timeNs[0]!,
    integral: block.integral[0]!,
    status: block.hitStatus[0]!
  }
}

/** pedestal 50 in even and 60 in odd samples, and on it a pulse */
const onPedestal = (pulse: readonly number[], n = 32): number[] =>
  Array.from({ length: n }, (_, i) => (i % 2 === 0 ? 50 : 60) + (pulse[i] ?? 0))
const at = (start: number, ...values: number[]): number[] => [...Array<number>(start).fill(0), ...values]

describe('one waveform', () => {
  it('subtracts even and odd pedestals apart', () => {
    expect(reference(onPedestal(at(10, 40, 100, 80, 40)))).toEqual({
      pedestalEven: 50,
      pedestalOdd: 60,
      amplitude: 100,
      // half of 100 lies 1/6 of the way from 40 (sample 10) to 100 (sample 11)
      timeNs: Math.fround(Math.fround(10 + Math.fround(10 / 60)) * 10),
      integral: 260,
      status: 0
    })
  })

  it('calls a waveform without a pulse empty, and gives it no time', () => {
    expect(reference(onPedestal([]))).toMatchObject({ amplitude: 0, timeNs: 0, status: HitStatus.empty })
    expect(reference(onPedestal(at(12, 5)))).toMatchObject({ amplitude: 5, status: HitStatus.empty })
    expect(reference(onPedestal(at(12, 6)))).toMatchObject({ amplitude: 6, status: 0 })
  })

  it('flags saturation at the end of the scale only', () => {
    expect(reference(onPedestal(at(12, 2000, 4035, 2000))).status).toBe(HitStatus.saturated)
    expect(reference(onPedestal(at(12, 2000, 4034, 2000))).status).toBe(0)
  })

  it('flags a second pulse on either side when it rises by more than the limit above the valley', () => {
    const twoPulses = (rise: number): number[] => at(8, 50, 100, 50, 30, 30 + rise, 10)
    expect(reference(onPedestal(twoPulses(21))).status).toBe(HitStatus.pileUp)
    expect(reference(onPedestal(twoPulses(20))).status).toBe(0)
    expect(reference(onPedestal(at(8, 50, 70, 40, 30, 100, 200, 90))).status).toBe(HitStatus.pileUp)
  })

  it('flags pedestal samples that are not flat, by the spread of one of the two ADCs', () => {
    expect(reference(onPedestal([0, 0, 7, 0, 0, 0])).status & HitStatus.pedestalNoisy).not.toBe(0)
    expect(reference(onPedestal([0, 0, 6, 0, 0, 0])).status & HitStatus.pedestalNoisy).toBe(0)
  })

  it('keeps status bits of others, and clears its own of an earlier pass', () => {
    const block = makeBlock({ ...SHAPE, hits: 1, samples: 512 })
    load(block, [onPedestal(at(12, 60))])
    block.hitStatus[0] = HitStatus.wrongEvent | HitStatus.saturated | HitStatus.empty
    makeWaveformStage(PARAMETERS).process(block)
    expect(block.hitStatus[0]).toBe(HitStatus.wrongEvent)
  })

  it('takes 0 and 1 samples as empty, and fewer than the pedestal wants as they are', () => {
    expect(reference([])).toMatchObject({ amplitude: 0, integral: 0, status: HitStatus.empty })
    expect(reference([70])).toMatchObject({ amplitude: 0, status: HitStatus.empty })
    expect(reference([50, 60, 80])).toMatchObject({ pedestalEven: 50, amplitude: 30, timeNs: 15 })
  })

  it('gives a pulse that begins before the window the time 0', () => {
    expect(reference([150, 60, 50, 60], { pedestalSamples: 2, pedestalNoiseCounts: 999 }).timeNs).toBe(0)
    expect(reference([90, 100, 90, 100, 10, 10]).timeNs).toBe(0)
  })
})

/** Waveforms as they come and as they should not. */
function manyWaveforms(rng: Rng, count: number): number[][] {
  return Array.from({ length: count }, () => {
    const n = rng.chance(0.7) ? 32 : rng.chance(0.2) ? rng.integer(4) : 4 + rng.integer(61)
    const kind = rng.integer(7)
    const even = rng.integer(200)
    const odd = rng.integer(200)
    if (kind === 0) return Array.from({ length: n }, () => rng.integer(4096))
    if (kind === 1) return Array.from({ length: n }, () => rng.integer(65536))
    if (kind === 2) return Array<number>(n).fill(rng.integer(2) * 4095)
    if (kind === 3) return Array.from({ length: n }, (_, i) => (i === rng.integer(n + 1) ? 4095 : 0))
    const peaks = Array.from(
      { length: kind - 3 },
      () => [rng.between(-4, n + 4), rng.exponential(600)] as const
    )
    return Array.from({ length: n }, (_, i) => {
      const pulse = peaks.reduce((sum, [t, a]) => sum + a * Math.exp(-(((i - t) / 3) ** 2)), 0)
      return Math.max(0, Math.min(4095, Math.round((i % 2 === 0 ? even : odd) + rng.normal(0, 1.5) + pulse)))
    })
  })
}

describe('the compiled kernel', () => {
  const memory = kernelMemory(2 * blockBytes(SHAPE))
  const [byKernel, byReference] = attachBlocks({
    buffer: memory.buffer,
    base: KERNEL_BASE,
    count: 2,
    shape: SHAPE
  })
  const kernels = loadKernels(memory)

  it.each([
    ['as configured', {}],
    ['short pedestal, low threshold', { pedestalSamples: 2, thresholdCounts: 0.5, fraction: 0.05 }],
    ['long pedestal, high fraction', { pedestalSamples: 16, fraction: 0.95, periodNs: 12.860082304526749 }],
    [
      'tight limits',
      { pedestalNoiseCounts: 0.1, saturationCounts: 100, pileUpRiseCounts: 0.3, fraction: 0.3 }
    ]
  ])('equals the reference bit for bit: %s', (name, change) => {
    const parameters = { ...PARAMETERS, ...change }
    const waveforms = manyWaveforms(new Rng(name), SHAPE.hits)
    for (const block of [byKernel!, byReference!]) load(block, waveforms)
    makeWaveformStage(parameters, kernels).process(byKernel!)
    makeWaveformStage(parameters).process(byReference!)
    for (const column of ['pedestalEven', 'pedestalOdd', 'amplitude', 'timeNs', 'integral'] as const) {
      const bits = (block: EventBlock): Uint32Array =>
        new Uint32Array(block[column].buffer, block[column].byteOffset, SHAPE.hits)
      const differ = bits(byKernel!).findIndex((word, hit) => word !== bits(byReference!)[hit])
      expect(differ < 0 ? undefined : { column, samples: waveforms[differ] }).toBeUndefined()
    }
    expect(byKernel!.hitStatus).toEqual(byReference!.hitStatus)
    const flags = byReference!.hitStatus.reduce((all, status) => all | status, 0)
    const noisy = parameters.pedestalSamples > 2 ? HitStatus.pedestalNoisy : 0
    expect(flags).toBe(HitStatus.saturated | HitStatus.pileUp | HitStatus.empty | noisy)
  })

  it('refuses a block outside its memory', () => {
    const other = makeBlock({ ...SHAPE, hits: 1, samples: 8 })
    expect(() => makeWaveformStage(PARAMETERS, kernels).process(other)).toThrow('outside the memory')
  })
})
