import type { Clock } from '../../core/clock.ts'
import { sentence } from '../../core/errors.ts'
import { milliseconds, seconds } from '../../core/units.ts'
import { parseSlowStatus, type SlowStatus } from './slow-status.ts'

const ASK_EVERY = milliseconds(500)
const ASK_LIMIT = seconds(2)
/**
 * A slow-control process that restarts is back within this, on a busy machine too (some seconds, most of it for OPC
 * UA); longer, and its devices count as gone.
 */
const GRACE = seconds(20)

/** Asks the slow-control process of `url` how things are; one request, with a deadline. */
export async function askSlow(clock: Clock, url: string, outer?: AbortSignal): Promise<SlowStatus> {
  return clock.within(
    'ask slow control',
    ASK_LIMIT,
    async (signal) => {
      const response = await fetch(`${url}/status`, { signal })
      return parseSlowStatus(await response.json())
    },
    outer
  )
}

/**
 * What the data-acquisition process knows of slow control. While the other process is away its devices keep
 * their last state for a grace time, then count as disconnected: a value that stopped coming is not good.
 */
export class SlowClient {
  readonly #clock: Clock
  readonly #url: () => string | undefined
  readonly #stop = new AbortController()
  #status: SlowStatus | undefined
  #answeredAt: number | undefined
  #trouble = 'slow control has not answered yet'

  /** @param url where it listens now; it changes when the process restarts */
  constructor(clock: Clock, url: () => string | undefined) {
    this.#clock = clock
    this.#url = url
  }

  start(onChange: () => void): void {
    void this.#ask(onChange)
  }

  stop(): void {
    this.#stop.abort()
  }

  /** why there is no answer; undefined while all is well */
  get trouble(): string | undefined {
    return this.#isFresh(ASK_LIMIT + 4 * ASK_EVERY) ? undefined : this.#trouble
  }

  /** Devices and signals as last told, aged by the grace time. */
  latest(): Pick<SlowStatus, 'devices' | 'signals'> {
    if (this.#status === undefined) return { devices: [], signals: [] }
    const { devices, signals } = this.#status
    if (this.#isFresh(GRACE)) return { devices, signals }
    return {
      devices: devices.map((d) => ({ ...d, state: 'disconnected', text: this.#trouble })),
      signals: signals.map((s) => (s.quality === 'bad' ? s : { ...s, quality: 'stale' }))
    }
  }

  #isFresh(limit: number): boolean {
    return this.#answeredAt !== undefined && this.#clock.now() - this.#answeredAt < limit
  }

  async #ask(onChange: () => void): Promise<void> {
    const signal = this.#stop.signal
    while (!signal.aborted) {
      try {
        const url = this.#url()
        if (url !== undefined) {
          this.#status = await askSlow(this.#clock, url, signal)
          this.#answeredAt = this.#clock.now()
        }
      } catch (error) {
        this.#trouble = `slow control does not answer: ${sentence(error)}`
      }
      onChange()
      await this.#clock.sleep('ask slow control', ASK_EVERY, signal).catch(() => undefined)
    }
  }
}
