/** Outline and axes of a histogram in a box. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Histogram } from '../../../../../console/api/api.ts'
import { niceTicks, plotHistogram, tickText } from '../../../../../console/src/logic/histogram-plot.ts'

const BOX = { width: 100, height: 100 }
const of = (counts: number[], part: Partial<Histogram> = {}): Histogram => ({
  name: 'h',
  title: 'h',
  unit: 'GeV',
  low: 0,
  high: 10,
  counts,
  underflow: 0,
  overflow: 0,
  entries: 0,
  ...part
})

describe('outline', () => {
  it('draws one step per bin, from the bottom to the bottom', () => {
    expect(plotHistogram(of([1, 0]), { width: 10, height: 108 }, 'linear').path).toBe(
      'M0 108V8H5V108H10V108Z'
    )
  })
  it('puts an empty bin on the bottom and one count above it on a logarithmic axis', () => {
    const { path } = plotHistogram(of([0, 1, 1000]), BOX, 'log')
    const heights = [...path.matchAll(/V([\d.]+)H/g)].map((m) => Number(m[1]))
    expect(heights[0]).toBe(100)
    expect(heights[1]).toBeLessThan(95)
    expect(heights[2]).toBeGreaterThan(0)
  })
  it('stays in the box for any counts', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(2 ** 31), { maxLength: 50 }),
        fc.constantFrom('linear' as const, 'log' as const),
        (counts, scale) => {
          const numbers = [...plotHistogram(of(counts), BOX, scale).path.matchAll(/[\d.-]+/g)].map((m) =>
            Number(m[0])
          )
          expect(numbers.every((v) => v >= 0 && v <= 100)).toBe(true)
        }
      )
    )
  })
})

describe('axes', () => {
  it('have round values inside the range', () => {
    expect(niceTicks(0, 10, 5)).toEqual([0, 2, 4, 6, 8, 10])
    expect(niceTicks(-0.3, 0.3, 3)).toEqual([-0.2, 0, 0.2])
    expect(niceTicks(5, 5, 3)).toEqual([5])
  })
  it('mark decades when logarithmic, at most four', () => {
    expect(plotHistogram(of([5000]), BOX, 'log').yTicks.map((t) => t.text)).toEqual([
      '1',
      '10',
      '100',
      '1000'
    ])
    expect(plotHistogram(of([2e9]), BOX, 'log').yTicks.length).toBeLessThanOrEqual(4)
  })
  it('have fewer values when these are long', () => {
    const few = plotHistogram(of([1], { high: 0.1 }), BOX, 'log').xTicks.map((t) => t.text)
    expect(few.join(' ').length).toBeLessThanOrEqual(22)
    expect(few.length).toBeGreaterThanOrEqual(2)
  })
  it.each([
    [0.02, '0.02'],
    [1000, '1000'],
    [12_000, '12k'],
    [3.4e6, '3.4M']
  ])('writes %d as %s', (value, text) => expect(tickText(value)).toBe(text))
})
