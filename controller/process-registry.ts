/**
 * Which processes of a data folder are alive. A file per kind says id and command line: an id alone may be somebody
 * else's by now, and what is adopted is also signalled.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { Clock } from '../core/clock.ts'
import { ErrorCode, sentence, SpillwayError } from '../core/errors.ts'
import { askSlow } from './slow-control/slow-client.ts'
import type { SlowStatus } from './slow-control/slow-status.ts'

const SUPERVISOR = 'supervisor.json'
const SLOW = 'slow.json'
const SIMULATOR = 'simulator.json'

const entrySchema = z.object({
  pid: z.number().int().positive(),
  command: z.string(),
  /** where it answers */
  url: z.string().optional(),
  /** the words that it was started with */
  words: z.array(z.string()).optional()
})
type Entry = z.infer<typeof entrySchema>

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
  return !isZombie(pid)
}

/** Ended, but nobody has asked how: in a container the parent of orphans may never do. */
function isZombie(pid: number): boolean {
  try {
    return /\) Z [^)]*$/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return false // no /proc here
  }
}

export function trySignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // gone: whoever watches it will see
  }
}

/** Empty when there is no such process, or when this system does not tell. */
function commandOf(pid: number): string {
  try {
    return existsSync('/proc/self/cmdline')
      ? readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
      : execFileSync('ps', ['-p', String(pid), '-o', 'args='], { encoding: 'utf8' }).trim()
  } catch {
    return ''
  }
}

function register(file: string, pid: number, more: Pick<Entry, 'url' | 'words'> = {}): void {
  const entry: Entry = { pid, command: commandOf(pid), ...more }
  writeFileSync(`${file}.new`, JSON.stringify(entry))
  renameSync(`${file}.new`, file)
}

/** The entry of a process that still lives. */
function registered(file: string): Entry | undefined {
  if (!existsSync(file)) return undefined
  try {
    const entry = entrySchema.parse(JSON.parse(readFileSync(file, 'utf8')))
    return isAlive(entry.pid) && commandOf(entry.pid) === entry.command ? entry : undefined
  } catch {
    return undefined // cut off by a crash: as if it were not there
  }
}

/** Makes a data folder ours; refuses one that another supervisor uses. Returns what releases it. */
export function lockFolder(folder: string): () => void {
  mkdirSync(folder, { recursive: true })
  const file = join(folder, SUPERVISOR)
  const holder = registered(file)
  if (holder !== undefined && holder.pid !== process.pid)
    throw new SpillwayError(
      ErrorCode.usage,
      `the data folder ${folder} is used by another run (process ${holder.pid})`,
      { hint: 'stop that one, or choose another folder with --data' }
    )
  register(file, process.pid)
  return () => rmSync(file, { force: true })
}

export const registerSlow = (folder: string, url: string): void =>
  register(join(folder, SLOW), process.pid, { url })

/** Where slow control of a data folder answers; undefined before it has come up. */
export function slowUrl(folder: string): string | undefined {
  try {
    return entrySchema.parse(JSON.parse(readFileSync(join(folder, SLOW), 'utf8'))).url
  } catch {
    return undefined
  }
}

/**
 * The slow-control process of this data folder that outlived its supervisor, if there is one. One that is there and
 * does not answer is refused: a second one must not talk to the same hardware.
 */
export async function findSlow(clock: Clock, folder: string): Promise<SlowStatus | undefined> {
  const entry = registered(join(folder, SLOW))
  if (entry?.url === undefined) return undefined
  try {
    const status = await askSlow(clock, entry.url)
    if (status.pid === entry.pid) return status
  } catch (error) {
    throw new SpillwayError(
      ErrorCode.notPermitted,
      `slow control of an earlier run (process ${entry.pid}) is there and does not answer: ${sentence(error)}`,
      { hint: `end it (kill ${entry.pid}), which moves no high voltage, then start again`, cause: error }
    )
  }
  return undefined
}

export interface RunningSimulator {
  readonly pid: number
  /** the words that it was started with */
  readonly words: readonly string[]
}

export const registerSimulator = (folder: string, pid: number, words: readonly string[]): void =>
  register(join(folder, SIMULATOR), pid, { words: [...words] })

/** A simulator of this data folder that outlived its supervisor, if there is one. */
export function findSimulator(folder: string): RunningSimulator | undefined {
  const entry = registered(join(folder, SIMULATOR))
  return entry?.words === undefined ? undefined : { pid: entry.pid, words: entry.words }
}
