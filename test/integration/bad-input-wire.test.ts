/**
 * The same bad input on real wires and in virtual time: simulator, slow control and data acquisition as processes,
 * and the same seed and scenario without a wire. Counts, faults by kind, conditions, muons on target and the hashes
 * of every column must be the same, those of a replay of the raw file too; a spill after the damage is clean.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { loadExperiment } from '../../config/load.ts'
import { SystemClock } from '../../core/clock.ts'
import { seconds } from '../../core/units.ts'
import { spillDocument } from '../../controller/commands/output.ts'
import { runVirtually } from '../../controller/memory.ts'

const SEED = 11
const SPILLS = 3
const bin = fileURLToPath(new URL('../../bin/spillway.js', import.meta.url))

interface Document {
  readonly state: string
  readonly files: readonly string[]
  readonly columnHashes: Readonly<Record<string, string>>
  readonly condition: readonly string[]
  readonly spills: readonly Record<string, unknown>[]
}

/** The one JSON document that a command prints. */
function documentOf(...words: readonly string[]): Promise<unknown> {
  const child = spawn(process.execPath, [bin, ...words, '--json'], { stdio: ['ignore', 'pipe', 'ignore'] })
  let out = ''
  child.stdout.on('data', (bytes: Buffer) => (out += bytes.toString()))
  return new SystemClock().within(words[0]!, seconds(100), async (signal) => {
    signal.addEventListener('abort', () => child.kill('SIGTERM'))
    const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
    expect(code).toBe(0)
    return JSON.parse(out) as unknown
  })
}

const runOnWires = async (folder: string): Promise<Document> =>
  (await documentOf(
    ...['run', 'na64mu-2022', '--sim', '--spills', String(SPILLS), '--cycle', 'fast', '--seed', String(SEED)],
    ...['--scenario', 'bad-input', '--data', folder, '--port', '0']
  )) as Document

test('a damaged run gives the same ledger and the same columns on wires and in virtual time', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-bad-input-'))
  try {
    const onWires = await runOnWires(folder)
    const inMemory = await runVirtually({
      experiment: loadExperiment('na64mu-2022'),
      ...{ seed: SEED, spills: SPILLS, cycle: 'fast', scenario: 'bad-input' }
    })
    expect(onWires.state).toBe('configured')
    expect(onWires.condition).toEqual(['tainted', 'incomplete', 'simulated'])
    const timeless = (spill: object): object => ({ ...spill, utc: '' })
    const documents = JSON.parse(JSON.stringify(inMemory.spills.map(spillDocument))) as object[]
    expect(onWires.spills.map(timeless)).toEqual(documents.map(timeless))
    expect(inMemory.spills.map(({ condition }) => condition)).toEqual([
      ['tainted', 'incomplete', 'simulated'],
      ['tainted', 'incomplete', 'simulated'],
      ['simulated']
    ])
    expect(inMemory.spills.every(({ closed }) => closed)).toBe(true)

    const again = (await documentOf('replay', ...onWires.files)) as Document
    expect(again.columnHashes).toEqual(onWires.columnHashes)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}, 120_000)
