/**
 * Bad input through the whole house in virtual time: every fault that the simulated hall knows, at the first event
 * of a spill, around a block's edge and at the last event, in the first spill and in later ones. Each is compared
 * with the same run without faults: the fault is typed and counted where it belongs, nothing else is lost, both
 * sums hold or the ledger says why not, and the next spill is the same to the bit.
 */
import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../core/errors.ts'
import {
  BOARD,
  cleanRun,
  CRATE,
  type Difference,
  MACHINE_CASES,
  play,
  playMachine,
  playRole,
  playStream,
  ROLE_CASES,
  STREAM_CASES,
  type Struck,
  timeless
} from './bad-input-cases.ts'

/** The clean record with the difference that the fault must make. */
function check({ spill, clean }: Struck, device: string, expected: Difference): void {
  const { lost = 0, duplicate = 0, corrupt = 0, dropped = 0, late = 0, partial = 0, faults = {} } = expected
  expect(spill.condition, spill.reasons.join('; ')).toEqual([...expected.condition, 'simulated'])
  expect(spill.closed).toBe(expected.noRecord === undefined)
  expect(spill.muonsOnTarget).toBe(clean.muonsOnTarget)
  expect(spill.triggers).toEqual(clean.triggers)
  expect(spill.eventsPartial).toBe(partial)
  for (const [i, source] of spill.sources.entries()) {
    const before = clean.sources[i]!
    expect(source.received).toBe(
      source.built + source.partial + source.late + source.duplicate + source.corrupt + source.dropped
    )
    // no event but those of the fault is less than it was
    expect(source.built).toBe(spill.eventsBuilt)
    if (source.device !== device) {
      expect(source).toMatchObject({ sent: before.sent, received: before.received, lost: 0, closed: true })
      expect(source.faults).toEqual({})
      continue
    }
    expect(source).toMatchObject({ duplicate, corrupt, dropped, late })
    expect(source.received).toBe(before.received + duplicate - lost)
    if (expected.noRecord !== undefined) {
      expect(source).toMatchObject({ sent: null, lost: null, closed: false })
    } else {
      expect(source).toMatchObject({ sent: before.sent, lost, closed: true })
      expect(source.sent).toBe(source.received - source.duplicate + source.lost!)
    }
    expect(Object.keys(source.faults).sort()).toEqual(Object.keys(faults).sort())
    for (const [kind, count] of Object.entries(faults))
      if (count < 0) expect(source.faults[kind]).toBeGreaterThan(0)
      else expect(source.faults[kind]).toBe(count)
  }
  for (const kind of Object.keys(faults)) expect(spill.reasons.join('; ')).toContain(kind)
  if (expected.reason !== undefined) expect(spill.reasons.join('; ')).toContain(expected.reason)
  // whatever is wrong is said; what is good is not commented
  expect(spill.reasons.length > 0).toBe(expected.condition.length > 0)
}

describe('bad input in the data of one source', () => {
  it.each(STREAM_CASES.map((one) => [`${one.kind}: ${one.what}`, one] as const))('%s', async (_, one) => {
    const struck = await playStream(one)
    expect(struck.length).toBeGreaterThanOrEqual(one.places?.length === 1 ? 2 : 5)
    for (const hit of struck) {
      check(hit, one.device ?? BOARD, one.expected(hit.event, hit.clean.eventsBuilt))
      expect(timeless(hit.next)).toEqual(timeless(hit.cleanNext))
    }
  })
})

describe('bad input from the machine', () => {
  it.each(MACHINE_CASES.map((one) => [`${one.kind}: ${one.what}`, one] as const))('%s', async (_, one) => {
    const { struck, run } = await playMachine(one)
    expect(run.state, run.status).toBe('configured')
    expect(run.spills.map((spill) => spill.spill)).toEqual([1, 2, 3, 4, 5, 6])
    for (const { spill, clean, next, cleanNext } of struck) {
      expect(spill.reasons).toEqual(one.reasons)
      expect(spill.condition).toEqual(['simulated'])
      expect(spill.closed).toBe(true)
      expect(spill.eventsPartial).toBe(0)
      if (one.isSame) expect(timeless({ ...spill, reasons: [] })).toEqual(timeless(clean))
      expect(timeless(next)).toEqual(timeless(cleanNext))
    }
    if (one.signal !== undefined) expect(run.signals.find((s) => s.path === one.signal)?.value).toBe(2)
  })

  it('missing-eoe in a full cycle: the spill ends with the next warning, its muons counted', async () => {
    const run = await play([{ kind: 'missing-eoe', at: { spill: 1 } }], { cycle: 'real', spills: 2 })
    const clean = await cleanRun()
    expect(run.spills[0]).toMatchObject({ closed: true, condition: ['simulated'] })
    expect(run.spills[0]!.muonsOnTarget).toBe(clean.spills[0]!.muonsOnTarget)
    expect(timeless(run.spills[1]!)).toEqual(timeless(clean.spills[1]!))
  })
})

