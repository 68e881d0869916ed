import { expect, test } from 'vitest'
import { SpillSequencer } from '../../../../controller/spill/spill-sequencer.ts'
import { milliseconds, seconds } from '../../../../core/units.ts'
import { VirtualClock } from '../../../../core/virtual-clock.ts'
import type { SpillMark, SpillTiming, TimingMark } from '../../../../drivers/beam/contract/beam-instrument.ts'

// The phases that follow from marks which come, come twice, or do not come. The far end is a list of listeners.

const journal = { write: (): void => undefined }
const options = { cyclesWithoutWarning: 3, cycleLengthMs: 10_000, extractionMs: 4_800 }

function machine(clock: VirtualClock): { timing: SpillTiming; mark: (mark: SpillMark) => void } {
  const listeners = new Set<(mark: TimingMark) => void>()
  const timing = {
    onMark: (l: (mark: TimingMark) => void) => {
      listeners.add(l)
      return () => listeners.delete(l)
    },
    latestCycle: () => undefined
  } as unknown as SpillTiming
  return { timing, mark: (mark) => listeners.forEach((l) => l({ mark, cycle: 1, utc: clock.utc() })) }
}

function following(): {
  clock: VirtualClock
  sequencer: SpillSequencer
  mark: (mark: SpillMark) => void
  phases: string[]
} {
  const clock = new VirtualClock()
  const sequencer = new SpillSequencer(clock, journal, options)
  const { timing, mark } = machine(clock)
  const phases: string[] = []
  sequencer.onPhase((phase) => phases.push(phase))
  sequencer.followMachine(timing)
  return { clock, sequencer, mark, phases }
}

test('a complete cycle goes through all phases', () => {
  const { sequencer, mark, phases } = following()
  mark('WWE')
  mark('WE')
  mark('SOE')
  mark('EOE')
  sequencer.drained()
  expect(phases).toEqual(['warned', 'extracting', 'draining', 'between'])
  expect(Object.values(sequencer.oddities)).toEqual([0, 0, 0, 0, 0, 0])
  sequencer.close()
})

test.each(['WE', 'SOE', 'EOE'] as const)('coming in with %s as the first mark is nothing odd', (first) => {
  const { sequencer, mark } = following()
  mark(first)
  if (first === 'WE') mark('SOE')
  if (first !== 'EOE') mark('EOE')
  expect(Object.values(sequencer.oddities)).toEqual([0, 0, 0, 0, 0, 0])
  mark('EOE')
  expect(sequencer.oddities['stray-end']).toBe(1)
  sequencer.close()
})

test('a spill without a warning is a spill, a doubled start is one spill; both are counted', () => {
  const { sequencer, mark, phases } = following()
  mark('EOE') // we came in the middle of an extraction
  mark('SOE')
  mark('SOE')
  mark('EOE')
  mark('EOE')
  expect(phases).toEqual(['extracting', 'draining'])
  expect(sequencer.oddities).toEqual({
    'start-without-warning': 1,
    'missing-warning': 0,
    'doubled-start': 1,
    'missing-start': 0,
    'missing-end': 0,
    'stray-end': 1
  })
  sequencer.close()
})

test('a missing end of extraction is supplied by the next warning', () => {
  const { sequencer, mark, phases } = following()
  mark('WWE')
  mark('SOE')
  mark('WWE')
  expect(phases).toEqual(['warned', 'extracting', 'draining'])
  sequencer.drained()
  mark('WE')
  mark('SOE')
  expect(phases.slice(3)).toEqual(['warned', 'extracting'])
  expect(sequencer.oddities).toMatchObject({ 'missing-end': 1, 'start-without-warning': 0 })
  expect(sequencer.takeOddities()).toEqual(['missing-end'])
  expect(sequencer.takeOddities()).toEqual([])
  sequencer.close()
})

