/**
 * The program as people start it: a process, its lines, its API, its recorded data. Everything waits with a bound, and
 * whatever was started is ended by its process id, also when a test fails half-way.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import type { Command, LiveMessage, Snapshot } from '../../console/api/api.ts'
import { SystemClock } from '../../core/clock.ts'
import { isAlive } from '../../controller/process-registry.ts'
import { milliseconds, seconds } from '../../core/units.ts'

export const ROOT = fileURLToPath(new URL('../../', import.meta.url))
export const PROGRAM = join(ROOT, 'bin', 'spillway.js')
const clock = new SystemClock()

/** generous: eight processes may start at once on two cores */
const PATIENCE = seconds(60)
export const soon = <T>(name: string, work: Promise<T>, limit = PATIENCE): Promise<T> =>
  clock.within(name, limit, () => work)

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

const running = new Set<number>()
/** A worker that is ended by its time limit leaves nothing behind either. */
process.on('exit', () => {
  for (const pid of running) kill(pid)
})

export function kill(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(pid, signal)
  } catch {
    // it has ended
  }
}

/** Resolves when none of the processes is there any more. */
export function gone(...pids: number[]): Promise<void> {
  return clock.within(`end of ${pids.join(', ')}`, PATIENCE, async (signal) => {
    while (pids.some(isAlive)) await clock.sleep('look again', milliseconds(20), signal)
  })
}

/** A process of the program. */
export class Spillway {
  readonly #child: ChildProcess
  readonly ended: Promise<Ended>
  #stdout = ''
  #stderr = ''
  #heard: () => void = () => undefined

  /** @param command what runs the program; by default this Node */
  constructor(
    words: readonly string[],
    command: readonly string[] = [process.execPath, PROGRAM],
    cwd = tmpdir()
  ) {
    this.#child = spawn(command[0]!, [...command.slice(1), ...words], {
      cwd,
      // a group of its own, as a terminal's job is
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe']
    })
    running.add(this.pid)
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text
      this.#heard()
    })
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text
      this.#heard()
    })
    this.ended = new Promise((resolve) =>
      this.#child.on('close', (code) => {
        running.delete(this.pid)
        resolve({ code, stdout: this.#stdout, stderr: this.#stderr })
        this.#heard()
      })
    )
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** everything it said so far, to people and to programs */
  get said(): string {
    return this.#stderr + this.#stdout
  }

  /** Resolves with the first match in what it says or has said. */
  hear(pattern: RegExp): Promise<RegExpExecArray> {
    return soon(
      String(pattern),
      new Promise((resolve, reject) => {
        const before = this.#heard
        const look = (): void => {
          before()
          const match = pattern.exec(this.said)
          if (match !== null) resolve(match)
          else if (this.#child.exitCode !== null) reject(unheard(pattern, this.said))
        }
        this.#heard = look
        look()
      })
    )
  }

  /** The console of a run, when it is up. */
  async console(): Promise<Console> {
    const [, url] = await this.hear(/console on (http:\S+)/)
    return new Console(url!)
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<Ended> {
    kill(this.pid, signal)
    return soon(`end by ${signal}`, this.ended)
  }
}

const unheard = (pattern: RegExp, said: string): Error => {
  try {
    expect.fail(`ended without saying ${String(pattern)}:\n${said}`)
  } catch (error) {
    return error as Error
  }
}

/** The HTTP face of a run, as a page uses it. */
export class Console {
  readonly url: string

  constructor(url: string) {
    this.url = url
  }

  async snapshot(): Promise<Snapshot> {
    const answer = await soon('snapshot', fetch(`${this.url}/api/snapshot`), seconds(10))
    return (await answer.json()) as Snapshot
  }

  async command(command: Command): Promise<unknown> {
    const answer = await soon(
      command.name,
      fetch(`${this.url}/api/command`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(command)
      }),
      seconds(10)
    )
    const body: unknown = await answer.json()
    expect(answer.status, JSON.stringify(body)).toBe(200)
    return body
  }

  /** Follows the live feed, over reconnections, until the snapshot is as wanted. */
  until(name: string, isSo: (snapshot: Snapshot) => boolean): Promise<Snapshot> {
    let last: Snapshot | undefined
    return clock
      .within(name, PATIENCE, async (signal) => {
        while (!signal.aborted) {
          const found = await this.#follow(isSo, signal, (snapshot) => (last = snapshot))
          if (found !== undefined) return found
          await clock.sleep('connect again', milliseconds(100), signal)
        }
        return expect.fail(`not seen: ${name}`)
      })
      .catch(() => expect.fail(`not seen: ${name}; last seen: ${JSON.stringify({ ...last, signals: [] })}`))
  }

  #follow(
    isSo: (snapshot: Snapshot) => boolean,
    signal: AbortSignal,
    onSnapshot: (snapshot: Snapshot) => void
  ): Promise<Snapshot | undefined> {
    return new Promise((resolve) => {
      const socket = new WebSocket(`${this.url.replace('http', 'ws')}/api/live`)
      let snapshot: Snapshot | undefined
      const leave = (found?: Snapshot): void => {
        resolve(found)
        socket.close()
      }
      signal.addEventListener('abort', () => leave())
      socket.addEventListener('close', () => leave())
      socket.addEventListener('error', () => leave())
      socket.addEventListener('message', ({ data }) => {
        const message = JSON.parse(String(data)) as LiveMessage
        if (message.kind === 'snapshot') snapshot = message.snapshot
        else if (message.kind === 'change' && snapshot !== undefined)
          snapshot = { ...snapshot, ...message.change, n: message.n, utc: message.utc }
        if (snapshot === undefined) return
        onSnapshot(snapshot)
        if (isSo(snapshot)) leave(snapshot)
      })
    })
  }
}

