import type { Clock } from './clock.ts'
import type { Quality, Reading, Signal, SignalMeta, SignalValue, Unsubscribe } from './signal.ts'
import { milliseconds } from './units.ts'

/** A signal that a driver feeds: keeps the newest reading and turns it stale by its own clock. */
export class SignalCell<T extends SignalValue = SignalValue> implements Signal<T> {
  readonly path: string
  readonly meta: SignalMeta
  readonly #clock: Clock
  readonly #listeners = new Set<(reading: Reading<T>) => void>()
  #reading: Reading<T> | undefined
  #confirmedAt = 0

  constructor(clock: Clock, path: string, meta: SignalMeta) {
    this.#clock = clock
    this.path = path
    this.meta = meta
  }

  latest(): Reading<T> | undefined {
    const reading = this.#reading
    if (reading === undefined || reading.quality === 'bad' || reading.quality === 'stale') return reading
    if (this.#clock.now() - this.#confirmedAt <= milliseconds(this.meta.staleAfterMs)) return reading
    return { ...reading, quality: 'stale', reason: `not confirmed for ${this.meta.staleAfterMs} ms` }
  }

  /** @param utc time of the source where it gives one */
  update(value: T, quality: Quality = 'good', reason?: string, utc: Date = this.#clock.utc()): Reading<T> {
    const reading: Reading<T> =
      reason === undefined ? { value, utc, quality } : { value, utc, quality, reason }
    this.#reading = reading
    this.#confirmedAt = this.#clock.now()
    for (const listener of this.#listeners) listener(reading)
    return reading
  }

  /** The link is gone: the last value stays visible, as stale. */
  lose(reason: string): void {
    if (this.#reading === undefined || this.#reading.quality === 'stale') return
    this.#reading = { ...this.#reading, quality: 'stale', reason }
    for (const listener of this.#listeners) listener(this.#reading)
  }

  watch(listener: (reading: Reading<T>) => void): Unsubscribe {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}
