/**
 * The whole program on real processes and wires, as its users start it: what it prints, records and replays, what is left
 * when one of its processes is killed, and how it ends. Little beam, short pauses; several stories at a time.
 */
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { SourceLedger } from '../../console/api/api.ts'
import { SystemClock } from '../../core/clock.ts'
import { seconds } from '../../core/units.ts'
import { isAlive } from '../../controller/process-registry.ts'
import { type DataFolder, type Ended, gone, inFolder, kill, PROGRAM, type Spillway } from './spillway.ts'

const clock = new SystemClock()
const EXPERIMENT = 'na64mu-2022'
const QUIET = ['--scenario', 'low-intensity']

interface SpillDocument {
  readonly run: number
  readonly number: number
  readonly condition: string[]
  readonly muonsOnTarget: number
  readonly triggers: Record<string, number>
  readonly built: number
  readonly partial: number
  readonly selected: number
  readonly closed: boolean
  readonly columnHash: string
  readonly sources: SourceLedger[]
}
interface RunDocument {
  readonly run: number
  readonly condition: string[]
  readonly columnHashes: Record<string, string>
  readonly files: string[]
  readonly spills: SpillDocument[]
  readonly state: string | null
  readonly reason: string
}
interface RunsDocument {
  readonly runs: {
    number: number
    condition: string[]
    reason: string
    endedUtc: string | null
    spills: number
    files: string[]
    totals: { columnHashes: Record<string, string> } | null
  }[]
}
interface ReplayDocument {
  readonly run: number
  readonly spills: (SpillDocument & { isClosed: boolean; selectedEvents: number[] })[]
  readonly columnHashes: Record<string, string>
  readonly faults: { what: string }[]
}

const documentOf = <T>({ stdout }: Ended): T => JSON.parse(stdout) as T
const isSimulatedOnly = (conditions: readonly string[]): boolean => conditions.join() === 'simulated'

/** What a spill says apart from when it was. */
const counts = ({ utc: _, ...spill }: SpillDocument & { utc?: string }): unknown => spill

describe.concurrent('a run of a given number of spills', () => {
  test('prints one document, is repeated by its seed, and is found again in the records and by replay', async () => {
    await inFolder((first) =>
      inFolder(async (second) => {
        const words = ['--spills', '2', '--json', ...QUIET]
        const ends = await Promise.all([first, second].map((f) => f.run(EXPERIMENT, ...words).ended))
        for (const { code, stderr } of ends) expect(code, stderr).toBe(0)
        const [a, b] = ends.map((end) => documentOf<RunDocument>(end)) as [RunDocument, RunDocument]

        expect(a).toMatchObject({
          experiment: EXPERIMENT,
          simulated: true,
          seed: 7,
          run: 1,
          condition: ['simulated']
        })
        expect(a.spills.map(({ run, number }) => [run, number])).toEqual([
          [1, 1],
          [1, 2]
        ])
        for (const spill of a.spills) {
          expect(isSimulatedOnly(spill.condition)).toBe(true)
          expect(spill.muonsOnTarget).toBeGreaterThan(10_000)
          expect(Object.keys(spill.triggers)).toContain('physics')
          expect(spill.built).toBeGreaterThan(10)
          expect(spill.built).toBe(Object.values(spill.triggers).reduce((sum, n) => sum + n))
          expect(spill.selected).toBeGreaterThan(0)
          expect(spill.selected).toBeLessThan(spill.built)
          expect(spill.sources.map(({ device }) => device)).toContain('trigger-crate')
          for (const source of spill.sources)
            expect(source).toMatchObject({
              ...{ sent: spill.built, received: spill.built, built: spill.built, partial: 0, late: 0 },
              ...{ duplicate: 0, corrupt: 0, dropped: 0, lost: 0, closed: true }
            })
        }
        expect(b.spills.map(counts)).toEqual(a.spills.map(counts))
        expect(b.columnHashes).toEqual(a.columnHashes)
        expect(Object.keys(a.columnHashes).length).toBeGreaterThan(10)

        const [replayed, runs, spills, ledger] = (await Promise.all([
          first.read('replay', a.files[0]!),
          first.read('runs'),
          first.read('spills', '1'),
          first.read('ledger', '1')
        ])) as [
          ReplayDocument,
          RunsDocument,
          { spills: SpillDocument[] },
          { closed: boolean; spills: SpillDocument[] }
        ]
        expect(replayed.faults).toEqual([])
        expect(replayed.columnHashes).toEqual(a.columnHashes)
        expect(replayed.spills.map((s) => [s.number, s.built, s.selected, s.columnHash])).toEqual(
          a.spills.map((s) => [s.number, s.built, s.selected, s.columnHash])
        )
        expect(replayed.spills.map((s) => s.selectedEvents.length)).toEqual(a.spills.map((s) => s.selected))
        expect(runs.runs).toMatchObject([
          { number: 1, condition: ['simulated'], spills: 2, totals: { columnHashes: a.columnHashes } }
        ])
        expect(spills.spills).toEqual(a.spills)
        expect(ledger.closed).toBe(true)
        expect(ledger.spills.map((s) => s.sources)).toEqual(a.spills.map((s) => s.sources))
      })
    )
  })
})
