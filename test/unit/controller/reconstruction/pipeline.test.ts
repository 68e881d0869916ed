/**
 * The stages together, on a small experiment of our own: what is decoded, summed and selected, that damage keeps an
 * event out of the selection, and that neither the order of arrival nor the thread changes a byte.
 */
import { describe, expect, it } from 'vitest'
import { play, spillFixture } from '../../../../bench/spill-fixture.ts'
import { bytesOf, msadcWords, triggerWords } from '../../../../bench/slink-writer.ts'
import type { Channel } from '../../../../config/schema.ts'
import { loadExperiment } from '../../../../config/load.ts'
import {
  BlockHeader,
  type EventBlock,
  EventStatus,
  HitStatus,
  resultColumns
} from '../../../../core/block.ts'
import { DecodeFault } from '../../../../core/decoder.ts'
import { type BlockProcessor, makeInlineProcessor } from '../../../../controller/block-processor.ts'
import { decoders } from '../../../../controller/decoders.ts'
import { BlockPool, makePool, poolBytes, shapeFor } from '../../../../controller/event/block-pool.ts'
import { EventBuilder } from '../../../../controller/event/event-builder.ts'
import type { DataSource } from '../../../../controller/event/source.ts'
import { KERNEL_BASE, kernelMemory, loadKernels } from '../../../../controller/kernels.ts'
import {
  makePipeline,
  type PipelineConfig,
  pipelineConfigOf
} from '../../../../controller/reconstruction/pipeline.ts'
import { makeWorkerPool } from '../../../../controller/worker-pool.ts'

const provenance = 'A: test'
const sources: DataSource[] = [
  {
    ...{ id: 600, device: 'adc', format: 'msadc', maximumBlockBytes: 4096, distrustAfterGap: false },
    ...{ hitsMax: 16, samplesPerEvent: 16 }
  },
  {
    ...{ id: 700, device: 'crate', format: 'trigger', maximumBlockBytes: 64, distrustAfterGap: false },
    ...{ hitsMax: 0, samplesPerEvent: 0 }
  }
]
const channel = (index: number, detector: string, part: string): Channel => ({
  ...{ index, name: `${detector}${index}`, source: 600, port: 0, adc: 0, channel: index, detector, part },
  ...{ kin: detector, number: 0, xIndex: 0, yIndex: 0, gevPerCount: 0.5, mipCounts: 100 }
})
const config: PipelineConfig = {
  sources,
  channels: [channel(0, 'ECAL', 'preshower'), channel(1, 'ECAL', 'main'), channel(2, 'HCAL', 'main')],
  reconstruction: {
    waveform: {
      ...{ pedestalSamples: 6, pedestalNoiseCounts: 6, thresholdCounts: 6, fraction: 0.5 },
      ...{ saturationCounts: 4095, pileUpRiseCounts: 20, provenance }
    },
    calorimeter: {
      sums: [
        { name: 'ecal', detector: 'ECAL' },
        { name: 'preshower', detector: 'ECAL', part: 'preshower' },
        { name: 'hcal', detector: 'HCAL' }
      ],
      cellThresholdMip: 0.2,
      provenance
    }
  },
  selection: {
    cuts: [
      { name: 'clean', kind: 'clean', provenance },
      { name: 'physics', kind: 'trigger', use: 'physics', provenance },
      { name: 'ecal-window', kind: 'sum', sum: 'ecal', lowGeV: 50, highGeV: 100, provenance },
      { name: 'hcal-quiet', kind: 'sum', sum: 'hcal', highGeV: 10, provenance }
    ]
  },
  lines: [
    {
      ...{
        name: 'beam',
        line: 0,
        require: [],
        veto: [],
        prescale: 1,
        randomRateHz: 0,
        use: 'beam',
        provenance
      }
    },
    {
      ...{
        name: 'phys',
        line: 2,
        require: [],
        veto: [],
        prescale: 1,
        randomRateHz: 0,
        use: 'physics',
        provenance
      }
    }
  ]
}
const PHYSICS_MASK = 1 << 2

const pulse = (counts: number): number[] => Array.from({ length: 16 }, (_, i) => 50 + (i === 9 ? counts : 0))
const adc = (event: number, amplitudes: readonly number[]): number[] =>
  msadcWords(600, 1, event, [
    { port: 0, adc: 0, channels: amplitudes.map((a, i) => ({ channel: i, samples: pulse(a) })) }
  ])

/** One event of these fragments through builder and pipeline. */
function run(adcWords: readonly number[], mask = PHYSICS_MASK): EventBlock {
  const pool = makePool(shapeFor(sources, 3, 4), 8)
  const pipeline = makePipeline(config, decoders)
  let result: EventBlock | undefined
  const builder = new EventBuilder({
    ...{ sources, pool, openBlocksMax: 4, unixSeconds: () => 0 },
    ...{ onPressure: () => undefined, onOverrun: () => undefined },
    onBlock: (index) => {
      result = pool.blocks[index]!
      pipeline(result)
    }
  })
  builder.beginRun(1)
  builder.openSpill(1, 1, 0)
  builder.fragment(600, 1, 1, bytesOf(adcWords), 0)
  builder.fragment(700, 1, 1, bytesOf(triggerWords(700, 1, 1, mask, 123)), 0)
  builder.closeSpill()
  return result!
}

const sumsOf = (block: EventBlock): number[] => [0, 1, 2].map((k) => block.sums[k * block.shape.events]!)

