import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Clock, SystemClock } from '../../../core/clock.ts'
import type { DeviceConfig } from '../../../config/schema.ts'
import { silentLog } from '../../../core/log.ts'
import { milliseconds, seconds } from '../../../core/units.ts'
import { VirtualClock } from '../../../core/virtual-clock.ts'
import { CaenN1470 } from '../../../drivers/hv/caen-n1470/caen-n1470.ts'
import type { HvSupply } from '../../../drivers/hv/contract/hv-supply.ts'
import { IsegScpi } from '../../../drivers/hv/iseg-scpi/iseg-scpi.ts'
import { OpcuaCrate } from '../../../drivers/hv/opcua-crate/opcua-crate.ts'
import { SY4527 } from '../../../drivers/hv/opcua-crate/sy4527.ts'
import type { LinkFactory } from '../../../drivers/link/link.ts'
import { makeMemoryByteLink } from '../../../drivers/link/memory-bytes.ts'
import { makeMemoryNodeLink } from '../../../drivers/link/memory-nodes.ts'
import { makeOpcuaLink } from '../../../drivers/link/opcua.ts'
import { makeSerialLink } from '../../../drivers/link/serial.ts'
import { makeTcpLink } from '../../../drivers/link/tcp.ts'
import { makeCaenN1470 } from '../../../hil-sim/device/caen-n1470/caen-n1470.ts'
import type { MakeSimDevice } from '../../../hil-sim/device/context.ts'
import type { ByteFace, NodeFace } from '../../../hil-sim/device/face.ts'
import { makeIsegScpi } from '../../../hil-sim/device/iseg-scpi/iseg-scpi.ts'
import { makeOpcuaCrate } from '../../../hil-sim/device/opcua-crate/opcua-crate.ts'
import { serveNodes } from '../../../hil-sim/wire/opcua.ts'
import { servePty } from '../../../hil-sim/wire/pty.ts'
import { serveTcp } from '../../../hil-sim/wire/tcp.ts'
import type { Wire } from '../../../hil-sim/wire/wire.ts'
import { makeSimBench, type SimBench } from '../../unit/hil-sim/device/sim-bench.ts'
import type { HvBench, TrueOutput } from './hv-supply.ts'
import { linksOf } from './link-factory.ts'

/** Virtual time costs nothing; on a wire ramps are as fast as the supplies allow. */
const RAMP = { memory: 50, wire: 500 }
const STEP = milliseconds(20)
/**
 * On a wire, too, driver and twin live in virtual time; it goes on by `STEP` in every such pause of real time, in which
 * the wires do their work. A busy machine makes the test longer, not different.
 */
const WIRE_PAUSE = milliseconds(2)

type TestChannel = Readonly<
  Record<'number' | 'limitV' | 'rampVPerS' | 'currentLimitUa' | 'nominalV', number>
> & {
  readonly name: string
  readonly provenance: string
}

interface Maker {
  readonly kind: DeviceConfig['kind']
  readonly twin: MakeSimDevice
  settings(channels: readonly TestChannel[]): Record<string, unknown>
  driver(url: string, channels: readonly TestChannel[], deps: { clock: Clock; links: LinkFactory }): HvSupply
  /** a line, or the id of a written node, that changes something */
  isCommand(text: string): boolean
  outputs(truth: unknown): TrueOutput[]
}

interface DriveTruth {
  readonly drive: string
  readonly demandV?: number
  readonly setV?: number
  readonly outputV: number
}
const asOutput = ({ drive, demandV, setV, outputV }: DriveTruth): TrueOutput => ({
  isOn: drive === 'on',
  isRampingDown: drive === 'down',
  demandV: demandV ?? setV ?? Number.NaN,
  outputV
})
const identity = { id: 'hv', role: 'required' } as const

export const ISEG: Maker = {
  kind: 'iseg-scpi',
  twin: makeIsegScpi,
  settings: (channels) => ({ channels }),
  driver: (url, channels, deps) =>
    new IsegScpi({ ...identity, url, channels, toleranceV: 2 }, { ...deps, log: silentLog }),
  isCommand: (line) => !line.includes('?'),
  outputs: (truth) => (truth as { channels: DriveTruth[] }).channels.map(asOutput)
}

