import type { Clock } from '../../core/clock.ts'
import type { DeviceIdentity, DeviceState } from '../../core/device.ts'
import { ErrorCode, sentence, SpillwayError } from '../../core/errors.ts'
import type { Log } from '../../core/log.ts'
import type { Signal } from '../../core/signal.ts'
import type { Link, LinkFactory } from './link.ts'

/** A signal that a driver feeds and that turns stale with the link: any `SignalCell`. */
export interface LinkedSignal extends Signal {
  lose(reason: string): void
}

/** What a driver is given besides its own options. */
export interface DriverDependencies {
  readonly clock: Clock
  readonly links: LinkFactory
  readonly log: Log
}

/**
 * The being-connected of a device that has one link: its state, who wants to know, and signals that turn stale
 * with the link. A driver has one for its whole life; `connect` may be called again after every loss.
 */
export class DeviceConnection {
  readonly #id: string
  readonly #link: Link
  readonly #log: Log
  readonly #cells: () => Iterable<LinkedSignal>
  readonly #listeners = new Set<(state: DeviceState) => void>()
  #state: DeviceState = { kind: 'disconnected', why: 'never connected' }
  #connecting: Promise<DeviceIdentity> | undefined

  /** @param cells what is lost with the link, asked at each loss */
  constructor(id: string, link: Link, log: Log, cells: () => Iterable<LinkedSignal>) {
    this.#id = id
    this.#link = link
    this.#log = log
    this.#cells = cells
    link.onState((isOpen, why) => {
      if (!isOpen) this.#disconnected(why)
    })
  }

  get state(): DeviceState {
    return this.#state
  }

  onState(listener: (state: DeviceState) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * Opens the link and lets `greet` check who answers; a failure of either closes the link again. Does nothing
   * when connected; a second call while the first is under way waits for the first.
   */
  connect(
    greet: (signal: AbortSignal) => Promise<DeviceIdentity>,
    signal: AbortSignal
  ): Promise<DeviceIdentity> {
    if (this.#state.kind === 'connected') return Promise.resolve(this.#state.identity)
    this.#connecting ??= this.#connect(greet, signal).finally(() => (this.#connecting = undefined))
    return this.#connecting
  }

  /** Never rejects. */
  async disconnect(): Promise<void> {
    this.#disconnected('disconnected by us', 'info')
    await this.#link.close()
  }

  /** The far end is of no use any more, whatever the link thinks. */
  async drop(why: string): Promise<void> {
    this.#disconnected(why)
    await this.#link.close()
  }

  async #connect(
    greet: (signal: AbortSignal) => Promise<DeviceIdentity>,
    signal: AbortSignal
  ): Promise<DeviceIdentity> {
    this.#set({ kind: 'connecting' })
    try {
      await this.#link.open(signal)
      const identity = await greet(signal)
      // a loss during the greeting that the greeting did not notice
      if (!this.#link.isOpen)
        throw new SpillwayError(ErrorCode.disconnected, `${this.#id}: the link was lost on connecting`)
      this.#set({ kind: 'connected', identity })
      this.#log.info({ ...identity }, 'connected')
      return identity
    } catch (error) {
      this.#disconnected(sentence(error))
      await this.#link.close()
      throw error
    }
  }

  #disconnected(why: string, level: 'info' | 'warn' = 'warn'): void {
    for (const cell of this.#cells()) cell.lose(why)
    if (this.#state.kind === 'disconnected') return
    if (this.#state.kind === 'connected') this.#log[level]({ why }, 'disconnected')
    this.#set({ kind: 'disconnected', why })
  }

  #set(state: DeviceState): void {
    this.#state = state
    for (const listener of [...this.#listeners]) listener(state)
  }
}
