/**
 * The whole program on real processes and wires, as its users start it: what it prints, records and replays, what is left
 * when one of its processes is killed, and how it ends. Little beam, short pauses; several stories at a time.
 */
import { describe, expect, test, vi } from 'vitest'
import type { Snapshot, SourceLedger } from '../../console/api/api.ts'
import { isAlive } from '../../controller/process-registry.ts'
import { type Console, type DataFolder, type Ended, gone, inFolder, kill } from './spillway.ts'

/** for a machine with much else to do; each wait has a bound of its own */
vi.setConfig({ testTimeout: 240_000 })

const EXPERIMENT = 'na64mu-2022'
const QUIET = ['--scenario', 'low-intensity']

interface SpillDocument {
  readonly utc: string
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

const runOf = ({ stdout }: Ended): RunDocument => JSON.parse(stdout) as RunDocument
const isSimulatedOnly = (conditions: readonly string[]): boolean => conditions.join() === 'simulated'

/** What a spill says apart from when it was. */
const counts = ({ utc: _, ...spill }: SpillDocument): unknown => spill

/** measured high voltages by channel */
const voltages = ({ signals }: Snapshot): Record<string, number> =>
  Object.fromEntries(
    signals
      .filter(({ path }) => /^hv-.*\/voltage$/.test(path))
      .map(({ path, value }) => [path, Number(value)])
  )

function expectSameVoltages(now: Snapshot, before: Snapshot): void {
  const [a, b] = [voltages(before), voltages(now)]
  expect(Object.keys(a).length).toBeGreaterThan(4)
  expect(Object.keys(b)).toEqual(Object.keys(a))
  // the measurement has noise; a ramp goes by 50 V per second
  for (const [path, volt] of Object.entries(b)) expect(Math.abs(volt - a[path]!), path).toBeLessThan(1)
  expect(Math.max(...Object.values(a))).toBeGreaterThan(1000)
}

/** Waits for the middle of an extraction; `after` that many closed spills. */
const inSpill = (console: Console, after: number): Promise<Snapshot> =>
  console.until(
    `the middle of a spill after ${after}`,
    (s) =>
      s.run.state === 'running' &&
      s.spills.length >= after &&
      s.spill.phase === 'extracting' &&
      s.spill.events > 20
  )

/** Every device is there, and slow control has read it since. */
const isAllThere = (since: number) => (s: Snapshot) =>
  s.devices.length > 6 &&
  s.devices.every((d) => d.state === 'connected') &&
  s.signals.every(({ quality }) => quality === 'good') &&
  s.devices.every((d) => Date.parse(d.lastSeen ?? '') > since)

/** The spills of a run that were recorded are those that its raw file gives again, whatever follows them. */
async function expectReplayable(folder: DataFolder, run: number, spills: number): Promise<ReplayDocument> {
  const { runs } = (await folder.read('runs')) as RunsDocument
  const recorded = (await folder.read('spills', String(run))) as { spills: SpillDocument[] }
  const replayed = (await folder.read(
    'replay',
    runs.find(({ number }) => number === run)!.files[0]!
  )) as ReplayDocument
  expect(recorded.spills.length).toBeGreaterThanOrEqual(spills)
  const again = new Map(replayed.spills.map((spill) => [spill.number, spill]))
  for (const { number, built, partial, selected, columnHash } of recorded.spills)
    expect(again.get(number)).toMatchObject({ built, partial, selected, columnHash })
  return replayed
}

describe.concurrent('a run of a given number of spills', () => {
  test('prints one document, is repeated by its seed, and is found again in the records and by replay', async () => {
    await inFolder((first) =>
      inFolder(async (second) => {
        const words = ['--spills', '2', '--json', ...QUIET]
        const ends = await Promise.all([first, second].map((f) => f.run(EXPERIMENT, ...words).ended))
        for (const { code, stderr } of ends) expect(code, stderr).toBe(0)
        const [a, b] = ends.map(runOf) as [RunDocument, RunDocument]

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

        const again = runOf(await first.run(EXPERIMENT, '--spills', '1', '--json', ...QUIET).ended)
        expect(again.run).toBe(2)
        expect(counts({ ...again.spills[0]!, run: 1 })).toEqual(counts(a.spills[0]!))
      })
    )
  })
})

describe.concurrent('a process that is killed in the middle of a spill', () => {
  test('slow control comes back while the run goes on; without its hall the run is safe, then takes data again', async () => {
    await inFolder(async (folder) => {
      const run = folder.run(EXPERIMENT, '--json', ...QUIET)
      const console = await run.console()
      const before = await inSpill(console, 1)
      const first = folder.pid('slow')
      kill(first)
      const killed = Date.now()
      await run.hear(/slow control died \(signal SIGKILL\); it is started again/)
      const back = await console.until('slow control is back', isAllThere(killed))
      expect(folder.pid('slow')).not.toBe(first)
      expect(back.run, back.run.status).toMatchObject({ state: 'running', number: 1 })
      expectSameVoltages(back, before)
      const next = await console.until('another spill', (s) => s.spills.length >= 3)
      expect(next.run, next.run.status).toMatchObject({ state: 'running', number: 1 })
      expect(next.spills.every((spill) => spill.closed)).toBe(true)

      const inThird = await inSpill(console, 3)
      const hall = folder.pid('sim')
      kill(hall)
      await run.hear(/the simulator died \(signal SIGKILL\); it is started again/)
      const safe = await console.until('safe', (s) => s.run.state === 'safe')
      // interrupted as well when a required device was missed a moment before an essential one
      expect(safe.run.condition).toContain('aborted')
      expect(safe.run.status).toMatch(/is gone/)
      const there = await console.until('all devices are back', isAllThere(Date.now()))
      expect(folder.pid('sim')).not.toBe(hall)
      expect(there.run.state).toBe('safe')
      expectSameVoltages(there, before)

      await expect(console.command({ name: 'start' })).rejects.toThrow('recover first')
      await console.command({ name: 'recover' })
      await console.command({ name: 'start' })
      const again = await console.until('a spill of the next run', (s) => s.spills.at(-1)?.run === 2)
      expect(again.spills.at(-1)).toMatchObject({ spill: 1, condition: ['simulated'], closed: true })
      expect(inThird.spills.length).toBeGreaterThanOrEqual(3)
      expect(await run.end()).toMatchObject({ code: 0 })
      const { runs } = (await folder.read('runs')) as RunsDocument
      expect(runs[0]!.condition).toContain('aborted')
      expect(runs[1]!.condition).toContain('interrupted')
      expect(runs[1]!.condition).not.toContain('aborted')
      await expectReplayable(folder, 1, 3)
    })
  })

  test('data acquisition comes back at its address with the run closed; a new supervisor adopts slow control and the hall', async () => {
    await inFolder(async (folder) => {
      const run = folder.run(EXPERIMENT, '--json', ...QUIET)
      const console = await run.console()
      const before = await inSpill(console, 1)
      const first = folder.pid('daq')
      kill(first)
      await run.hear(
        /data acquisition died \(signal SIGKILL\); it is started again and closes the run as aborted/
      )
      await run.hear(/run 1 was left open by an earlier process; closed as aborted/)
      const back = await console.until('the same address', isAllThere(Date.now()))
      expect(folder.pid('daq')).not.toBe(first)
      expect(back.run.state).toBe('idle')
      expectSameVoltages(back, before)
      const { spills } = await expectReplayable(folder, 1, 1)
      expect(spills.map(({ number, isClosed }) => [number, isClosed])).toEqual([
        [1, true],
        [2, false]
      ])

      await console.command({ name: 'start' })
      await inSpill(console, 1)
      const [daq, slow, sim] = [folder.pid('daq'), folder.pid('slow'), folder.pid('sim')]
      kill(folder.pid('supervisor'))
      await run.ended
      await gone(daq)
      expect([slow, sim].map(isAlive)).toEqual([true, true])
      const { runs } = (await folder.read('runs')) as RunsDocument
      expect(runs.map(({ condition, reason }) => [condition.includes('aborted'), reason])).toEqual([
        [true, 'the process that took it died; its finished spills are complete'],
        [true, 'the supervisor is gone']
      ])

      const next = folder.run(EXPERIMENT, '--json', ...QUIET)
      await next.hear(new RegExp(`simulated hall is still running \\(process ${sim}\\); adopted`))
      await next.hear(new RegExp(`slow control is still running \\(process ${slow}\\); adopted`))
      const page = await next.console()
      const again = await page.until('a spill with the adopted hall', (s) => s.spills.at(-1)?.run === 3)
      expect(again.spills.at(-1)).toMatchObject({ condition: ['simulated'], closed: true })
      expectSameVoltages(again, before)
      expect([folder.pid('slow'), folder.pid('sim')]).toEqual([slow, sim])

      kill(slow)
      await next.hear(/slow control died/)
      const watched = await page.until('slow control is back', isAllThere(Date.now()))
      expect(watched.run.state).toBe('running')
      expect(folder.pid('slow')).not.toBe(slow)
      expect(await next.end('SIGTERM')).toMatchObject({ code: 0 })
      expect(folder.pids().filter(isAlive)).toEqual([])
    })
  })
})
