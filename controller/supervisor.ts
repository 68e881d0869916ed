import { type ChildProcess, fork } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { type Clock, isAborted } from '../core/clock.ts'
import { ErrorCode, type Failure, sentence, SpillwayError } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import { milliseconds, type RunNs, seconds } from '../core/units.ts'
import { isAlive, trySignal } from './process-registry.ts'

/** A process that fails this often within a minute is not started again: something must be mended first. */
const RESTARTS_PER_MINUTE = 5
const RESTART_PAUSE = milliseconds(500)
const READY_LIMIT = seconds(40)
const STOP_LIMIT = seconds(12)
const KILL_LIMIT = seconds(2)
const RENEW_EVERY = seconds(60)

/** `.ts` in the repository, `.js` in an installed copy. */
const extension = import.meta.filename.endsWith('.ts') ? 'ts' : 'js'
const script = (path: string): string => fileURLToPath(new URL(`../${path}.${extension}`, import.meta.url))

export type Message = Readonly<Record<string, unknown>>

const failureSchema = z.object({
  code: z.enum(ErrorCode),
  message: z.string(),
  expected: z.string().optional(),
  got: z.string().optional(),
  hint: z.string().optional(),
  faults: z.array(z.object({ where: z.string(), what: z.string(), hint: z.string().optional() })).optional()
})

export interface ServiceOptions {
  readonly name: 'sim' | 'slow' | 'daq'
  /** path in the house, without extension */
  readonly script: string
  /** anew for every start: a restarted process may need other words */
  readonly arguments: (isRestart: boolean) => string[]
  /** where its error output goes; absent: to ours */
  readonly errorFile?: string
  /** an adopted process has no channel to us; this signal, once a minute, tells it that it is still wanted */
  readonly renewal?: NodeJS.Signals
  readonly onMessage?: (message: Message) => void
  /** after an unexpected end; the process is being started again unless `willRestart` is false */
  readonly onCrash?: (how: string, willRestart: boolean) => void
}

/**
 * One process that is started (or adopted, when it outlived an earlier supervisor), watched, started again when it
 * dies, and stopped in order. It runs in a process group of its own, so that a Ctrl-C of the terminal reaches the
 * supervisor only.
 */
export class Service {
  readonly #options: ServiceOptions
  readonly #clock: Clock
  readonly #log: Log
  readonly #stopping = new AbortController()
  #child: ChildProcess | undefined
  #adopted: number | undefined
  #starts: RunNs[] = []

  constructor(options: ServiceOptions, clock: Clock, log: Log) {
    this.#options = options
    this.#clock = clock
    this.#log = log
  }

  get pid(): number | undefined {
    return this.#child?.pid ?? this.#adopted
  }

  /** Resolves with the process's `ready` message; rejects with what it says is wrong when it ends before. */
  start(isRestart = false): Promise<Message> {
    const { name, errorFile } = this.#options
    this.#starts.push(this.#clock.now())
    const errors = errorFile === undefined ? 'inherit' : openSync(errorFile, 'a')
    const child = fork(script(this.#options.script), this.#options.arguments(isRestart), {
      detached: true,
      execArgv: [],
      stdio: ['ignore', 'ignore', errors, 'ipc']
    })
    if (typeof errors === 'number') closeSync(errors)
    this.#child = child
    this.#log.info({ child: name, pid: child.pid }, 'started')
    return this.#clock.within(`start ${name}`, READY_LIMIT, (signal) => {
      return new Promise<Message>((resolve, reject) => {
        let isReady = false
        let failure: Failure | undefined
        signal.addEventListener('abort', () => {
          if (!isReady) child.kill('SIGKILL')
        })
        child.on('message', (message) => {
          const fields = message as Message
          if (fields['failed'] !== undefined)
            failure = failureSchema.safeParse(fields['failed']).data as Failure | undefined
          if (fields['ready'] === true) {
            isReady = true
            resolve(fields)
          }
          this.#options.onMessage?.(fields)
        })
        child.on('error', (error) => reject(error))
        const ended = (code: number | null, signalName: NodeJS.Signals | null): void => {
          if (this.#child === child) this.#child = undefined
          const how = signalName === null ? `exit code ${code ?? 0}` : `signal ${signalName}`
          if (!isReady) reject(endedEarly(name, how, failure))
          else this.#crashed(failure === undefined ? how : `${how}: ${failure.message}`)
        }
        child.on('exit', (code, signalName) => {
          // what it said last is still on its way
          if (child.connected) child.once('disconnect', () => ended(code, signalName))
          else ended(code, signalName)
        })
      })
    })
  }

  /** Takes over a process that an earlier supervisor started. */
  adopt(pid: number): void {
    this.#adopted = pid
    this.#log.info({ child: this.#options.name, pid }, 'adopted')
    void this.#watch(pid)
  }

  send(message: Message): void {
    if (this.#child?.connected === true) this.#child.send(message)
  }

  /** Asks it to end, and ends it when it does not within a bound. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    const { pid } = this
    if (pid === undefined) return
    const child = this.#options.name
    if (await endProcess(this.#clock, pid)) this.#log.info({ child, pid }, 'ended')
    else this.#log.warn({ child, pid }, 'did not end; killed')
  }

  async #watch(pid: number): Promise<void> {
    const { signal } = this.#stopping
    let renewed: RunNs | undefined
    while (isAlive(pid)) {
      const { renewal } = this.#options
      if (renewal !== undefined && (renewed === undefined || this.#clock.now() - renewed > RENEW_EVERY)) {
        renewed = this.#clock.now()
        trySignal(pid, renewal)
      }
      await this.#clock.sleep('watch an adopted process', milliseconds(500), signal).catch(() => undefined)
      if (isAborted(signal)) return
    }
    this.#adopted = undefined
    this.#crashed('it ended')
  }

  #crashed(how: string): void {
    const { signal } = this.#stopping
    if (isAborted(signal)) return
    const { name, onCrash } = this.#options
    const minuteAgo = this.#clock.now() - seconds(60)
    this.#starts = this.#starts.filter((at) => at > minuteAgo)
    const willRestart = this.#starts.length < RESTARTS_PER_MINUTE
    this.#log.error({ child: name, how, willRestart }, 'died')
    onCrash?.(how, willRestart)
    if (!willRestart) return
    void this.#clock
      .sleep(`restart ${name}`, RESTART_PAUSE, signal)
      .then(() => this.start(true))
      .catch((error: unknown) => this.#crashed(sentence(error)))
  }
}

/** Asks a process to end and waits for it; kills it after a bound and then returns false. */
export async function endProcess(clock: Clock, pid: number): Promise<boolean> {
  for (const [signal, limit] of [
    ['SIGTERM', STOP_LIMIT],
    ['SIGKILL', KILL_LIMIT]
  ] as const) {
    const until = clock.now() + limit
    trySignal(pid, signal)
    while (isAlive(pid) && clock.now() < until) await clock.sleep('end of a process', milliseconds(20))
    if (!isAlive(pid)) return signal === 'SIGTERM'
  }
  return false
}

function endedEarly(name: string, how: string, failure: Failure | undefined): SpillwayError {
  if (failure === undefined)
    return new SpillwayError(ErrorCode.disconnected, `process ${name} ended before it was ready: ${how}`)
  const { code, message, ...details } = failure
  return new SpillwayError(code, message, details)
}
