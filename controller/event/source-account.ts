import type { EndOfSpillRecord } from '../../core/fragment.ts'
import { limits } from '../../core/limits.ts'
import { FragmentStash } from './fragment-stash.ts'
import type { DataSource } from './source.ts'

/** The two sums of one source in one spill, in fragments. The API shows it as it is. */
export interface SourceSpillLedger {
  readonly source: number
  readonly device: string
  /** events need this source; false: an optional board that was away when the spill began */
  readonly expected: boolean
  /** from the source's own end-of-spill record; null: it did not come */
  readonly sent: number | null
  readonly received: number
  /** fragments in complete events */
  readonly built: number
  readonly partial: number
  /** came after their block was closed */
  readonly late: number
  readonly duplicate: number
  readonly corrupt: number
  readonly dropped: number
  readonly lost: number | null
  readonly closed: boolean
  /**
   * damage of the stream, what is wrong inside fragments, and reasons of `dropped`, by kind; `after-close`: what
   * came for the spill before after its end
   */
  readonly faults: Readonly<Record<string, number>>
}

/** Why a fragment that arrived whole was not taken; keys of `faults`, together they are `dropped`. */
export type DropReason =
  'wrong-spill' | 'event-number' | 'too-small' | 'too-large' | 'beyond-window' | 'no-block' | 'no-room'

const NO_BLOCK = -1

/** What one source did in the current spill: counts, event numbers seen, how far it is. */
export class SourceAccount {
  readonly source: DataSource
  received = 0
  built = 0
  partial = 0
  late = 0
  duplicate = 0
  corrupt = 0
  dropped = 0
  record: EndOfSpillRecord | undefined
  /** its start-of-spill frame came */
  hasStarted = false
  /** the start that it said last and was not believed: the crate may say the same a moment later */
  refusedStart = 0
  isConnected = true
  isExpected = true
  /** asked to send nothing for now */
  isPaused = false
  /** smallest number that follows all fragments of this source in closed blocks */
  nextEvent = 1
  hasGap = false
  readonly stash = new FragmentStash()
  readonly #seen = new Uint32Array((limits.eventInSpillMax + 1) / 32)
  #seenCount = 0
  #highest = 0
  /** blocks of the last fragments, newest first */
  readonly #last = new Int32Array(4).fill(NO_BLOCK)
  #front = NO_BLOCK
  #lastEvent = 0
  #lastButOne = 0
  #faults: Record<string, number> = {}

  constructor(source: DataSource) {
    this.source = source
  }

  /** Empty books for the next spill. Faults from between the spills stay. */
  open(): void {
    this.received = this.built = this.partial = 0
    this.late = this.duplicate = this.corrupt = this.dropped = 0
    this.record = undefined
    this.hasStarted = false
    this.stash.clear()
    this.nextEvent = 1
    this.hasGap = false
    this.#seen.fill(0, 0, (this.#highest >>> 5) + 1)
    this.#seenCount = 0
    this.#highest = 0
    this.#last.fill(NO_BLOCK)
    this.#front = NO_BLOCK
    this.#lastEvent = 0
    this.#lastButOne = 0
  }

  /**
   * Whether the number is smaller than that of the fragment before; to be asked once of every fragment. Not when
   * the one before was the odd one: `far` or more ahead of this, which follows the last but one.
   */
  isBehindLast(event: number, far: number): boolean {
    const last = this.#lastEvent
    const isBehind = event < last && (last - event < far || event < this.#lastButOne)
    this.#lastButOne = last
    this.#lastEvent = event
    return isBehind
  }

  /**
   * The block that this source has reached: the oldest among its last four fragments, so that a few wrong event
   * numbers in a row move nothing; never goes back.
   */
  get front(): number {
    return this.#front
  }

  /** The newest fragment is not far from the one before: a source that runs ahead, not a damaged number. */
  get isSteady(): boolean {
    return this.#last[0]! <= this.#last[1]! + 1
  }

  /** @returns whether the front moved */
  advance(block: number): boolean {
    const last = this.#last
    let oldest = block
    for (let i = last.length - 1; i > 0; i--) {
      last[i] = last[i - 1]!
      if (last[i]! < oldest) oldest = last[i]!
    }
    last[0] = block
    if (oldest <= this.#front) return false
    this.#front = oldest
    return true
  }

  hasSeen(event: number): boolean {
    return (this.#seen[event >>> 5]! & (1 << (event & 31))) !== 0
  }

  /** @param event from 1, not seen before */
  markSeen(event: number): void {
    this.#seen[event >>> 5]! |= 1 << (event & 31)
    this.#seenCount++
    if (event > this.#highest) this.#highest = event
  }

  drop(reason: DropReason): void {
    this.dropped++
    this.countFault(reason, 1)
  }

  /** What came before the run is not of the run. */
  beginRun(): void {
    this.#faults = {}
  }

  countFault(kind: string, count: number): void {
    this.#faults[kind] = (this.#faults[kind] ?? 0) + count
  }

  /**
   * Closes the books. `lost` is counted from the event numbers that were never seen, not as what is missing in
   * the sum: fragments that came but whose number cannot be believed stand for as many unseen numbers, and a
   * source that sends more than it says does not close.
   */
  close(): SourceSpillLedger {
    const faults = this.#faults
    this.#faults = {}
    const { source, built, partial, late, duplicate, corrupt } = this
    let { received, dropped } = this
    const sent = this.record?.eventsSent ?? null
    let lost: number | null = null
    if (sent !== null) {
      const seen = this.#seenUpTo(sent)
      const beyond = this.#seenCount - seen
      if (beyond > 0) faults['beyond-sent'] = beyond
      const unseen = sent - seen
      const unusable = corrupt + dropped + beyond
      // A fragment of another spill is either one of ours with a damaged number, and then one of our numbers is
      // unseen, or it was sent in that other spill, and then it does not belong into these sums.
      const foreign = Math.min(faults['wrong-spill'] ?? 0, Math.max(0, unusable - unseen))
      if (foreign > 0) {
        received -= foreign
        dropped -= foreign
        faults['wrong-spill']! -= foreign
        if (faults['wrong-spill'] === 0) delete faults['wrong-spill']
        faults['other-spill'] = (faults['other-spill'] ?? 0) + foreign
      }
      lost = Math.max(0, unseen - (unusable - foreign))
    }
    const closed =
      lost !== null &&
      received === built + partial + late + duplicate + corrupt + dropped &&
      sent === received - duplicate + lost
    const counts = {
      expected: this.isExpected,
      sent,
      received,
      built,
      partial,
      late,
      duplicate,
      corrupt,
      dropped,
      lost,
      closed
    }
    return { source: source.id, device: source.device, ...counts, faults }
  }

  /** How many of the numbers 1..last were seen. */
  #seenUpTo(last: number): number {
    if (last >= this.#highest) return this.#seenCount
    let count = 0
    const words = last >>> 5
    for (let i = 0; i < words; i++) count += ones(this.#seen[i]!)
    // bits 0..last & 31 of the last word; bit 0 of word 0 is never set
    return count + ones(this.#seen[words]! & (0xffffffff >>> (31 - (last & 31))))
  }
}

function ones(word: number): number {
  let w = word - ((word >>> 1) & 0x55555555)
  w = (w & 0x33333333) + ((w >>> 2) & 0x33333333)
  return Math.imul((w + (w >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}
