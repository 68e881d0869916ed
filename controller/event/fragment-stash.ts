/** Larger than what a link may still deliver after it was asked to stop: one read of 256 KiB. */
const STASH_BYTES = 512 << 10
const STASH_FRAGMENTS = 16_384

/**
 * Fragments of one source that came before there was a place for them. A link that is held back still delivers
 * what it has read, which of small blocks are thousands; they wait here until the others have caught up.
 */
export class FragmentStash {
  readonly #bytes = new Uint8Array(STASH_BYTES)
  readonly #events = new Uint32Array(STASH_FRAGMENTS)
  readonly #statuses = new Uint32Array(STASH_FRAGMENTS)
  readonly #offsets = new Uint32Array(STASH_FRAGMENTS + 1)
  #count = 0

  get count(): number {
    return this.#count
  }

  /** smallest event number that waits; only when something does */
  get firstEvent(): number {
    let first = this.#events[0]!
    for (let i = 1; i < this.#count; i++) first = Math.min(first, this.#events[i]!)
    return first
  }

  /** False when it is full. */
  tryPut(event: number, status: number, bytes: Uint8Array): boolean {
    const offset = this.#offsets[this.#count]!
    if (this.#count === STASH_FRAGMENTS || offset + bytes.length > STASH_BYTES) return false
    this.#bytes.set(bytes, offset)
    this.#events[this.#count] = event
    this.#statuses[this.#count] = status
    this.#offsets[++this.#count] = offset + bytes.length
    return true
  }

  /** Offers everything in order; what is not taken stays. */
  offer(isTaken: (event: number, status: number, bytes: Uint8Array) => boolean): void {
    const count = this.#count
    let kept = 0
    for (let i = 0; i < count; i++) {
      const from = this.#offsets[i]!
      const to = this.#offsets[i + 1]!
      if (isTaken(this.#events[i]!, this.#statuses[i]!, this.#bytes.subarray(from, to))) continue
      const offset = this.#offsets[kept]!
      this.#bytes.copyWithin(offset, from, to)
      this.#events[kept] = this.#events[i]!
      this.#statuses[kept] = this.#statuses[i]!
      this.#offsets[++kept] = offset + to - from
    }
    this.#count = kept
  }

  clear(): void {
    this.#count = 0
  }
}
