import type { Clock } from '../../../core/clock.ts'
import type { DeviceIdentity, DeviceRole, DeviceState } from '../../../core/device.ts'
import { ErrorCode, SpillwayError } from '../../../core/errors.ts'
import { SignalCell } from '../../../core/signal-value.ts'
import { seconds } from '../../../core/units.ts'
import { DeviceConnection, type DriverDependencies, type LinkedSignal } from '../../link/device-connection.ts'
import type { TopicLink } from '../../link/link.ts'
import type { CycleInfo, SpillTiming, TimingMark } from '../contract/beam-instrument.ts'
import { MarkOrder } from './mark-order.ts'
import { parseCycle, parseInfo, parseMark } from './messages.ts'

export interface SpillTimingOptions {
  readonly id: string
  readonly role: DeviceRole
  /** `mqtt://host:port?protocol=3.1.1` or `protocol=5`, or `mqtts://user@host...` (drivers/link/mqtt.ts) */
  readonly url: string
  /** first levels of the topics, for example `na64/ehn2` */
  readonly prefix: string
}

const STATUS_LIMIT = seconds(3)
/** Items come once a cycle; three of the longest cycles without one and it is stale. */
const INFO_STALE_MS = 120_000
const CYCLE_STALE_MS = 120_000
/** Counts of what happened are never out of date while the link is up. */
const COUNT_STALE_MS = 365 * 86_400_000

/** Beam information that the manual names, with its unit. */
const ITEMS = {
  't6-intensity': ['1e11', 'protons on target T6 per spill, in units of 1e11'],
  't6-symmetry': ['%', 'symmetry of the beam on target T6'],
  momentum: ['GeV/c', 'momentum of the beam line'],
  'muon-rate-estimate': ['1/spill', 'muons per spill, estimated by the beam line']
} as const
type ItemName = keyof typeof ITEMS

/**
 * Spill timing and beam information from the MQTT gateway. Marks go to listeners in the order of the wire, each
 * at most once; messages that are not as the manual says are counted in the signal `bad-messages` and dropped.
 *
 * The device is connected while the broker is there *and* the gateway says `online`. A gateway that goes offline
 * disconnects the device; `connect` then rejects until it is back.
 */
export class MqttSpillTiming implements SpillTiming {
  readonly id: string
  readonly kind = 'spill-timing'
  readonly role: DeviceRole
  readonly signals: readonly LinkedSignal[]
  readonly #clock: Clock
  readonly #link: TopicLink
  readonly #base: string
  readonly #connection: DeviceConnection
  readonly #cells: ReturnType<typeof makeCells>
  readonly #order = new MarkOrder()
  readonly #markListeners = new Set<(mark: TimingMark) => void>()
  readonly #counts = { bad: 0, duplicate: 0, late: 0 }
  #cycle: CycleInfo | undefined
  #status = Promise.withResolvers<string>()
  #isSubscribed = false

  constructor({ id, role, url, prefix }: SpillTimingOptions, { clock, links, log }: DriverDependencies) {
    this.id = id
    this.role = role
    this.#clock = clock
    this.#link = links.topics(url)
    this.#base = `${prefix}/beam/`
    this.#cells = makeCells(id, clock)
    const { items, ...others } = this.#cells
    this.signals = [...Object.values(others), ...Object.values(items)]
    this.#connection = new DeviceConnection(id, this.#link, log, () => this.signals)
  }

  get state(): DeviceState {
    return this.#connection.state
  }

  onState(listener: (state: DeviceState) => void): () => void {
    return this.#connection.onState(listener)
  }

