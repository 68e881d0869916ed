/** Histograms: every value is counted once, wherever it lies, and adding up is as filling together. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Histogram } from '../../../../controller/monitor/histogram.ts'

const axis = { name: 'e', title: 'energy', unit: 'GeV', low: -1, high: 2, bins: 3 }

describe('histogram', () => {
  it('counts [low, high) in bins, the rest beside, and what is no number as overflow', () => {
    const histogram = new Histogram(axis)
    for (const value of [-1, -0.001, 0, 1.999, 2, -1.001, Number.NaN, Infinity, -Infinity])
      histogram.fill(value)
    expect(histogram.toJSON()).toEqual({
      ...{ name: 'e', title: 'energy', unit: 'GeV', low: -1, high: 2 },
      counts: [2, 1, 1],
      underflow: 2,
      overflow: 3,
      entries: 9
    })
  })

  it('loses nothing, and merges to what filling together gives', () => {
    const values = fc.array(fc.float({ min: -5, max: 5 }))
    fc.assert(
      fc.property(values, values, (a, b) => {
        const [one, other, both] = [new Histogram(axis), new Histogram(axis), new Histogram(axis)]
        for (const value of a) one.fill(value)
        for (const value of b) other.fill(value)
        for (const value of [...a, ...b]) both.fill(value)
        one.merge(other)
        expect(one.toJSON()).toEqual(both.toJSON())
        const { counts, underflow, overflow, entries } = one.toJSON()
        expect(counts.reduce((sum, n) => sum + n, underflow + overflow)).toBe(entries)
      })
    )
  })
})
