import type { Clock } from '../../../core/clock.ts'
import type { DeviceIdentity, DeviceRole, DeviceState } from '../../../core/device.ts'
import { ErrorCode, sentence, SpillwayError } from '../../../core/errors.ts'
import type { SignalValue, Zone } from '../../../core/signal.ts'
import { SignalCell } from '../../../core/signal-value.ts'
import { seconds } from '../../../core/units.ts'
import { DeviceConnection, type DriverDependencies, type LinkedSignal } from '../../link/device-connection.ts'
import type { BeamInstrument } from '../contract/beam-instrument.ts'
import { type FieldUnit, parseField, parseRange, parseTemperature } from './answers.ts'
import { type Answer, TeslameterPort } from './teslameter-port.ts'

export interface HallProbeOptions {
  readonly id: string
  readonly role: DeviceRole
  /** `serial:///dev/...` or `tcp://host:port` */
  readonly url: string
  /** T; signed. Where the probe sits, not in the middle of the magnet. */
  readonly nominalT: number
  /** T off nominal that are worth a warning, and that spoil the momenta */
  readonly warningT: number
  readonly criticalT: number
  /** unit of an answer that names none */
  readonly unit: FieldUnit
}

const STALE_AFTER_MS = 5_000
/** The last digits always move a little; a field that is equal to the last digit for so long is not measured. */
const FROZEN = seconds(60)

/**
 * A Group3 teslameter, read only: the second witness of a magnet's field. Each poll reads field, temperature of the
 * probe, range and mode. A field above the range, or without a probe, is bad; one that is not measured continuously,
 * or whose digits stand still for a minute, is suspect.
 */
export class HallProbe implements BeamInstrument {
  readonly id: string
  readonly kind = 'hall-probe'
  readonly role: DeviceRole
  readonly signals: readonly LinkedSignal[]
  readonly #clock: Clock
  readonly #unit: FieldUnit
  readonly #port: TeslameterPort
  readonly #connection: DeviceConnection
  readonly #cells: ReturnType<typeof makeCells>
  #moved: { readonly fieldT: number; readonly at: number } | undefined

  constructor(options: HallProbeOptions, { clock, links, log }: DriverDependencies) {
    const { id, role, url, unit } = options
    this.id = id
    this.role = role
    this.#clock = clock
    this.#unit = unit
    const link = links.bytes(url)
    this.#port = new TeslameterPort(id, link, clock)
    this.#cells = makeCells(options, clock)
    this.signals = Object.values(this.#cells)
    this.#connection = new DeviceConnection(id, link, log, () => this.signals)
  }

  get state(): DeviceState {
    return this.#connection.state
  }

  onState(listener: (state: DeviceState) => void): () => void {
    return this.#connection.onState(listener)
  }

  /** The device has no word for who it is: whoever answers `IG` as a teslameter does is taken for one. */
  connect(signal: AbortSignal): Promise<DeviceIdentity> {
    return this.#connection.connect(async (inner) => {
      const mode = await this.#port.mode(inner)
      if ('complaint' in mode)
        throw new SpillwayError(ErrorCode.protocol, `${this.id}: no teslameter answers`, {
          device: this.id,
          request: 'IG',
          expected: 'two letters, DC or another mode',
          got: mode.complaint
        })
      this.#moved = undefined
      await this.poll(inner)
      return { maker: 'Group3', model: 'DTM-151', serial: 'unknown', firmware: 'unknown' }
    }, signal)
  }

  /** Nothing to do: a probe only listens. */
  makeSafe(): Promise<void> {
    return Promise.resolve()
  }

  disconnect(): Promise<void> {
    return this.#connection.disconnect()
  }

  async poll(signal: AbortSignal): Promise<void> {
    const { field, temperature, range, mode, stray } = this.#cells
    try {
      const modeNow = await this.#port.mode(signal)
      const rangeT = await this.#port.ask('IR', parseRange, signal)
      const fieldT = await this.#port.ask('F', (line) => parseField(line, this.#unit), signal)
      const degC = await this.#port.ask('T', parseTemperature, signal)
      const isMeasuring = 'value' in modeNow && modeNow.value.isSteady && modeNow.value.isContinuous
      mode.update('value' in modeNow ? wordsOf(modeNow.value) : modeNow.complaint)
      take(range, rangeT, 0)
      const fullScaleT = range.latest()?.value ?? 0
      const doubt = isMeasuring
        ? this.#frozenFor(fieldT)
        : 'the teslameter does not measure a steady field continuously'
      take(field, fieldT, fullScaleT, doubt)
      take(temperature, degC, 0)
      stray.update(this.#port.strayLines + this.#port.garbageBytes)
    } catch (error) {
      for (const cell of this.signals) cell.lose(sentence(error))
      throw error
    }
  }

  #frozenFor(answer: Answer<number>): string | undefined {
    if ('complaint' in answer) return undefined
    const now = this.#clock.now()
    if (this.#moved?.fieldT !== answer.value) this.#moved = { fieldT: answer.value, at: now }
    if (now - this.#moved.at < FROZEN) return undefined
    return 'the field has not moved by its last digit for a minute: it may not be measured any more'
  }
}

/** @param otherwise what is shown, as bad, when there never was a value */
function take(cell: SignalCell<number>, answer: Answer<number>, otherwise: number, doubt?: string): void {
  if ('value' in answer) cell.update(answer.value, doubt === undefined ? 'good' : 'suspect', doubt)
  else
    cell.update(
      cell.latest()?.value ?? otherwise,
      'bad',
      `the teslameter says ${answer.complaint}; the value is the last one`
    )
}

function wordsOf({ isSteady, isContinuous }: { isSteady: boolean; isContinuous: boolean }): string {
  return `${isSteady ? 'steady' : 'alternating'} ${isContinuous ? 'continuous' : 'triggered'}`
}

function fieldZones({ nominalT, warningT, criticalT }: HallProbeOptions): Zone[] {
  const warning = 'the field is off: compare with the current of the magnet, and ask the beam line'
  const critical = 'momenta of this run are wrong, or the probe is: stop, and look at magnet and probe'
  return [
    { upper: nominalT - criticalT, severity: 'critical', action: critical },
    { lower: nominalT - criticalT, upper: nominalT - warningT, severity: 'warning', action: warning },
    { lower: nominalT + warningT, upper: nominalT + criticalT, severity: 'warning', action: warning },
    { lower: nominalT + criticalT, severity: 'critical', action: critical }
  ]
}

function makeCells(options: HallProbeOptions, clock: Clock) {
  const cell = <T extends SignalValue>(
    name: string,
    unit: string,
    description: string,
    zones: readonly Zone[] = []
  ): SignalCell<T> =>
    new SignalCell<T>(clock, `${options.id}/${name}`, {
      unit,
      description,
      staleAfterMs: STALE_AFTER_MS,
      zones
    })
  return {
    field: cell<number>('field', 'T', 'field at the probe', fieldZones(options)),
    temperature: cell<number>('temperature', 'degC', 'temperature of the probe'),
    range: cell<number>('range', 'T', 'full scale'),
    mode: cell<string>('mode', '', 'how it measures: steady continuous is right'),
    stray: cell<number>('stray', '', 'lines and bytes on the line that were no answer')
  }
}
