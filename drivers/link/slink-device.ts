import { type Clock, isAborted } from '../../core/clock.ts'
import type { DeviceIdentity, DeviceRole, DeviceState } from '../../core/device.ts'
import { ErrorCode, isCode, sentence, SpillwayError } from '../../core/errors.ts'
import type { StreamFault } from '../../core/fragment.ts'
import type { Log } from '../../core/log.ts'
import type { Signal, SignalMeta, SignalValue } from '../../core/signal.ts'
import { SignalCell } from '../../core/signal-value.ts'
import { milliseconds, seconds } from '../../core/units.ts'
import type { LinkFactory, RegisterLink } from './link.ts'
import { SlinkConnection } from './slink-connection.ts'

/** A front-end answers within milliseconds; this is for one that is busy or far. */
const STEP_LIMIT = seconds(5)
const POLL_EVERY_MS = 1000
const STALE_AFTER_MS = 5000
/** bus registers that every front-end of ours begins with: ID, FIRMWARE, SOURCE_ID */
const IDENTITY_REGISTERS = 3

export interface SlinkDeviceOptions {
  readonly id: string
  readonly role: DeviceRole
  readonly controlUrl: string
  readonly dataUrl: string
  readonly source: number
  /** content of the ID register */
  readonly idRegister: number
  /** what the ID register stands for, for people */
  readonly what: string
}

export interface SlinkDeviceDeps {
  readonly clock: Clock
  readonly links: LinkFactory
  readonly log: Log
}

/** What a particular device adds to connecting and polling. */
export interface SlinkDeviceHooks {
  /** Reads and compares what else must be right; rejects with `protocol` when it is not. Writes nothing. */
  check(signal: AbortSignal): Promise<void>
  /** Reads what the device's own signals show. */
  poll(signal: AbortSignal): Promise<void>
}

/**
 * The common part of front-ends with a control face (registers) and a data face (S-LINK bridge): one state for
 * both links, identity, polling. A loss of either link is a loss of the device. Drivers are made of one.
 */
export class SlinkDevice {
  readonly options: SlinkDeviceOptions
  readonly control: RegisterLink
  readonly data: SlinkConnection
  readonly #clock: Clock
  readonly #log: Log
  readonly #hooks: SlinkDeviceHooks
  readonly #listeners = new Set<(state: DeviceState) => void>()
  readonly #cells: SignalCell[] = []
  readonly #streamFaults: SignalCell<number>
  readonly #streamGarbage: SignalCell<number>
  #state: DeviceState = { kind: 'disconnected', why: 'not connected yet' }
  #polling = new AbortController()

  constructor(options: SlinkDeviceOptions, deps: SlinkDeviceDeps, hooks: SlinkDeviceHooks) {
    this.options = options
    this.#clock = deps.clock
    this.#log = deps.log
    this.#hooks = hooks
    this.control = deps.links.registers(options.controlUrl)
    this.data = new SlinkConnection(
      { device: options.id, url: options.dataUrl, sources: [options.source] },
      deps
    )
    this.#streamFaults = this.signal('stream-faults', '', 'damaged, missing or unusable frames so far')
    this.#streamGarbage = this.signal('stream-garbage', 'B', 'bytes between frames so far')
    this.control.onState((isOpen, why) => {
      if (!isOpen) this.#lost(`control link: ${why}`)
    })
    this.data.onState((isOpen, why) => {
      if (!isOpen) this.#lost(`data link: ${why}`)
    })
  }

  get state(): DeviceState {
    return this.#state
  }

  get signals(): readonly Signal[] {
    return this.#cells
  }

