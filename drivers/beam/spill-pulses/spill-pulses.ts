import type { Clock } from '../../../core/clock.ts'
import type { DeviceIdentity, DeviceRole, DeviceState } from '../../../core/device.ts'
import { ErrorCode, isCode, sentence, SpillwayError } from '../../../core/errors.ts'
import type { SignalValue, Zone } from '../../../core/signal.ts'
import { SignalCell } from '../../../core/signal-value.ts'
import { seconds } from '../../../core/units.ts'
import { DeviceConnection, type DriverDependencies, type LinkedSignal } from '../../link/device-connection.ts'
import type { ByteLink } from '../../link/link.ts'
import { RequestQueue } from '../../link/request-queue.ts'
import type { CycleInfo, SpillTiming, TimingMark } from '../contract/beam-instrument.ts'
import { parsePulse, type Pulse, subscribeRequest, utcOf } from './datagrams.ts'
import { type PulseCounts, PulseSequence } from './pulse-sequence.ts'

export interface SpillPulsesOptions {
  readonly id: string
  readonly role: DeviceRole
  /** `udp://host:port` of the daemon */
  readonly url: string
}

const ALIVE_LIMIT = seconds(1)
/** A datagram may be lost; three in a row are none. */
const TRIES = 3
const POLL_LIMIT = seconds(4)
/** Counts are confirmed by every `alive`. */
const STALE_AFTER_MS = 5_000
const CYCLE_STALE_MS = 120_000
/** The longest supercycle of the SPS is near a minute. */
const CYCLE_MS_MAX = 600_000
const CLOCK_WARNING_MS = 1_000

/**
 * Spill timing as pulses over UDP. Marks go to listeners once each, in the order of the wire; what was lost, doubled,
 * overtaken or missing on the way is counted, each in a signal of its own. `poll` renews the subscription and must be
 * called more often than every 5 s; a daemon that stays silent three times rejects it with `timeout`.
 */
export class SpillPulses implements SpillTiming {
  readonly id: string
  readonly kind = 'spill-pulses'
  readonly role: DeviceRole
  readonly signals: readonly LinkedSignal[]
  readonly #clock: Clock
  readonly #link: ByteLink
  readonly #connection: DeviceConnection
  readonly #queue: RequestQueue
  readonly #cells: ReturnType<typeof makeCells>
  readonly #sequence = new PulseSequence()
  readonly #listeners = new Set<(mark: TimingMark) => void>()
  #badDatagrams = 0
  #alive = Promise.withResolvers<undefined>()
  #start: TimingMark | undefined
  #cycle: CycleInfo | undefined

  constructor({ id, role, url }: SpillPulsesOptions, { clock, links, log }: DriverDependencies) {
    this.id = id
    this.role = role
    this.#clock = clock
    this.#link = links.bytes(url)
    this.#link.receive((bytes) => this.#receive(bytes))
    this.#queue = new RequestQueue(id, clock)
    this.#cells = makeCells(id, clock)
    const { counts, ...others } = this.#cells
    this.signals = [...Object.values(others), ...Object.values(counts)]
    this.#connection = new DeviceConnection(id, this.#link, log, () => this.signals)
  }

  get state(): DeviceState {
    return this.#connection.state
  }

  onState(listener: (state: DeviceState) => void): () => void {
    return this.#connection.onState(listener)
  }

