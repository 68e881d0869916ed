// The accelerator's marks come at their exact times however time is cut, and its faults are what their names say.
import { describe, expect, it } from 'vitest'
import type { Mark, MachineCycle } from '../../../../hil-sim/device/context.ts'
import { faultSchema, type FaultInput } from '../../../../hil-sim/fault/fault.ts'
import { type CycleMode, SpsMachine } from '../../../../hil-sim/world/machine.ts'

const cycle = {
  cycleLengthMs: 14_400,
  fastPauseMs: 700,
  extractionMs: 4800,
  warningWarningMs: 1000,
  warningMs: 100,
  provenance: 'A: test'
}

function watch(mode: CycleMode, faults: readonly FaultInput[] = [], spills = { next: 1 }) {
  const machine = new SpsMachine({
    cycle,
    mode,
    utcAt: (ns) => new Date(ns / 1e6),
    nextSpill: () => spills.next
  })
  const marks: [Mark, number][] = []
  const cycles: MachineCycle[] = []
  const beam: boolean[] = []
  machine.onMark((mark, _cycle, utc) => {
    marks.push([mark, utc.getTime()])
    if (mark === 'SOE') beam.push(machine.hasBeam)
    if (mark === 'SOE') spills.next++
  })
  machine.onCycle((c) => cycles.push(c))
  for (const fault of faults) expect(machine.inject(faultSchema.parse(fault))).toBe(true)
  machine.advance(0)
  return { machine, marks, cycles, beam }
}

const oneCycle: [Mark, number][] = [
  ['WWE', 8600],
  ['WE', 9500],
  ['SOE', 9600],
  ['EOE', 14_400]
]

describe('SpsMachine', () => {
  it('marks warning, start and end of extraction at the times of the configuration', () => {
    const { machine, marks, cycles } = watch('real')
    machine.advance(14.4e9)
    expect(marks).toEqual(oneCycle)
    expect(cycles[0]).toEqual({
      cycle: 1,
      cycleLengthMs: 14_400,
      extractionMs: 4800,
      nextStart: new Date(9600)
    })
    expect(cycles).toHaveLength(2)
  })

  it('gives the same marks in steps of 7 ms and in one step of an hour', () => {
    const small = watch('real')
    const large = watch('real')
    for (let i = 0; i < 6000; i++) small.machine.advance(7e6)
    large.machine.advance(42e9)
    expect(small.marks).toEqual(large.marks)
    expect(small.marks.length).toBeGreaterThan(10)
  })

  it('says when it will do something next', () => {
    const { machine, marks } = watch('real')
    for (let i = 0; i < 4; i++) machine.advance(machine.untilNextNs())
    expect(marks).toEqual(oneCycle)
  })

  it('keeps the extraction and squeezes the warnings into the pause of a fast cycle', () => {
    const { machine, marks } = watch('fast')
    machine.advance(5.5e9)
    expect(marks).toEqual([
      ['WWE', 140],
      ['WE', 600],
      ['SOE', 700],
      ['EOE', 5500]
    ])
  })

  const marksWith = (kind: string): [Mark, number][] => {
    const { machine, marks } = watch('real', [{ kind, at: { spill: 2 } }])
    machine.advance(3 * 14.4e9)
    return marks.filter(([, at]) => at > 14_400 && at <= 28_800)
  }

  it('loses the warning-warning of the spill that the fault names, once', () => {
    expect(marksWith('lost-wwe').map(([mark]) => mark)).toEqual(['WE', 'SOE', 'EOE'])
  })

  it('does not mark the end of extraction when that is the fault', () => {
    expect(marksWith('missing-eoe').map(([mark]) => mark)).toEqual(['WWE', 'WE', 'SOE'])
  })

  it('starts extraction twice, 20 ms apart', () => {
    expect(marksWith('doubled-soe')).toEqual([
      ['WWE', 23_000],
      ['WE', 23_900],
      ['SOE', 24_000],
      ['SOE', 24_020],
      ['EOE', 28_800]
    ])
  })

  it('brings no beam in the spill that the fault names, and beam in the next', () => {
    const { machine, beam } = watch('real', [{ kind: 'spill-without-beam', at: { spill: 2 } }])
    machine.advance(3 * 14.4e9)
    expect(beam).toEqual([true, false, true])
  })

  it('changes the cycle length for as many cycles as the fault counts', () => {
    const { machine, cycles } = watch('real', [
      { kind: 'cycle-length', at: { spill: 2 }, count: 2, with: { lengthMs: 30_000 } }
    ])
    machine.advance(120e9)
    expect(cycles.slice(0, 4).map((c) => c.cycleLengthMs)).toEqual([14_400, 30_000, 30_000, 14_400])
  })

  it('does not know faults of other devices', () => {
    const { machine } = watch('real')
    expect(machine.inject(faultSchema.parse({ kind: 'garbage', at: { spill: 1 } }))).toBe(false)
  })
})
