/**
 * One SHA-256 per result column over all events of a run or spill: two passes over the same data agree bit for bit
 * when these agree. Independent of how events were cut into blocks: rows that are in use, in event order, and the
 * hits of each event in order; positions in a block (hitBegin, sampleBegin, fragmentOffset) and row numbers are not
 * results. Values are hashed as they lie in memory, little-endian.
 */
import { createHash } from 'node:crypto'
import { BlockHeader, type EventBlock, EventStatus } from '../../core/block.ts'

const PER_EVENT = [
  'eventNumber',
  'triggerMask',
  'eventType',
  'timeTicks',
  'eventStatus',
  'hitCount',
  'cutMask',
  'selected'
] as const
const PER_FRAGMENT = ['fragmentBytes', 'fragmentFaults'] as const
const PER_HIT = [
  'hitChannel',
  'hitStatus',
  'sampleCount',
  'pedestalEven',
  'pedestalOdd',
  'amplitude',
  'timeNs',
  'integral',
  'energyGeV'
] as const
const COLUMNS = [...PER_EVENT, ...PER_FRAGMENT, 'sums', ...PER_HIT, 'samples'] as const
type HashedColumn = (typeof COLUMNS)[number]

/** A row of consecutive indices. */
interface Range {
  from: number
  to: number
}

/** Feed it the blocks in event order, after all stages. */
export class ColumnHash {
  readonly #hashes = new Map(COLUMNS.map((name) => [name, createHash('sha256')] as const))
  #scratchSums = new Float32Array(0)
  #scratchSamples = new Uint16Array(0)

  add(block: EventBlock): void {
    const rows = rangesOfRows(block)
    for (const { from, to } of rows) {
      for (const name of PER_EVENT) this.#update(name, block[name].subarray(from, to))
      const { sources } = block.shape
      for (const name of PER_FRAGMENT) this.#update(name, block[name].subarray(from * sources, to * sources))
      this.#addSums(block, from, to)
    }
    for (const { from, to } of rangesOfHits(block, rows)) {
      for (const name of PER_HIT) this.#update(name, block[name].subarray(from, to))
      this.#addSamples(block, from, to)
    }
  }

  /** Hexadecimal digest of each column; more blocks may follow. */
  digest(): Record<HashedColumn, string> {
    const digests = [...this.#hashes].map(([name, hash]) => [name, hash.copy().digest('hex')] as const)
    return Object.fromEntries(digests) as Record<HashedColumn, string>
  }

  #update(name: HashedColumn, values: Uint16Array | Uint32Array | Float32Array): void {
    this.#hashes.get(name)!.update(values)
  }

  /** Sums lie sum by sum in a block; hashed event by event. */
  #addSums(block: EventBlock, from: number, to: number): void {
    const { sums, events } = block.shape
    const count = (to - from) * sums
    if (this.#scratchSums.length < count) this.#scratchSums = new Float32Array(count)
    const scratch = this.#scratchSums
    let at = 0
    for (let row = from; row < to; row++)
      for (let k = 0; k < sums; k++) scratch[at++] = block.sums[k * events + row]!
    this.#update('sums', scratch.subarray(0, count))
  }

  /** Hits start at multiples of 8 samples; what lies between them is not data. */
  #addSamples(block: EventBlock, from: number, to: number): void {
    let count = 0
    for (let hit = from; hit < to; hit++) count += block.sampleCount[hit]!
    if (this.#scratchSamples.length < count) this.#scratchSamples = new Uint16Array(count)
    const scratch = this.#scratchSamples
    let at = 0
    for (let hit = from; hit < to; hit++) {
      const begin = block.sampleBegin[hit]!
      const end = begin + block.sampleCount[hit]!
      for (let i = begin; i < end; i++) scratch[at++] = block.samples[i]!
    }
    this.#update('samples', scratch.subarray(0, count))
  }
}

function rangesOfRows(block: EventBlock): Range[] {
  const ranges: Range[] = []
  for (let row = 0; row < block.header[BlockHeader.eventCount]!; row++)
    if ((block.eventStatus[row]! & EventStatus.absent) === 0) append(ranges, row, row + 1)
  return ranges
}

function rangesOfHits(block: EventBlock, rows: readonly Range[]): Range[] {
  const ranges: Range[] = []
  for (const { from, to } of rows)
    for (let row = from; row < to; row++) {
      const begin = block.hitBegin[row]!
      append(ranges, begin, begin + block.hitCount[row]!)
    }
  return ranges
}

function append(ranges: Range[], from: number, to: number): void {
  if (from === to) return
  const last = ranges.at(-1)
  if (last?.to === from) last.to = to
  else ranges.push({ from, to })
}
