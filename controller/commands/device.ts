/** `device <url> <verb>`: one device from the shell, for whoever stands at a bench. */
import { userInfo } from 'node:os'
import { hintFor } from '../../config/nearest.ts'
import { type Clock, SystemClock } from '../../core/clock.ts'
import type { DeviceIdentity } from '../../core/device.ts'
import { ErrorCode, isCode, SpillwayError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import type { Signal } from '../../core/signal.ts'
import { milliseconds, seconds } from '../../core/units.ts'
import type { LinkKind, TapSink } from '../../drivers/link/tap/event.ts'
import { FrameDecoder } from '../../drivers/link/tap/frames.ts'
import type { Frame } from '../../drivers/link/tap/frames/frame.ts'
import { DeviceSession } from './device/session.ts'
import { settable, settingOf } from './device/setting.ts'
import { targetOf, type TargetOptions } from './device/target.ts'
import { type Person, personAtTerminal } from './device/terminal.ts'
import type { DeviceVerb } from './device/verbs.ts'
import { Exit, print, printJson, printJsonList, tell } from './output.ts'

export interface DeviceOptions extends TargetOptions {
  readonly yes: boolean
  readonly by?: string
  /** how long to watch; absent: until Ctrl-C, with --json 10 s */
  readonly seconds?: number
  readonly record?: string
  readonly pcap?: string
  readonly json: boolean
}

const POLL_EVERY = seconds(1)
const LOOK_EVERY = milliseconds(200)
const FIRST_VALUES = seconds(2)
const VALUE_LIMIT = seconds(5)
const SECONDS_OF_A_DOCUMENT = 10
/** of one document */
const ROWS_MAX = 200_000

interface Work {
  readonly session: DeviceSession
  readonly identity: DeviceIdentity
  readonly options: DeviceOptions
  readonly clock: Clock
  readonly person: Person
  /** Ctrl-C */
  readonly signal: AbortSignal
}

/**
 * Connects one device, does one thing and disconnects. What it reads goes to stdout, whatever else it says to stderr.
 *
 * @param words what the verb is given: a signal for `read`, a signal and a value for `set`
 */
export async function deviceCommand(
  url: string,
  verb: DeviceVerb,
  words: readonly string[],
  options: DeviceOptions,
  person: Person = personAtTerminal
): Promise<number> {
  checkWords(verb, words, options, person)
  const target = targetOf(url, options)
  const clock = new SystemClock()
  const frames = verb === 'frames' ? new FrameShow(clock, options.json) : undefined
  const interrupted = new AbortController()
  const stop = (): void => interrupted.abort()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, stop)
  const { signal } = interrupted
  const session = new DeviceSession(target, clock, {
    ...options,
    ...(frames === undefined ? {} : { tap: frames.tap })
  })
  try {
    const identity = await session.connect(signal)
    const work: Work = { session, identity, options, clock, person, signal }
    switch (verb) {
      case 'identity':
        await showIdentity(work)
        break
      case 'signals':
        await showSignals(work, target.missingForSet)
        break
      case 'read':
        await readSignal(work, words[0]!)
        break
      case 'set':
        return await setSignal(work, words[0]!, words[1]!, target.missingForSet)
      case 'watch':
        await watch(work)
        break
      case 'frames':
        await forSeconds(work, () => undefined)
        await frames?.end(target.config.id)
    }
    return Exit.done
  } catch (error) {
    if (signal.aborted && verb !== 'set' && isCode(error, ErrorCode.aborted)) return Exit.done
    throw error
  } finally {
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.removeListener(name, stop)
    await session.end()
  }
}

/** Everything that can be known to be wrong before anybody is asked. */
function checkWords(
  verb: DeviceVerb,
  words: readonly string[],
  options: DeviceOptions,
  person: Person
): void {
  const wanted = { read: ['<signal>'], set: ['<signal>', '<value>'] }[verb as string] ?? []
  if (words.length !== wanted.length)
    throw new SpillwayError(ErrorCode.usage, `${verb} takes ${wanted.join(' ') || 'no further words'}`, {
      got: words.join(' ') || 'nothing',
      hint: `npx spillway device <url> ${[verb, ...wanted].join(' ')}`
    })
  if (verb !== 'set' || options.yes || (person.isThere && !options.json)) return
  throw new SpillwayError(ErrorCode.usage, 'nobody can be asked whether this may be set', {
    hint: 'add --yes, and --by <name> for high voltage'
  })
}

