import { expect, test } from 'vitest'
import { loadExperiment } from '../../config/load.ts'
import type { DeviceRole } from '../../core/device.ts'
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

/** The same hall, in which the board that fails (spills 3 to 5) has another role. */
const boardIs = (role: DeviceRole): typeof experiment => ({
  ...experiment,
  devices: experiment.devices.map((device) => (device.id === 'msadc-ecal' ? { ...device, role } : device))
})
const failing = { ...options, scenario: 'board-fails', spills: 100 }

test('100 spills in which an optional board fails are all taken, degraded, and remembered the same twice', async () => {
  const first = await runVirtually({ ...failing, experiment: boardIs('optional') })
  const second = await runVirtually({ ...failing, experiment: boardIs('optional') })
  expect(first.state, first.status).toBe('configured')
  expect(first.spills).toHaveLength(100)
  expect(first.journal).toBe(second.journal)
  expect(first.journal).toContain('"device-lost"')
  expect(first.runs[0]!.condition).toContain('degraded')
  expect(first.spills[2]!.condition).toContain('incomplete')
  const [before, , during, , , after] = [1, 2, 3, 4, 5, 6].map((n) => first.spills[n - 1]!)
  expect(before!.eventsPartial).toBe(0)
  expect(during!.eventsPartial).toBeGreaterThan(0)
  expect(after!.eventsPartial).toBe(0)
  expect(first.spills.at(-1)!.condition).toEqual(['degraded', 'simulated'])
})

test('a required board that fails stops the run, interrupted; an essential one leads to safe', async () => {
  const required = await runVirtually({ ...failing, experiment: boardIs('required') })
  expect(required.state).toBe('configured')
  expect(required.runs[0]!.condition).toContain('interrupted')
  const essential = await runVirtually({ ...failing, experiment: boardIs('essential') })
  expect(essential.state).toBe('safe')
  expect(essential.status).toContain('msadc-ecal is gone')
  expect(essential.runs[0]!.condition).toContain('aborted')
  for (const result of [required, essential]) {
    expect(result.spills).toHaveLength(3)
    expect(result.spills.slice(0, 2).every((spill) => spill.closed)).toBe(true)
  }
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

test('continuous slices follow each other without a pause of ours', async () => {
  const bench = loadExperiment('bench')
  const continuous = { ...bench, spill: { ...bench.spill, source: 'continuous' as const, lengthMs: 500 } }
  const result = await runVirtually({ experiment: continuous, seed: 1, cycle: 'fast', spills: 4 })
  expect(result.state, result.status).toBe('configured')
  expect(result.spills.every((spill) => spill.closed)).toBe(true)
  const [first, last] = [result.spills[0]!, result.spills[3]!].map((spill) => Date.parse(spill.utc))
  // three more slices of half a second, and what closing each of them takes
  expect(last! - first!).toBeGreaterThanOrEqual(1500)
  expect(last! - first!).toBeLessThan(1500 + 3 * 150)
})
