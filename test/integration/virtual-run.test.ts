import { expect, test } from 'vitest'
import { loadExperiment } from '../../config/load.ts'
import { runVirtually } from '../../controller/memory.ts'

// The whole house in one process and virtual time: drivers, twins, run control, readout, selection. What repeats
// is compared to the byte; what is counted in two places is compared between them.

const experiment = loadExperiment('na64mu-2022')
const options = { experiment, seed: 7, cycle: 'fast', scenario: 'low-intensity', spills: 5 } as const

test('a run of some spills closes every ledger, and the crate, the sources and the builder agree', async () => {
  const result = await runVirtually(options)
  expect(result.state).toBe('configured')
  expect(result.spills.map((s) => s.spill)).toEqual([1, 2, 3, 4, 5])
  for (const spill of result.spills) {
    expect(spill.condition, spill.reasons.join('; ')).toEqual(['simulated'])
    expect(spill.closed).toBe(true)
    expect(spill.eventsBuilt).toBeGreaterThan(10)
    for (const source of spill.sources) {
      expect(source.sent).toBe(spill.eventsBuilt)
      expect(source.lost).toBe(0)
    }
    expect(spill.muonsOnTarget).toBeGreaterThan(1000)
  }
  expect(result.runs).toMatchObject([{ run: 1, spills: 5, condition: ['simulated'] }])
})

test('the same seed writes the same journal, another seed another one', async () => {
  const [a, b, c] = [
    await runVirtually({ ...options, spills: 2 }),
    await runVirtually({ ...options, spills: 2 }),
    await runVirtually({ ...options, spills: 2, seed: 8 })
  ]
  expect(a.journal).toBe(b.journal)
  expect(a.journal).not.toBe(c.journal)
})

test('a run of 100 spills in which a board fails is remembered the same twice, failure included', async () => {
  const failing = { ...options, scenario: 'board-fails', spills: 100 }
  const first = await runVirtually(failing)
  const second = await runVirtually(failing)
  expect(first.journal).toBe(second.journal)
  expect(first.journal).toContain('"device-lost"')
  const conditions = new Set(first.runs.flatMap((run) => run.condition))
  expect(conditions.has('interrupted') || conditions.has('aborted')).toBe(true)
})

test('the bench takes artificial spills', async () => {
  const bench = loadExperiment('bench')
  const result = await runVirtually({ experiment: bench, seed: 1, cycle: 'fast', spills: 3 })
  expect(result.state, result.status).toBe('configured')
  expect(result.spills).toHaveLength(3)
  for (const spill of result.spills) expect(spill.closed).toBe(true)
})

test('a run rolls over by itself after spillsPerRun, between two spills', async () => {
  const short = { ...experiment, run: { ...experiment.run, spillsPerRun: 2 } }
  const result = await runVirtually({ ...options, experiment: short, spills: 5 })
  expect(result.runs.map(({ run, spills }) => [run, spills])).toEqual([
    [1, 2],
    [2, 2],
    [3, 1]
  ])
  expect(result.spills.map((s) => [s.run, s.spill])).toEqual([
    [1, 1],
    [1, 2],
    [2, 1],
    [2, 2],
    [3, 1]
  ])
})
