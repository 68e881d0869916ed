/** Every beam instrument with its twin, in memory under virtual time or over its own wire. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DeviceConfig } from '../../../config/schema.ts'
import { type Clock, SystemClock, withinBySleep } from '../../../core/clock.ts'
import { silentLog } from '../../../core/log.ts'
import { type DurationNs, milliseconds, seconds } from '../../../core/units.ts'
import { VirtualClock } from '../../../core/virtual-clock.ts'
import { HallProbe } from '../../../drivers/beam/hall-probe/hall-probe.ts'
import { ModbusInterlockPlc } from '../../../drivers/beam/interlock-plc/interlock-plc.ts'
import { OpcuaMagnet } from '../../../drivers/beam/magnet/magnet.ts'
import { SpillPulses } from '../../../drivers/beam/spill-pulses/spill-pulses.ts'
import { MqttSpillTiming } from '../../../drivers/beam/spill-timing/spill-timing.ts'
import { TemperatureModule } from '../../../drivers/beam/temperature-module/temperature-module.ts'
import type { DriverDependencies } from '../../../drivers/link/device-connection.ts'
import { makeLinkFactory } from '../../../drivers/link/factory.ts'
import type { Link, LinkFactory } from '../../../drivers/link/link.ts'
import { makeMemoryByteLink } from '../../../drivers/link/memory-bytes.ts'
import { makeMemoryNodeLink } from '../../../drivers/link/memory-nodes.ts'
import { makeMemoryRegisterLink } from '../../../drivers/link/memory-registers.ts'
import { makeMemoryTopicLink } from '../../../drivers/link/memory-topics.ts'
import type { MakeSimDevice } from '../../../hil-sim/device/context.ts'
import type { ByteFace, Face } from '../../../hil-sim/device/face.ts'
import { makeHallProbe } from '../../../hil-sim/device/hall-probe/hall-probe.ts'
import { makeInterlockPlc } from '../../../hil-sim/device/interlock-plc/interlock-plc.ts'
import { makeMagnet } from '../../../hil-sim/device/magnet/magnet.ts'
import { makeSpillPulses } from '../../../hil-sim/device/spill-pulses/spill-pulses.ts'
import { makeSpillTiming } from '../../../hil-sim/device/spill-timing/spill-timing.ts'
import { makeTemperatureModule } from '../../../hil-sim/device/temperature-module/temperature-module.ts'
import { serveModbusRtu } from '../../../hil-sim/wire/modbus-rtu.ts'
import { serveModbus } from '../../../hil-sim/wire/modbus-tcp.ts'
import { serveTopics } from '../../../hil-sim/wire/mqtt.ts'
import { serveNodes } from '../../../hil-sim/wire/opcua.ts'
import { servePty } from '../../../hil-sim/wire/pty.ts'
import { serveTcp } from '../../../hil-sim/wire/tcp.ts'
import { serveUdp } from '../../../hil-sim/wire/udp.ts'
import type { Wire } from '../../../hil-sim/wire/wire.ts'
import { makeSimBench, type SimBench } from '../../unit/hil-sim/device/sim-bench.ts'
import { linksOf } from '../hv/link-factory.ts'
import type { BeamBench } from './beam-instrument.ts'

const START = new Date(Date.UTC(2026, 6, 1, 12))
const never = new AbortController().signal

/** The real clock with a spring: time can be made to have passed. */
export class ShiftedClock implements Clock {
  readonly #system = new SystemClock()
  #shift: DurationNs = 0

  now(): number {
    return this.#system.now() + this.#shift
  }
  utc(): Date {
    return new Date(START.getTime() + this.now() / 1e6)
  }
  shift(by: DurationNs): void {
    this.#shift += by
  }
  sleep(name: string, delay: DurationNs, signal?: AbortSignal): Promise<void> {
    return this.#system.sleep(name, delay, signal)
  }
  within<T>(
    name: string,
    limit: DurationNs,
    work: (signal: AbortSignal) => Promise<T>,
    outer?: AbortSignal
  ): Promise<T> {
    return withinBySleep(this, name, limit, work, outer)
  }
}

