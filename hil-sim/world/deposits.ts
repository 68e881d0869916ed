const CAPACITY = 4096

/**
 * The pulses of one event: channel, amplitude and time, chained by channel. Made once, filled anew for each
 * event; what exceeds the capacity is left out.
 */
export class Deposits {
  count = 0
  /** first pulse of a channel, or -1 */
  readonly head: Int16Array
  /** next pulse of the same channel, or -1 */
  readonly next = new Int16Array(CAPACITY)
  /** counts at the maximum */
  readonly amplitude = new Float32Array(CAPACITY)
  /** of the maximum, ns after the trigger's */
  readonly timeNs = new Float32Array(CAPACITY)
  readonly #channel = new Uint16Array(CAPACITY)

  constructor(channels: number) {
    this.head = new Int16Array(channels).fill(-1)
  }

  clear(): void {
    for (let i = 0; i < this.count; i++) this.head[this.#channel[i]!] = -1
    this.count = 0
  }

  /** @param channel index of the channel; -1 (nothing is read there) is ignored */
  add(channel: number, amplitudeCounts: number, timeNs: number): void {
    if (channel < 0 || amplitudeCounts <= 0 || this.count === CAPACITY) return
    const i = this.count++
    this.#channel[i] = channel
    this.amplitude[i] = amplitudeCounts
    this.timeNs[i] = timeNs
    this.next[i] = this.head[channel]!
    this.head[channel] = i
  }
}
