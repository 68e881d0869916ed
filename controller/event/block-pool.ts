import { attachBlock, type BlockShape, blockBytes, type EventBlock } from '../../core/block.ts'
import { assert } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import type { DataSource } from './source.ts'

/** Where a pool lies: enough for another thread to see the same blocks. Goes through `postMessage`. */
export interface PoolLayout {
  readonly buffer: ArrayBufferLike
  /** byte offset of the first block, a multiple of 64 */
  readonly base: number
  readonly count: number
  readonly shape: BlockShape
}

/** The shape in which every event of these sources fits, also when nothing is suppressed. */
export function shapeFor(
  sources: readonly DataSource[],
  sums: number,
  events: number = limits.eventsPerBlock
): BlockShape {
  let bytes = 0
  let hits = 0
  let samples = 0
  for (const source of sources) {
    bytes += Math.ceil(source.maximumBlockBytes / 4) * 4
    hits += source.hitsMax
    samples += source.hitsMax * Math.ceil(source.samplesPerEvent / 8) * 8
  }
  return {
    events,
    sources: sources.length,
    rawBytes: events * bytes,
    hits: events * hits,
    samples: events * samples,
    sums
  }
}

/** Bytes that the blocks of a pool take. */
export const poolBytes = (shape: BlockShape, count: number): number => blockBytes(shape) * count

/** The blocks of a pool, seen from this thread. */
export function attachBlocks(layout: PoolLayout): readonly EventBlock[] {
  const size = blockBytes(layout.shape)
  return Array.from({ length: layout.count }, (_, i) =>
    attachBlock(layout.buffer, layout.base + i * size, layout.shape)
  )
}

/**
 * The event blocks of a run and who may have them: a block is free or taken, by one owner at a time. The
 * builder takes; whoever is last in the chain (the store) gives back. One thread keeps the pool; others see
 * the same memory by `layout`.
 */
export class BlockPool {
  readonly layout: PoolLayout
  readonly blocks: readonly EventBlock[]
  readonly #free: number[]
  readonly #isFree: boolean[]

  constructor(layout: PoolLayout) {
    this.layout = layout
    this.blocks = attachBlocks(layout)
    this.#free = this.blocks.map((_, i) => layout.count - 1 - i)
    this.#isFree = this.blocks.map(() => true)
  }

  get freeCount(): number {
    return this.#free.length
  }

  get count(): number {
    return this.layout.count
  }

  /** Index of a block that is now the caller's; undefined when all are taken. Its columns are not cleared. */
  tryTake(): number | undefined {
    const index = this.#free.pop()
    if (index !== undefined) this.#isFree[index] = false
    return index
  }

  giveBack(index: number): void {
    assert(this.#isFree[index] === false, `block ${index} given back, and it is not taken`)
    this.#isFree[index] = true
    this.#free.push(index)
  }
}

/** A pool on memory of its own, where no kernel needs to see it. */
export function makePool(shape: BlockShape, count: number = limits.blocks): BlockPool {
  return new BlockPool({ buffer: new SharedArrayBuffer(poolBytes(shape, count)), base: 0, count, shape })
}