/** One kind of instrument: both ends, and what there is to know about it. */
export interface Kind {
  readonly kind: DeviceConfig['kind']
  readonly settings: DeviceConfig['settings']
  readonly twin: MakeSimDevice
  readonly driver: (url: string, deps: DriverDependencies) => BeamBench['device']
  readonly units: Readonly<Record<string, string>>
  readonly witness: string
  readonly isPolled: boolean
  /** the fault that makes the twin tell nothing new */
  readonly quiet: string
  readonly serve: (face: never, place: Place) => Promise<Wire>
  readonly losses: number
}

/** where a wire is served again after it was taken away */
export interface Place {
  readonly folder: string
  readonly port: number
}

const float = { table: 'holding', format: 'float32', wordOrder: 'CDAB', provenance: 'A: test' } as const
const word = { table: 'holding', format: 'uint16', wordOrder: 'ABCD', provenance: 'A: test' } as const
const channels = [
  { ...word, name: 'target', description: 'target', register: 0, degCPerCount: 200 / 65535, offsetDegC: -50 },
  {
    ...word,
    name: 'ecal-rear',
    description: 'ECAL',
    register: 1,
    degCPerCount: 200 / 65535,
    offsetDegC: -50
  },
  { ...float, name: 'rack', description: 'rack', register: 100, degCPerCount: 1, offsetDegC: 0 }
].map((channel) => ({ ...channel, brokenWords: [0xffff], simulatedDegC: 24 }))

const common = { id: 'device', role: 'required' } as const

export const KINDS: readonly Kind[] = [
  {
    kind: 'hall-probe',
    settings: { nominalT: 1.4, warningT: 0.002, criticalT: 0.01, unit: 'T', provenance: 'A: test' },
    twin: makeHallProbe,
    driver: (url, deps) =>
      new HallProbe({ ...common, url, nominalT: 1.4, warningT: 0.002, criticalT: 0.01, unit: 'T' }, deps),
    units: { field: 'T', temperature: 'degC', range: 'T', mode: '', stray: '' },
    witness: 'field',
    isPolled: true,
    quiet: 'silent',
    serve: (face, { folder }) => servePty(face, { path: join(folder, 'probe') }),
    losses: 4
  },
  {
    kind: 'temperature-module',
    settings: { channels, moduleName: { register: 210, word: 0x4015 } },
    twin: makeTemperatureModule,
    driver: (url, deps) =>
      new TemperatureModule({ ...common, url, channels, moduleName: { register: 210, word: 0x4015 } }, deps),
    units: { target: 'degC', 'ecal-rear': 'degC', rack: 'degC' },
    witness: 'rack',
    isPolled: true,
    quiet: 'silent',
    serve: async (face, { folder }) => {
      const wire = await serveModbusRtu(new Map([[7, face]]), { path: join(folder, 'rtu') })
      return { ...wire, url: `${wire.url}&unit=7` }
    },
    losses: 4
  },
  {
    kind: 'spill-pulses',
    settings: {},
    twin: makeSpillPulses,
    driver: (url, deps) => new SpillPulses({ ...common, url }, deps),
    units: {
      cycle: '',
      mark: '',
      'cycle-length': 'ms',
      'extraction-length': 'ms',
      'clock-offset': 'ms',
      'bad-datagrams': '',
      'lost-pulses': '',
      'duplicate-datagrams': '',
      'swapped-datagrams': '',
      'daemon-restarts': '',
      'missing-marks': '',
      'doubled-marks': '',
      'late-marks': ''
    },
    witness: 'clock-offset',
    isPolled: true,
    quiet: 'silent',
    serve: (face, { port }) => serveUdp(face, { port }),
    losses: 4
  },
  {
    kind: 'interlock-plc',
    settings: { unit: 1 },
    twin: makeInterlockPlc,
    driver: (url, deps) => new ModbusInterlockPlc({ ...common, url }, deps),
    units: {
      heartbeat: '',
      'open-interlocks': '',
      'latched-faults': '',
      'door-closed': '',
      'gas-closed': '',
      'cooling-closed': '',
      'hv-permit-closed': '',
      'hall-temperature': 'degC',
      humidity: '%',
      pressure: 'hPa',
      'gas-flow': 'l/h',
      'rack-temperature': 'degC',
      'dew-point': 'degC'
    },
    witness: 'humidity',
    isPolled: true,
    quiet: 'silent',
    serve: (face, { port }) => serveModbus(face, { port }),
    losses: 4
  },
  {
    kind: 'magnet',
    settings: { magnetName: 'MS2', nominalA: 1200, nominalTm: 1.4, provenance: 'A: test' },
    twin: makeMagnet,
    driver: (url, deps) => new OpcuaMagnet({ ...common, url, magnetName: 'MS2', nominalA: 1200 }, deps),
    units: {
      'current-set': 'A',
      current: 'A',
      polarity: '',
      'field-integral': 'T m',
      temperature: 'degC',
      status: ''
    },
    witness: 'current',
    isPolled: false,
    quiet: 'frozen',
    serve: (face, { port, folder }) => serveNodes([face], { port, folder: join(folder, 'server') }),
    losses: 1
  },
  {
    kind: 'spill-timing',
    settings: { prefix: 'na64/test' },
    twin: makeSpillTiming,
    driver: (url, deps) => new MqttSpillTiming({ ...common, url, prefix: 'na64/test' }, deps),
    units: {
      cycle: '',
      'cycle-length': 'ms',
      'extraction-length': 'ms',
      'bad-messages': '',
      'duplicate-marks': '',
      'late-marks': '',
      't6-intensity': '1e11',
      't6-symmetry': '%',
      momentum: 'GeV/c',
      'muon-rate-estimate': '1/spill'
    },
    witness: 'cycle-length',
    isPolled: false,
    quiet: 'silent',
    serve: (face, { port }) => serveTopics([face], { port }),
    losses: 4
  }
]

