import { type Clock, isAborted } from '../../core/clock.ts'
import type { Device } from '../../core/device.ts'
import { sentence } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import type { Log } from '../../core/log.ts'
import { type DurationNs, milliseconds, seconds } from '../../core/units.ts'

export interface KeeperOptions {
  /** time between polls; absent: the device reports by itself */
  readonly pollEvery?: DurationNs
  readonly poll?: (signal: AbortSignal) => Promise<void>
}

const CONNECT_LIMIT = seconds(10)
const POLL_LIMIT = seconds(5)

/**
 * Keeps one device connected: connects, polls, and after a loss connects again with a growing pause, for as
 * long as it is wanted. It reports nothing by itself: whoever cares watches `device.onState`.
 */
export class DeviceKeeper {
  readonly device: Device
  readonly #clock: Clock
  readonly #log: Log
  readonly #options: KeeperOptions
  readonly #stopping = new AbortController()
  #done: Promise<void> | undefined
  /** wall time of the last answer of the device */
  lastSeen: Date | undefined
  /** why it is not connected, for people */
  trouble = 'not tried yet'

  constructor(device: Device, clock: Clock, log: Log, options: KeeperOptions = {}) {
    this.device = device
    this.#clock = clock
    this.#log = log
    this.#options = options
  }

  start(): void {
    this.#done ??= this.#keep()
  }

  /** Ends the care and disconnects; changes nothing on the hardware. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#done
    await this.device.disconnect()
  }

  async #keep(): Promise<void> {
    const signal = this.#stopping.signal
    let attempt = 0
    while (!isAborted(signal)) {
      try {
        await this.#clock.within(
          `connect ${this.device.id}`,
          CONNECT_LIMIT,
          (s) => this.device.connect(s),
          signal
        )
        attempt = 0
        this.trouble = ''
        this.lastSeen = this.#clock.utc()
        await this.#care(signal)
      } catch (error) {
        if (isAborted(signal)) return
        const why = sentence(error)
        if (why !== this.trouble) this.#log.warn({ why }, 'not reachable')
        this.trouble = why
        await this.device.disconnect()
      }
      const pause = Math.min(limits.backoffLongestMs, limits.backoffFirstMs * 2 ** Math.min(attempt++, 10))
      await this.#pause(`reconnect ${this.device.id}`, milliseconds(pause), signal)
    }
  }

  /** Returns when the device is lost; rejects when a poll fails. */
  async #care(signal: AbortSignal): Promise<void> {
    const lost = new AbortController()
    const unsubscribe = this.device.onState((state) => {
      if (state.kind === 'disconnected') {
        this.trouble = state.why
        lost.abort()
      }
    })
    const ends = AbortSignal.any([signal, lost.signal])
    try {
      if (this.device.state.kind === 'disconnected') return
      while (!isAborted(ends)) {
        const { poll, pollEvery } = this.#options
        if (poll !== undefined) {
          await this.#clock.within(`poll ${this.device.id}`, POLL_LIMIT, poll, ends)
          this.lastSeen = this.#clock.utc()
        }
        await this.#pause(`poll ${this.device.id}`, pollEvery ?? seconds(1), ends)
        if (poll === undefined && !isAborted(ends)) this.lastSeen = this.#clock.utc()
      }
    } catch (error) {
      if (!isAborted(ends)) throw error
    } finally {
      unsubscribe()
    }
  }

  async #pause(name: string, duration: DurationNs, signal: AbortSignal): Promise<void> {
    try {
      await this.#clock.sleep(name, duration, signal)
    } catch (error) {
      if (!isAborted(signal)) throw error
    }
  }
}
