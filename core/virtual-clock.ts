import { abortedError, type Clock, withinBySleep } from './clock.ts'
import { ErrorCode, SpillwayError } from './errors.ts'
import { type DurationNs, type RunNs, toSeconds } from './units.ts'

interface Timer {
  readonly name: string
  readonly at: RunNs
  readonly sequence: number
  readonly fire: () => void
}

/** More timers than this at one instant is a loop that forgot to let time pass. */
const TIMERS_PER_INSTANT_MAX = 1_000_000

/**
 * Time that only moves when everybody sleeps. Timers fire in order of time, then of creation; between two
 * instants all promises settle completely, so a seed and a commit repeat a whole run to the byte.
 * It serves code that does no I/O of its own: memory links, one thread.
 */
export class VirtualClock implements Clock {
  #now: RunNs = 0
  #sequence = 0
  /** binary heap by (at, sequence) */
  readonly #timers: Timer[] = []
  readonly #epochMs: number

  /** @param epoch wall time at instant 0 */
  constructor(epoch: Date = new Date(Date.UTC(2022, 8, 15))) {
    this.#epochMs = epoch.getTime()
  }

  now(): RunNs {
    return this.#now
  }

  utc(): Date {
    return new Date(this.#epochMs + this.#now / 1e6)
  }

  /** names of pending timers, soonest first: what the system waits for */
  pending(): string[] {
    return [...this.#timers]
      .sort((a, b) => a.at - b.at || a.sequence - b.sequence)
      .map((t) => `${t.name} at ${toSeconds(t.at)} s`)
  }

  sleep(name: string, delay: DurationNs, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(abortedError(name, signal))
        return
      }
      const timer: Timer = {
        name,
        at: this.#now + Math.max(0, Math.round(delay)),
        sequence: this.#sequence++,
        fire: () => {
          signal?.removeEventListener('abort', onAbort)
          resolve()
        }
      }
      const onAbort = (): void => {
        this.#remove(timer)
        reject(abortedError(name, signal!))
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#push(timer)
    })
  }

  within<T>(
    name: string,
    limit: DurationNs,
    work: (signal: AbortSignal) => Promise<T>,
    outer?: AbortSignal
  ): Promise<T> {
    return withinBySleep(this, name, limit, work, outer)
  }

  /** Moves time on until `work` settles. Rejects when nothing can wake it any more, or after `limit`. */
  async resolve<T>(work: Promise<T>, limit: DurationNs = 7 * 86_400e9): Promise<T> {
    let outcome: { value: T } | { error: unknown } | undefined
    work.then(
      (value) => (outcome = { value }),
      (error: unknown) => (outcome = { error })
    )
    const until = this.#now + limit
    await settle()
    while (outcome === undefined) {
      if (this.#timers.length === 0)
        throw new SpillwayError(ErrorCode.internal, 'virtual time: everybody waits and no timer is set')
      if (this.#timers[0]!.at > until)
        throw new SpillwayError(
          ErrorCode.timeout,
          `virtual time: not done after ${toSeconds(limit)} s; next timer ${this.#timers[0]!.name}`
        )
      await this.#step()
    }
    if ('error' in outcome) throw outcome.error
    return outcome.value
  }

  /** Moves time on by `duration`, firing everything on the way. */
  async advance(duration: DurationNs): Promise<void> {
    const until = this.#now + duration
    await settle()
    while (this.#timers.length > 0 && this.#timers[0]!.at <= until) await this.#step()
    this.#now = until
  }

  async #step(): Promise<void> {
    const at = this.#timers[0]!.at
    this.#now = at
    let fired = 0
    while (this.#timers.length > 0 && this.#timers[0]!.at === at) {
      const timer = this.#pop()
      if (++fired > TIMERS_PER_INSTANT_MAX)
        throw new SpillwayError(ErrorCode.internal, `virtual time stands still: timer ${timer.name} re-arms`)
      timer.fire()
      await settle()
    }
  }

  #push(timer: Timer): void {
    const heap = this.#timers
    heap.push(timer)
    let i = heap.length - 1
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (!before(heap[i]!, heap[parent]!)) break
      swap(heap, i, parent)
      i = parent
    }
  }

  #pop(): Timer {
    const heap = this.#timers
    const first = heap[0]!
    const last = heap.pop()!
    if (heap.length > 0) {
      heap[0] = last
      this.#sink(0)
    }
    return first
  }

  #sink(from: number): void {
    const heap = this.#timers
    let i = from
    for (;;) {
      let least = i
      for (const child of [2 * i + 1, 2 * i + 2])
        if (child < heap.length && before(heap[child]!, heap[least]!)) least = child
      if (least === i) return
      swap(heap, i, least)
      i = least
    }
  }

  #remove(timer: Timer): void {
    const at = this.#timers.indexOf(timer)
    if (at < 0) return
    this.#timers.splice(at, 1)
    const rest = this.#timers.splice(0)
    for (const t of rest) this.#push(t)
  }
}

function before(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.sequence < b.sequence)
}

function swap(heap: Timer[], i: number, j: number): void {
  const t = heap[i]!
  heap[i] = heap[j]!
  heap[j] = t
}

/** A macrotask: by then every promise that could settle without time or I/O has settled. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