export const CAEN: Maker = {
  kind: 'caen-n1470',
  twin: makeCaenN1470,
  settings: (channels) => ({ boards: [{ number: 3, channels }] }),
  driver: (url, channels, deps) =>
    new CaenN1470(
      { ...identity, url, boards: [{ number: 3, channels }], toleranceV: 2 },
      { ...deps, log: silentLog }
    ),
  isCommand: (line) => line.includes('CMD:SET'),
  outputs: (truth) =>
    (truth as { boards: { channels: DriveTruth[] }[] }).boards[0]!.channels.slice(0, 2).map(asOutput)
}

const withNodes = (channels: readonly TestChannel[]): (TestChannel & { readonly node: string })[] =>
  channels.map((channel) => ({ ...channel, node: `CAEN01.Board02.Chan00${channel.number}` }))

export const CRATE: Maker = {
  kind: 'opcua-crate',
  twin: makeOpcuaCrate,
  settings: (channels) => ({ map: 'sy4527', crate: 'CAEN01', channels: withNodes(channels) }),
  driver: (url, channels, deps) =>
    new OpcuaCrate(
      { ...identity, url, map: SY4527, crate: 'CAEN01', channels: withNodes(channels), toleranceV: 2 },
      { ...deps, log: silentLog }
    ),
  isCommand: () => true,
  outputs: (truth) => (truth as { channels: DriveTruth[] }).channels.map(asOutput)
}

const channelsAt = (rampVPerS: number): TestChannel[] =>
  [0, 1].map((number) => ({
    number,
    name: `GEM-${number}`,
    limitV: 500,
    nominalV: 400,
    rampVPerS,
    currentLimitUa: 100,
    provenance: 'A: test'
  }))

function twinOf(maker: Maker, rampVPerS: number): SimBench {
  return makeSimBench(maker.twin, maker.kind, {
    ...maker.settings(channelsAt(rampVPerS)),
    toleranceV: 2,
    simulatedInitially: 'nominal'
  })
}

/** Driver and twin in one process, under virtual time. */
export function inMemory(maker: Maker): Promise<HvBench> {
  const clock = new VirtualClock()
  const twin = twinOf(maker, RAMP.memory)
  const tap = new Tap(twin, maker)
  let isMute = false
  let isCut = false
  let hangUp = (): void => undefined
  const bytes = (url: string) =>
    makeMemoryByteLink(url, {
      attach: (send, hang) => {
        hangUp = hang
        if (isCut) hang()
        return tap.bytes.attach(send, hang)
      }
    })
  const nodes = makeMemoryNodeLink('memory://hv', tap.nodes, clock)
  const mutable = Object.create(nodes, {
    isOpen: { get: () => nodes.isOpen },
    ...Object.fromEntries(
      (['open', 'close', 'onState', 'write', 'watch'] as const).map((name) => [
        name,
        { value: nodes[name].bind(nodes) }
      ])
    ),
    read: {
      value: (ids: readonly string[], signal: AbortSignal) =>
        isMute ? new Promise(() => undefined) : nodes.read(ids, signal)
    }
  }) as typeof nodes
  const links = linksOf({ bytes, nodes: () => mutable })
  const supply = maker.driver('memory://hv', channelsAt(RAMP.memory), { clock, links })
  const end = new AbortController()
  run(twin, clock, end.signal)
  const isNodes = maker.kind === 'opcua-crate'
  return Promise.resolve({
    supply,
    clock,
    rampVPerS: RAMP.memory,
    on: (work) => clock.resolve(work, seconds(300)),
    pass: (s) => clock.advance(seconds(s)),
    told: () => tap.told(),
    inject: (fault) => inject(twin, fault),
    outputs: () => maker.outputs(twin.device.truth()),
    cut: () => {
      isCut = true
      if (isNodes) nodes.cut('the server is gone')
      else hangUp()
      return Promise.resolve()
    },
    repair: () => {
      isCut = false
      nodes.restore()
      return Promise.resolve()
    },
    mute: (is) => {
      isMute = is
      if (!isNodes) inject(twin, is ? { kind: 'silent' } : { kind: 'clear' })
    },
    freeze: (is) => {
      if (isNodes) inject(twin, is ? { kind: 'frozen' } : { kind: 'clear' })
    },
    close: async () => {
      end.abort()
      await supply.disconnect()
    }
  } satisfies HvBench)
}

