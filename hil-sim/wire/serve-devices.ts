import { join, resolve } from 'node:path'
import type { DeviceConfig } from '../../config/schema.ts'
import { ErrorCode, sentence, SpillwayError } from '../../core/errors.ts'
import type { Log } from '../../core/log.ts'
import type { Face, SimDevice, SimFault } from '../device/face.ts'
import { serveIpbus } from './ipbus-udp.ts'
import { serveModbusRtu } from './modbus-rtu.ts'
import { serveModbus } from './modbus-tcp.ts'
import { serveTopics } from './mqtt.ts'
import { serveNodes } from './opcua.ts'
import { servePty } from './pty.ts'
import { serveTcp } from './tcp.ts'
import { serveUdp } from './udp.ts'
import type { Wire } from './wire.ts'

/** device id -> face -> URL */
export type Links = Readonly<Record<string, Readonly<Partial<Record<'control' | 'data', string>>>>>

export interface ServeDevicesOptions {
  readonly configs: readonly DeviceConfig[]
  /** `fixed`: the ports and paths of `simulatedLinks`, or failure; `free`: those of `before`, else any */
  readonly ports: 'fixed' | 'free'
  /** where the faces were when the simulator ran last, so that drivers find them again */
  readonly before: Links
  /** for serial lines and certificates */
  readonly folder: string
  readonly broker?: string
  readonly log: Log
}

export interface ServedDevices {
  readonly links: Links
  close(): Promise<void>
  /** A fault of a wire (kinds `wire-...`) strikes; false when there is no such wire or it knows no such fault. */
  disturb(deviceId: string, face: string | undefined, fault: SimFault): boolean
}

interface Served {
  readonly deviceId: string
  readonly faceName: 'control' | 'data'
  readonly face: Face
  /** the URL of `simulatedLinks`: its scheme decides the wire */
  readonly planned: string
}

/** Puts every face of every device on its wire. All or nothing. */
export async function serveDevices(
  devices: readonly SimDevice[],
  options: ServeDevicesOptions
): Promise<ServedDevices> {
  const groups = groupByWire(facesOf(devices, options.configs))
  const outcomes = await Promise.allSettled(groups.map((group) => serveGroup(group, options)))
  const wires = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
  const close = async (): Promise<void> => {
    await Promise.all(wires.map((wire) => wire.close()))
  }
  const failures = outcomes.flatMap((outcome): unknown[] =>
    outcome.status === 'rejected' ? [outcome.reason] : []
  )
  if (failures.length > 0) {
    await close()
    throw failures.length === 1
      ? failures[0]
      : new SpillwayError(ErrorCode.several, failures.map(sentence).join('; '), { causes: failures })
  }
  const links: Record<string, Partial<Record<'control' | 'data', string>>> = {}
  groups.forEach((group, i) => {
    for (const served of group) (links[served.deviceId] ??= {})[served.faceName] = urlOf(wires[i]!, served)
  })
  return {
    links,
    close,
    disturb: (deviceId, faceName, fault) => {
      const struck = groups.flatMap((group, i) =>
        group.some((one) => one.deviceId === deviceId && (faceName ?? one.faceName) === one.faceName)
          ? [wires[i]!]
          : []
      )
      return struck.map((wire) => wire.disturb?.(fault) ?? false).includes(true)
    }
  }
}

function facesOf(devices: readonly SimDevice[], configs: readonly DeviceConfig[]): Served[] {
  return configs.flatMap((config) => {
    const device = devices.find(({ id }) => id === config.id)
    return (['control', 'data'] as const).flatMap((faceName) => {
      const planned = config.simulatedLinks[faceName]
      const face = device?.faces[faceName]
      if (planned === undefined && face === undefined) return []
      if (planned === undefined || face === undefined)
        throw new SpillwayError(
          ErrorCode.configuration,
          `${config.id}: no simulated link or face '${faceName}'`,
          {
            hint: `simulatedLinks of a ${config.kind} in devices.yaml: one URL for each of its faces`
          }
        )
      return [{ deviceId: config.id, faceName, face, planned }]
    })
  })
}