describe('an extraction of which nobody tells', () => {
  it('is missed by the run, and by nothing else', async () => {
    const clean = await cleanRun()
    const silent = [BOARD, 'msadc-hcal', 'msadc-counters', CRATE].map((device) => ({
      ...{ device, kind: 'no-start-of-spill', at: { spill: 2 } }
    }))
    const run = await play(silent, { spills: 3 })
    expect(run.state, run.status).toBe('configured')
    expect(run.spills.map(({ spill }) => spill)).toEqual([1, 3, 4])
    expect(run.runs[0]!.condition).toEqual(['tainted', 'incomplete', 'simulated'])
    expect(run.journal).toContain('an extraction brought no data')
    // what came without a spill is counted, in the next one
    const sent = clean.spills[1]!.eventsBuilt
    for (const source of run.spills[1]!.sources)
      expect(source.faults).toMatchObject({ 'no-spill': sent, 'record-spill': 1 })
    expect(timeless({ ...run.spills[2]!, condition: [] })).toEqual(
      timeless({ ...clean.spills[3]!, condition: [] })
    )
  })
})

describe('a crate that counts spills far too high', () => {
  it('ends the run by its number, and the next run counts from 1 again', async () => {
    const run = await play(
      [{ device: CRATE, kind: 'spill-miscounted', at: { spill: 2 }, with: { by: 300 } }],
      { spills: 5 }
    )
    expect(run.state, run.status).toBe('configured')
    expect(run.runs.length).toBe(2)
    expect(run.runs[0]!.condition).toEqual(['tainted', 'incomplete', 'simulated'])
    expect(run.runs[1]!.condition).toEqual(['simulated'])
    const last = run.spills.filter((spill) => spill.run === 2)
    expect(last.map(({ spill }) => spill)).toEqual(last.map((_, i) => i + 1))
    for (const spill of last) expect(spill).toMatchObject({ closed: true, condition: ['simulated'] })
  })
})

describe('a device that goes away', () => {
  it.each(ROLE_CASES.map((one) => [`${one.what}, ${one.role}`, one] as const))('%s', async (_, one) => {
    const [run, clean] = [await playRole(one), await cleanRun()]
    expect(run.state, run.status).toBe(one.state)
    expect(run.spills).toHaveLength(one.spills)
    expect(run.runs[0]!.condition).toEqual(expect.arrayContaining([...one.condition]))
    expect(timeless(run.spills[0]!)).toEqual(timeless(clean.spills[0]!))
    expect(run.spills[1]!.condition).toContain('incomplete')
    expect(run.spills[1]!.eventsBuilt + run.spills[1]!.eventsPartial).toBeGreaterThan(0)
    if (one.role === 'optional') {
      // what it lost is known, and the last spill is whole again
      expect(timeless(run.spills[5]!)).toEqual({
        ...timeless(clean.spills[5]!),
        condition: ['degraded', 'simulated']
      })
    } else expect(run.status).toContain(`${one.device} is gone`)
    for (const source of run.spills.flatMap((spill) => spill.sources))
      expect(source.received).toBe(
        source.built + source.partial + source.late + source.duplicate + source.corrupt + source.dropped
      )
  })
})

describe('settings that do not take', () => {
  it.each([
    [BOARD, 0x0100 + 16 + 5, 'msadc-ecal threshold port 0 adc 1 channel 5: wrote 10, reads 0'],
    [BOARD, 0x0005, 'msadc-ecal latencySamples: wrote 120, reads 0'],
    [CRATE, 0x0020, 'trigger-crate threshold of counter 0: wrote 75, reads 4095']
  ])('a stuck register of %s at %i refuses arming and is named', async (device, address, words) => {
    await expect(
      play([{ device, kind: 'register-stuck', at: { spill: 0 }, with: { address } }])
    ).rejects.toMatchObject({ code: ErrorCode.readback, message: expect.stringContaining(words) as unknown })
  })
})
