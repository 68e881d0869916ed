import { createHash, type Hash } from 'node:crypto'
import { BlockHeader, type EventBlock } from '../../core/block.ts'
import { ColumnHash } from './column-hash.ts'

/**
 * Hashes of the result columns of a run: one word per spill, so that each finished spill can be checked by itself,
 * and one per column for the run, made of those of its spills in order. The online pass and replay use the same.
 */
export class RunHash {
  readonly #open = new Map<number, ColumnHash>()
  readonly #columns = new Map<string, Hash>()

  /** Feed it the blocks of a spill in order, after all stages. */
  add(block: EventBlock): void {
    const spill = block.header[BlockHeader.spill]!
    let hash = this.#open.get(spill)
    if (hash === undefined) this.#open.set(spill, (hash = new ColumnHash()))
    hash.add(block)
  }

  /** @returns hash over all columns of the spill */
  endSpill(spill: number): string {
    const digest = (this.#open.get(spill) ?? new ColumnHash()).digest()
    this.#open.delete(spill)
    const all = createHash('sha256')
    for (const [column, hex] of Object.entries(digest)) {
      all.update(hex)
      let run = this.#columns.get(column)
      if (run === undefined) this.#columns.set(column, (run = createHash('sha256')))
      run.update(hex)
    }
    return all.digest('hex')
  }

  /** by column, over the spills that ended */
  digest(): Record<string, string> {
    return Object.fromEntries([...this.#columns].map(([column, hash]) => [column, hash.copy().digest('hex')]))
  }
}
