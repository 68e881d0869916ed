import { expect, test } from 'vitest'
import { Rng } from '../../../core/rng.ts'

// Splitting by label: a branch depends on seed and labels only. Distributions: moments against closed forms.

test('a branch is the same whatever others drew, and differs from its neighbours', () => {
  const a = new Rng(7)
  for (let i = 0; i < 100; i++) a.uniform()
  const b = new Rng(7)
  const draw = (rng: Rng): number[] => Array.from({ length: 5 }, () => rng.uniform())
  expect(draw(a.split('noise'))).toEqual(draw(b.split('noise')))
  expect(draw(b.split('noise'))).not.toEqual(draw(b.split('noisf')))
  expect(draw(new Rng(7))).not.toEqual(draw(new Rng(8)))
})

const N = 40_000
const moments = (values: number[]): { mean: number; variance: number } => {
  const mean = values.reduce((s, v) => s + v, 0) / values.length
  return { mean, variance: values.reduce((s, v) => s + (v - mean) ** 2, 0) / values.length }
}
const cases: [string, (rng: Rng) => number, number, number][] = [
  ['uniform', (r) => r.uniform(), 0.5, 1 / 12],
  ['normal', (r) => r.normal(3, 2), 3, 4],
  ['exponential', (r) => r.exponential(4), 4, 16],
  ['poisson 3', (r) => r.poisson(3), 3, 3],
  ['poisson 5000', (r) => r.poisson(5000), 5000, 5000],
  ['binomial small', (r) => r.binomial(20, 0.3), 6, 4.2],
  ['binomial rare', (r) => r.binomial(100_000, 1e-4), 10, 10],
  ['binomial large', (r) => r.binomial(1_000_000, 0.5), 5e5, 2.5e5]
]
test.each(cases)('%s has the mean and variance of its closed form', (_name, draw, mean, variance) => {
  const rng = new Rng('moments')
  const m = moments(Array.from({ length: N }, () => draw(rng)))
  expect(Math.abs(m.mean - mean)).toBeLessThan(5 * Math.sqrt(variance / N))
  // the variance of the variance is largest for the exponential (kurtosis 9)
  expect(Math.abs(m.variance / variance - 1)).toBeLessThan(5 * Math.sqrt(8 / N))
})
