/** The longest answer: 48 channels of 14 characters. */
const LINE_BYTES_MAX = 1024
const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d

/**
 * Cuts a stream of bytes into lines that end in CR LF. A line that is too long or holds anything but printable
 * ASCII is no answer: it is counted in `garbageBytes` and left out.
 */
export class LineFramer {
  /** bytes that were no part of a line */
  garbageBytes = 0
  #pending: number[] = []
  /** the line became too long; what follows up to its end belongs to it */
  #isSkipping = false

  /** Hands every line that is now complete to `take`, without its end. */
  push(bytes: Uint8Array, take: (line: string) => void): void {
    for (const byte of bytes) {
      if (byte === LINE_FEED) {
        const line = this.#finish()
        if (line !== undefined) take(line)
      } else if (this.#isSkipping) this.garbageBytes++
      else if (this.#pending.length < LINE_BYTES_MAX) this.#pending.push(byte)
      else {
        this.garbageBytes += this.#pending.length + 1
        this.#pending = []
        this.#isSkipping = true
      }
    }
  }

  /** Forgets an unfinished line. */
  reset(): void {
    this.garbageBytes += this.#pending.length
    this.#pending = []
    this.#isSkipping = false
  }

  #finish(): string | undefined {
    const bytes = this.#pending
    const wasSkipping = this.#isSkipping
    this.#pending = []
    this.#isSkipping = false
    if (wasSkipping) return undefined
    if (bytes.at(-1) === CARRIAGE_RETURN) bytes.pop()
    else {
      this.garbageBytes += bytes.length + 1
      return undefined
    }
    if (bytes.some((byte) => byte < 0x20 || byte > 0x7e)) {
      this.garbageBytes += bytes.length + 2
      return undefined
    }
    return String.fromCharCode(...bytes)
  }
}