export const kindOf = (kind: string): Kind => KINDS.find((one) => one.kind === kind)!

/** The hall probe over a terminal server. */
export const probeOverTcp = (): Kind => ({
  ...kindOf('hall-probe'),
  serve: (face, { port }) => serveTcp(face, { port })
})

/** Follows who listens to the links of a device. */
class Listeners {
  count = 0

  follow<L extends Link>(link: L): L {
    const onState = link.onState.bind(link)
    link.onState = (listener) => {
      this.count++
      const stop = onState(listener)
      return () => {
        this.count--
        stop()
      }
    }
    return link
  }

  links(factory: LinkFactory): LinkFactory {
    return {
      bytes: (url) => this.follow(factory.bytes(url)),
      registers: (url) => this.follow(factory.registers(url)),
      topics: (url) => this.follow(factory.topics(url)),
      nodes: (url) => this.follow(factory.nodes(url))
    }
  }
}

function refresher(kind: Kind, sim: SimBench, device: BeamBench['device'], run: BeamBench['run']) {
  let cycle = 0
  return async (signal: AbortSignal): Promise<void> => {
    sim.advance(0.6)
    if (kind.kind !== 'spill-timing') {
      await run(device.poll(signal))
      return
    }
    const { path } = device.signals.find((one) => one.path.endsWith(`/${kind.witness}`))!
    const arrived = heard(device, path)
    sim.cycle({ cycle: ++cycle, cycleLengthMs: 14_400, extractionMs: 4800, nextStart: START })
    await run(arrived)
  }
}

function heard(device: BeamBench['device'], path: string): Promise<void> {
  return new Promise((resolve) => {
    const stop = device.signals
      .find((one) => one.path === path)!
      .watch(() => {
        stop()
        resolve()
      })
  })
}

function quietly(kind: Kind, sim: SimBench) {
  return (isSilent: boolean): void => {
    sim.device.inject?.(isSilent ? { kind: kind.quiet } : { kind: 'clear' })
  }
}

/** In one process, under virtual time. */
export function inMemory(kind: Kind): Promise<BeamBench> {
  const clock = new VirtualClock(START)
  const sim = makeSimBench(kind.twin, kind.kind, kind.settings)
  const run = <T>(work: Promise<T>): Promise<T> => clock.resolve(work, seconds(600))
  const cutting = new Cutting(sim.device.faces['control']!)
  const listeners = new Listeners()
  const deps = { clock, log: silentLog, links: listeners.links(cutting.links(clock)) }
  const device = kind.driver('memory://device', deps)
  const bench: BeamBench = {
    device,
    units: kind.units,
    witness: kind.witness,
    isPolled: kind.isPolled,
    underWayMs: kind.kind === 'magnet' ? 300 : 0,
    losses: 5,
    utc: () => clock.utc(),
    run,
    pass: async (ms) => {
      sim.advance(ms / 1000)
      await clock.advance(milliseconds(ms))
    },
    refresh: refresher(kind, sim, device, run),
    silence: quietly(kind, sim),
    takeAway: async () => {
      cutting.cut()
      await run(device.poll(never)).catch(() => undefined)
    },
    bringBack: () => {
      cutting.restore()
      return Promise.resolve()
    },
    listeners: () => listeners.count,
    end: () => run(device.disconnect())
  }
  return Promise.resolve(bench)
}

