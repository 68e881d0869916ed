/** devices.yaml: links, processes, limits. */
import { type ConfigFile } from '../read-file.ts'
import type { DeviceConfig, DeviceKind } from '../schema.ts'
import { checkBeamInstruments } from './beam-instruments.ts'
import { devicesOf, type ExperimentFiles, fault, type Faults, repeated } from './files.ts'

interface KindRule {
  readonly process: DeviceConfig['process']
  /** face -> schemes that its driver speaks */
  readonly faces: Readonly<Partial<Record<'control' | 'data', readonly string[]>>>
  /** the controller asks at this rate; the others report by themselves */
  readonly isPolled: boolean
}

const KINDS: Readonly<Record<DeviceKind, KindRule>> = {
  'slink-msadc': { process: 'daq', faces: { control: ['ipbus+udp'], data: ['tcp'] }, isPolled: true },
  'trigger-crate': { process: 'daq', faces: { control: ['ipbus+udp'], data: ['tcp'] }, isPolled: true },
  'spill-timing': { process: 'daq', faces: { control: ['mqtt', 'mqtts'] }, isPolled: false },
  'iseg-scpi': { process: 'slow', faces: { control: ['serial', 'tcp'] }, isPolled: true },
  'caen-n1470': { process: 'slow', faces: { control: ['serial', 'tcp'] }, isPolled: true },
  'opcua-crate': { process: 'slow', faces: { control: ['opc.tcp'] }, isPolled: true },
  'interlock-plc': { process: 'slow', faces: { control: ['modbus+tcp'] }, isPolled: true },
  magnet: { process: 'slow', faces: { control: ['opc.tcp'] }, isPolled: true },
  'hall-probe': { process: 'slow', faces: { control: ['serial', 'tcp'] }, isPolled: true },
  'temperature-module': {
    process: 'slow',
    faces: { control: ['modbus+serial', 'modbus+tcp'] },
    isPolled: true
  },
  'spill-pulses': { process: 'daq', faces: { control: ['udp'] }, isPolled: true }
}

/** Faster polling leaves no room for commands on a slow line; slower is no supervision. */
const POLL_MS = { least: 50, most: 60_000 }

const LOOPBACK = /^(127(\.\d+){3}|localhost|\[::1\])$/

export function* checkDevices(files: ExperimentFiles): Faults {
  const file = files.devices
  if (file?.data === undefined) return
  const { devices } = file.data
  yield* repeated(
    file,
    devices.map((device, i) => ({ value: device.id, path: ['devices', i, 'id'] })),
    'id'
  )
  yield* repeated(file, sourceEntries(files), 'source')
  for (const [index, device] of devices.entries()) yield* checkKind(file, device, index)
  yield* checkAddresses(file, devices)
  yield* checkHighVoltage(files, file)
  yield* checkBeamInstruments(files, file)
  yield* checkCounts(file, devices)
}

function* sourceEntries(files: ExperimentFiles): Generator<{ value: number; path: (string | number)[] }> {
  for (const kind of ['slink-msadc', 'trigger-crate'] as const)
    for (const { settings, path } of devicesOf(files, kind))
      yield { value: settings.source, path: [...(path as (string | number)[]), 'settings', 'source'] }
}

function* checkKind(file: ConfigFile<unknown>, device: DeviceConfig, index: number): Faults {
  const rule = KINDS[device.kind]
  const path = ['devices', index]
  if (device.process !== rule.process)
    yield fault(
      file,
      [...path, 'process'],
      `a ${device.kind} runs in process ${rule.process}, not ${device.process}`,
      `write process: ${rule.process}`
    )
  for (const key of ['links', 'simulatedLinks'] as const)
    for (const face of ['control', 'data'] as const) {
      const schemes = rule.faces[face]
      const url = device[key][face]
      if (schemes === undefined) {
        if (url !== undefined)
          yield fault(file, [...path, key, face], `a ${device.kind} has no ${face} face`, 'remove the line')
      } else if (url === undefined)
        yield fault(file, [...path, key], `the ${face} face has no URL`, `a URL of ${schemes.join(' or ')}`)
      else yield* checkUrl(file, [...path, key, face], url, schemes, key === 'simulatedLinks')
    }
  if (rule.isPolled && device.pollMs === undefined)
    yield fault(file, path, `pollMs is missing: a ${device.kind} is polled`, 'for example pollMs: 1000')
  else if (!rule.isPolled && device.pollMs !== undefined)
    yield fault(
      file,
      [...path, 'pollMs'],
      `a ${device.kind} reports by itself and is not polled`,
      'remove it'
    )
  else if (device.pollMs !== undefined && (device.pollMs < POLL_MS.least || device.pollMs > POLL_MS.most))
    yield fault(
      file,
      [...path, 'pollMs'],
      `${device.pollMs} ms is outside ${POLL_MS.least} to ${POLL_MS.most} ms`
    )
}

