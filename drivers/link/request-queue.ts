import { abortedError, type Clock } from '../../core/clock.ts'
import { ErrorCode, SpillwayError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import type { DurationNs } from '../../core/units.ts'

/**
 * One request in flight per device, the others wait in order of arrival. A request's deadline counts from its
 * turn, so no answer of a device is late because of others; the wait itself is bounded by the number that may
 * wait and ends as soon as the caller gives up.
 */
export class RequestQueue {
  readonly #name: string
  readonly #clock: Clock
  readonly #limit: number
  readonly #waiting: (() => void)[] = []
  #isBusy = false

  /** @param options.limit how many may wait; one more rejects with `overflow` */
  constructor(name: string, clock: Clock, options: { readonly limit?: number } = {}) {
    this.#name = name
    this.#clock = clock
    this.#limit = options.limit ?? limits.requestQueueMax
  }

  /** requests that wait for their turn, the one in flight not counted */
  get waiting(): number {
    return this.#waiting.length
  }

  /**
   * Runs `work` when its turn comes. Its signal aborts at the deadline and when `outer` aborts; from then on it
   * must leave the device alone, because the next request begins.
   * Rejects with `overflow`, `timeout`, `aborted`, or what `work` throws.
   */
  async run<T>(
    name: string,
    deadline: DurationNs,
    work: (signal: AbortSignal) => Promise<T>,
    outer?: AbortSignal
  ): Promise<T> {
    const full = `${this.#name}: ${name}`
    if (outer?.aborted === true) throw abortedError(full, outer)
    if (this.#isBusy) await this.#turn(full, outer)
    this.#isBusy = true
    try {
      return await this.#clock.within(full, deadline, work, outer)
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#isBusy = false
      else next()
    }
  }

  #turn(name: string, outer: AbortSignal | undefined): Promise<void> {
    if (this.#waiting.length >= this.#limit)
      throw new SpillwayError(
        ErrorCode.overflow,
        `${name}: ${this.#waiting.length} requests wait already; the device answers too slowly`
      )
    return new Promise((resolve, reject) => {
      const start = (): void => {
        outer?.removeEventListener('abort', giveUp)
        resolve()
      }
      const giveUp = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(start), 1)
        reject(abortedError(name, outer!))
      }
      outer?.addEventListener('abort', giveUp, { once: true })
      this.#waiting.push(start)
    })
  }
}