/** Publishers with one broker URL share the broker, variables with one server URL the server, units their line. */
function groupByWire(faces: readonly Served[]): Served[][] {
  const shared = new Map<string, Served[]>()
  const groups: Served[][] = []
  for (const served of faces) {
    const isRtu = served.planned.startsWith(RTU)
    const isShared = isRtu || served.face.kind === 'topics' || served.face.kind === 'nodes'
    const place = isRtu ? served.planned.split('?')[0]! : served.planned
    const known = isShared ? shared.get(place) : undefined
    if (known !== undefined) known.push(served)
    else {
      const group = [served]
      groups.push(group)
      if (isShared) shared.set(place, group)
    }
  }
  return groups
}

async function serveGroup(group: readonly Served[], options: ServeDevicesOptions): Promise<Wire> {
  const { deviceId, faceName, planned } = group[0]!
  if (options.ports === 'fixed') return serve(group, planned, options)
  const before = options.before[deviceId]?.[faceName]
  if (before !== undefined && sameScheme(before, planned)) {
    try {
      return await serve(group, before, options)
    } catch (error) {
      // Somebody else has the port by now: a controller that still looks there must be told the new links.
      options.log.warn({ device: deviceId, url: before, error }, 'cannot come back to the same place')
    }
  }
  return serve(group, undefined, options)
}

const RTU = 'modbus+serial:'

const unitOf = (planned: string): number => Number(new URL(planned).searchParams.get('unit') ?? 1)

/** A line is one wire; its units are told apart by number. */
function urlOf(wire: Wire, { planned }: Served): string {
  return planned.startsWith(RTU) ? `${wire.url}&unit=${unitOf(planned)}` : wire.url
}

const sameScheme = (a: string, b: string): boolean => a.split('://')[0] === b.split('://')[0]

/** @param at where; absent: anywhere */
function serve(
  group: readonly Served[],
  at: string | undefined,
  options: ServeDevicesOptions
): Promise<Wire> {
  const { deviceId, faceName, face, planned } = group[0]!
  const url = at === undefined ? undefined : new URL(at)
  const port = url === undefined || url.port === '' ? 0 : Number(url.port)
  const scheme = new URL(planned).protocol
  const mismatch = (): SpillwayError =>
    new SpillwayError(
      ErrorCode.configuration,
      `${deviceId}: face '${faceName}' cannot be served at ${planned}`,
      {
        hint: 'schemes: tcp, serial, udp (bytes), ipbus+udp, modbus+tcp, modbus+serial (registers), mqtt (topics), opc.tcp (nodes)'
      }
    )
  switch (face.kind) {
    case 'bytes':
      if (scheme === 'tcp:') return serveTcp(face, { port })
      if (scheme === 'udp:') return serveUdp(face, { port })
      if (scheme !== 'serial:') throw mismatch()
      return servePty(face, {
        ...serialOptions(url, options.folder, `${deviceId}.tty`),
        isFlowControlled: new URL(planned).searchParams.get('xonxoff') === 'true'
      })
    case 'registers':
      if (scheme === 'ipbus+udp:') return serveIpbus(face, { port })
      if (scheme === RTU) {
        const units = group.flatMap((one) =>
          one.face.kind === 'registers' ? [[unitOf(one.planned), one.face] as const] : []
        )
        return serveModbusRtu(new Map(units), serialOptions(url, options.folder, `${deviceId}.tty`))
      }
      if (scheme !== 'modbus+tcp:') throw mismatch()
      return serveModbus(face, { port })
    case 'topics': {
      if (scheme !== 'mqtt:') throw mismatch()
      const faces = group.flatMap((one) => (one.face.kind === 'topics' ? [one.face] : []))
      return serveTopics(faces, options.broker === undefined ? { port } : { broker: options.broker })
    }
    case 'nodes': {
      if (scheme !== 'opc.tcp:') throw mismatch()
      const faces = group.flatMap((one) => (one.face.kind === 'nodes' ? [one.face] : []))
      return serveNodes(faces, { port, folder: join(options.folder, 'opcua-server') }).then((wire) => {
        options.log.info({ device: deviceId, startMs: wire.startMs }, 'OPC UA server is up')
        return wire
      })
    }
  }
}

/** `serial:///absolute/path`, or `serial://./path` from `folder`; `?baudRate=` is for show */
function serialOptions(
  url: URL | undefined,
  folder: string,
  otherwise: string
): { path: string; baudRate?: number } {
  if (url === undefined) return { path: join(folder, otherwise) }
  const path = decodeURIComponent(url.pathname)
  const baudRate = Number(url.searchParams.get('baudRate') ?? 9600)
  return { path: url.host === '.' ? resolve(folder, `.${path}`) : path, baudRate }
}
