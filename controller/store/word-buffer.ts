import { endianness } from 'node:os'
import { assert } from '../../core/errors.ts'

/** Little-endian words that grow; used again and again, so that writing allocates nothing once it is large enough. */
export class WordBuffer {
  words: Uint32Array
  /** words in use */
  length = 0

  constructor(capacity = 1 << 18) {
    assert(endianness() === 'LE', 'raw data are little-endian and are written without conversion')
    this.words = new Uint32Array(capacity)
  }

  /** Room for `count` more words; `words` may be another array afterwards. */
  ensure(count: number): void {
    const needed = this.length + count
    if (needed <= this.words.length) return
    const larger = new Uint32Array(Math.max(needed, 2 * this.words.length))
    larger.set(this.words.subarray(0, this.length))
    this.words = larger
  }

  /** What is in use, as bytes; valid until the next `ensure` or `clear`. */
  get bytes(): Uint8Array {
    return new Uint8Array(this.words.buffer, 0, 4 * this.length)
  }

  clear(): void {
    this.length = 0
  }
}
