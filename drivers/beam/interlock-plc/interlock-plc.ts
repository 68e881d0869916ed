import type { Clock } from '../../../core/clock.ts'
import type { DeviceIdentity, DeviceRole, DeviceState } from '../../../core/device.ts'
import { ErrorCode, isCode, sentence } from '../../../core/errors.ts'
import type { Quality, SignalValue } from '../../../core/signal.ts'
import { SignalCell } from '../../../core/signal-value.ts'
import { seconds } from '../../../core/units.ts'
import { DeviceConnection, type DriverDependencies, type LinkedSignal } from '../../link/device-connection.ts'
import type { RegisterLink } from '../../link/link.ts'
import { RequestQueue } from '../../link/request-queue.ts'
import type { InterlockPlc } from '../contract/beam-instrument.ts'
import {
  ANALOGUE_WORDS,
  decodeAnalogue,
  decodeFloat,
  decodeStatus,
  DEW_POINT_WORDS,
  INTERLOCKS,
  type InterlockName,
  Register,
  STATUS_WORDS
} from './registers.ts'

export interface InterlockPlcOptions {
  readonly id: string
  readonly role: DeviceRole
  /** `modbus+tcp://host:port?unit=1` */
  readonly url: string
}

const POLL_LIMIT = seconds(5)
/** The PLC counts every 500 ms; after four missed counts its program is taken to have stopped. */
const HEARTBEAT_STUCK = seconds(2)
const STALE_AFTER_MS = 5_000

/**
 * The environment and interlock PLC over Modbus TCP. Reads everything and writes our heartbeat at each poll, so
 * it must be polled more often than every 10 s, or the PLC latches `controller-lost`.
 *
 * A PLC whose own heartbeat stands still answers with what it last knew: then every signal is suspect and
 * `openInterlocks` is undefined, which counts as open.
 */
export class ModbusInterlockPlc implements InterlockPlc {
  readonly id: string
  readonly kind = 'interlock-plc'
  readonly role: DeviceRole
  readonly signals: readonly LinkedSignal[]
  readonly #clock: Clock
  readonly #link: RegisterLink
  readonly #connection: DeviceConnection
  readonly #queue: RequestQueue
  readonly #cells: ReturnType<typeof makeCells>
  #ourHeartbeat = 0
  #heartbeat: { readonly count: number; readonly since: number } | undefined

  constructor({ id, role, url }: InterlockPlcOptions, { clock, links, log }: DriverDependencies) {
    this.id = id
    this.role = role
    this.#clock = clock
    this.#link = links.registers(url)
    this.#queue = new RequestQueue(id, clock)
    this.#cells = makeCells(id, clock)
    const { closed, ...others } = this.#cells
    this.signals = [...Object.values(others), ...Object.values(closed)]
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
      const identity = await this.#identify(inner)
      this.#heartbeat = undefined
      await this.poll(inner)
      return identity
    }, signal)
  }

  /** Nothing to do: the PLC acts by itself, and the controller only reads. */
  makeSafe(): Promise<void> {
    return Promise.resolve()
  }

  disconnect(): Promise<void> {
    return this.#connection.disconnect()
  }

  openInterlocks(): readonly string[] | undefined {
    const reading = this.#cells.open.latest()
    if (reading?.quality !== 'good') return undefined
    return reading.value === '' ? [] : reading.value.split(' ')
  }

  async poll(signal: AbortSignal): Promise<void> {
    try {
      await this.#queue.run('poll', POLL_LIMIT, (inner) => this.#readAll(inner), signal)
    } catch (error) {
      for (const cell of this.signals) cell.lose(sentence(error))
      throw error
    }
  }

  async #readAll(signal: AbortSignal): Promise<void> {
    const read = (address: number, count: number): Promise<number[]> =>
      this.#link.read('holding', address, count, signal)
    const status = decodeStatus(await read(Register.heartbeat, STATUS_WORDS))
    const analogue = decodeAnalogue(await read(Register.analogue, ANALOGUE_WORDS))
    const dewPoint = decodeFloat(await read(Register.dewPoint, DEW_POINT_WORDS))
    this.#ourHeartbeat = (this.#ourHeartbeat + 1) & 0xffff
    await this.#link.write('holding', Register.ourHeartbeat, [this.#ourHeartbeat], signal)

    const stuck = this.#stuckFor(status.heartbeat)
    const update = <T extends SignalValue>(cell: SignalCell<T>, value: T): void => {
      if (typeof value === 'number' && !Number.isFinite(value)) {
        cell.lose('the PLC gives no number')
        return
      }
      const quality: Quality = stuck === undefined ? 'good' : 'suspect'
      cell.update(value, quality, stuck)
    }
    const cells = this.#cells
    update(cells.heartbeat, status.heartbeat)
    update(cells.open, status.open.join(' '))
    update(cells.faults, status.faults.join(' '))
    for (const name of INTERLOCKS) update(cells.closed[name], !status.open.includes(name))
    update(cells.hallTemperature, analogue.hallTemperatureDegC)
    update(cells.humidity, analogue.humidityPercent)
    update(cells.pressure, analogue.pressureHPa)
    update(cells.gasFlow, analogue.gasFlowLPerH)
    update(cells.rackTemperature, analogue.rackTemperatureDegC)
    update(cells.dewPoint, dewPoint)
  }

  /** Why the PLC's answers cannot be trusted, if it does not count. */
  #stuckFor(count: number): string | undefined {
    const now = this.#clock.now()
    if (this.#heartbeat?.count !== count) this.#heartbeat = { count, since: now }
    if (now - this.#heartbeat.since < HEARTBEAT_STUCK) return undefined
    return `the heartbeat of the PLC stands at ${count}: its program does not run`
  }

  /** Modbus 43/14 is optional; a PLC that does not know it is still the PLC. */
  async #identify(signal: AbortSignal): Promise<DeviceIdentity> {
    let objects: readonly string[] = []
    try {
      objects = (await this.#link.identification?.(signal)) ?? []
    } catch (error) {
      if (!isCode(error, ErrorCode.refused)) throw error
    }
    const [maker = 'unknown', model = 'unknown', firmware = 'unknown'] = objects
    return { maker, model, serial: 'unknown', firmware }
  }
}

function makeCells(id: string, clock: Clock) {
  const cell = <T extends SignalValue>(name: string, unit: string, description: string): SignalCell<T> =>
    new SignalCell<T>(clock, `${id}/${name}`, {
      unit,
      description,
      staleAfterMs: STALE_AFTER_MS,
      zones: []
    })
  const closed = Object.fromEntries(
    INTERLOCKS.map((name) => [
      name,
      cell<boolean>(`${name}-closed`, '', `interlock ${name} is closed (good)`)
    ])
  ) as Record<InterlockName, SignalCell<boolean>>
  return {
    heartbeat: cell<number>('heartbeat', '', 'counter of the PLC, twice a second'),
    open: cell<string>('open-interlocks', '', 'interlocks that are open now'),
    faults: cell<string>('latched-faults', '', 'faults that stay until they are reset at the PLC'),
    closed,
    hallTemperature: cell<number>('hall-temperature', 'degC', 'temperature of the hall'),
    humidity: cell<number>('humidity', '%', 'relative humidity of the hall'),
    pressure: cell<number>('pressure', 'hPa', 'air pressure in the hall'),
    gasFlow: cell<number>('gas-flow', 'l/h', 'flow of chamber gas'),
    rackTemperature: cell<number>('rack-temperature', 'degC', 'temperature in the electronics racks'),
    dewPoint: cell<number>('dew-point', 'degC', 'dew point in the hall')
  }
}
