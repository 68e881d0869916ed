/**
 * One reconstruction thread: takes indices of blocks in shared memory, runs the pipeline over them, and hands the
 * indices back, batch by batch. Started by worker-pool.ts.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { assert, sentence } from '../core/errors.ts'
import { markNotReconstructed } from './block-processor.ts'
import { decoders } from './decoders.ts'
import { attachBlocks, type PoolLayout } from './event/block-pool.ts'
import { loadKernels } from './kernels.ts'
import { makePipeline, type PipelineConfig } from './reconstruction/pipeline.ts'

export interface WorkerStart {
  /** the memory in which the pool lies */
  readonly memory: WebAssembly.Memory
  readonly layout: Omit<PoolLayout, 'buffer'>
  readonly config: PipelineConfig
  readonly useKernels: boolean
}

/** Blocks of one batch that are done, and what went wrong with some of them. */
export interface WorkerAnswer {
  readonly done: readonly number[]
  readonly failures: readonly { readonly index: number; readonly why: string }[]
}

const port = parentPort
assert(port !== null, 'this file is a worker thread')
const { memory, layout, config, useKernels } = workerData as WorkerStart
const blocks = attachBlocks({ ...layout, buffer: memory.buffer })
const pipeline = makePipeline(config, decoders, useKernels ? loadKernels(memory) : undefined)

port.on('message', (batch: readonly number[]) => {
  const failures: { index: number; why: string }[] = []
  for (const index of batch)
    try {
      pipeline(blocks[index]!)
    } catch (error) {
      markNotReconstructed(blocks[index]!)
      failures.push({ index, why: sentence(error) })
    }
  port.postMessage({ done: batch, failures } satisfies WorkerAnswer)
})
