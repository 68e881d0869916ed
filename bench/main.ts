import { loadExperiment } from '../config/load.ts'
import { BlockHeader, type EventBlock } from '../core/block.ts'
import { ErrorCode, SpillwayError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { decoders } from '../controller/decoders.ts'
import { BlockPool, poolBytes, shapeFor } from '../controller/event/block-pool.ts'
import { makeDecodeBlock } from '../controller/event/decode-block.ts'
import { EventBuilder } from '../controller/event/event-builder.ts'
import { KERNEL_BASE, kernelMemory, loadKernels } from '../controller/kernels.ts'
import { makePipeline, pipelineConfigOf } from '../controller/reconstruction/pipeline.ts'
import { makeWaveformStage, waveformParameters } from '../controller/reconstruction/waveform/waveform.ts'
import { makeWorkerPool } from '../controller/worker-pool.ts'
import { play, type SpillFixture, spillFixture } from './spill-fixture.ts'

export interface BenchResult {
  readonly name: string
  readonly what: string
  readonly seconds: number
  /** undefined where the bench has no events, waveforms or bytes */
  readonly eventsPerS?: number
  readonly usPerEvent?: number
  readonly waveformsPerS?: number
  readonly bytesPerS?: number
  /** bytesPerS as a part of what this machine copies in memory, measured in the same run */
  readonly ofCopy?: number
}

export interface BenchOptions {
  /** measured time of each bench; a fifth of it goes before as warm-up */
  readonly seconds: number
}

/** What one call of a bench gets through. */
interface Work {
  readonly events?: number
  readonly waveforms?: number
  readonly bytes?: number
}

const EXPERIMENT = 'na64mu-2022'
const EVENTS = limits.eventsPerBlock * 8
const COPY_BYTES = 64 << 20

interface Bench {
  readonly what: string
  make(): Promise<{ once: () => Work | Promise<Work>; end?: () => Promise<void> }>
}

/** The data plane of the experiment, and a spill to send through it. */
function fixture() {
  const experiment = loadExperiment(EXPERIMENT)
  const spill = spillFixture(experiment, 1, EVENTS, 'bench')
  const shape = shapeFor(spill.sources, experiment.reconstruction.calorimeter.sums.length)
  const memory = kernelMemory(poolBytes(shape, limits.blocks))
  const pool = new BlockPool({ buffer: memory.buffer, base: KERNEL_BASE, count: limits.blocks, shape })
  return { experiment, spill, memory, pool, config: pipelineConfigOf(experiment) }
}

/** Builds the spill once and calls `onBlock` for every block; the blocks stay taken. */
function builtBlocks(pool: BlockPool, spill: SpillFixture): EventBlock[] {
  const blocks: EventBlock[] = []
  const builder = makeBuilder(pool, spill, (index) => void blocks.push(pool.blocks[index]!))
  builder.beginRun(1)
  play(spill, 1, builder)
  builder.closeSpill(EVENTS)
  return blocks
}

function makeBuilder(pool: BlockPool, spill: SpillFixture, onBlock: (index: number) => void): EventBuilder {
  return new EventBuilder({
    sources: spill.sources,
    pool,
    openBlocksMax: limits.blocks >> 1,
    unixSeconds: () => 0,
    onBlock,
    onPressure: () => undefined,
    onOverrun: () => undefined
  })
}

const eventsOf = (blocks: readonly EventBlock[]): number =>
  blocks.reduce((sum, block) => sum + block.header[BlockHeader.eventCount]!, 0)
const hitsOf = (blocks: readonly EventBlock[]): number =>
  blocks.reduce((sum, block) => sum + block.header[BlockHeader.hitCount]!, 0)

function waveformBench(what: string, useKernel: boolean): Bench {
  return {
    what,
    make: () => {
      const { spill, memory, pool, config } = fixture()
      const blocks = builtBlocks(pool, spill)
      blocks.forEach(makeDecodeBlock(config.sources, config.channels, decoders))
      const stage = makeWaveformStage(
        waveformParameters(config.reconstruction.waveform),
        useKernel ? loadKernels(memory) : undefined
      )
      const work = { events: eventsOf(blocks), waveforms: hitsOf(blocks) }
      return Promise.resolve({
        once: () => {
          for (const block of blocks) stage.process(block)
          return work
        }
      })
    }
  }
}

const BENCHES: Readonly<Record<string, Bench>> = {
  copy: {
    what: 'memory copy of this machine',
    make: () => {
      const from = new Uint8Array(COPY_BYTES).fill(1)
      const to = new Uint8Array(new SharedArrayBuffer(COPY_BYTES))
      return Promise.resolve({
        once: () => {
          to.set(from)
          return { bytes: COPY_BYTES }
        }
      })
    }
  },
  builder: {
    what: 'fragments to event blocks, one thread',
    make: () => {
      const { spill, pool } = fixture()
      let run = 0
      const builder = makeBuilder(pool, spill, (index) => pool.giveBack(index))
      return Promise.resolve({
        once: () => {
          builder.beginRun(++run)
          play(spill, 1, builder)
          builder.closeSpill(EVENTS)
          return { events: EVENTS, bytes: spill.bytes }
        }
      })
    }
  },
  decode: {
    what: 'raw bytes to hits and samples, one thread',
    make: () => {
      const { spill, pool, config } = fixture()
      const blocks = builtBlocks(pool, spill)
      const decode = makeDecodeBlock(config.sources, config.channels, decoders)
      return Promise.resolve({
        once: () => {
          blocks.forEach(decode)
          return { events: EVENTS, waveforms: hitsOf(blocks), bytes: spill.bytes }
        }
      })
    }
  },
  'waveform-reference': waveformBench('waveforms in TypeScript, one thread', false),
  'waveform-kernel': waveformBench('waveforms by the compiled kernel, one thread', true),
  pipeline: {
    what: 'built block to verdict, one thread',
    make: () => {
      const { spill, memory, pool, config } = fixture()
      const blocks = builtBlocks(pool, spill)
      const pipeline = makePipeline(config, decoders, loadKernels(memory))
      return Promise.resolve({
        once: () => {
          blocks.forEach(pipeline)
          return { events: EVENTS, waveforms: hitsOf(blocks), bytes: spill.bytes }
        }
      })
    }
  },
  worker: {
    what: 'fragments to verdict: builder here, one reconstruction thread',
    make: () => {
      const { spill, memory, pool, config } = fixture()
      const processor = makeWorkerPool({ workers: 1, memory, pool, config, useKernels: true })
      const builder = makeBuilder(pool, spill, (index) => processor.submit(index))
      processor.onDone((index) => {
        pool.giveBack(index)
        builder.blockReturned()
      })
      let run = 0
      return Promise.resolve({
        once: async () => {
          builder.beginRun(++run)
          play(spill, 1, builder)
          builder.closeSpill(EVENTS)
          await processor.drain()
          return { events: EVENTS, waveforms: spill.waveforms, bytes: spill.bytes }
        },
        end: () => processor.close()
      })
    }
  }
}

export const benchNames: readonly string[] = Object.keys(BENCHES)

/**
 * Measures the named benches (all when none is named) on the na64mu-2022 readout without zero suppression, the
 * machine's memory copy always with them.
 */
export async function runBench(names: readonly string[], options: BenchOptions): Promise<BenchResult[]> {
  const unknown = names.filter((name) => !(name in BENCHES))
  if (unknown.length > 0)
    throw new SpillwayError(ErrorCode.usage, `no bench ${unknown.join(', ')}`, {
      hint: `there are ${benchNames.join(', ')}`
    })
  const wanted = names.length === 0 ? benchNames : names
  const copy = await measure('copy', options.seconds)
  const results = [copy]
  for (const name of wanted) if (name !== 'copy') results.push(await measure(name, options.seconds))
  return results.map((result) =>
    result.bytesPerS === undefined ? result : { ...result, ofCopy: result.bytesPerS / copy.bytesPerS! }
  )
}

async function measure(name: string, seconds: number): Promise<BenchResult> {
  const bench = BENCHES[name]!
  const { once, end } = await bench.make()
  try {
    await repeat(once, seconds / 5)
    const { took, work } = await repeat(once, seconds)
    return {
      name,
      what: bench.what,
      seconds: took,
      ...(work.events > 0 && { eventsPerS: work.events / took, usPerEvent: (1e6 * took) / work.events }),
      ...(work.waveforms > 0 && { waveformsPerS: work.waveforms / took }),
      ...(work.bytes > 0 && { bytesPerS: work.bytes / took })
    }
  } finally {
    await end?.()
  }
}

async function repeat(once: () => Work | Promise<Work>, seconds: number) {
  const work = { events: 0, waveforms: 0, bytes: 0 }
  const start = performance.now()
  for (;;) {
    const done = await once()
    work.events += done.events ?? 0
    work.waveforms += done.waveforms ?? 0
    work.bytes += done.bytes ?? 0
    const took = (performance.now() - start) / 1000
    if (took >= seconds) return { took, work }
  }
}
