import type { Clock } from '../../../core/clock.ts'
import type { DeviceIdentity, DeviceRole, DeviceState } from '../../../core/device.ts'
import { ErrorCode, sentence, SpillwayError } from '../../../core/errors.ts'
import { SignalCell } from '../../../core/signal-value.ts'
import { seconds } from '../../../core/units.ts'
import { DeviceConnection, type DriverDependencies, type LinkedSignal } from '../../link/device-connection.ts'
import type { NodeLink, NodeValue } from '../../link/link.ts'
import { RequestQueue } from '../../link/request-queue.ts'
import type { HvSupply } from '../contract/hv-supply.ts'
import { type RampedChannel, waitUntilAllOff } from '../contract/ramped-channel.ts'
import { CrateChannel, type CrateChannelOptions } from './crate-channel.ts'
import { type CrateMap, nodeId } from './crate-map.ts'

export interface OpcuaCrateOptions {
  readonly id: string
  readonly role: DeviceRole
  /** `opc.tcp://host:4901` */
  readonly url: string
  /** name of the crate in the server */
  readonly crate: string
  readonly map: CrateMap
  readonly channels: readonly CrateChannelOptions[]
  /** how near the measured voltage must be to the demand */
  readonly toleranceV: number
}

const POLL_LIMIT = seconds(4)
const SAFE_LIMIT = seconds(600)
const STALE_AFTER_MS = 10_000

/**
 * A high-voltage crate behind a quasar-style OPC UA server, by a map of node ids: no maker's code. Connecting writes
 * nothing. Changes come by subscription, and each poll reads everything again: a subscription that died without a word
 * must not leave the last good value standing.
 */
export class OpcuaCrate implements HvSupply {
  readonly id: string
  readonly kind = 'opcua-crate'
  readonly role: DeviceRole
  readonly channels: readonly RampedChannel[]
  readonly signals: readonly LinkedSignal[]
  readonly #options: OpcuaCrateOptions
  readonly #clock: Clock
  readonly #link: NodeLink
  readonly #connection: DeviceConnection
  readonly #queue: RequestQueue
  readonly #all: readonly CrateChannel[]
  /** node id -> channel */
  readonly #owners: ReadonlyMap<string, CrateChannel>
  readonly #connected: SignalCell<boolean>
  #isWatching = false

  constructor(options: OpcuaCrateOptions, { clock, links, log }: DriverDependencies) {
    const { id, role, url, crate, map, channels, toleranceV } = options
    this.id = id
    this.role = role
    this.#options = options
    this.#clock = clock
    this.#link = links.nodes(url)
    this.#queue = new RequestQueue(id, clock)
    this.#all = channels.map(
      (channel) => new CrateChannel(id, channel, { name: crate, map, toleranceV }, this.#link, clock)
    )
    this.channels = this.#all.map(({ hv }) => hv)
    this.#owners = new Map(this.#all.flatMap((channel) => channel.nodeIds.map((node) => [node, channel])))
    this.#connected = new SignalCell<boolean>(clock, `${id}/crate-connected`, {
      unit: '',
      description: 'the OPC UA server has its crate',
      staleAfterMs: STALE_AFTER_MS,
      zones: []
    })
    this.signals = [...this.channels.flatMap(({ signals }) => signals), this.#connected]
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
      for (const channel of this.#all) channel.reset()
      await this.#checkNodes(inner)
      await this.poll(inner)
      const identity = await this.#identify(inner)
      if (!this.#isWatching)
        await this.#link.watch([...this.#owners.keys()], (node, value) =>
          this.#owners.get(node)?.change(node, value)
        )
      this.#isWatching = true
      return identity
    }, signal)
  }

  disconnect(): Promise<void> {
    return this.#connection.disconnect()
  }

  /** Reads everything once. A crate that its server has lost shows in the signals; the server itself is still there. */
  async poll(signal: AbortSignal): Promise<void> {
    const connected = this.#crateNode('connected')
    const nodes = [...this.#owners.keys(), ...(connected === undefined ? [] : [connected])]
    try {
      const values = await this.#read('poll', nodes, signal)
      let at = 0
      for (const channel of this.#all) {
        channel.take(values.slice(at, at + channel.nodeIds.length))
        at += channel.nodeIds.length
      }
      this.#takeConnected(connected === undefined ? undefined : values[at])
    } catch (error) {
      for (const cell of this.signals) cell.lose(sentence(error))
      throw error
    }
  }

  /** Ramps every channel down and off together; resolves when all voltages are gone. */
  async makeSafe(reason: string): Promise<void> {
    await this.#clock.within(`${this.id}: make safe, because ${reason}`, SAFE_LIMIT, async (signal) => {
      const outcomes = await Promise.allSettled(this.#all.map((channel) => channel.switchOff(signal)))
      const failures = outcomes.flatMap((outcome): unknown[] =>
        outcome.status === 'rejected' ? [outcome.reason] : []
      )
      const ramping = this.channels.filter((_, i) => outcomes[i]!.status === 'fulfilled')
      await waitUntilAllOff(this.id, ramping, signal, failures)
    })
  }

  /** The map must fit the server: a node that is not there would otherwise look like a lost crate for ever. */
  async #checkNodes(signal: AbortSignal): Promise<void> {
    const nodes = [...this.#owners.keys()]
    const values = await this.#read('check', nodes, signal)
    const unknown = nodes.filter((_, i) => /^BadNodeId(Unknown|Invalid)/.test(values[i]!.status))
    if (unknown.length === 0) return
    throw new SpillwayError(ErrorCode.notFound, `${this.id}: the server has no ${unknown[0]!}`, {
      device: this.id,
      got: `${unknown.length} of ${nodes.length} nodes are unknown`,
      hint: 'compare crate, map and channel nodes in devices.yaml with the node ids of the server'
    })
  }

  async #identify(signal: AbortSignal): Promise<DeviceIdentity> {
    const text = async (meaning: 'model' | 'serial' | 'firmware'): Promise<string> => {
      const id = this.#crateNode(meaning)
      if (id === undefined) return ''
      const [value] = await this.#read(meaning, [id], signal)
      return value?.quality === 'bad' || value?.value === null ? '' : String(value?.value ?? '')
    }
    const model = await text('model')
    return {
      // what stands behind the server is known by the map only
      maker: 'OPC UA',
      model: model === '' ? this.#options.crate : model,
      serial: await text('serial'),
      firmware: await text('firmware')
    }
  }

  #takeConnected(value: NodeValue | undefined): void {
    if (value === undefined) this.#connected.update(true)
    else if (value.quality === 'bad') this.#connected.update(false, 'bad', `the server says ${value.status}`)
    else this.#connected.update(value.value === true || value.value === 1)
  }

  #read(name: string, nodes: readonly string[], signal: AbortSignal): Promise<NodeValue[]> {
    return this.#queue.run(name, POLL_LIMIT, (inner) => this.#link.read(nodes, inner), signal)
  }

  #crateNode(meaning: 'connected' | 'model' | 'serial' | 'firmware'): string | undefined {
    const pattern = this.#options.map.nodes[meaning]
    return pattern === undefined ? undefined : nodeId(pattern, this.#options.crate, '')
  }
}