  connect(signal: AbortSignal): Promise<DeviceIdentity> {
    // before the link opens: opening already brings the retained status
    if (this.state.kind === 'disconnected') this.#status = Promise.withResolvers()
    return this.#connection.connect(async (inner) => {
      await this.#subscribe()
      const status = await this.#clock.within(
        `${this.id}: status of the gateway`,
        STATUS_LIMIT,
        () => this.#status.promise,
        inner
      )
      if (status !== 'online')
        throw new SpillwayError(ErrorCode.disconnected, `${this.id}: the timing gateway is ${status}`, {
          device: this.id,
          hint: 'the broker is there; start the gateway beside the timing receiver'
        })
      this.#showCounts()
      return { maker: 'unknown', model: 'timing gateway', serial: this.#base, firmware: 'unknown' }
    }, signal)
  }

  /** Nothing to do: nothing is ever sent to the beam line. */
  makeSafe(): Promise<void> {
    return Promise.resolve()
  }

  disconnect(): Promise<void> {
    return this.#connection.disconnect()
  }

  /** Nothing to do: the gateway reports by itself. */
  poll(): Promise<void> {
    return Promise.resolve()
  }

  onMark(listener: (mark: TimingMark) => void): () => void {
    this.#markListeners.add(listener)
    return () => this.#markListeners.delete(listener)
  }

  latestCycle(): CycleInfo | undefined {
    return this.#cycle
  }

  async #subscribe(): Promise<void> {
    if (this.#isSubscribed) return
    await this.#link.subscribe(`${this.#base}#`, (topic, payload) => this.#receive(topic, payload))
    this.#isSubscribed = true
  }

  #receive(topic: string, payload: string): void {
    const name = topic.slice(this.#base.length)
    if (name === 'status') this.#receiveStatus(payload)
    else if (name === 'mark') this.#receiveMark(payload)
    else if (name === 'cycle') this.#receiveCycle(payload)
    else if (name.startsWith('info/')) this.#receiveInfo(name.slice('info/'.length), payload)
  }

  #receiveStatus(payload: string): void {
    if (payload !== 'online' && payload !== 'offline') {
      this.#count('bad')
      return
    }
    this.#status.resolve(payload)
    if (payload === 'offline' && this.state.kind === 'connected')
      void this.#connection.drop('the timing gateway went offline')
  }

  #receiveMark(payload: string): void {
    const mark = parseMark(payload)
    if (mark === undefined) {
      this.#count('bad')
      return
    }
    const order = this.#order.check(mark)
    if (order !== 'new') {
      this.#count(order)
      return
    }
    for (const listener of [...this.#markListeners]) listener(mark)
  }

  #receiveCycle(payload: string): void {
    const cycle = parseCycle(payload)
    if (cycle === undefined) {
      this.#count('bad')
      return
    }
    this.#cycle = cycle
    this.#cells.cycle.update(cycle.cycle)
    this.#cells.cycleLength.update(cycle.cycleLengthMs)
    this.#cells.extraction.update(cycle.extractionMs)
  }

  /** An item that the manual does not name is somebody else's business. */
  #receiveInfo(name: string, payload: string): void {
    if (!isItem(name)) return
    const info = parseInfo(payload)
    if (info === undefined) {
      this.#count('bad')
      return
    }
    const cell = this.#cells.items[name]
    const ageMs = this.#clock.utc().getTime() - info.utc.getTime()
    if (info.quality !== 'good') cell.update(info.value, info.quality, 'so says the gateway', info.utc)
    else if (info.unit !== undefined && info.unit !== cell.meta.unit)
      cell.update(info.value, 'suspect', `in ${info.unit} instead of ${cell.meta.unit}`, info.utc)
    else if (Math.abs(ageMs) > INFO_STALE_MS)
      cell.update(info.value, 'stale', `its time is ${Math.round(ageMs / 1000)} s behind ours`, info.utc)
    else cell.update(info.value, 'good', undefined, info.utc)
  }

  #count(what: 'bad' | 'duplicate' | 'late'): void {
    this.#counts[what]++
    this.#showCounts()
  }

  #showCounts(): void {
    this.#cells.badMessages.update(this.#counts.bad)
    this.#cells.duplicateMarks.update(this.#counts.duplicate)
    this.#cells.lateMarks.update(this.#counts.late)
  }
}

function isItem(name: string): name is ItemName {
  return Object.hasOwn(ITEMS, name)
}

function makeCells(id: string, clock: Clock) {
  const cell = (name: string, unit: string, description: string, staleAfterMs: number): SignalCell<number> =>
    new SignalCell(clock, `${id}/${name}`, { unit, description, staleAfterMs, zones: [] })
  const items = Object.fromEntries(
    Object.entries(ITEMS).map(([name, [unit, description]]) => [
      name,
      cell(name, unit, description, INFO_STALE_MS)
    ])
  ) as Record<ItemName, SignalCell<number>>
  return {
    cycle: cell('cycle', '', 'number of the machine cycle', CYCLE_STALE_MS),
    cycleLength: cell('cycle-length', 'ms', 'length of the machine cycle', CYCLE_STALE_MS),
    extraction: cell('extraction-length', 'ms', 'length of the extraction', CYCLE_STALE_MS),
    badMessages: cell('bad-messages', '', 'messages dropped because they cannot be used', COUNT_STALE_MS),
    duplicateMarks: cell('duplicate-marks', '', 'marks dropped because they came twice', COUNT_STALE_MS),
    lateMarks: cell('late-marks', '', 'marks dropped because they came after their time', COUNT_STALE_MS),
    items
  }
}
