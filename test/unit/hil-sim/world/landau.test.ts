// The Landau sampler agrees with the published numbers of the distribution (Koelbig and Schorr 1984), and the
// efficiency of a discriminator is the tail of what the sampler draws.
import { describe, expect, it } from 'vitest'
import { Rng } from '../../../../core/rng.ts'
import { Chance } from '../../../../hil-sim/world/chance.ts'
import {
  LANDAU_MODE,
  landauAmplitude,
  landauCumulative,
  landauDensity,
  landauEfficiency,
  landauQuantile
} from '../../../../hil-sim/world/landau.ts'

describe('Landau distribution', () => {
  it('has its maximum of 0.18066 at -0.22278', () => {
    expect(landauDensity(LANDAU_MODE)).toBeCloseTo(0.1806556, 5)
    expect(landauDensity(LANDAU_MODE - 0.05)).toBeLessThan(landauDensity(LANDAU_MODE))
    expect(landauDensity(LANDAU_MODE + 0.05)).toBeLessThan(landauDensity(LANDAU_MODE))
  })

  it('is 4.0186 wide at half maximum', () => {
    const half = 0.1806556 / 2
    const crossing = (from: number, to: number): number => {
      for (let i = 0; i < 60; i++) {
        const middle = (from + to) / 2
        if (landauDensity(middle) > half) from = middle
        else to = middle
      }
      return from
    }
    expect(crossing(LANDAU_MODE, 8) - crossing(LANDAU_MODE, -3)).toBeCloseTo(4.0186, 3)
  })

  it('has its median at 1.35578', () => {
    expect(landauQuantile(0.5)).toBeCloseTo(1.35578, 3)
    expect(landauCumulative(1.35578)).toBeCloseTo(0.5, 4)
  })

  it('has a quantile that inverts its cumulative distribution, the far tail included', () => {
    for (const u of [0.001, 0.05, 0.25, 0.75, 0.95, 0.99, 0.995])
      expect(landauCumulative(landauQuantile(u))).toBeCloseTo(u, 5)
    // the tail beyond lambda falls as 1 / lambda
    expect(1 - landauCumulative(50)).toBeGreaterThan(1 / 60)
    expect(1 - landauCumulative(50)).toBeLessThan(1 / 40)
  })

  it('gives a discriminator the efficiency that drawn amplitudes show', () => {
    const chance = new Chance(new Rng('landau'))
    const n = 40_000
    for (const threshold of [0.5, 0.9, 1, 1.5]) {
      let above = 0
      for (let i = 0; i < n; i++) if (landauAmplitude(chance.uniform(), 0.12) > threshold) above++
      const expected = landauEfficiency(threshold, 0.12)
      expect(Math.abs(above / n - expected)).toBeLessThan(
        5 * Math.sqrt((expected * (1 - expected) + 1e-4) / n)
      )
    }
  })
})
