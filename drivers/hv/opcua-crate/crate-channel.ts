import type { Clock } from '../../../core/clock.ts'
import { ErrorCode, SpillwayError } from '../../../core/errors.ts'
import { seconds } from '../../../core/units.ts'
import type { NodeLink, NodeValue } from '../../link/link.ts'
import {
  type HvChannelOptions,
  type HvChannelPort,
  type HvReadout,
  RampedChannel
} from '../contract/ramped-channel.ts'
import { type CrateMap, nodeId } from './crate-map.ts'
import { decodeStatus } from './status.ts'

export interface CrateChannelOptions extends HvChannelOptions {
  /** path of the channel in the server: `CAEN01.Board00.Chan000` */
  readonly node: string
}

type Meaning = keyof CrateMap['nodes']

const STALE_AFTER_MS = 10_000
/** The server reads its crate about once a second. */
const SHOWS_WITHIN = seconds(5)
/** A server gives the time of its last reading, also when nothing changed: one that stands still has lost its crate. */
const SOURCE_FROZEN = seconds(30)
/** what makes a channel, in the order in which it is read */
const READ = ['demand', 'voltage', 'current', 'status', 'power'] as const

/** One channel of a crate: its nodes, its readings, what is written to it. */
export class CrateChannel {
  readonly hv: RampedChannel
  /** read for every reading, in this order */
  readonly nodeIds: readonly string[]
  readonly #path: string
  readonly #options: CrateChannelOptions
  readonly #crate: string
  readonly #map: CrateMap
  readonly #link: NodeLink
  readonly #clock: Clock
  readonly #latest = new Map<string, NodeValue>()
  /** a person has cleared the trip that the crate shows until it is switched on again */
  #isForgiven = false
  #isPowerBoolean = false
  #sourceMoved: { readonly sourceMs: number; readonly at: number } | undefined

