/** The longest reply: eight channels of 9 characters. */
const REPLY_BYTES_MAX = 256
const HASH = 0x23
const CARRIAGE_RETURN = 0x0d
const LINE_FEED = 0x0a
const XON = 0x11
const XOFF = 0x13

/**
 * Cuts a stream of bytes into replies: from `#` to CR LF. Every `#` begins anew, whatever came before it, so a reply
 * that was cut off does not swallow the next. What belongs to no reply is counted in `garbageBytes` and left out. The
 * characters of the flow control are no garbage: on a line whose system does not take them out they come through.
 */
export class ReplyFramer {
  garbageBytes = 0
  /** undefined: between two replies */
  #pending: number[] | undefined

  /** Hands every reply that is now complete to `take`, from its `#`, without its end. */
  push(bytes: Uint8Array, take: (reply: string) => void): void {
    for (const byte of bytes) {
      if (byte === XON || byte === XOFF) continue
      if (byte === HASH) {
        this.reset()
        this.#pending = [HASH]
      } else if (this.#pending === undefined) this.garbageBytes++
      else if (byte === LINE_FEED) this.#end(take)
      else if (this.#pending.length < REPLY_BYTES_MAX && isOfAReply(byte)) this.#pending.push(byte)
      else {
        this.garbageBytes++
        this.reset()
      }
    }
  }

  /** Forgets an unfinished reply. */
  reset(): void {
    this.garbageBytes += this.#pending?.length ?? 0
    this.#pending = undefined
  }

  #end(take: (reply: string) => void): void {
    const bytes = this.#pending ?? []
    if (bytes.at(-1) !== CARRIAGE_RETURN || bytes.indexOf(CARRIAGE_RETURN) < bytes.length - 1) {
      this.garbageBytes++
      this.reset()
      return
    }
    this.#pending = undefined
    take(String.fromCharCode(...bytes.slice(0, -1)))
  }
}

const isOfAReply = (byte: number): boolean => byte === CARRIAGE_RETURN || (byte >= 0x20 && byte <= 0x7e)