test('a missing end is supplied by the clock when nothing follows: not before the next start would be due', async () => {
  const { clock, sequencer, mark } = following()
  mark('WWE')
  mark('SOE')
  await clock.advance(milliseconds(9_900))
  expect(sequencer.phase).toBe('extracting')
  await clock.advance(milliseconds(600))
  expect(sequencer.phase).toBe('draining')
  expect(sequencer.oddities['missing-end']).toBe(1)
  sequencer.close()
})

test('a start long after the last one is a new extraction, whose warning and whose end before are missing', async () => {
  const { clock, sequencer, mark, phases } = following()
  mark('WWE')
  mark('SOE')
  await clock.advance(milliseconds(9_000))
  mark('SOE')
  expect(phases).toEqual(['warned', 'extracting', 'draining', 'extracting'])
  expect(sequencer.takeOddities()).toEqual(['missing-end', 'start-without-warning'])
  sequencer.close()
})

test('an end after a warning means that the start was lost: there is something to drain', () => {
  const { sequencer, mark, phases } = following()
  mark('WE')
  mark('EOE')
  expect(phases).toEqual(['warned', 'draining'])
  expect(sequencer.takeOddities()).toEqual(['missing-start'])
  sequencer.close()
})

test('data that are complete before the end mark leave nothing to drain', () => {
  const { sequencer, mark, phases } = following()
  mark('WWE')
  mark('SOE')
  sequencer.drained()
  expect(sequencer.phase).toBe('extracting')
  mark('EOE')
  expect(phases).toEqual(['warned', 'extracting', 'draining', 'between'])
  mark('WWE')
  mark('SOE')
  mark('EOE')
  expect(sequencer.phase).toBe('draining')
  sequencer.close()
})

test('a warning that comes while the last data drain counts for the next start', () => {
  const { sequencer, mark } = following()
  mark('WWE')
  mark('SOE')
  mark('EOE')
  mark('WWE')
  mark('WE')
  expect(sequencer.phase).toBe('draining')
  sequencer.drained()
  expect(sequencer.phase).toBe('warned')
  mark('SOE')
  expect(sequencer.takeOddities()).toEqual([])
  sequencer.close()
})

test('a warning that nothing follows ends after a cycle, and silence means no beam', async () => {
  const { clock, sequencer, mark } = following()
  mark('WWE')
  await clock.advance(seconds(11))
  expect(sequencer.phase).toBe('between')
  await clock.advance(seconds(20))
  expect(sequencer.phase).toBe('no-beam')
  mark('WWE')
  expect(sequencer.phase).toBe('warned')
  sequencer.close()
})

test('artificial spills wait until the data of the last one were taken, and for a run that wants them', async () => {
  const clock = new VirtualClock()
  const sequencer = new SpillSequencer(clock, journal, options)
  const commands: string[] = []
  let wanted = false
  sequencer.makeSpills(
    {
      lengthMs: 1000,
      pauseMs: 300,
      start: () => Promise.resolve(void commands.push(`start ${clock.now() / 1e6}`)),
      end: () => Promise.resolve(void commands.push(`end ${clock.now() / 1e6}`))
    },
    () => wanted
  )
  await clock.advance(milliseconds(500))
  expect(commands).toEqual([])
  wanted = true
  await clock.advance(milliseconds(3000))
  expect(commands).toHaveLength(2)
  expect(sequencer.phase).toBe('draining')
  sequencer.drained()
  await clock.advance(milliseconds(500))
  expect(commands).toHaveLength(3)
  sequencer.close()
})

test('one of two warnings that is lost is told, but not of the first cycle that is seen', () => {
  const { sequencer, mark } = following()
  mark('WE')
  mark('SOE')
  expect(sequencer.takeOddities()).toEqual([])
  mark('EOE')
  sequencer.drained()
  mark('WE')
  mark('SOE')
  expect(sequencer.takeOddities()).toEqual(['missing-warning'])
  sequencer.close()
})
