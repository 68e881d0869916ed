import type { Clock } from '../../../core/clock.ts'
import type { DeviceIdentity, DeviceRole, DeviceState } from '../../../core/device.ts'
import { ErrorCode, sentence, SpillwayError } from '../../../core/errors.ts'
import type { Zone } from '../../../core/signal.ts'
import { SignalCell } from '../../../core/signal-value.ts'
import { seconds } from '../../../core/units.ts'
import { DeviceConnection, type DriverDependencies, type LinkedSignal } from '../../link/device-connection.ts'
import type { RegisterLink } from '../../link/link.ts'
import { RequestQueue } from '../../link/request-queue.ts'
import type { BeamInstrument } from '../contract/beam-instrument.ts'
import {
  decodeTemperature,
  type ReadBlock,
  readBlocks,
  type TemperatureChannel,
  wordsOf
} from './registers.ts'

export interface TemperatureModuleOptions {
  readonly id: string
  readonly role: DeviceRole
  /** `modbus+serial:///dev/...?unit=1` or `modbus+tcp://host:port?unit=1` */
  readonly url: string
  readonly channels: readonly (TemperatureChannel & {
    readonly description: string
    /** degC, upper bounds; absent: no zone */
    readonly warningDegC?: number | undefined
    readonly criticalDegC?: number | undefined
  })[]
  /** a holding register that tells which module this is; absent: not compared */
  readonly moduleName?: { readonly register: number; readonly word: number } | undefined
}

const POLL_LIMIT = seconds(5)
const STALE_AFTER_MS = 5_000

/**
 * RTD inputs on Modbus, read only: one signal per channel of the settings. A channel without a sensor is bad, with its
 * last value; a module that does not answer makes all stale.
 */
export class TemperatureModule implements BeamInstrument {
  readonly id: string
  readonly kind = 'temperature-module'
  readonly role: DeviceRole
  readonly signals: readonly LinkedSignal[]
  readonly #link: RegisterLink
  readonly #connection: DeviceConnection
  readonly #queue: RequestQueue
  readonly #blocks: readonly ReadBlock[]
  readonly #cells: ReadonlyMap<string, SignalCell<number>>
  readonly #moduleName: TemperatureModuleOptions['moduleName']

  constructor(options: TemperatureModuleOptions, { clock, links, log }: DriverDependencies) {
    const { id, role, url, channels, moduleName } = options
    this.id = id
    this.role = role
    this.#link = links.registers(url)
    this.#queue = new RequestQueue(id, clock)
    this.#blocks = readBlocks(channels)
    this.#cells = makeCells(options, clock)
    this.#moduleName = moduleName
    this.signals = [...this.#cells.values()]
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
      const model = await this.#identify(inner)
      await this.poll(inner)
      return { maker: 'unknown', model, serial: 'unknown', firmware: 'unknown' }
    }, signal)
  }

  /** Nothing to do: a thermometer only listens. */
  makeSafe(): Promise<void> {
    return Promise.resolve()
  }

  disconnect(): Promise<void> {
    return this.#connection.disconnect()
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
    for (const block of this.#blocks) {
      const words = await this.#link.read(block.table, block.register, block.count, signal)
      for (const channel of block.channels) {
        const at = channel.register - block.register
        const degC = decodeTemperature(channel, words.slice(at, at + wordsOf(channel)))
        const cell = this.#cells.get(channel.name)!
        if (degC !== undefined) cell.update(degC)
        else
          cell.update(
            cell.latest()?.value ?? 0,
            'bad',
            'the module finds no sensor; the value is the last one'
          )
      }
    }
  }

  async #identify(signal: AbortSignal): Promise<string> {
    const expected = this.#moduleName
    if (expected === undefined) return 'unknown'
    const [word] = await this.#link.read('holding', expected.register, 1, signal)
    const name = (value: number | undefined): string => (value ?? 0).toString(16).padStart(4, '0')
    if (word !== expected.word)
      throw new SpillwayError(ErrorCode.protocol, `${this.id}: another module answers`, {
        device: this.id,
        expected: name(expected.word),
        got: name(word),
        hint: 'compare unit number and moduleName in devices.yaml with the module'
      })
    return name(word)
  }
}

function makeCells(
  { id, channels }: TemperatureModuleOptions,
  clock: Clock
): ReadonlyMap<string, SignalCell<number>> {
  return new Map(
    channels.map(({ name, description, warningDegC, criticalDegC }) => [
      name,
      new SignalCell<number>(clock, `${id}/${name}`, {
        unit: 'degC',
        description,
        staleAfterMs: STALE_AFTER_MS,
        zones: zonesOf(warningDegC, criticalDegC)
      })
    ])
  )
}

function zonesOf(warningDegC: number | undefined, criticalDegC: number | undefined): Zone[] {
  const zones: Zone[] = []
  if (warningDegC !== undefined)
    zones.push({
      lower: warningDegC,
      ...(criticalDegC === undefined ? {} : { upper: criticalDegC }),
      severity: 'warning',
      action: 'warmer than usual: look at cooling and ventilation'
    })
  if (criticalDegC !== undefined)
    zones.push({
      lower: criticalDegC,
      severity: 'critical',
      action: 'too hot: switch off what stands there, and look at cooling'
    })
  return zones
}
