/** Which device the words of the command line mean: its kind, its links and its settings. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { loadExperiment } from '../../../config/load.ts'
import { hintFor } from '../../../config/nearest.ts'
import { type DeviceConfig, type DeviceKind, deviceSettings } from '../../../config/schema.ts'
import { ErrorCode, SpillwayError } from '../../../core/errors.ts'
import { readLinks } from '../../process-arguments.ts'

export interface TargetOptions {
  /** where the links of simulated devices and the certificates are */
  readonly data: string
  readonly kind?: string
  readonly experiment?: string
  readonly device?: string
  /** the simulated twin of the experiment's device */
  readonly sim?: boolean
  readonly dataUrl?: string
  readonly source?: number
  /** `port.adc`, apart by commas */
  readonly modules?: string
  /** numbers and ranges, apart by commas */
  readonly boards?: string
  readonly channels?: string
  readonly limitV?: number
  readonly rampVPerS?: number
  readonly currentLimitUa?: number
  readonly prefix?: string
  readonly magnet?: string
  /** JSON; the settings of the kind as in devices.yaml */
  readonly settings?: string
}

export interface Target {
  readonly config: DeviceConfig
  /** options without which nothing may be set: what the hardware would be told is not known */
  readonly missingForSet: readonly string[]
}

export const DEVICE_KINDS = Object.keys(deviceSettings) as readonly DeviceKind[]

/** What stands behind a URL if nobody says anything else. */
const KIND_OF_SCHEME: Readonly<Record<string, DeviceKind>> = {
  serial: 'iseg-scpi',
  tcp: 'iseg-scpi',
  'ipbus+udp': 'slink-msadc',
  'modbus+tcp': 'interlock-plc',
  'modbus+rtu': 'temperature-module',
  udp: 'spill-pulses',
  mqtt: 'spill-timing',
  mqtts: 'spill-timing',
  'opc.tcp': 'magnet'
}

const PROVENANCE = 'A: command line'
const TOLERANCE_V = 3

/** Finds or makes the configuration of one device. Rejects with `usage` or `configuration`, and says what to add. */
export function targetOf(url: string, options: TargetOptions): Target {
  if (options.experiment !== undefined) return { config: ofExperiment(url, options), missingForSet: [] }
  if (options.sim === true || url === '-')
    throw usage(
      url === '-' ? 'no URL is given' : '--sim is of an experiment',
      '--experiment <name> --device <id>'
    )
  const kind = kindOf(url, options.kind)
  const given = settingsOf(kind, options)
  const result = deviceSettings[kind].safeParse({ ...given.settings, ...parseSettings(options.settings) })
  if (!result.success)
    throw new SpillwayError(ErrorCode.configuration, `settings of a ${kind}`, {
      faults: result.error.issues.map(({ path, message }) => ({
        where: path.join('.') || 'settings',
        what: message
      })),
      hint: 'options and --settings as in docs/bench, or --experiment <name> --device <id>'
    })
  const links = { control: url, ...(options.dataUrl === undefined ? {} : { data: options.dataUrl }) }
  if ((kind === 'slink-msadc' || kind === 'trigger-crate') && options.dataUrl === undefined)
    throw usage(`a ${kind} has a second link`, '--data-url tcp://host:port, of its S-LINK bridge')
  return {
    config: {
      id: options.device ?? kind,
      kind,
      process: 'slow',
      role: 'optional',
      links,
      simulatedLinks: {},
      settings: result.data,
      provenance: PROVENANCE
    },
    missingForSet: options.settings === undefined ? given.missingForSet : []
  }
}

function ofExperiment(url: string, options: TargetOptions): DeviceConfig {
  const experiment = loadExperiment(options.experiment!)
  const ids = experiment.devices.map(({ id }) => id)
  const found = experiment.devices.find(({ id }) => id === options.device)
  if (found === undefined)
    throw new SpillwayError(
      ErrorCode.notFound,
      options.device === undefined
        ? `which device of ${experiment.name}?`
        : `${experiment.name} has no device '${options.device}'`,
      { hint: `--device with one of ${ids.join(', ')}` }
    )
  const links = options.sim === true ? simulatedLinks(found, options.data) : found.links
  const given = {
    ...(url === '-' ? {} : { control: url }),
    ...(options.dataUrl === undefined ? {} : { data: options.dataUrl })
  }
  return { ...found, links: { ...links, ...given } }
}

