// What the trigger logic counts in a spill adds up, follows its settings, and depends on the seed alone: not on
// how the time of the spill is cut.
import { describe, expect, it } from 'vitest'
import { Rng } from '../../../../core/rng.ts'
import { BeamLine } from '../../../../hil-sim/world/beam-line.ts'
import { makePatterns, muonClasses } from '../../../../hil-sim/world/coincidence.ts'
import { landauEfficiency } from '../../../../hil-sim/world/landau.ts'
import { type SpillCounts, SpillStream } from '../../../../hil-sim/world/spill-stream.ts'
import { makeExperiment } from '../hall-experiment.ts'

const experiment = makeExperiment()
const line = new BeamLine(experiment)
const classes = muonClasses(experiment.simulation)
const LENGTH_NS = 200e6
const S0 = 1 << 0
const S1 = 1 << 1
const V0 = 1 << 2

interface Taken {
  readonly number: number
  readonly mask: number
  readonly timeNs: number
  readonly busyNs: number
}

function spill(options: {
  muons?: number
  prescale?: number
  deadTimeNs?: number
  threshold?: number
  randomRateHz?: number
  stepNs?: number
  seed?: string
  lengthNs?: number
  onTime?: (stream: SpillStream, timeNs: number) => void
}): { counts: SpillCounts; taken: Taken[] } {
  const { muons = 50_000, prescale = 100, deadTimeNs = 5000, threshold = 50, randomRateHz = 1000 } = options
  const stream = new SpillStream(
    {
      muons,
      ripple: 0.2,
      rippleSecondHarmonic: 0.5,
      beamNs: LENGTH_NS,
      patterns: makePatterns(line, classes, new Array<number>(16).fill(threshold), 0.12),
      beamMask: line.beamMask,
      haloMask: line.haloMask,
      lines: [
        { prescale: 1, require: S0 | S1 | 8 | 16, veto: V0, randomRateHz: 0 },
        { prescale, require: S0 | S1, veto: V0, randomRateHz: 0 },
        { prescale: 1, require: 0, veto: 0, randomRateHz },
        { prescale: 0, require: S0, veto: 0, randomRateHz: 0 }
      ],
      deadTimeNs
    },
    new Rng(options.seed ?? 'spill')
  )
  const taken: Taken[] = []
  const accept = (t: Taken): void => {
    taken.push({ number: t.number, mask: t.mask, timeNs: t.timeNs, busyNs: t.busyNs })
  }
  const length = options.lengthNs ?? LENGTH_NS
  const step = options.stepNs ?? 10e6
  for (let t = step; t < length; t += step) {
    options.onTime?.(stream, t)
    stream.advanceTo(t, accept)
  }
  return { counts: stream.end(length, accept), taken }
}

