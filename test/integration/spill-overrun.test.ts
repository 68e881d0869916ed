/**
 * A spill that is still being closed when the next one begins: a source forgets its end-of-spill frame, and the
 * pause of the machine is shorter than the time that is given to drain. What the store is told must be one spill
 * after the other, and the spill that follows must be as if nothing had been.
 */
import { expect, test } from 'vitest'
import { loadExperiment } from '../../config/load.ts'
import { BlockHeader, type EventBlock } from '../../core/block.ts'
import { runVirtually } from '../../controller/memory.ts'
import type { RawStore } from '../../controller/readout.ts'
import { faultSchema } from '../../hil-sim/fault/fault.ts'

const experiment = loadExperiment('na64mu-2022')

/** Writes down the order of what it is asked to store. */
function recorder(): { readonly raw: RawStore; readonly calls: string[] } {
  const calls: string[] = []
  const note = (call: string): Promise<void> => Promise.resolve(void calls.push(call))
  const raw: RawStore = {
    open: (run) => note(`run ${run}`).then(() => ''),
    write: (block: EventBlock) => note(`block of ${block.header[BlockHeader.spill]!}`),
    startOfSpill: (spill) => note(`start ${spill}`),
    endOfSpill: (spill) => note(`end ${spill}`),
    close: () => note('close')
  }
  return { raw, calls }
}

test('the store gets spill after spill, also when one overruns the other', async () => {
  const { raw, calls } = recorder()
  const result = await runVirtually({
    experiment,
    seed: 3,
    cycle: 'fast',
    spills: 4,
    raw,
    scenario: {
      about: 'two spills in a row that nobody ends in time',
      beam: { muonsPerSpill: 100_000 },
      faults: [1, 2].map((spill) =>
        faultSchema.parse({ device: 'msadc-ecal', kind: 'no-end-of-spill', at: { spill } })
      )
    }
  })
  expect(result.state, result.status).toBe('configured')
  expect(calls.filter((call) => !call.startsWith('block'))).toEqual([
    'run 1',
    ...[1, 2, 3, 4].flatMap((spill) => [`start ${spill}`, `end ${spill}`]),
    'close'
  ])
  calls.forEach((call, i) => {
    if (!call.startsWith('block of ')) return
    const marks = calls.slice(0, i).filter((c) => !c.startsWith('block') && c !== 'run 1')
    expect(marks.at(-1)).toBe(call.replace('block of', 'start'))
  })
  expect(result.journal.match(/"spill-open"/g)).toHaveLength(4)
  expect(result.journal.match(/"spill-overrun"/g)).toHaveLength(2)
  expect(result.spills.map((spill) => spill.spill)).toEqual([1, 2, 3, 4])
  expect(result.spills.map((spill) => spill.closed)).toEqual([false, false, true, true])
  expect(result.spills.map((spill) => spill.condition)).toEqual([
    ...[1, 2].map(() => ['incomplete', 'simulated']),
    ...[3, 4].map(() => ['simulated'])
  ])
})