/** Where a simulator that runs with this data folder said it is; else where it would be by devices.yaml. */
function simulatedLinks(config: DeviceConfig, folder: string): DeviceConfig['links'] {
  const file = join(folder, 'links.json')
  const told = existsSync(file) ? readLinks(file)?.[config.id] : undefined
  const links = told ?? config.simulatedLinks
  const here = `serial://${resolve(folder)}/`
  return Object.fromEntries(
    Object.entries(links).map(([face, link]) => [face, link.replace(/^serial:\/\/\.\//, here)])
  )
}

function kindOf(url: string, given: string | undefined): DeviceKind {
  const scheme = url.split(':', 1)[0]!
  const kind = given ?? KIND_OF_SCHEME[scheme]
  if (kind !== undefined && isKind(kind)) return kind
  if (given !== undefined)
    throw usage(`there is no kind of device '${given}'`, hintFor(given, DEVICE_KINDS, 'kinds'))
  throw usage(
    `the URL ${url} does not tell what stands behind it`,
    `--kind with one of ${DEVICE_KINDS.join(', ')}`
  )
}

const isKind = (kind: string): kind is DeviceKind => Object.hasOwn(deviceSettings, kind)

function settingsOf(
  kind: DeviceKind,
  options: TargetOptions
): { readonly settings: Record<string, unknown>; readonly missingForSet: readonly string[] } {
  const plain = (settings: Record<string, unknown>) => ({ settings, missingForSet: [] })
  switch (kind) {
    case 'slink-msadc':
      return plain({
        source: needed(options, 'source', '--source <id>, the S-LINK source of the board'),
        modules: parseModules(needed(options, 'modules', '--modules 0.0,0.1: port.adc of each')),
        samplesPerEvent: 32,
        latencySamples: 0,
        zeroSuppression: false,
        thresholdCounts: 0,
        distrustAfterGap: false
      })
    case 'trigger-crate':
      return plain({
        source: needed(options, 'source', '--source <id>, the S-LINK source of the crate'),
        distrustAfterGap: false
      })
    case 'iseg-scpi':
      return highVoltage(options, (channels) => ({ channels }))
    case 'caen-n1470': {
      const boards = parseNumbers('--boards', needed(options, 'boards', '--boards 0,1: as set on them'))
      return highVoltage(options, (channels) => ({ boards: boards.map((number) => ({ number, channels })) }))
    }
    case 'spill-timing':
      return plain({ prefix: needed(options, 'prefix', '--prefix na64/ehn2: first levels of its topics') })
    case 'magnet':
      return plain({
        magnetName: needed(options, 'magnet', '--magnet MS2: its name in the node ids'),
        nominalA: 0,
        nominalTm: 0,
        provenance: PROVENANCE
      })
    case 'interlock-plc':
      return plain({ unit: 1 })
    case 'hall-probe':
      // no field is out of bounds here
      return plain({ nominalT: 0, warningT: 100, criticalT: 1000, provenance: PROVENANCE })
    default: // what has more settings than options are worth: --settings or --experiment
      return plain({})
  }
}

/** Without limits of ours a supply can be read but not set. */
function highVoltage(options: TargetOptions, place: (channels: object[]) => Record<string, unknown>) {
  const { limitV, rampVPerS, currentLimitUa } = options
  const numbers = parseNumbers('--channels', needed(options, 'channels', '--channels 0-3,7'))
  const channels = numbers.map((number) => ({
    number,
    name: `channel ${number}`,
    limitV: limitV ?? 1,
    nominalV: 0,
    rampVPerS: rampVPerS ?? 1,
    currentLimitUa: currentLimitUa ?? 1,
    provenance: PROVENANCE
  }))
  const limits = { '--limit-v': limitV, '--ramp-v-per-s': rampVPerS, '--current-limit-ua': currentLimitUa }
  return {
    settings: { ...place(channels), toleranceV: TOLERANCE_V, simulatedInitially: 'off' },
    missingForSet: Object.entries(limits).flatMap(([option, value]) => (value === undefined ? [option] : []))
  }
}

function needed<K extends keyof TargetOptions>(
  options: TargetOptions,
  key: K,
  how: string
): Exclude<TargetOptions[K], undefined> {
  const value = options[key]
  if (value === undefined) throw usage(`--${key} is needed for this kind of device`, how)
  return value as Exclude<TargetOptions[K], undefined>
}

/** `0-3,7` */
export function parseNumbers(option: string, text: string): number[] {
  return text.split(',').flatMap((part) => {
    const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(part.trim()) ?? []
    const [from, to] = [Number(first), Number(last)]
    if (first === undefined || to < from || to > 255)
      throw usage(`${option} ${text}: '${part}' is no number or range`, `${option} 0-3,7`)
    return Array.from({ length: to - from + 1 }, (_, i) => from + i)
  })
}

function parseModules(text: string): { port: number; adc: number }[] {
  return text.split(',').map((part) => {
    const [, port, adc] = /^(\d+)\.(\d+)$/.exec(part.trim()) ?? []
    if (port === undefined || adc === undefined)
      throw usage(`--modules ${text}: '${part}' is no module`, 'port.adc: --modules 0.0,0.1')
    return { port: Number(port), adc: Number(adc) }
  })
}

function parseSettings(text: string | undefined): object {
  if (text === undefined) return {}
  try {
    const settings: unknown = JSON.parse(text)
    if (typeof settings === 'object' && settings !== null && !Array.isArray(settings)) return settings
  } catch {
    // said below
  }
  throw usage('--settings is no JSON object', `the settings of devices.yaml: --settings '{"unit":1}'`)
}

function usage(what: string, hint: string | undefined): SpillwayError {
  return new SpillwayError(ErrorCode.usage, what, hint === undefined ? {} : { hint })
}
