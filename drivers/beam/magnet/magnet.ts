import type { Clock } from '../../../core/clock.ts'
import type { DeviceIdentity, DeviceRole, DeviceState } from '../../../core/device.ts'
import { ErrorCode, sentence, SpillwayError } from '../../../core/errors.ts'
import type { SignalValue, Zone } from '../../../core/signal.ts'
import { SignalCell } from '../../../core/signal-value.ts'
import { seconds } from '../../../core/units.ts'
import { DeviceConnection, type DriverDependencies, type LinkedSignal } from '../../link/device-connection.ts'
import type { NodeLink, NodeValue } from '../../link/link.ts'
import { RequestQueue } from '../../link/request-queue.ts'
import type { BeamInstrument } from '../contract/beam-instrument.ts'

export interface OpcuaMagnetOptions {
  readonly id: string
  readonly role: DeviceRole
  /** `opc.tcp://host:port` */
  readonly url: string
  /** as in the node ids of the server: `Magnet.<name>...` */
  readonly magnetName: string
  /** A; signed */
  readonly nominalA: number
}

const POLL_LIMIT = seconds(5)
const STALE_AFTER_MS = 5_000
/** A measured current always moves a little, and its source time with it. */
const SOURCE_FROZEN = seconds(30)

const WARNING = 0.001
const CRITICAL = 0.005
const STATUS = ['off', 'on', 'ramping', 'fault'] as const
const IDENTITY = ['Maker', 'Model', 'Serial', 'Firmware'] as const

/**
 * A spectrometer magnet over OPC UA, read only. Changes come by subscription, and each poll reads everything
 * again: a subscription that died without a word must not leave the last good value standing.
 */
export class OpcuaMagnet implements BeamInstrument {
  readonly id: string
  readonly kind = 'magnet'
  readonly role: DeviceRole
  readonly signals: readonly LinkedSignal[]
  readonly #clock: Clock
  readonly #link: NodeLink
  readonly #prefix: string
  readonly #connection: DeviceConnection
  readonly #queue: RequestQueue
  /** node id -> what to do with its value */
  readonly #takers: ReadonlyMap<string, (value: NodeValue) => void>
  #isWatching = false
  #currentMoved: { readonly sourceMs: number; readonly at: number } | undefined

  constructor(options: OpcuaMagnetOptions, { clock, links, log }: DriverDependencies) {
    const { id, role, url, magnetName } = options
    this.id = id
    this.role = role
    this.#clock = clock
    this.#link = links.nodes(url)
    this.#prefix = `ns=1;s=Magnet.${magnetName}.`
    this.#queue = new RequestQueue(id, clock)
    const cells = makeCells(options, clock)
    this.signals = Object.values(cells)
    const number = (cell: SignalCell<number>) => (value: NodeValue) =>
      this.#take(cell, value, asNumber(value))
    this.#takers = new Map(
      Object.entries({
        CurrentSet: number(cells.currentSet),
        CurrentActual: (value: NodeValue) =>
          this.#take(cells.current, value, asNumber(value), this.#frozenFor(value)),
        Polarity: number(cells.polarity),
        FieldIntegral: number(cells.fieldIntegral),
        Temperature: number(cells.temperature),
        Status: (value: NodeValue) => this.#take(cells.status, value, asStatus(value))
      }).map(([name, taker]) => [this.#prefix + name, taker])
    )
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
      this.#currentMoved = undefined
      await this.poll(inner)
      if (!this.#isWatching)
        await this.#link.watch([...this.#takers.keys()], (nodeId, value) => this.#takers.get(nodeId)?.(value))
      this.#isWatching = true
      return identity
    }, signal)
  }

  /** Nothing to do: the beam line is steered elsewhere. */
  makeSafe(): Promise<void> {
    return Promise.resolve()
  }

  disconnect(): Promise<void> {
    return this.#connection.disconnect()
  }

  async poll(signal: AbortSignal): Promise<void> {
    const nodeIds = [...this.#takers.keys()]
    try {
      const values = await this.#queue.run(
        'poll',
        POLL_LIMIT,
        (inner) => this.#link.read(nodeIds, inner),
        signal
      )
      for (const [index, nodeId] of nodeIds.entries()) this.#takers.get(nodeId)!(values[index]!)
    } catch (error) {
      for (const cell of this.signals) cell.lose(sentence(error))
      throw error
    }
  }

