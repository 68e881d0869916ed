import { BlockHeader, type EventBlock, EventStatus } from '../../core/block.ts'
import { DecodeFault, decodeFaultNames } from '../../core/decoder.ts'
import { FragmentStatus } from '../../core/fragment.ts'

/** fragments per kind of fault */
export type FaultCounts = Readonly<Record<string, number>>

const DECODE_BITS = Object.values(DecodeFault)
/** What the front-end says of its own fragment, under the names of the ledger. */
const STATUS_KINDS = [
  ['slink-error', FragmentStatus.slinkError],
  ['error-words', FragmentStatus.errorWords],
  ['tcs-error', FragmentStatus.tcsError]
] as const
const STATUS_MASK = STATUS_KINDS.reduce((mask, [, bit]) => mask | bit, 0)

/**
 * Counts what is wrong inside the fragments of one spill, per source and kind: what the decoders met, and what
 * the S-LINK headers say. The builder's ledger cannot know it: a block is decoded after it is closed.
 */
export class FragmentFaults {
  readonly #sources: number
  /** per source: one counter per bit of DecodeFault, then one per status kind */
  readonly #counts: Uint32Array[]
  #notReconstructed = 0

  constructor(sources: number) {
    this.#sources = sources
    this.#counts = Array.from(
      { length: sources },
      () => new Uint32Array(DECODE_BITS.length + STATUS_KINDS.length)
    )
  }

  /** events whose block the stages failed on: a bug of ours, raw data are good */
  get notReconstructed(): number {
    return this.#notReconstructed
  }

  /** A block that all stages have seen. */
  add(block: EventBlock): void {
    const rows = block.header[BlockHeader.eventCount]!
    const { fragmentFaults, fragmentStatus, eventStatus } = block
    for (let row = 0; row < rows; row++)
      if ((eventStatus[row]! & EventStatus.notReconstructed) !== 0) this.#notReconstructed++
    const fragments = rows * this.#sources
    for (let at = 0; at < fragments; at++) {
      const faults = fragmentFaults[at]!
      const status = fragmentStatus[at]! & STATUS_MASK
      if ((faults | status) === 0) continue
      const counts = this.#counts[at % this.#sources]!
      for (let i = 0; i < DECODE_BITS.length; i++) if ((faults & DECODE_BITS[i]!) !== 0) counts[i]!++
      for (let i = 0; i < STATUS_KINDS.length; i++)
        if ((status & STATUS_KINDS[i]![1]) !== 0) counts[DECODE_BITS.length + i]!++
    }
  }

  /** Of the source at `index` in the order of the fragment table; only kinds that occurred. */
  of(index: number): FaultCounts {
    const counts = this.#counts[index]!
    const entries: [string, number][] = []
    DECODE_BITS.forEach((bit, i) => {
      if (counts[i]! > 0) entries.push([decodeFaultNames(bit)[0]!, counts[i]!])
    })
    STATUS_KINDS.forEach(([kind], i) => {
      const count = counts[DECODE_BITS.length + i]!
      if (count > 0) entries.push([kind, count])
    })
    return Object.fromEntries(entries)
  }
}
