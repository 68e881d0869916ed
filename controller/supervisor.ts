import { type ChildProcess, fork } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { type Clock, isAborted } from '../core/clock.ts'
import { ErrorCode, sentence, SpillwayError } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import { milliseconds, seconds } from '../core/units.ts'
import { askSlow } from './slow-control/slow-client.ts'

/** A process that fails this often within a minute is not started again: something must be mended first. */
const RESTARTS_PER_MINUTE = 5
const RESTART_PAUSE = milliseconds(500)
const READY_LIMIT = seconds(40)
const STOP_LIMIT = seconds(12)
const KILL_LIMIT = seconds(2)

/** `.ts` in the repository, `.js` in an installed copy. */
const extension = import.meta.filename.endsWith('.ts') ? 'ts' : 'js'
const script = (path: string): string => fileURLToPath(new URL(`../${path}.${extension}`, import.meta.url))

export type Message = Readonly<Record<string, unknown>>

export interface ServiceOptions {
  readonly name: 'sim' | 'slow' | 'daq'
  /** path in the house, without extension */
  readonly script: string
  /** anew for every start: a restarted process may need other words */
  readonly arguments: (isRestart: boolean) => string[]
  /** where its error output goes; absent: to ours */
  readonly errorFile?: string
  readonly onMessage?: (message: Message) => void
  /** after an unexpected end; the process is being started again unless `willRestart` is false */
  readonly onCrash?: (how: string, willRestart: boolean) => void
}

/**
 * One process that is started, watched, started again when it dies, and stopped in order. It runs in a process
 * group of its own, so that a Ctrl-C of the terminal reaches the supervisor only.
 */
export class Service {
  readonly #options: ServiceOptions
  readonly #clock: Clock
  readonly #log: Log
  #child: ChildProcess | undefined
  #isStopping = false
  #starts: number[] = []

  constructor(options: ServiceOptions, clock: Clock, log: Log) {
    this.#options = options
    this.#clock = clock
    this.#log = log
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Resolves with the process's `ready` message. */
  start(isRestart = false): Promise<Message> {
    const { name } = this.#options
    this.#starts.push(this.#clock.now())
    const { errorFile } = this.#options
    const errors = errorFile === undefined ? 'inherit' : openSync(errorFile, 'a')
    const child = fork(script(this.#options.script), this.#options.arguments(isRestart), {
      detached: true,
      execArgv: [],
      stdio: ['ignore', 'ignore', errors, 'ipc']
    })
    if (typeof errors === 'number') closeSync(errors)
    this.#child = child
    return this.#clock.within(`start ${name}`, READY_LIMIT, (signal) => {
      return new Promise<Message>((resolve, reject) => {
        let isReady = false
        signal.addEventListener('abort', () => {
          if (!isReady) child.kill('SIGKILL')
        })
        child.on('message', (message) => {
          const fields = message as Message
          if (fields['ready'] === true) {
            isReady = true
            resolve(fields)
          }
          this.#options.onMessage?.(fields)
        })
        child.on('error', (error) => reject(error))
        child.on('exit', (code, signalName) => {
          this.#child = undefined
          const how = signalName === null ? `exit code ${code ?? 0}` : `signal ${signalName}`
          if (!isReady)
            reject(
              new SpillwayError(ErrorCode.disconnected, `process ${name} ended before it was ready: ${how}`)
            )
          else if (!this.#isStopping) this.#crashed(how)
        })
      })
    })
  }

  send(message: Message): void {
    if (this.#child?.connected === true) this.#child.send(message)
  }

  /** Asks it to end, and ends it when it does not within a bound. */
  async stop(): Promise<void> {
    this.#isStopping = true
    const child = this.#child
    if (child === undefined) return
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    child.kill('SIGTERM')
    try {
      await this.#clock.within(`stop ${this.#options.name}`, STOP_LIMIT, () => ended)
    } catch {
      this.#log.warn({ process: this.#options.name }, 'does not end; killed')
      child.kill('SIGKILL')
      await this.#clock.within('kill', KILL_LIMIT, () => ended).catch(() => undefined)
    }
  }

  #crashed(how: string): void {
    const { name, onCrash } = this.#options
    const minuteAgo = this.#clock.now() - seconds(60)
    this.#starts = this.#starts.filter((at) => at > minuteAgo)
    const willRestart = this.#starts.length < RESTARTS_PER_MINUTE
    this.#log.error({ process: name, how, willRestart }, 'a process died')
    onCrash?.(how, willRestart)
    if (!willRestart) return
    void this.#clock
      .sleep(`restart ${name}`, RESTART_PAUSE)
      .then(() => (this.#isStopping ? undefined : this.start(true)))
      .catch((error: unknown) => this.#log.error({ process: name, why: sentence(error) }, 'restart failed'))
  }
}

const lockSchema = z.object({ pid: z.number() })
const slowFileSchema = z.object({ pid: z.number(), url: z.string(), experiment: z.string() })

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

function readJson<T>(file: string, schema: z.ZodType<T>): T | undefined {
  if (!existsSync(file)) return undefined
  try {
    return schema.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch {
    return undefined // cut off by a crash: as if it were not there
  }
}

export function writeJson(file: string, value: unknown): void {
  writeFileSync(`${file}.new`, JSON.stringify(value))
  renameSync(`${file}.new`, file)
}

/** Makes a data folder ours; refuses one that another supervisor uses. Returns what releases it. */
export function lockFolder(folder: string): () => void {
  mkdirSync(folder, { recursive: true })
  const file = join(folder, 'supervisor.json')
  const holder = readJson(file, lockSchema)
  if (holder !== undefined && holder.pid !== process.pid && isAlive(holder.pid))
    throw new SpillwayError(
      ErrorCode.usage,
      `the data folder ${folder} is used by another run (process ${holder.pid})`,
      {
        hint: 'stop that one, or choose another folder with --data'
      }
    )
  writeJson(file, { pid: process.pid })
  return () => rmSync(file, { force: true })
}

export interface Adopted {
  readonly pid: number
  readonly url: string
}

/** A slow-control process of this data folder that outlived its supervisor, if there is one. */
export async function findSlow(
  clock: Clock,
  folder: string,
  experiment: string
): Promise<Adopted | undefined> {
  const known = readJson(join(folder, 'slow.json'), slowFileSchema)
  if (known === undefined || known.experiment !== experiment || !isAlive(known.pid)) return undefined
  try {
    const status = await askSlow(clock, known.url)
    return status.pid === known.pid ? { pid: known.pid, url: known.url } : undefined
  } catch {
    return undefined // that process id is somebody else now
  }
}

/** A simulator of this data folder that outlived its supervisor, if there is one. */
export function findSimulator(folder: string): number | undefined {
  const known = readJson(join(folder, 'simulator.json'), lockSchema)
  return known !== undefined && isAlive(known.pid) && existsSync(join(folder, 'links.json'))
    ? known.pid
    : undefined
}

/** A simulator without a supervisor ends after ten minutes; this tells it that it is still wanted. */
export async function keepSimulator(clock: Clock, pid: number, signal: AbortSignal): Promise<void> {
  while (!isAborted(signal) && isAlive(pid)) {
    process.kill(pid, 'SIGUSR2')
    await clock.sleep('renew the simulator', seconds(60), signal).catch(() => undefined)
  }
}

/** Ends an adopted process by its id and waits for it, bounded. */
export async function endAdopted(clock: Clock, pid: number): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (!isAlive(pid)) return
    process.kill(pid, signal)
    for (let i = 0; i < 30 && isAlive(pid); i++)
      await clock.sleep('end of an adopted process', milliseconds(100))
  }
}