export type ProcessName = 'supervisor' | 'sim' | 'slow' | 'daq'

/** A data folder, and what the supervisors that used it wrote down. */
export class DataFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'spillway-'))
  readonly #runs: Spillway[] = []

  /** `run <experiment>` in this folder, simulated, at any port. */
  run(experiment: string, ...words: string[]): Spillway {
    return this.start(['run', experiment, '--sim', '--seed', '7', '--cycle', 'fast', '--port', '0', ...words])
  }

  start(words: readonly string[], command?: readonly string[]): Spillway {
    const run = new Spillway([...words, '--data', this.path], command, this.path)
    this.#runs.push(run)
    return run
  }

  /** A command that reads what was recorded; its document. */
  async read(...words: string[]): Promise<unknown> {
    const { code, stdout, stderr } = await soon(
      words.join(' '),
      new Spillway([...words, '--data', this.path, '--json']).ended
    )
    expect(code, stderr).toBe(0)
    return JSON.parse(stdout)
  }

  /** What the supervisors of this folder noted about their processes, oldest first. */
  notes(): { readonly msg: string; readonly child?: ProcessName; readonly pid?: number }[] {
    const file = join(this.path, 'log', 'supervisor.jsonl')
    if (!existsSync(file)) return []
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as { msg: string; child?: ProcessName; pid?: number })
  }

  /** Resolves when a supervisor has noted that of its process. */
  noted(name: ProcessName, what: string): Promise<void> {
    return clock.within(`${name} ${what}`, PATIENCE, async (signal) => {
      while (!this.notes().some(({ child, msg }) => child === name && msg === what))
        await clock.sleep('look again', milliseconds(20), signal)
    })
  }

  /** id of the process of that name which was started last */
  pid(name: ProcessName): number {
    const started = this.notes().filter((note) => note.child === name && note.msg === 'started')
    return started.at(-1)?.pid ?? expect.fail(`no process ${name}`)
  }

  pids(): number[] {
    const known = this.notes().flatMap(({ pid }) => (pid === undefined ? [] : [pid]))
    return [...new Set([...known, ...this.#runs.map((run) => run.pid)])]
  }

  async remove(): Promise<void> {
    // A supervisor may just be starting something again.
    for (let round = 0; round < 5; round++) {
      const left = this.pids().filter(isAlive)
      if (left.length === 0) break
      for (const pid of left) kill(pid)
      await gone(...left)
    }
    rmSync(this.path, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** Does the work in a data folder of its own, and leaves neither files nor processes. */
export async function inFolder(work: (folder: DataFolder) => Promise<void>): Promise<void> {
  const folder = new DataFolder()
  const removeAtExit = (): void => {
    for (const pid of folder.pids()) kill(pid)
  }
  process.on('exit', removeAtExit)
  try {
    await work(folder)
  } finally {
    await folder.remove()
    process.off('exit', removeAtExit)
  }
}