async function showIdentity({ session: { device }, identity, options }: Work): Promise<void> {
  if (options.json) return printJson({ device: device.id, kind: device.kind, identity })
  for (const [what, text] of Object.entries<string>({ kind: device.kind, ...identity }))
    print(`${what.padEnd(9)} ${text}`)
}

async function showSignals(
  { session, identity, options, signal }: Work,
  missing: readonly string[]
): Promise<void> {
  const { device } = session
  await session.firstValues(new Set(device.signals.map(({ path }) => path)), FIRST_VALUES, signal)
  const values = new Map(settable(device, missing).map(({ path, values: of }) => [path, of]))
  if (options.json) {
    const signals = device.signals.map((one) => ({
      ...rowOf(one),
      description: one.meta.description,
      settable: values.get(one.path) ?? null
    }))
    return printJson({ device: device.id, kind: device.kind, identity, signals })
  }
  const width = Math.max(0, ...device.signals.map(({ path }) => path.length))
  for (const one of device.signals) {
    const set = values.get(one.path)
    const about = `${one.meta.description}${set === undefined ? '' : ` [set: ${set}]`}`
    print(`${one.path.padEnd(width)}  ${valueOf(one).padEnd(24)}  ${about}`)
  }
}

async function readSignal({ session, options, signal }: Work, word: string): Promise<void> {
  const found = findSignal(session.device.id, session.device.signals, word)
  await session.firstValues(new Set([found.path]), VALUE_LIMIT, signal)
  if (found.latest() === undefined)
    throw new SpillwayError(ErrorCode.timeout, `${found.path} has no value yet`, {
      hint: 'it is told when it changes: `watch` shows it then'
    })
  if (options.json) await printJson({ device: session.device.id, ...rowOf(found) })
  else print(`${found.path}  ${valueOf(found)}`)
}

async function setSignal(
  work: Work,
  word: string,
  value: string,
  missing: readonly string[]
): Promise<number> {
  const { session, options, person, signal } = work
  const { device } = session
  const { path } = findSignal(device.id, device.signals, word)
  const setting = settingOf(device, path, value, missing)
  const by = options.by ?? (setting.needsName ? '' : userInfo().username)
  if (by.trim() === '')
    throw new SpillwayError(ErrorCode.usage, `${setting.what}: who allows it?`, { hint: 'add --by <name>' })
  if (!options.yes && !(await isAgreed(setting, person, signal))) {
    tell('nothing was set')
    return Exit.failed
  }
  const before = setting.shows.map(rowOf)
  tell(`${setting.what} (by ${by})`)
  try {
    await setting.apply(by, signal)
  } catch (error) {
    if (!signal.aborted) throw error
    throw new SpillwayError(ErrorCode.aborted, `not waited for any longer: ${setting.what}`, {
      hint: 'what was begun goes on; `set <channel>/state off` takes the voltage away'
    })
  }
  if (options.json)
    await printJson({ device: device.id, set: path, value, by, before, after: setting.shows.map(rowOf) })
  else for (const one of setting.shows) print(`${one.path}  ${valueOf(one)}`)
  return Exit.done
}

/** High voltage is not switched on by a habit of the fingers. */
async function isAgreed(
  { what, typed }: { readonly what: string; readonly typed: string | undefined },
  person: Person,
  signal: AbortSignal
): Promise<boolean> {
  if (typed === undefined) return /^y(es)?$/i.test((await person.ask(`${what}? [y/N] `, signal)).trim())
  const answer = await person.ask(`${what}\ntype the name of the channel (${typed}) to do it: `, signal)
  return answer.trim() === typed
}

async function watch(work: Work): Promise<void> {
  const { session, options } = work
  const { device } = session
  const rows: SignalRow[] = []
  const shown = new Map<string, string>()
  let dropped = 0
  const look = (): void => {
    for (const one of device.signals) {
      const row = rowOf(one)
      const state = `${String(row.value)} ${row.quality}`
      if (row.quality === 'none' || shown.get(one.path) === state) continue
      shown.set(one.path, state)
      if (!options.json) print(`${row.utc ?? ''}  ${one.path}  ${valueOf(one)}`)
      else if (rows.length < ROWS_MAX) rows.push(row)
      else dropped++
    }
  }
  const stops = device.signals.map((one) => one.watch(look))
  try {
    await forSeconds(work, look)
  } finally {
    for (const stop of stops) stop()
  }
  if (options.json) await printJsonList({ device: device.id, dropped }, 'changes', rows)
}