  connect(signal: AbortSignal): Promise<DeviceIdentity> {
    return this.#connection.connect(async (inner) => {
      this.#sequence.reset()
      this.#start = undefined
      await this.poll(inner)
      return { maker: 'unknown', model: 'pulse daemon', serial: this.#link.url, firmware: 'protocol 1' }
    }, signal)
  }

  /** Nothing to do: nothing is ever sent to the beam line. */
  makeSafe(): Promise<void> {
    return Promise.resolve()
  }

  disconnect(): Promise<void> {
    return this.#connection.disconnect()
  }

  async poll(signal: AbortSignal): Promise<void> {
    try {
      await this.#queue.run('subscribe', POLL_LIMIT, (inner) => this.#subscribe(inner), signal)
    } catch (error) {
      for (const cell of this.signals) cell.lose(sentence(error))
      throw error
    }
  }

  onMark(listener: (mark: TimingMark) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Measured from the marks of whole cycles; nobody announces the next one. */
  latestCycle(): CycleInfo | undefined {
    return this.#cycle
  }

  async #subscribe(signal: AbortSignal): Promise<void> {
    for (let left = TRIES; ; left--) {
      this.#alive = Promise.withResolvers()
      await this.#link.write(subscribeRequest())
      try {
        const alive = this.#alive.promise
        await this.#clock.within(`${this.id}: alive`, ALIVE_LIMIT, () => alive, signal)
        return
      } catch (error) {
        if (left > 1 && isCode(error, ErrorCode.timeout) && this.#link.isOpen) continue
        if (!this.#link.isOpen)
          throw new SpillwayError(ErrorCode.disconnected, `${this.id}: the daemon's port is closed`, {
            cause: error
          })
        throw error
      }
    }
  }

  #receive(bytes: Uint8Array): void {
    const pulse = parsePulse(bytes)
    if (pulse === undefined) {
      this.#badDatagrams++
      this.#show()
      return
    }
    const utc = utcOf(pulse)
    const isNews = this.#sequence.take(pulse)
    this.#cells.clockOffset.update(this.#clock.utc().getTime() - utc.getTime(), 'good', undefined, utc)
    if (isNews && pulse.mark !== 'alive') this.#pass({ mark: pulse.mark, cycle: pulse.cycle, utc }, pulse)
    this.#show()
    if (pulse.mark === 'alive') this.#alive.resolve(undefined)
  }

  #pass(mark: TimingMark, { cycle }: Pulse): void {
    this.#cells.cycle.update(cycle, 'good', undefined, mark.utc)
    this.#cells.mark.update(mark.mark, 'good', undefined, mark.utc)
    this.#measure(mark)
    for (const listener of [...this.#listeners]) listener(mark)
  }

  #measure(mark: TimingMark): void {
    const start = this.#start
    const sinceMs = start === undefined ? 0 : mark.utc.getTime() - start.utc.getTime()
    const { cycleLength, extraction } = this.#cells
    const isPlausible = sinceMs > 0 && sinceMs <= CYCLE_MS_MAX
    if (mark.mark === 'SOE') {
      this.#start = mark
      if (isPlausible && mark.cycle === start!.cycle + 1)
        cycleLength.update(sinceMs, 'good', undefined, mark.utc)
    } else if (mark.mark === 'EOE' && isPlausible && mark.cycle === start!.cycle)
      extraction.update(sinceMs, 'good', undefined, mark.utc)
    else return
    const lengthMs = cycleLength.latest()?.value
    const extractionMs = extraction.latest()?.value
    if (lengthMs === undefined || extractionMs === undefined || extractionMs > lengthMs) return
    this.#cycle = { cycle: mark.cycle, cycleLengthMs: lengthMs, extractionMs, nextStart: undefined }
  }

  #show(): void {
    const { counts, badDatagrams } = this.#cells
    for (const [name, cell] of Object.entries(counts))
      cell.update(this.#sequence.counts[name as keyof PulseCounts])
    badDatagrams.update(this.#badDatagrams)
  }
}

const COUNTS: Readonly<Record<keyof PulseCounts, readonly [name: string, description: string]>> = {
  lost: ['lost-pulses', 'pulses that did not arrive, by their counter'],
  duplicate: ['duplicate-datagrams', 'datagrams dropped because they came twice'],
  swapped: ['swapped-datagrams', 'datagrams that others overtook'],
  restarts: ['daemon-restarts', 'the daemon began to count anew'],
  missing: ['missing-marks', 'marks of the usual order that did not come'],
  doubled: ['doubled-marks', 'marks dropped because they came as two pulses'],
  late: ['late-marks', 'marks dropped because they came after their time']
}

function makeCells(id: string, clock: Clock) {
  const cell = <T extends SignalValue = number>(
    name: string,
    unit: string,
    description: string,
    staleAfterMs: number,
    zones: readonly Zone[] = []
  ): SignalCell<T> => new SignalCell<T>(clock, `${id}/${name}`, { unit, description, staleAfterMs, zones })
  const action = 'times of spills are wrong by this: look at NTP on both machines'
  const counts = Object.fromEntries(
    Object.entries(COUNTS).map(([key, [name, description]]) => [
      key,
      cell(name, '', description, STALE_AFTER_MS)
    ])
  ) as Record<keyof PulseCounts, SignalCell<number>>
  return {
    cycle: cell('cycle', '', 'number of the machine cycle', CYCLE_STALE_MS),
    mark: cell<string>('mark', '', 'last mark', CYCLE_STALE_MS),
    cycleLength: cell('cycle-length', 'ms', 'from start of extraction to the next', CYCLE_STALE_MS),
    extraction: cell('extraction-length', 'ms', 'from start to end of extraction', CYCLE_STALE_MS),
    clockOffset: cell('clock-offset', 'ms', 'our clock minus that of the pulses', STALE_AFTER_MS, [
      { upper: -CLOCK_WARNING_MS, severity: 'warning', action },
      { lower: CLOCK_WARNING_MS, severity: 'warning', action }
    ]),
    badDatagrams: cell('bad-datagrams', '', 'datagrams dropped because they cannot be used', STALE_AFTER_MS),
    counts
  }
}