  /** `value` undefined: the node holds nothing that fits; the last value stays visible as bad. */
  #take<T extends SignalValue>(
    cell: SignalCell<T>,
    { quality, status, sourceTime }: NodeValue,
    value: T | undefined,
    doubt?: string
  ): void {
    const utc = sourceTime ?? this.#clock.utc()
    if (value === undefined) {
      const last = cell.latest()
      if (last !== undefined) cell.update(last.value, 'bad', `the server gives no value: ${status}`, last.utc)
    } else if (quality !== 'good') cell.update(value, quality, `the server says ${status}`, utc)
    else if (doubt !== undefined) cell.update(value, 'suspect', doubt, utc)
    else cell.update(value, 'good', undefined, utc)
  }

  /** A server that is cut off from its magnet goes on serving the last value with its old time. */
  #frozenFor({ sourceTime }: NodeValue): string | undefined {
    if (sourceTime === undefined) return undefined
    const now = this.#clock.now()
    const sourceMs = sourceTime.getTime()
    if (this.#currentMoved?.sourceMs !== sourceMs) this.#currentMoved = { sourceMs, at: now }
    if (now - this.#currentMoved.at < SOURCE_FROZEN) return undefined
    return `its source time stands at ${sourceTime.toISOString()}: the server may be cut off from the magnet`
  }

  async #identify(signal: AbortSignal): Promise<DeviceIdentity> {
    const values = await this.#link.read(
      IDENTITY.map((name) => this.#prefix + name),
      signal
    )
    const [maker, model, serial, firmware] = values.map(({ value, quality }) =>
      quality !== 'bad' && typeof value === 'string' ? value : undefined
    )
    if (maker === undefined || model === undefined || serial === undefined || firmware === undefined)
      throw new SpillwayError(ErrorCode.protocol, `${this.id}: the server has no such magnet`, {
        device: this.id,
        expected: `${this.#prefix}${IDENTITY.join('|')} as strings`,
        got: values.map(({ value, status }) => (typeof value === 'string' ? value : status)).join(', '),
        hint: 'compare magnetName in devices.yaml with the node ids of the server'
      })
    return { maker, model, serial, firmware }
  }
}

function asNumber({ value }: NodeValue): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}

function asStatus({ value }: NodeValue): string | undefined {
  return typeof value === 'number' ? STATUS[value] : undefined
}

function currentZones(nominalA: number): Zone[] {
  const at = (fraction: number): number => nominalA + Math.abs(nominalA) * fraction
  if (nominalA === 0) return []
  const warning = 'the momentum scale is off: ask the beam line for the magnet'
  const critical = 'momenta of this run are wrong: stop, and ask the beam line for the magnet'
  return [
    { upper: at(-CRITICAL), severity: 'critical', action: critical },
    { lower: at(-CRITICAL), upper: at(-WARNING), severity: 'warning', action: warning },
    { lower: at(WARNING), upper: at(CRITICAL), severity: 'warning', action: warning },
    { lower: at(CRITICAL), severity: 'critical', action: critical }
  ]
}

function makeCells({ id, nominalA }: OpcuaMagnetOptions, clock: Clock) {
  const cell = <T extends SignalValue>(
    name: string,
    unit: string,
    description: string,
    zones: readonly Zone[] = []
  ): SignalCell<T> =>
    new SignalCell<T>(clock, `${id}/${name}`, { unit, description, staleAfterMs: STALE_AFTER_MS, zones })
  return {
    currentSet: cell<number>('current-set', 'A', 'current that the beam line asked for'),
    current: cell<number>('current', 'A', 'current in the magnet', currentZones(nominalA)),
    polarity: cell<number>('polarity', '', '+1, -1, or 0 for off'),
    fieldIntegral: cell<number>('field-integral', 'T m', "field integral, from the magnet's own table"),
    temperature: cell<number>('temperature', 'degC', "water of the magnet's coil"),
    status: cell<string>('status', '', STATUS.join(', '))
  }
}
