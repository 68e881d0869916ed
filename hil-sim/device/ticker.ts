/**
 * Cuts time into equal ticks, so that what a device does, and the random numbers that it draws, do not depend on
 * how the caller cut it.
 */
export class Ticker {
  readonly #tickNs: number
  readonly #tick: () => void
  #elapsedNs = 0

  constructor(tickNs: number, tick: () => void) {
    this.#tickNs = tickNs
    this.#tick = tick
  }

  advance(dtNs: number): void {
    this.#elapsedNs += dtNs
    while (this.#elapsedNs >= this.#tickNs) {
      this.#elapsedNs -= this.#tickNs
      this.#tick()
    }
  }
}
