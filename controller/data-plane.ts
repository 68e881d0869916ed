import type { Experiment } from '../config/schema.ts'
import { limits } from '../core/limits.ts'
import type { Log } from '../core/log.ts'
import { sentence } from '../core/errors.ts'
import { type BlockProcessor, makeInlineProcessor } from './block-processor.ts'
import { decoders } from './decoders.ts'
import { BlockPool, poolBytes, shapeFor } from './event/block-pool.ts'
import { type DataSource, dataSourcesOf } from './event/source.ts'
import { KERNEL_BASE, kernelMemory, loadKernels } from './kernels.ts'
import { Monitor } from './monitor/monitor.ts'
import { makePipeline, pipelineConfigOf } from './reconstruction/pipeline.ts'
import type { Kernels } from './reconstruction/waveform/parameters.ts'
import { makeWorkerPool } from './worker-pool.ts'

/** Memory, stages and histograms of a run: what lies between the event builder and the store. */
export interface DataPlane {
  readonly sources: readonly DataSource[]
  readonly pool: BlockPool
  readonly processor: BlockProcessor
  readonly monitor: Monitor
}

/** One thread beside the one that reads the wires: this machine has two cores in mind. */
const WORKERS = 1

function makePool(experiment: Experiment): {
  pool: BlockPool
  memory: WebAssembly.Memory
  sources: readonly DataSource[]
} {
  const sources = dataSourcesOf(experiment)
  const shape = shapeFor(sources, experiment.reconstruction.calorimeter.sums.length)
  const memory = kernelMemory(poolBytes(shape, limits.blocks))
  const pool = new BlockPool({ buffer: memory.buffer, base: KERNEL_BASE, count: limits.blocks, shape })
  return { pool, memory, sources }
}

/** The compiled kernels, or undefined (and a line in the log) where they were not built: same bits, slower. */
function tryKernels(memory: WebAssembly.Memory, log: Log | undefined): Kernels | undefined {
  try {
    return loadKernels(memory)
  } catch (error) {
    log?.warn({ why: sentence(error) }, 'reconstruction goes on with the slower reference')
    return undefined
  }
}

/** With a reconstruction thread. */
export function makeDataPlane(experiment: Experiment, log: Log): DataPlane {
  const { pool, memory, sources } = makePool(experiment)
  const useKernels = tryKernels(memory, log) !== undefined
  const config = pipelineConfigOf(experiment)
  const processor = makeWorkerPool({ workers: WORKERS, memory, pool, config, useKernels })
  processor.onError((error) => log.error({ why: sentence(error) }, 'reconstruction failed'))
  return { sources, pool, processor, monitor: new Monitor(experiment) }
}

/** All on this thread: virtual time, replay. */
export function makeInlineDataPlane(experiment: Experiment): DataPlane {
  const { pool, memory, sources } = makePool(experiment)
  const pipeline = makePipeline(pipelineConfigOf(experiment), decoders, tryKernels(memory, undefined))
  return {
    sources,
    pool,
    processor: makeInlineProcessor(pool.blocks, pipeline),
    monitor: new Monitor(experiment)
  }
}
