// The run database: numbers are unique and count from 1, records come back whole, also from a process that was killed;
// a damaged file says what to do.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { SpillSummary } from '../../../../console/api/api.ts'
import { SpillwayError } from '../../../../core/errors.ts'
import { RUN_DATABASE_FILE, type RunBegin, RunDatabase } from '../../../../controller/store/run-database.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'runs-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

const BEGIN: RunBegin = {
  experiment: 'na64mu-2022',
  configHash: 'abc',
  files: { 'trigger.yaml': 'lines: []\n' },
  isSimulated: true,
  seed: 2 ** 40,
  startedUtc: new Date('2026-11-22T10:00:00Z')
}
const spill = (run: number, number: number): SpillSummary => ({
  ...{
    run,
    spill: number,
    utc: '2026-11-22T10:00:15.000Z',
    condition: ['simulated'],
    reasons: ['a "reason"']
  },
  ...{ muonsOnTarget: 2_500_000.5, liveFraction: 0.9, triggers: { physics: 10 } },
  ...{ eventsBuilt: 100, eventsPartial: 1, eventsSelected: 7, columnHash: 'ab', closed: true },
  sources: [
    {
      ...{ source: 600, device: 'ecal', expected: true, sent: 101, received: 101, built: 100, partial: 1 },
      ...{ late: 0, duplicate: 0, corrupt: 0, dropped: 0, lost: null, closed: true, faults: { garbage: 3 } }
    }
  ]
})
const caught = (work: () => unknown): SpillwayError => {
  try {
    work()
  } catch (error) {
    if (error instanceof SpillwayError) return error
  }
  return expect.fail('nothing was thrown')
}

test('a run with its spills comes back as it was recorded', () => {
  const database = RunDatabase.open(folder)
  const run = database.beginRun(BEGIN)
  database.addFile(run, '/data/b.zst')
  database.addFile(run, '/data/a.zst')
  database.addSpill(run, spill(run, 1))
  database.addSpill(run, spill(run, 2))
  const begun = database.run(run)
  expect(begun).toMatchObject({
    ...{
      number: 1,
      experiment: 'na64mu-2022',
      isSimulated: true,
      seed: 2 ** 40,
      startedUtc: '2026-11-22T10:00:00.000Z'
    },
    ...{ endedUtc: null, condition: [], reason: '', totals: null, files: ['/data/b.zst', '/data/a.zst'] },
    ...{ spills: 2, eventsBuilt: 200, eventsSelected: 14, muonsOnTarget: 5_000_001 }
  })
  database.endRun(run, {
    endedUtc: new Date('2026-11-22T10:01:00Z'),
    condition: ['incomplete'],
    reason: 'board lost',
    totals: { hashes: { amplitude: 'ff' } }
  })
  database.close()

  const again = RunDatabase.open(folder)
  expect(again.spills(run)).toEqual([spill(run, 1), spill(run, 2)])
  expect(again.configuration('abc')).toEqual(BEGIN.files)
  expect(again.run(run)).toMatchObject({
    ...{ endedUtc: '2026-11-22T10:01:00.000Z', condition: ['incomplete'], reason: 'board lost' },
    totals: { hashes: { amplitude: 'ff' } }
  })
  again.close()
})

test('numbers go on after a restart, and unfinished runs are known', () => {
  const first = RunDatabase.open(folder)
  expect([first.beginRun(BEGIN), first.beginRun(BEGIN)]).toEqual([1, 2])
  first.endRun(1, { endedUtc: new Date(0), condition: [], reason: '' })
  // killed here: never closed
  const second = RunDatabase.open(folder)
  expect(second.unfinishedRuns().map((run) => run.number)).toEqual([2])
  expect(second.beginRun(BEGIN)).toBe(3)
  expect(second.runs().map((run) => run.number)).toEqual([1, 2, 3])
  first.close()
  second.close()
})

test('a spill that is recorded again replaces the first record', () => {
  const database = RunDatabase.open(folder)
  const run = database.beginRun(BEGIN)
  database.addSpill(run, spill(run, 1))
  database.addSpill(run, { ...spill(run, 1), eventsBuilt: 5 })
  expect(database.spills(run).map((s) => s.eventsBuilt)).toEqual([5])
  database.close()
})

describe('refusals', () => {
  test('of a run that does not exist', () => {
    const database = RunDatabase.open(folder)
    const codes = [
      () => database.run(9),
      () => database.endRun(9, { endedUtc: new Date(0), condition: [], reason: '' }),
      () => database.addSpill(9, spill(9, 1)),
      () => database.addFile(9, '/x'),
      () => database.configuration('none')
    ].map((work) => caught(work).code)
    expect(codes).toEqual(Array(5).fill('not-found'))
    expect(database.spills(9)).toEqual([])
    database.close()
  })

  test.each([
    ['no database at all', Buffer.alloc(5000, 'not a database ')],
    ['the header alone', Buffer.concat([Buffer.from('SQLite format 3\0'), Buffer.alloc(4080, 0xff)])]
  ])('%s: says where the file is and what to do', (_, bytes) => {
    writeFileSync(join(folder, RUN_DATABASE_FILE), bytes)
    const error = caught(() => RunDatabase.open(folder))
    expect(error.code).toBe('corrupt')
    expect(error.describe()).toContain(RUN_DATABASE_FILE)
    expect(error.details.hint).toContain('move it away')
  })

  test('a database of a newer version', () => {
    RunDatabase.open(folder).close()
    const db = new DatabaseSync(join(folder, RUN_DATABASE_FILE))
    db.exec('PRAGMA user_version = 99')
    db.close()
    expect(caught(() => RunDatabase.open(folder))).toMatchObject({
      code: 'corrupt',
      details: { got: 'schema 99' }
    })
  })

  test('a folder that is a file', () => {
    writeFileSync(join(folder, 'x'), '')
    expect(caught(() => RunDatabase.open(join(folder, 'x'))).code).toBe('refused')
  })

  test('a closed database', () => {
    const database = RunDatabase.open(folder)
    database.close()
    expect(caught(() => database.runs()).code).toBe('refused')
  })
})