describe('one event', () => {
  it('gives energies, sums and trigger, and is selected', () => {
    const block = run(adc(1, [40, 160, 10]))
    expect(Array.from(block.energyGeV.subarray(0, 3))).toEqual([20, 80, 0])
    expect(sumsOf(block)).toEqual([100, 20, 0])
    expect(block.triggerMask[0]).toBe(PHYSICS_MASK)
    expect(block.timeTicks[0]).toBe(123)
    expect([block.cutMask[0], block.selected[0], block.eventStatus[0]]).toEqual([0b1111, 1, 0])
    expect(block.header[BlockHeader.stage]).toBe(2)
  })

  it.each([
    ['a beam trigger', adc(1, [40, 160, 10]), 1, 0b1101],
    ['too little energy', adc(1, [40, 50, 10]), PHYSICS_MASK, 0b1011],
    ['energy where there must be none', adc(1, [40, 160, 30]), PHYSICS_MASK, 0b0111],
    ['a module with another event number', adc(2, [40, 160, 10]).with(1, (1 << 20) | 1), PHYSICS_MASK, 0b1010]
  ])('%s fails its cut, and the other bits stay', (_, words, mask, cuts) => {
    const block = run(words, mask)
    expect([block.cutMask[0], block.selected[0]]).toEqual([cuts, 0])
  })

  it('keeps hits of a module with another event number out of the sums, and types the fault', () => {
    const block = run(adc(2, [40, 160, 10]).with(1, (1 << 20) | 1))
    expect(sumsOf(block)).toEqual([0, 0, 0])
    expect(block.amplitude[1]).toBe(160)
    expect(block.eventStatus[0]).toBe(EventStatus.decodeFault)
    expect(block.fragmentFaults[0]).toBe(DecodeFault.wrongEvent)
  })

  it('flags a number of samples that is not as configured', () => {
    const short = msadcWords(600, 1, 1, [
      { port: 0, adc: 0, channels: [{ channel: 0, samples: pulse(40).slice(0, 12) }] }
    ])
    const block = run(short)
    expect(block.hitStatus[0]! & HitStatus.sampleCount).not.toBe(0)
    expect(block.fragmentFaults[0]).toBe(DecodeFault.sampleCount)
  })

  it('counts a channel that is not in the map in no sum, and stays clean', () => {
    const block = run(adc(1, [40, 160, 10, 400]))
    expect(sumsOf(block)).toEqual([100, 20, 0])
    expect([block.hitStatus[3]! & HitStatus.unmapped, block.selected[0]]).toEqual([HitStatus.unmapped, 1])
  })
})

describe('na64mu-2022', () => {
  const EVENTS = 250
  const experiment = loadExperiment('na64mu-2022')
  const experimentConfig = pipelineConfigOf(experiment)
  const spill = spillFixture(experiment, 1, EVENTS, 7)
  const shape = shapeFor(spill.sources, experiment.reconstruction.calorimeter.sums.length)
  const COUNT = 8

  /** A spill through builder and processor; what came out, as bytes. */
  async function process(
    make: (pool: BlockPool, memory: WebAssembly.Memory) => BlockProcessor,
    reversed = false
  ): Promise<Record<string, string>[]> {
    const memory = kernelMemory(poolBytes(shape, COUNT))
    const pool = new BlockPool({ buffer: memory.buffer, base: KERNEL_BASE, count: COUNT, shape })
    const processor = make(pool, memory)
    const results: Record<string, string>[] = []
    const errors: unknown[] = []
    processor.onError((error) => errors.push(error))
    processor.onDone((index) => {
      const columns = resultColumns(pool.blocks[index]!)
      results.push(
        Object.fromEntries(columns.map(({ name, bytes }) => [name, Buffer.from(bytes).toString('base64')]))
      )
      pool.giveBack(index)
    })
    const builder = new EventBuilder({
      ...{ sources: spill.sources, pool, openBlocksMax: 5, unixSeconds: () => 0 },
      ...{ onPressure: () => undefined, onOverrun: () => undefined },
      onBlock: (index) => processor.submit(index)
    })
    builder.beginRun(1)
    if (reversed) {
      builder.openSpill(1, 1, 0)
      for (let event = 1; event <= EVENTS; event++)
        for (let s = spill.sources.length - 1; s >= 0; s--)
          builder.fragment(spill.sources[s]!.id, 1, event, spill.fragments[s]![event - 1]!, 0)
    } else play(spill, 1, builder)
    builder.closeSpill(EVENTS)
    await processor.drain()
    await processor.close()
    expect(errors).toEqual([])
    expect(results).toHaveLength(3)
    return results
  }

  const reference = process((pool) =>
    makeInlineProcessor(pool.blocks, makePipeline(experimentConfig, decoders))
  )

  it('gives the same bytes with kernels, and in another order of arrival', async () => {
    const byKernel = (pool: BlockPool, memory: WebAssembly.Memory): BlockProcessor =>
      makeInlineProcessor(pool.blocks, makePipeline(experimentConfig, decoders, loadKernels(memory)))
    expect(await process(byKernel)).toEqual(await reference)
    expect(await process(byKernel, true)).toEqual(await reference)
  })

  it.each([1, 2])('gives the same bytes, in order, from %i reconstruction threads', async (workers) => {
    const results = await process((pool, memory) =>
      makeWorkerPool({ workers, memory, pool, config: experimentConfig, useKernels: true })
    )
    expect(results).toEqual(await reference)
  })

  it('finds hits and pulses at all', async () => {
    const [first] = await reference
    const samples = Buffer.from(first!['samples']!, 'base64')
    expect(samples.length).toBe(96 * spill.sources.reduce((sum, s) => sum + s.hitsMax, 0) * 32 * 2)
  })
})
