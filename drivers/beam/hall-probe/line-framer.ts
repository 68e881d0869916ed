/** The longest answer is a complaint of 23 characters, after an echo. */
const LINE_BYTES_MAX = 64
const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d

/**
 * Cuts bytes into lines that end in CR, LF, or both in any order: empty lines are no lines. A line that is too long
 * or holds anything but printable ASCII is no answer: its bytes are counted and it is left out.
 */
export class LineFramer {
  /** bytes that were no part of a line */
  garbageBytes = 0
  #line = ''
  #length = 0
  #isBroken = false

  push(bytes: Uint8Array, take: (line: string) => void): void {
    for (const byte of bytes) {
      if (byte === LINE_FEED || byte === CARRIAGE_RETURN) {
        const line = this.#line
        const isWhole = !this.#isBroken && line !== ''
        if (isWhole) this.#length = 0
        this.reset()
        if (isWhole) take(line)
        continue
      }
      this.#length++
      if (byte < 0x20 || byte > 0x7e || this.#line.length >= LINE_BYTES_MAX) this.#isBroken = true
      if (this.#isBroken) this.#line = ''
      else this.#line += String.fromCharCode(byte)
    }
  }

  /** Forgets an unfinished line, as garbage. */
  reset(): void {
    this.garbageBytes += this.#length
    this.#line = ''
    this.#length = 0
    this.#isBroken = false
  }
}