/** Driver and twin on a serial line (a pty), on TCP, or on an OPC UA server. */
export async function onTheWire(maker: Maker, scheme: 'serial' | 'tcp' | 'opc.tcp'): Promise<HvBench> {
  const folder = mkdtempSync(join(tmpdir(), 'hv-wire-'))
  const system = new SystemClock()
  const clock = new VirtualClock()
  const twin = twinOf(maker, RAMP.wire)
  const tap = new Tap(twin, maker)
  const serve = (port: number): Promise<Wire> => {
    if (scheme === 'serial') return servePty(tap.bytes, { path: join(folder, 'line') })
    return scheme === 'tcp' ? serveTcp(tap.bytes, { port }) : serveNodes([tap.nodes], { port, folder })
  }
  let wire = await serve(0)
  const { url } = wire
  const links = linksOf({
    bytes: (at) => (scheme === 'serial' ? makeSerialLink(at, system) : makeTcpLink(at)),
    nodes: (at) => makeOpcuaLink(at, system, { certificatesFolder: join(folder, 'client') })
  })
  const xonxoff = scheme === 'serial' ? '&xonxoff=true' : ''
  const supply = maker.driver(`${url}${xonxoff}`, channelsAt(RAMP.wire), { clock, links })
  const end = new AbortController()
  run(twin, clock, end.signal)
  pace(clock, system, end.signal)
  const isNodes = scheme === 'opc.tcp'
  const bench: HvBench = {
    supply,
    clock,
    rampVPerS: RAMP.wire,
    on: (work) => work,
    pass: (s) => clock.sleep('the test', seconds(s)),
    told: () => tap.told(),
    inject: (fault) => inject(twin, fault),
    outputs: () => maker.outputs(twin.device.truth()),
    cut: () => wire.close(),
    repair: async () => {
      wire = await serve(scheme === 'serial' ? 0 : Number(new URL(url).port))
    },
    close: async () => {
      end.abort()
      await supply.disconnect()
      await wire.close()
      rmSync(folder, { recursive: true, force: true })
    }
  }
  return isNodes
    ? bench
    : { ...bench, mute: (is) => inject(twin, is ? { kind: 'silent' } : { kind: 'clear' }) }
}

function inject(twin: SimBench, fault: { kind: string }): void {
  if (twin.device.inject?.(fault) !== true) throw new TypeError(`the twin knows no ${fault.kind}`)
}

/** Lets the twin's time pass with that of `clock`. */
function run(twin: SimBench, clock: Clock, signal: AbortSignal): void {
  const loop = async (): Promise<void> => {
    for (;;) {
      await clock.sleep('twin', STEP, signal)
      twin.advance(STEP / 1e9, 0.1)
    }
  }
  loop().catch(() => undefined)
}

/** Lets virtual time pass while real wires are at work. */
function pace(clock: VirtualClock, system: Clock, signal: AbortSignal): void {
  const loop = async (): Promise<void> => {
    for (;;) {
      await system.sleep('wires', WIRE_PAUSE, signal)
      await clock.advance(STEP)
    }
  }
  loop().catch(() => undefined)
}

/** Writes down what a twin is told. */
class Tap {
  readonly #twin: SimBench
  readonly #isCommand: (text: string) => boolean
  #text = ''
  #written: string[] = []

  constructor(twin: SimBench, maker: Maker) {
    this.#twin = twin
    this.#isCommand = (text) => maker.isCommand(text)
  }

  told(): string[] {
    const lines = this.#text.split('\r\n')
    this.#text = lines.pop() ?? ''
    return [...lines, ...this.#written.splice(0)].filter((line) => line !== '*OPC?' && this.#isCommand(line))
  }

  get bytes(): ByteFace {
    const face = this.#twin.device.faces['control'] as ByteFace
    return {
      kind: 'bytes',
      attach: (send, hangUp) => {
        const session = face.attach(send, hangUp)
        return {
          receive: (bytes) => {
            this.#text += Buffer.from(bytes).toString('latin1')
            session.receive(bytes)
          },
          closed: () => session.closed()
        }
      }
    }
  }

  get nodes(): NodeFace {
    const face = this.#twin.device.faces['control']
    if (face?.kind !== 'nodes') return { kind: 'nodes', nodes: [] }
    return {
      kind: 'nodes',
      nodes: face.nodes.map((node) => {
        if (node.write === undefined) return node
        return {
          ...node,
          write: (value) => {
            this.#written.push(`${node.id}=${value}`)
            return node.write!(value)
          }
        }
      })
    }
  }
}
