import type { EventBlock } from '../../core/block.ts'

/** Columns of the block, by name. */
export type ColumnName = Exclude<keyof EventBlock, 'shape' | 'buffer' | 'offset' | 'header' | 'rawWords'>

/**
 * One step over a whole block. Synchronous, allocates nothing, throws nothing; writes its own columns only, and
 * the same bits on every machine. The version changes when the results do.
 */
export interface Stage {
  readonly name: string
  readonly version: number
  readonly reads: readonly ColumnName[]
  readonly writes: readonly ColumnName[]
  process(block: EventBlock): void
}