/** Memory links to one face, which can be taken away and brought back. */
class Cutting {
  readonly #face: Face
  #isCut = false
  #cuts: (() => void)[] = []
  #restores: (() => void)[] = []

  constructor(face: Face) {
    this.#face = face
  }

  cut(): void {
    this.#isCut = true
    for (const cut of this.#cuts) cut()
  }

  restore(): void {
    this.#isCut = false
    for (const restore of this.#restores) restore()
  }

  links(clock: Clock): LinkFactory {
    const face = this.#face
    switch (face.kind) {
      case 'bytes':
        return linksOf({ bytes: (url) => makeMemoryByteLink(url, this.#bytes(face)) })
      case 'registers':
        return linksOf({
          registers: (url) =>
            makeMemoryRegisterLink(
              url,
              {
                read: (...request) => (this.#isCut ? 'silent' : face.read(...request)),
                write: (...request) => (this.#isCut ? 'silent' : face.write(...request))
              },
              clock
            )
        })
      case 'topics':
        return linksOf({ topics: (url) => this.#cuttable(makeMemoryTopicLink(url, face)) })
      case 'nodes':
        return linksOf({ nodes: (url) => this.#cuttable(makeMemoryNodeLink(url, face, clock)) })
    }
  }

  #cuttable<L extends { cut(why: string): void; restore(): void }>(link: L): L {
    this.#cuts.push(() => link.cut('the far end is gone'))
    this.#restores.push(() => link.restore())
    return link
  }

  #bytes(face: ByteFace): Pick<ByteFace, 'attach'> {
    return {
      attach: (send, hangUp) => {
        if (this.#isCut) hangUp()
        this.#cuts.push(hangUp)
        return face.attach(send, hangUp)
      }
    }
  }
}

/** Over the kind's own wire, in real time with a spring. */
export async function onTheWire(kind: Kind): Promise<BeamBench> {
  const folder = mkdtempSync(join(tmpdir(), 'beam-'))
  const clock = new ShiftedClock()
  const sim = makeSimBench(kind.twin, kind.kind, kind.settings)
  const face = sim.device.faces['control'] as never
  let wire: Wire | undefined = await kind.serve(face, { folder, port: 0 })
  const { url } = wire
  const port = Number(URL.parse(url)?.port ?? 0)
  const listeners = new Listeners()
  const links = makeLinkFactory({ clock, log: silentLog, certificatesFolder: folder })
  const device = kind.driver(url, { clock, log: silentLog, links: listeners.links(links) })
  const run = <T>(work: Promise<T>): Promise<T> => work
  const takeAway = async (): Promise<void> => {
    const lost = new Promise<void>((resolve) => {
      const stop = device.onState(({ kind: state }) => {
        if (state !== 'disconnected') return
        stop()
        resolve()
      })
    })
    await wire?.close()
    wire = undefined
    device.poll(never).catch(() => undefined)
    await lost
  }
  return {
    device,
    units: kind.units,
    witness: kind.witness,
    isPolled: kind.isPolled,
    underWayMs: kind.kind === 'magnet' ? 300 : 0,
    losses: kind.losses,
    utc: () => clock.utc(),
    run,
    pass: (ms) => {
      sim.advance(ms / 1000)
      clock.shift(milliseconds(ms))
      return Promise.resolve()
    },
    refresh: refresher(kind, sim, device, run),
    silence: quietly(kind, sim),
    takeAway,
    bringBack: async () => {
      wire = await kind.serve(face, { folder, port })
    },
    listeners: () => listeners.count,
    end: async () => {
      await device.disconnect()
      await wire?.close()
      rmSync(folder, { recursive: true, force: true })
    }
  }
}
