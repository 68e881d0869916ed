import type { SimulationConfig } from '../../config/schema.ts'
import type { BeamLine, CounterKind } from './beam-line.ts'
import { landauEfficiency } from './landau.ts'

/** One thing that can happen to a muon of the beam. */
export interface MuonClass {
  readonly name: string
  /** how many of them per beam muon */
  readonly weight: number
  readonly isHalo: boolean
  readonly isDeflected: boolean
  /** probability to cross one of the beam counters */
  readonly inBeamCounter: number
  /** probability of one that is not deflected to scatter into the first counter of deflected muons */
  readonly inFirstDeflected: number
  /** index of the interaction in simulation.yaml, or -1 */
  readonly process: number
}

export function muonClasses(simulation: SimulationConfig): MuonClass[] {
  const { beam, deflection } = simulation
  const inBeam = { isHalo: false, inBeamCounter: 1, inFirstDeflected: deflection.plainInFirst }
  const plain = { ...inBeam, isDeflected: false, process: -1 }
  const interacting = simulation.interactions.reduce((sum, i) => sum + i.perMuon, 0)
  return [
    { ...plain, name: 'plain', weight: Math.max(0, 1 - interacting - deflection.plain) },
    { ...plain, name: 'plain-deflected', weight: deflection.plain, isDeflected: true },
    {
      ...{ ...plain, name: 'halo', weight: beam.haloFraction, isHalo: true },
      ...{ inBeamCounter: beam.haloInBeamCounter, inFirstDeflected: 0 }
    },
    ...simulation.interactions.flatMap(({ process: name, perMuon, deflected }, process) => [
      { ...inBeam, name, weight: perMuon * (1 - deflected), isDeflected: false, process },
      { ...inBeam, name, weight: perMuon * deflected, isDeflected: true, process }
    ])
  ]
}

/** Probability that a muon of the class crosses a counter of this kind; `isFirst` of its kind. */
export function crossing(muon: MuonClass, kind: CounterKind, isFirst: boolean): number {
  switch (kind) {
    case 'beam':
      return muon.inBeamCounter
    case 'halo':
      return muon.isHalo ? 1 : 0
    case 'deflected':
      if (muon.isDeflected) return 1
      return isFirst ? muon.inFirstDeflected : 0
    case 'killer':
      return muon.isHalo || muon.isDeflected ? 0 : 1
    case 'other':
      return 0
  }
}

/**
 * Every way in which a muon can fire the counters: class and set of counters, with its probability, and an
 * alias table (Walker 1977) that draws one of them from 32 random bits.
 */
export interface Patterns {
  readonly count: number
  /** index of the muon class */
  readonly muonClass: Uint16Array
  /** mask of counters that fired */
  readonly fired: Uint32Array
  /** `bits >>> shift` is a slot; the slot's own pattern when the low bits are below `keep`, else `alias` */
  readonly shift: number
  readonly keep: Uint32Array
  readonly alias: Uint16Array
}

export function makePatterns(
  line: BeamLine,
  classes: readonly MuonClass[],
  thresholds: readonly number[],
  landauWidth: number
): Patterns {
  const efficiency = line.counters.map((c) =>
    landauEfficiency((thresholds[c.number] ?? 0) / c.mipCounts, landauWidth)
  )
  const firstOfKind = line.counters.map((c, i) => line.counters.findIndex((d) => d.kind === c.kind) === i)
  const list: { muonClass: number; fired: number; weight: number }[] = []
  classes.forEach((muon, muonClass) => {
    let outcomes = [{ fired: 0, weight: muon.weight }]
    line.counters.forEach((counter, i) => {
      const p = crossing(muon, counter.kind, firstOfKind[i]!) * efficiency[i]!
      if (p <= 0) return
      outcomes = outcomes.flatMap(({ fired, weight }) => [
        { fired: fired | (1 << counter.number), weight: weight * p },
        { fired, weight: weight * (1 - p) }
      ])
    })
    for (const { fired, weight } of outcomes) if (weight > 1e-13) list.push({ muonClass, fired, weight })
  })
  return withAliases(list)
}

function withAliases(list: readonly { muonClass: number; fired: number; weight: number }[]): Patterns {
  const slots = Math.max(2, 2 ** Math.ceil(Math.log2(Math.max(1, list.length))))
  const shift = 32 - Math.log2(slots)
  const full = 2 ** shift
  const total = list.reduce((sum, { weight }) => sum + weight, 0)
  const share = new Float64Array(slots)
  list.forEach(({ weight }, i) => (share[i] = total > 0 ? (weight / total) * slots : 0))
  const keep = new Uint32Array(slots)
  const alias = Uint16Array.from({ length: slots }, (_, i) => i)
  const small: number[] = []
  const large: number[] = []
  share.forEach((s, i) => (s < 1 ? small : large).push(i))
  while (small.length > 0 && large.length > 0) {
    const poor = small.pop()!
    const rich = large.at(-1)!
    keep[poor] = Math.round(share[poor]! * full)
    alias[poor] = rich
    share[rich]! -= 1 - share[poor]!
    if (share[rich]! < 1) small.push(large.pop()!)
  }
  // what is left is 1 up to rounding
  for (const i of [...small, ...large]) keep[i] = full - 1
  return {
    count: list.length,
    muonClass: Uint16Array.from({ length: slots }, (_, i) => list[i]?.muonClass ?? 0),
    fired: Uint32Array.from({ length: slots }, (_, i) => list[i]?.fired ?? 0),
    shift,
    keep,
    alias
  }
}