  onState(listener: (state: DeviceState) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** A signal `id/name` that goes stale when the device is lost. */
  signal<T extends SignalValue>(name: string, unit: string, description: string): SignalCell<T> {
    const meta: SignalMeta = { unit, description, staleAfterMs: STALE_AFTER_MS, zones: [] }
    const cell = new SignalCell<T>(this.#clock, `${this.options.id}/${name}`, meta)
    this.#cells.push(cell as unknown as SignalCell)
    return cell
  }

  async connect(signal: AbortSignal): Promise<DeviceIdentity> {
    if (this.#state.kind === 'connected') return this.#state.identity
    const { id } = this.options
    this.#enter({ kind: 'connecting' })
    try {
      const step = <T>(name: string, work: (inner: AbortSignal) => Promise<T>): Promise<T> =>
        this.#clock.within(`${id}: ${name}`, STEP_LIMIT, work, signal)
      await step('open control link', (inner) => this.control.open(inner))
      const firmware = await step('read identity', (inner) => this.#checkIdentity(inner))
      await step('check configuration', (inner) => this.#hooks.check(inner))
      const hello = await step('open data link', (inner) => this.data.open(inner))
      const identity = { ...hello.identity, firmware }
      if (!this.control.isOpen || !this.data.isOpen)
        throw new SpillwayError(ErrorCode.disconnected, `${id}: lost while it was being connected`)
      this.#enter({ kind: 'connected', identity })
      this.#polling = new AbortController()
      void this.#pollAgainAndAgain(this.#polling.signal)
      return identity
    } catch (error) {
      await this.#closeBoth()
      this.#enter({ kind: 'disconnected', why: sentence(error) })
      throw error
    }
  }

  async disconnect(): Promise<void> {
    this.#lost('disconnected by us')
    await this.#closeBoth()
  }

  /** Rejects with `disconnected` unless the device is there: nothing is queued for later. */
  ensureConnected(request: string): void {
    if (this.#state.kind === 'connected') return
    const { id } = this.options
    const why = this.#state.kind === 'disconnected' ? this.#state.why : 'still connecting'
    throw new SpillwayError(ErrorCode.disconnected, `${id} is not connected: ${why}`, { device: id, request })
  }

  /** The device is not what is configured. */
  mismatch(request: string, expected: string, got: string): SpillwayError {
    const { id, controlUrl, what } = this.options
    return new SpillwayError(
      ErrorCode.protocol,
      `${id}: at ${controlUrl} is another device than configured`,
      {
        device: id,
        request,
        expected,
        got,
        hint: `check cables, addresses and the settings of this ${what} in devices.yaml`
      }
    )
  }

  async #checkIdentity(signal: AbortSignal): Promise<string> {
    const { idRegister, source, what } = this.options
    const registers = await this.control.read('bus', 0, IDENTITY_REGISTERS, signal)
    const [id = 0, firmware = 0, sourceId = 0] = registers
    if (id !== idRegister) throw this.mismatch('read ID', `${inAscii(idRegister)}, ${what}`, inAscii(id))
    if (sourceId !== source) throw this.mismatch('read SOURCE_ID', `source ${source}`, `source ${sourceId}`)
    return `${firmware >>> 16}.${firmware & 0xffff}`
  }

  async #pollAgainAndAgain(signal: AbortSignal): Promise<void> {
    const { id } = this.options
    while (!isAborted(signal)) {
      try {
        await this.#hooks.poll(signal)
        this.#updateStreamSignals()
        await this.#clock.sleep(`${id}: poll`, milliseconds(POLL_EVERY_MS), signal)
      } catch (error) {
        // a silent device takes its link down, and that ends the polling
        if (isAborted(signal) || isCode(error, ErrorCode.disconnected)) return
        this.#log.warn({ error: sentence(error) }, 'poll failed')
        await this.#clock.sleep(`${id}: poll`, milliseconds(POLL_EVERY_MS), signal).catch(() => undefined)
      }
    }
  }

  #updateStreamSignals(): void {
    const counts = this.data.counts
    if (counts === undefined) return
    const occurrences = Object.entries(counts.faults) as [StreamFault, number][]
    this.#streamFaults.update(
      occurrences.reduce((sum, [fault, count]) => (fault === 'garbage' ? sum : sum + count), 0)
    )
    this.#streamGarbage.update(counts.garbageBytes)
  }

  #lost(why: string): void {
    if (this.#state.kind !== 'connected') return
    this.#polling.abort()
    this.#updateStreamSignals()
    for (const cell of this.#cells) cell.lose(why)
    // both links are down before anybody hears of it, so that a listener may connect again at once
    this.#state = { kind: 'disconnected', why }
    void this.#closeBoth()
    this.#enter(this.#state)
  }

  async #closeBoth(): Promise<void> {
    await Promise.all([this.data.close(), this.control.close()])
  }

  #enter(state: DeviceState): void {
    this.#state = state
    if (state.kind === 'connected') this.#log.info({ ...state.identity }, 'connected')
    if (state.kind === 'disconnected') this.#log.info({ why: state.why }, 'disconnected')
    for (const listener of [...this.#listeners]) listener(state)
  }
}

/** An ID register as its four letters when it has them: 0x4d534144 ("MSAD"). */
function inAscii(word: number): string {
  const text = String.fromCharCode(word >>> 24, (word >>> 16) & 0xff, (word >>> 8) & 0xff, word & 0xff)
  const hex = `0x${word.toString(16).padStart(8, '0')}`
  return /^[ -~]{4}$/.test(text) ? `${hex} ("${text}")` : hex
}
