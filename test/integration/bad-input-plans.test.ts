/**
 * Random plans of one to six faults, of any kind and in any place, over runs of four spills in virtual time. Whatever
 * is planned: the run ends, every fragment is in one count of the ledger, a spill that claims to be good is the
 * same as without faults, and the same plan and seed write the same journal to the byte. A failure prints seed and
 * plan; SPILLWAY_SEEDS sets how many plans are tried (20), SPILLWAY_SEED the first one.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { DeviceRole } from '../../core/device.ts'
import type { VirtualRunResult } from '../../controller/memory.ts'
import {
  ADC_FAULTS,
  EVENT_FAULTS,
  type FaultInput,
  MACHINE_FAULTS,
  SPILL_FAULTS
} from '../../hil-sim/fault/fault.ts'
import { play, timeless } from './bad-input-cases.ts'

const PLANS = Number(process.env['SPILLWAY_SEEDS'] ?? 20)
const FIRST = process.env['SPILLWAY_SEED']
const SPILLS = 4
const BOARDS = ['msadc-ecal', 'msadc-hcal', 'msadc-counters']
const CRATE = 'trigger-crate'

const at = fc.record({ spill: fc.integer({ min: 1, max: SPILLS }), event: fc.integer({ min: 1, max: 130 }) })
const count = fc.integer({ min: 1, max: 4 })
const isOfBoards = (kind: string): boolean => (ADC_FAULTS as readonly string[]).includes(kind)
const parameters = fc.oneof(
  fc.constant({}),
  fc.record({ after: fc.integer({ min: 1, max: 300 }), by: fc.integer({ min: -200, max: 5000 }) }),
  fc.record({
    from: fc.constantFrom(5, 96, 1000, 50_000, 2 ** 20 - 60),
    by: fc.constantFrom(1, 100, 2 ** 19)
  })
)

const fault: fc.Arbitrary<FaultInput> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .record({
        ...{ kind: fc.constantFrom(...EVENT_FAULTS), device: fc.constantFrom(...BOARDS, CRATE), at, count },
        with: parameters
      })
      .filter(({ kind, device }) => device !== CRATE || !isOfBoards(kind))
  },
  {
    weight: 4,
    arbitrary: fc.record({
      ...{ kind: fc.constantFrom(...SPILL_FAULTS), device: fc.constantFrom(...BOARDS, CRATE), at, count },
      with: parameters
    })
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom('register-silent', 'register-refuse'),
      ...{ device: fc.constantFrom(...BOARDS, CRATE), at, count }
    })
  },
  {
    weight: 3,
    arbitrary: fc.record({
      ...{ kind: fc.constantFrom(...MACHINE_FAULTS), at, count },
      with: fc.oneof(fc.constant({}), fc.record({ lengthMs: fc.integer({ min: 4900, max: 9000 }) }))
    })
  }
)

const plan = fc.record({
  faults: fc.array(fault, { minLength: 1, maxLength: 6 }),
  seed: fc.constantFrom(7, 8, 9),
  /** role of the first board */
  role: fc.constantFrom<DeviceRole>('optional', 'required', 'essential')
})

const references = new Map<number, Promise<VirtualRunResult>>()
function reference(seed: number): Promise<VirtualRunResult> {
  let run = references.get(seed)
  if (run === undefined) references.set(seed, (run = play([], { seed, spills: SPILLS })))
  return run
}

function checkLedgers({ spills }: VirtualRunResult): void {
  for (const spill of spills) {
    for (const s of spill.sources) {
      expect(s.received).toBe(s.built + s.partial + s.late + s.duplicate + s.corrupt + s.dropped)
      for (const n of [s.built, s.partial, s.late, s.duplicate, s.corrupt, s.dropped, s.lost ?? 0])
        expect(n).toBeGreaterThanOrEqual(0)
      if (s.closed) expect(s.sent).toBe(s.received - s.duplicate + s.lost!)
      // an optional board that is away is not missed
      else if (s.expected || s.received > 0) expect(spill.condition).toContain('incomplete')
    }
    // what is not good is said
    const isGood = spill.condition.every((bit) => bit === 'simulated' || bit === 'degraded')
    if (!isGood) expect(spill.reasons.length).toBeGreaterThan(0)
  }
}

test(`${PLANS} random plans of faults: the run ends, the sums hold, and it repeats to the byte`, async () => {
  await fc.assert(
    fc.asyncProperty(plan, async ({ faults, seed, role }) => {
      const options = { seed, spills: SPILLS, role: ['msadc-ecal', role] } as const
      const run = await play(faults, options)
      // a board that is there and refuses to be disarmed is in a condition that nobody knows
      const mayRefuse = faults.some(({ kind }) => kind === 'register-refuse')
      expect(['configured', 'safe', ...(mayRefuse ? ['fault'] : [])]).toContain(run.state)
      // when nobody ends the last one, the next has begun before the run can stop
      const isWhole = run.state === 'configured' && !run.status.includes('is gone')
      if (isWhole) expect([SPILLS, SPILLS + 1]).toContain(run.spills.length)
      expect(new Set(run.spills.map((spill) => spill.spill)).size).toBe(run.spills.length)
      expect(run.runs).toHaveLength(1)
      checkLedgers(run)

      const clean = await reference(seed)
      for (const spill of run.spills) {
        if (spill.condition.join() !== 'simulated' || spill.reasons.length > 0) continue
        if (spill.spill <= SPILLS) expect(timeless(spill)).toEqual(timeless(clean.spills[spill.spill - 1]!))
      }
      expect((await play(faults, options)).journal).toBe(run.journal)
    }),
    { numRuns: PLANS, ...(FIRST === undefined ? {} : { seed: Number(FIRST) }) }
  )
}, 900_000)
