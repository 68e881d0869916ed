import { ErrorCode, SpillwayError } from './errors.ts'
import { type DurationNs, type RunNs, toMilliseconds } from './units.ts'

/**
 * Time as an argument. Nothing in the project reads the wall clock or sets a timer but through this.
 * Timers have names, so that a hang says what it waits for.
 */
export interface Clock {
  /** ns since this clock was made; never goes back */
  now(): RunNs
  /** wall time, for people and for files */
  utc(): Date
  /** Resolves after `delay`; rejects with code `aborted` as soon as `signal` aborts. */
  sleep(name: string, delay: DurationNs, signal?: AbortSignal): Promise<void>
  /**
   * Runs `work` under a deadline: its signal aborts, and the promise rejects with code `timeout`, when
   * `limit` has passed; both also happen (code `aborted`) when `outer` aborts.
   */
  within<T>(
    name: string,
    limit: DurationNs,
    work: (signal: AbortSignal) => Promise<T>,
    outer?: AbortSignal
  ): Promise<T>
}

/** A fresh look at the signal: the compiler believes that it never changes. */
export const isAborted = (signal: AbortSignal): boolean => signal.aborted

export function abortedError(name: string, signal: AbortSignal): SpillwayError {
  return new SpillwayError(ErrorCode.aborted, `${name}: given up`, { cause: signal.reason })
}

/** `within` in terms of `sleep`; shared by the real and the virtual clock. */
export async function withinBySleep<T>(
  clock: Pick<Clock, 'sleep'>,
  name: string,
  limit: DurationNs,
  work: (signal: AbortSignal) => Promise<T>,
  outer?: AbortSignal
): Promise<T> {
  if (outer?.aborted === true) throw abortedError(name, outer)
  const inner = new AbortController()
  const timer = new AbortController()
  let stopListening = (): void => undefined
  try {
    const aborted = new Promise<never>((_, reject) => {
      const onAbort = (): void => {
        reject(abortedError(name, outer!))
      }
      outer?.addEventListener('abort', onAbort, { once: true })
      stopListening = () => outer?.removeEventListener('abort', onAbort)
    })
    const timedOut = clock.sleep(name, limit, timer.signal).then(() => {
      throw new SpillwayError(ErrorCode.timeout, `${name}: no answer within ${toMilliseconds(limit)} ms`)
    })
    timedOut.catch(() => undefined)
    return await Promise.race([work(inner.signal), timedOut, aborted])
  } finally {
    stopListening()
    inner.abort()
    timer.abort()
  }
}

/** The real clock. */
export class SystemClock implements Clock {
  readonly #start = process.hrtime.bigint()

  now(): RunNs {
    return Number(process.hrtime.bigint() - this.#start)
  }

  utc(): Date {
    return new Date()
  }

  sleep(name: string, delay: DurationNs, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(abortedError(name, signal))
        return
      }
      const onAbort = (): void => {
        clearTimeout(timer)
        reject(abortedError(name, signal!))
      }
      const timer = setTimeout(
        () => {
          signal?.removeEventListener('abort', onAbort)
          resolve()
        },
        Math.max(0, toMilliseconds(delay))
      )
      signal?.addEventListener('abort', onAbort, { once: true })
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
}