/** Polls for as long as was asked for; `look` is called now and then. Rejects when the device is lost. */
async function forSeconds(work: Work, look: () => void): Promise<void> {
  try {
    await keepLooking(work, look)
  } catch (error) {
    // Ctrl-C is how watching ends
    if (!work.signal.aborted || !isCode(error, ErrorCode.aborted)) throw error
  }
}

async function keepLooking({ session, options, clock, signal }: Work, look: () => void): Promise<void> {
  const length = options.seconds ?? (options.json ? SECONDS_OF_A_DOCUMENT : Infinity)
  const until = clock.now() + seconds(length)
  let pollAt = clock.now() + POLL_EVERY
  for (;;) {
    look()
    const { state } = session.device
    if (state.kind === 'disconnected')
      throw new SpillwayError(ErrorCode.disconnected, `${session.device.id} is gone: ${state.why}`)
    const now = clock.now()
    if (now >= until) return
    if (now >= pollAt) {
      pollAt = now + POLL_EVERY
      await session.poll(signal)
    }
    await clock.sleep('watch', Math.min(LOOK_EVERY, Math.max(0, until - clock.now())), signal)
  }
}

/** Shows what passes in the links as it passes, or collects it. */
class FrameShow {
  readonly #clock: Clock
  readonly #asJson: boolean
  readonly #frames: (Frame & { readonly utc: string; readonly link: string })[] = []
  #dropped = 0

  constructor(clock: Clock, asJson: boolean) {
    this.#clock = clock
    this.#asJson = asJson
  }

  readonly tap = (link: string, _kind: LinkKind): TapSink => {
    const decoder = new FrameDecoder(link)
    return {
      record: (event) => {
        for (const frame of decoder.feed(event)) this.#show(link, frame)
      }
    }
  }

  async end(device: string): Promise<void> {
    if (this.#asJson) await printJsonList({ device, dropped: this.#dropped }, 'frames', this.#frames)
    else if (this.#dropped > 0) tell(`${this.#dropped} frames were not shown: the terminal is too slow`)
  }

  #show(link: string, frame: Frame): void {
    const utc = this.#clock.utc().toISOString()
    const isFull = this.#asJson
      ? this.#frames.length >= ROWS_MAX
      : process.stdout.writableLength > limits.socketBacklogBytesMax
    if (isFull) this.#dropped++
    else if (this.#asJson) this.#frames.push({ utc, link, ...frame })
    else {
      const { dir, protocol, type, text } = frame
      print(
        `${utc.slice(11, 23)} ${dir === 'out' ? '>' : '<'} ${protocol} ${type}${text === '' ? '' : `  ${text}`}`
      )
    }
  }
}

interface SignalRow {
  readonly path: string
  readonly value: number | string | boolean | null
  readonly unit: string
  /** `none`: no value yet */
  readonly quality: string
  readonly reason?: string
  readonly utc: string | null
}

function rowOf(signal: Signal): SignalRow {
  const reading = signal.latest()
  return {
    path: signal.path,
    value: reading?.value ?? null,
    unit: signal.meta.unit,
    quality: reading?.quality ?? 'none',
    ...(reading?.reason === undefined ? {} : { reason: reading.reason }),
    utc: reading?.utc.toISOString() ?? null
  }
}

function valueOf(signal: Signal): string {
  const { value, unit, quality, reason } = rowOf(signal)
  if (quality === 'none') return 'no value yet'
  const text =
    typeof value === 'number' ? String(Number(value.toPrecision(7))) : value === '' ? '-' : String(value)
  const doubt = quality === 'good' ? '' : ` (${quality}${reason === undefined ? '' : `: ${reason}`})`
  return `${text}${unit === '' ? '' : ` ${unit}`}${doubt}`
}

/** By its whole path, or by what follows the device's id. */
function findSignal(id: string, signals: readonly Signal[], word: string): Signal {
  const found = signals.find(({ path }) => path === word || path === `${id}/${word}`)
  if (found !== undefined) return found
  const short = signals.map(({ path }) => path.slice(id.length + 1))
  throw new SpillwayError(ErrorCode.usage, `${id} has no signal '${word}'`, {
    hint: hintFor(word, short, 'signals')
  })
}