  constructor(
    supply: string,
    options: CrateChannelOptions,
    crate: { readonly name: string; readonly map: CrateMap; readonly toleranceV: number },
    link: NodeLink,
    clock: Clock
  ) {
    this.#path = `${supply}/ch${options.number}`
    this.#options = options
    this.#crate = crate.name
    this.#map = crate.map
    this.#link = link
    this.#clock = clock
    this.nodeIds = READ.map((meaning) => this.#idOf(meaning)!)
    this.hv = new RampedChannel(
      {
        ...options,
        path: this.#path,
        toleranceV: crate.toleranceV,
        staleAfterMs: STALE_AFTER_MS,
        // servers hold 32-bit floats, boards steps of 0.1 V
        readbackV: 0.11,
        showsWithin: SHOWS_WITHIN
      },
      this.#port(),
      clock
    )
  }

  /** A changed value came by subscription. */
  change(id: string, value: NodeValue): void {
    this.#latest.set(id, value)
    this.#show()
  }

  /** Values of `nodeIds`, just read. */
  take(values: readonly NodeValue[]): void {
    for (const [index, id] of this.nodeIds.entries()) this.#latest.set(id, values[index]!)
    this.#show()
  }

  /** Forgets what an earlier connection told. */
  reset(): void {
    this.#latest.clear()
    this.#sourceMoved = undefined
    this.#isForgiven = false
  }

  /** Starts a controlled ramp down. */
  switchOff(signal: AbortSignal): Promise<void> {
    return this.#write('power', this.#isPowerBoolean ? false : 0, signal)
  }

  #show(): void {
    const values = this.nodeIds.map((id) => this.#latest.get(id))
    if (!values.every((value) => value !== undefined)) return
    const worst = values.find(({ quality }) => quality === 'bad')
    if (worst !== undefined) {
      this.hv.lose(`the server says ${worst.status}`)
      return
    }
    const readout = this.#readout(values)
    if (readout === undefined) {
      this.hv.lose('the server gives values of another kind than numbers')
      return
    }
    const suspect = values.find(({ quality }) => quality === 'suspect')
    const doubt = suspect === undefined ? this.#frozenFor(values[1]!) : `the server says ${suspect.status}`
    this.hv.show(readout, values[1]!.sourceTime, doubt)
  }

  /** undefined: a value is no number */
  #readout(values: readonly NodeValue[]): HvReadout | undefined {
    const power = values[READ.indexOf('power')]!.value
    this.#isPowerBoolean = typeof power === 'boolean'
    const [demandV, voltageV, current, statusWord] = values.map(({ value }) =>
      typeof value === 'number' && Number.isFinite(value) ? value : undefined
    )
    if (demandV === undefined || voltageV === undefined || current === undefined || statusWord === undefined)
      return undefined
    const status = decodeStatus(statusWord, this.#map, this.#isForgiven)
    if (status.isOn) this.#isForgiven = false
    return {
      demandV: Math.abs(demandV),
      voltageV: Math.abs(voltageV),
      currentUa: Math.abs(current) * this.#map.currentUnitUa,
      statusWord,
      ...status
    }
  }

  #frozenFor({ sourceTime }: NodeValue): string | undefined {
    if (sourceTime === undefined) return undefined
    const now = this.#clock.now()
    const sourceMs = sourceTime.getTime()
    if (this.#sourceMoved?.sourceMs !== sourceMs) this.#sourceMoved = { sourceMs, at: now }
    if (now - this.#sourceMoved.at < SOURCE_FROZEN) return undefined
    return `its source time stands at ${sourceTime.toISOString()}: the server may have lost its crate`
  }

  #port(): HvChannelPort {
    const { currentLimitUa, rampVPerS } = this.#options
    const { currentUnitUa } = this.#map
    return {
      read: async (signal) => {
        const values = await this.#link.read(this.nodeIds, signal)
        const bad = values.find(({ quality }) => quality === 'bad')
        const readout = bad === undefined ? this.#readout(values) : undefined
        this.take(values)
        if (readout !== undefined) return readout
        throw new SpillwayError(ErrorCode.protocol, `${this.#path}: the server has no good values`, {
          device: this.#path,
          got: bad?.status ?? values.map(({ value }) => String(value)).join(', '),
          hint: 'look at the server and its connection to the crate'
        })
      },
      writeDemand: (volts, signal) => this.#write('demand', volts, signal),
      prepare: async (signal) => {
        await this.#write('currentLimit', currentLimitUa / currentUnitUa, signal)
        await this.#write('rampUp', rampVPerS, signal)
        await this.#write('rampDown', rampVPerS, signal)
      },
      switchOn: (signal) => this.#write('power', this.#isPowerBoolean ? true : 1, signal),
      switchOff: (signal) => this.switchOff(signal),
      clear: async (signal) => {
        if (this.#idOf('clear') === undefined) this.#isForgiven = true
        else await this.#write('clear', 1, signal)
      },
      ceilingV: (signal) => this.#ceilingV(signal)
    }
  }

  async #ceilingV(signal: AbortSignal): Promise<number> {
    const id = this.#idOf('highestDemand')
    if (id === undefined) return Number.POSITIVE_INFINITY
    const [limit] = await this.#link.read([id], signal)
    if (typeof limit?.value === 'number' && limit.quality !== 'bad') return limit.value
    throw new SpillwayError(ErrorCode.protocol, `${this.#path}: the highest demand cannot be read`, {
      device: this.#path,
      request: id,
      got: limit?.status ?? 'nothing',
      hint: 'compare the map in devices.yaml with the node ids of the server'
    })
  }

  /** Does nothing when the map has no such node. */
  async #write(meaning: Meaning, value: number | boolean, signal: AbortSignal): Promise<void> {
    const id = this.#idOf(meaning)
    if (id !== undefined) await this.#link.write(id, value, signal)
  }

  #idOf(meaning: Meaning): string | undefined {
    const pattern = this.#map.nodes[meaning]
    return pattern === undefined ? undefined : nodeId(pattern, this.#crate, this.#options.node)
  }
}
