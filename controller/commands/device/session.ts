/** One device, connected for the length of a command, with everything that passes heard by taps. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../../../core/clock.ts'
import type { Device, DeviceIdentity } from '../../../core/device.ts'
import { ErrorCode, isCode, sentence, SpillwayError } from '../../../core/errors.ts'
import type { FragmentSink } from '../../../core/fragment.ts'
import type { Log } from '../../../core/log.ts'
import { type DurationNs, milliseconds, seconds } from '../../../core/units.ts'
import type { BeamInstrument } from '../../../drivers/beam/contract/beam-instrument.ts'
import type { DataLogic } from '../../../drivers/digitiser/contract/digitiser.ts'
import { makeLinkFactory } from '../../../drivers/link/factory.ts'
import type { LinkKind, TapSink } from '../../../drivers/link/tap/event.ts'
import { writePcap } from '../../../drivers/link/tap/pcap.ts'
import { TapRecorder } from '../../../drivers/link/tap/recorder.ts'
import { recordingLines } from '../../../drivers/link/tap/recording.ts'
import { makeDevice } from '../../devices.ts'
import { tell } from '../output.ts'
import type { Target } from './target.ts'

/** OPC UA makes its keys at the first use, and negotiates. */
const CONNECT_LIMIT = seconds(20)
const POLL_LIMIT = seconds(5)
const CLOSE_LIMIT = seconds(3)

export interface SessionOptions {
  /** for certificates */
  readonly data: string
  /** file for the recording, or for the capture */
  readonly record?: string
  readonly pcap?: string
  /** hears the links too */
  readonly tap?: (url: string, kind: LinkKind) => TapSink
}

/** What a person at the bench can look after when nobody answers. */
const HINTS: Readonly<Record<string, string>> = {
  serial: 'is the path right, the adapter plugged in, and may you read it (group dialout)?',
  tcp: 'is it switched on, and the address right? Many devices take one connection only: another program may have it',
  'ipbus+udp': 'is it switched on, and are address and port right?',
  'modbus+tcp':
    'is it switched on, and the address right? Some take few connections: another program may have them',
  mqtt: 'does the broker run there, and its gateway?',
  mqtts: 'does the broker run there, and its gateway?',
  'opc.tcp': 'does the server run there, and does it know our certificate (docs/bench)?'
}

export class DeviceSession {
  readonly device: Device
  readonly #clock: Clock
  readonly #target: Target
  readonly #options: SessionOptions
  readonly #recorder: TapRecorder | undefined

  /** Rejects with `usage` when a file cannot be what was asked for. */
  constructor(target: Target, clock: Clock, options: SessionOptions) {
    checkFiles(target, options)
    this.#clock = clock
    this.#target = target
    this.#options = options
    const isRecorded = options.record !== undefined || options.pcap !== undefined
    const recorder = isRecorded ? new TapRecorder(clock) : undefined
    this.#recorder = recorder
    const links = makeLinkFactory({
      clock,
      log,
      certificatesFolder: join(options.data, 'certificates', 'device'),
      tap: (url, kind) => {
        const sinks = [recorder?.sink(url, kind), options.tap?.(url, kind)].filter(
          (sink) => sink !== undefined
        )
        if (sinks.length === 0) return undefined
        return { record: (event) => sinks.forEach((sink) => sink.record(event)) }
      }
    })
    this.device = makeDevice(target.config, { clock, links, logOf: () => log, overrides: undefined }).device
    // a digitiser's data are looked at by the taps; nothing is built of them
    if (hasData(this.device)) this.device.data.attach(nobody)
  }

  /** Rejects with what the driver says, and a hint for whoever stands at the bench. */
  async connect(signal: AbortSignal): Promise<DeviceIdentity> {
    const { id, kind, links } = this.#target.config
    try {
      return await this.#clock.within(
        `connect ${id}`,
        CONNECT_LIMIT,
        (inner) => this.device.connect(inner),
        signal
      )
    } catch (error) {
      const isAbsent = isCode(error, ErrorCode.disconnected) || isCode(error, ErrorCode.timeout)
      if (!isAbsent) throw error
      const url = links.control ?? ''
      throw new SpillwayError(error.code, `no ${kind} answers: ${sentence(error)}`, {
        hint: HINTS[url.split(':', 1)[0]!] ?? 'is it switched on, and the address right?',
        cause: error
      })
    }
  }

  /** Reads everything once; nothing for devices that report by themselves. */
  async poll(signal: AbortSignal): Promise<void> {
    const { device } = this
    if (!canPoll(device)) return
    await this.#clock.within(`poll ${device.id}`, POLL_LIMIT, (inner) => device.poll(inner), signal)
  }

  /** Resolves when all of `paths` have a value, or the time is over: some are told only when they change. */
  async firstValues(paths: ReadonlySet<string>, limit: DurationNs, signal: AbortSignal): Promise<void> {
    const isThere = (): boolean =>
      this.device.signals.every((one) => !paths.has(one.path) || one.latest() !== undefined)
    const until = this.#clock.now() + limit
    while (!isThere() && this.#clock.now() < until)
      await this.#clock.sleep('first values', milliseconds(20), signal)
  }

  /** Disconnects, changes nothing on the hardware, and writes what was recorded. Never rejects. */
  async end(): Promise<void> {
    await this.#clock
      .within('disconnect', CLOSE_LIMIT, () => this.device.disconnect())
      .catch((error: unknown) => tell(`spillway: ${sentence(error)}`))
    const session = this.#recorder?.session() ?? []
    const dropped = session.reduce((sum, recording) => sum + recording.dropped, 0)
    if (dropped > 0) tell(`spillway: the recording is full; ${dropped} later entries are not in it`)
    const { record, pcap } = this.#options
    write(record, () => [...recordingLines(session)].join(''))
    write(pcap, () => writePcap(session))
  }
}

/** Before anything is begun: a session that ends without its file was in vain. */
function checkFiles({ config }: Target, { record, pcap }: SessionOptions): void {
  const isNetwork = Object.values(config.links).some((url) => !/^(serial|modbus\+rtu):/.test(url))
  if (pcap !== undefined && !isNetwork)
    throw new SpillwayError(ErrorCode.usage, 'a serial line has no packets for --pcap', {
      hint: '--record keeps everything that passes'
    })
  for (const file of [record, pcap])
    try {
      if (file !== undefined) writeFileSync(file, '')
    } catch (cause) {
      throw new SpillwayError(ErrorCode.usage, `cannot write ${file ?? ''}: ${sentence(cause)}`, { cause })
    }
}

function write(file: string | undefined, content: () => string | Uint8Array): void {
  try {
    if (file !== undefined) writeFileSync(file, content())
  } catch (error) {
    tell(`spillway: ${file ?? ''} is empty: ${sentence(error)}`)
  }
}

const canPoll = (device: Device): device is Device & Pick<BeamInstrument, 'poll'> => 'poll' in device
const hasData = (device: Device): device is Device & { readonly data: DataLogic } => 'data' in device

const log: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: (_fields, message) => tell(`spillway: ${message}`),
  error: (_fields, message) => tell(`spillway: ${message}`)
}

const nobody: FragmentSink = {
  startOfSpill: () => undefined,
  fragment: () => undefined,
  corrupt: () => undefined,
  endOfSpill: () => undefined,
  fault: () => undefined,
  connection: () => undefined
}
