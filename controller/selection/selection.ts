import { BlockHeader, type EventBlock, EventStatus } from '../../core/block.ts'
import { assert } from '../../core/errors.ts'
import type { SelectionConfig, TriggerConfig } from '../../config/schema.ts'

/** A cut as numbers: what of the event it looks at, and what it asks. */
type Cut =
  | { readonly kind: 'clean' }
  | { readonly kind: 'trigger'; readonly mask: number }
  | { readonly kind: 'sum'; readonly sum: number; readonly low: number; readonly high: number }

export interface SelectionOptions {
  readonly selection: SelectionConfig
  readonly lines: TriggerConfig['lines']
  /** names of the sums, in the order of the block's column */
  readonly sums: readonly string[]
}

/**
 * The cuts before the signal box, over a whole block: bit k of cutMask is set when cut k passes, whatever the
 * others say; `selected` is 1 when all pass. Limits are inclusive.
 */
export function makeSelection(options: SelectionOptions): (block: EventBlock) => void {
  const cuts = options.selection.cuts.map((cut) => resolve(cut, options))
  const all = 2 ** cuts.length - 1
  return (block) => {
    const rows = block.header[BlockHeader.eventCount]!
    const events = block.shape.events
    for (let row = 0; row < rows; row++) {
      let mask = 0
      if ((block.eventStatus[row]! & EventStatus.absent) === 0)
        for (let k = 0; k < cuts.length; k++) {
          const cut = cuts[k]!
          let isPassed: boolean
          if (cut.kind === 'clean') isPassed = block.eventStatus[row] === 0
          else if (cut.kind === 'trigger') isPassed = (block.triggerMask[row]! & cut.mask) !== 0
          else {
            const energy = block.sums[cut.sum * events + row]!
            isPassed = energy >= cut.low && energy <= cut.high
          }
          if (isPassed) mask |= 1 << k
        }
      block.cutMask[row] = mask
      block.selected[row] = mask === all ? 1 : 0
    }
  }
}

/** Trigger lines with this use, as a mask. */
export function linesWithUse(
  lines: TriggerConfig['lines'],
  use: TriggerConfig['lines'][number]['use']
): number {
  return lines.reduce((mask, line) => (line.use === use ? mask | (1 << line.line) : mask), 0)
}

function resolve(cut: SelectionConfig['cuts'][number], options: SelectionOptions): Cut {
  switch (cut.kind) {
    case 'clean':
      return { kind: 'clean' }
    case 'trigger':
      return { kind: 'trigger', mask: linesWithUse(options.lines, cut.use ?? 'physics') }
    case 'sum': {
      const sum = options.sums.indexOf(cut.sum ?? '')
      assert(sum >= 0, `cut ${cut.name} on a sum that does not exist: ${cut.sum ?? 'none named'}`)
      return { kind: 'sum', sum, low: cut.lowGeV ?? -Infinity, high: cut.highGeV ?? Infinity }
    }
  }
}

export interface CutCount {
  readonly name: string
  /** events that pass this cut and all before it */
  readonly passed: number
}

/** How many events are left after each cut, in order; of one spill, or of whatever is added up. */
export class CutFlow {
  readonly #names: readonly string[]
  readonly #passed: number[]
  #events = 0

  constructor(selection: SelectionConfig) {
    this.#names = selection.cuts.map((cut) => cut.name)
    this.#passed = this.#names.map(() => 0)
  }

  /** Events that anybody sent. */
  get events(): number {
    return this.#events
  }

  add(block: EventBlock): void {
    const rows = block.header[BlockHeader.eventCount]!
    const passed = this.#passed
    for (let row = 0; row < rows; row++) {
      if ((block.eventStatus[row]! & EventStatus.absent) !== 0) continue
      this.#events++
      const mask = block.cutMask[row]!
      for (let k = 0; k < passed.length && (mask & (1 << k)) !== 0; k++) passed[k]!++
    }
  }

  counts(): readonly CutCount[] {
    return this.#names.map((name, k) => ({ name, passed: this.#passed[k]! }))
  }

  clear(): void {
    this.#events = 0
    this.#passed.fill(0)
  }
}