function* checkUrl(
  file: ConfigFile<unknown>,
  path: (string | number)[],
  text: string,
  schemes: readonly string[],
  isSimulated: boolean
): Faults {
  const url = URL.parse(text)
  if (url === null) {
    yield fault(file, path, `'${text}' is not a URL`)
    return
  }
  const scheme = url.protocol.slice(0, -1)
  if (url.password !== '')
    yield fault(
      file,
      path,
      'a URL holds no password, because URLs are shown and logged',
      'passwordFile=..., or the variable SPILLWAY_MQTT_PASSWORD'
    )
  else if (!schemes.includes(scheme))
    yield fault(file, path, `its driver does not speak ${scheme}`, `a URL of ${schemes.join(' or ')}`)
  else if (scheme === 'serial' || scheme === 'modbus+serial') {
    if (url.pathname.length < 2 || (url.host !== '' && url.host !== '.'))
      yield fault(file, path, `'${text}' names no device file`, 'serial:///dev/tty..., or serial://./name')
  } else if (url.hostname === '' || url.port === '')
    yield fault(file, path, `'${text}' lacks host or port`, `for example ${scheme}://127.0.0.1:5000`)
  else if (isSimulated && !LOOPBACK.test(url.hostname))
    yield fault(file, path, `a simulated device listens on loopback only, not ${url.hostname}`)
  else if (isSimulated && scheme === 'mqtts')
    yield fault(
      file,
      path,
      'the broker of the simulated hall has no TLS',
      'mqtt://, or another broker: --broker'
    )
}

/** Two devices behind one address would answer for each other; topics, units and nodes may share one. */
function* checkAddresses(file: ConfigFile<unknown>, devices: readonly DeviceConfig[]): Faults {
  for (const key of ['links', 'simulatedLinks'] as const) {
    const entries = devices.flatMap((device, i) =>
      Object.entries(device[key])
        .filter(([, url]) => key === 'simulatedLinks' || !/^(mqtts?|modbus\+tcp|opc\.tcp):/.test(url))
        .map(([face, url]) => ({ value: addressOf(url), path: ['devices', i, key, face] }))
    )
    yield* repeated(file, entries, 'address')
  }
}

function addressOf(text: string): string {
  const url = URL.parse(text)
  if (url === null) return text
  // units of one Modbus line share it
  if (url.protocol === 'modbus+serial:') return `${url.pathname} unit ${url.searchParams.get('unit') ?? 1}`
  return url.protocol === 'serial:' ? url.pathname : url.host
}

type Path = readonly PropertyKey[]

function* checkHighVoltage(files: ExperimentFiles, file: ConfigFile<unknown>): Faults {
  for (const { settings, path } of devicesOf(files, 'iseg-scpi')) {
    const at = [...path, 'settings', 'channels']
    yield* checkHvChannels(file, [{ channels: settings.channels, at }])
  }
  for (const { settings, path } of devicesOf(files, 'caen-n1470')) {
    const at = [...path, 'settings', 'boards']
    yield* repeated(
      file,
      settings.boards.map((board, i) => ({ value: board.number, path: [...at, i, 'number'] })),
      'board number'
    )
    const lists = settings.boards.map(({ channels }, i) => ({ channels, at: [...at, i, 'channels'] }))
    yield* checkHvChannels(file, lists)
  }
  for (const { settings, path } of devicesOf(files, 'opcua-crate')) {
    const at = [...path, 'settings', 'channels']
    const nodes = settings.channels.map(({ node }, i) => ({ value: node, path: [...at, i, 'node'] }))
    yield* repeated(file, nodes, 'channel node')
    yield* checkHvChannels(file, [{ channels: settings.channels, at }])
  }
}

interface HvChannelList {
  readonly channels: readonly {
    readonly number: number
    readonly name: string
    readonly limitV: number
    readonly nominalV: number
  }[]
  readonly at: Path
}

/** @param lists channels of one supply: numbers are unique in a list, names in the supply */
function* checkHvChannels(file: ConfigFile<unknown>, lists: readonly HvChannelList[]): Faults {
  for (const { channels, at } of lists)
    yield* repeated(
      file,
      channels.map(({ number }, i) => ({ value: number, path: [...at, i, 'number'] })),
      'channel number'
    )
  yield* repeated(
    file,
    lists.flatMap(({ channels, at }) =>
      channels.map(({ name }, i) => ({ value: name, path: [...at, i, 'name'] }))
    ),
    'channel name'
  )
  for (const { channels, at } of lists)
    for (const [i, channel] of channels.entries())
      if (channel.nominalV > channel.limitV)
        yield fault(
          file,
          [...at, i, 'nominalV'],
          `${channel.nominalV} V is above limitV, ${channel.limitV} V`,
          'lower the nominal voltage; raise the limit only with the chamber expert'
        )
}

function* checkCounts(file: ConfigFile<unknown>, devices: readonly DeviceConfig[]): Faults {
  const count = (kind: DeviceKind): number => devices.filter((device) => device.kind === kind).length
  for (const kind of ['trigger-crate', 'spill-timing', 'spill-pulses'] as const)
    if (count(kind) > 1) yield fault(file, ['devices'], `${count(kind)} of kind ${kind}; there can be one`)
  if (count('slink-msadc') > 0 && count('trigger-crate') === 0)
    yield fault(
      file,
      ['devices'],
      'boards are read out but no trigger-crate triggers them',
      'add a device of kind trigger-crate'
    )
}
