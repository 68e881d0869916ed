/**
 * Processors when things go wrong: a pipeline that fails or a thread that dies is reported, and every block comes
 * back, in order, so that its raw bytes can be written.
 */
import { describe, expect, it } from 'vitest'
import { makeInlineProcessor } from '../../../controller/block-processor.ts'
import { BlockPool, makePool, poolBytes } from '../../../controller/event/block-pool.ts'
import { KERNEL_BASE, kernelMemory } from '../../../controller/kernels.ts'
import type { PipelineConfig } from '../../../controller/reconstruction/pipeline.ts'
import { makeWorkerPool } from '../../../controller/worker-pool.ts'
import { BlockHeader, EventStatus } from '../../../core/block.ts'
import { assert, ErrorCode, type SpillwayError } from '../../../core/errors.ts'

const SHAPE = { events: 4, sources: 1, rawBytes: 64, hits: 4, samples: 32, sums: 1 }

describe('inline processor', () => {
  it('hands a block back as not reconstructed when the pipeline fails, and goes on', () => {
    const pool = makePool(SHAPE, 3)
    const processor = makeInlineProcessor(pool.blocks, (block) => {
      block.selected.fill(1)
      assert(block !== pool.blocks[1], 'a bug in a stage')
    })
    const done: number[] = []
    const errors: SpillwayError[] = []
    processor.onDone((index) => done.push(index))
    processor.onError((error) => errors.push(error))
    pool.blocks[1]!.header[BlockHeader.eventCount] = 2
    for (const index of [0, 1, 2]) processor.submit(index)
    expect(done).toEqual([0, 1, 2])
    expect(errors.map((error) => error.code)).toEqual([ErrorCode.internal])
    expect(Array.from(pool.blocks[1]!.eventStatus)).toEqual([
      EventStatus.notReconstructed,
      EventStatus.notReconstructed,
      0,
      0
    ])
    expect(Array.from(pool.blocks[1]!.selected)).toEqual([0, 0, 0, 0])
  })
})

describe('reconstruction threads', () => {
  it('give every block back and say why when they cannot start', async () => {
    const memory = kernelMemory(poolBytes(SHAPE, 3))
    const pool = new BlockPool({ buffer: memory.buffer, base: KERNEL_BASE, count: 3, shape: SHAPE })
    const processor = makeWorkerPool({
      ...{ workers: 2, memory, pool, useKernels: false },
      // no configuration: the thread fails while it starts
      config: {} as PipelineConfig
    })
    const done: number[] = []
    const errors: SpillwayError[] = []
    processor.onDone((index) => done.push(index))
    processor.onError((error) => errors.push(error))
    for (const index of [2, 0]) processor.submit(index)
    await processor.drain()
    expect(done).toEqual([2, 0])
    expect(errors.some((error) => error.message.includes('a reconstruction thread ended'))).toBe(true)
    await processor.close()
    processor.submit(1)
    expect(done).toEqual([2, 0, 1])
  })

  it('give every block back when they are closed in the middle', async () => {
    const memory = kernelMemory(poolBytes(SHAPE, 3))
    const pool = new BlockPool({ buffer: memory.buffer, base: KERNEL_BASE, count: 3, shape: SHAPE })
    const config: PipelineConfig = {
      sources: [],
      channels: [],
      lines: [],
      selection: { cuts: [] },
      reconstruction: {
        waveform: {
          ...{ pedestalSamples: 6, pedestalNoiseCounts: 6, thresholdCounts: 6, fraction: 0.5 },
          ...{ saturationCounts: 4095, pileUpRiseCounts: 20, provenance: 'A' }
        },
        calorimeter: { sums: [], cellThresholdMip: 0, provenance: 'A' }
      }
    }
    const processor = makeWorkerPool({ workers: 1, memory, pool, config, useKernels: false })
    const done: number[] = []
    processor.onDone((index) => done.push(index))
    for (const index of [0, 1, 2]) processor.submit(index)
    await processor.close()
    await processor.drain()
    expect(done).toEqual([0, 1, 2])
  })
})