describe('SpillStream', () => {
  it('counts as many accepted triggers as it sent, in rising order of number and time', () => {
    const { counts, taken } = spill({})
    expect(counts.accepted).toBe(taken.length)
    expect(taken.map((t) => t.number)).toEqual(taken.map((_, i) => i + 1))
    for (let i = 1; i < taken.length; i++)
      expect(taken[i]!.timeNs - taken[i - 1]!.timeNs).toBeGreaterThanOrEqual(5000)
    expect(taken.length).toBeGreaterThan(300)
  })

  it('accepts per line exactly the events whose mask has the line', () => {
    const { counts, taken } = spill({})
    counts.lines.forEach((l, i) => expect(l.accepted).toBe(taken.filter((t) => t.mask & (1 << i)).length))
  })

  it('prescales every n-th, exactly', () => {
    for (const prescale of [1, 7, 100, 5000]) {
      const { lines } = spill({ prescale }).counts
      expect(lines[1]!.prescaled).toBe(Math.floor(lines[1]!.attempts / prescale))
    }
  })

  it('counts attempts of a line that is off and takes none of them', () => {
    const off = spill({}).counts.lines[3]!
    expect(off.attempts).toBeGreaterThan(40_000)
    expect(off).toMatchObject({ prescaled: 0, accepted: 0 })
  })

  it('makes the beam coincidence the attempts of a line with the same logic', () => {
    const { beam, lines, muons, counters } = spill({}).counts
    expect(beam).toBe(lines[1]!.attempts)
    // 15 halo muons to 100 in the beam; those count in V0
    expect(counters[2]! / muons).toBeCloseTo(0.15 / 1.15, 1)
  })

  it('loses to dead time what comes too soon, in triggers, live time and live beam alike', () => {
    const { counts, taken } = spill({ prescale: 5, deadTimeNs: 10_000 })
    const busy = Math.min(10_000, LENGTH_NS - taken.at(-1)!.timeNs) + 10_000 * (taken.length - 1)
    expect(counts.liveNs).toBeCloseTo(LENGTH_NS - busy, 3)
    expect(taken.at(-1)!.busyNs).toBe(10_000 * (taken.length - 1))
    const live = counts.liveNs / counts.lengthNs
    expect(live).toBeLessThan(0.8)
    // busy times begin with a muon of the beam, but the others come at random: the live fractions agree
    expect(counts.beamLive / counts.beam).toBeCloseTo(live, 1)
    expect(counts.lines[1]!.accepted / counts.lines[1]!.prescaled).toBeLessThan(0.95)
  })

  it('has nothing to lose without dead time', () => {
    const { counts } = spill({ deadTimeNs: 0 })
    expect(counts.beamLive).toBe(counts.beam)
    expect(counts.liveNs).toBe(LENGTH_NS)
    for (const l of counts.lines) expect(l.accepted).toBe(l.prescaled)
  })

  it('sees fewer coincidences at a higher threshold, as the Landau tail says', () => {
    const low = spill({ threshold: 0, muons: 100_000 }).counts
    const high = spill({ threshold: 110, muons: 100_000 }).counts
    const efficiency = landauEfficiency(1.1, 0.12)
    expect(high.beam / low.beam).toBeGreaterThan(efficiency ** 2 * 0.97)
    expect(high.beam / low.beam).toBeLessThan(efficiency ** 2 * 1.05)
  })

  it('is the same spill in steps of 0.1, 10 and 200 ms', () => {
    const reference = spill({ stepNs: 200e6 })
    for (const stepNs of [0.1e6, 10e6]) expect(spill({ stepNs })).toEqual(reference)
    expect(spill({ seed: 'another' }).taken).not.toEqual(reference.taken)
  })

  it('begins alike and stops earlier when the spill is shorter', () => {
    const long = spill({})
    const short = spill({ lengthNs: 120e6 })
    expect(short.taken).toEqual(long.taken.slice(0, short.taken.length))
    expect(short.counts.lengthNs).toBe(120e6)
  })

  it('has only random triggers without beam', () => {
    const { counts, taken } = spill({ muons: 0 })
    expect(counts).toMatchObject({ muons: 0, beam: 0 })
    expect(taken.length).toBeGreaterThan(120)
    expect(taken.length).toBeLessThan(290)
    expect(new Set(taken.map((t) => t.mask))).toEqual(new Set([4]))
  })

  it('takes nothing while inhibited and calls that time busy', () => {
    const { counts, taken } = spill({
      onTime: (stream, t) => (stream.isInhibited = t > 50e6 && t <= 150e6)
    })
    expect(taken.filter((t) => t.timeNs > 50e6 && t.timeNs < 150e6)).toEqual([])
    expect(counts.liveNs).toBeLessThan(101e6)
    expect(counts.beamLive / counts.beam).toBeCloseTo(0.5, 1)
  })

  it('ripples with 50 Hz', () => {
    const { taken } = spill({ prescale: 1, deadTimeNs: 0, randomRateHz: 0, muons: 200_000 })
    let re = 0
    let im = 0
    for (const { timeNs } of taken) {
      re += Math.cos((2 * Math.PI * timeNs) / 20e6)
      im += Math.sin((2 * Math.PI * timeNs) / 20e6)
    }
    // amplitude 0.2 gives a Fourier coefficient of 0.1
    expect(Math.hypot(re, im) / taken.length).toBeCloseTo(0.1, 2)
  })
})
