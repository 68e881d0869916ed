import { xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus'

type Generator = ReturnType<typeof xoroshiro128plusFromState>

/**
 * Seeded random numbers that can be split by label: `rng.split('noise')` depends only on the seed and the
 * labels on the way, never on how many numbers others drew. Same seed, same numbers, on any machine.
 */
export class Rng {
  readonly #path: string
  readonly #generator: Generator
  #spareNormal = Number.NaN

  constructor(seed: number | string) {
    this.#path = String(seed)
    // 128 bits of state from four hashes of the path; all zero is the one state that must not be
    const state = [0, 1, 2, 3].map((part) => fnv1a(`${part}:${this.#path}`) | 0)
    this.#generator = xoroshiro128plusFromState(state.every((word) => word === 0) ? [1, 2, 3, 4] : state)
  }

  split(label: string): Rng {
    return new Rng(`${this.#path}/${label}`)
  }

  /** uniform in [0, 1), 32 bits */
  uniform(): number {
    return (this.#generator.next() >>> 0) * 2.3283064365386963e-10
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.uniform()
  }

  /** integer in [0, n) */
  integer(n: number): number {
    return Math.floor(this.uniform() * n)
  }

  chance(probability: number): boolean {
    return this.uniform() < probability
  }

  /** exponential with the given mean */
  exponential(mean = 1): number {
    return -mean * Math.log(1 - this.uniform())
  }

  /** Gaussian, polar method */
  normal(mean = 0, sigma = 1): number {
    if (!Number.isNaN(this.#spareNormal)) {
      const z = this.#spareNormal
      this.#spareNormal = Number.NaN
      return mean + sigma * z
    }
    for (;;) {
      const u = 2 * this.uniform() - 1
      const v = 2 * this.uniform() - 1
      const s = u * u + v * v
      if (s > 0 && s < 1) {
        const f = Math.sqrt((-2 * Math.log(s)) / s)
        this.#spareNormal = v * f
        return mean + sigma * u * f
      }
    }
  }

  /** Poisson; Gaussian with continuity above a mean of 1000 */
  poisson(mean: number): number {
    if (mean <= 0) return 0
    if (mean > 1000) return Math.max(0, Math.round(this.normal(mean, Math.sqrt(mean))))
    let count = 0
    for (let t = this.exponential(); t < mean; t += this.exponential()) count++
    return count
  }

  /** binomial by Poisson or Gauss where they are good, by counting elsewhere */
  binomial(n: number, p: number): number {
    if (p <= 0 || n <= 0) return 0
    if (p >= 1) return n
    if (n * p * (1 - p) > 1000)
      return Math.min(n, Math.max(0, Math.round(this.normal(n * p, Math.sqrt(n * p * (1 - p))))))
    if (n > 1000 && p < 0.01) return Math.min(n, this.poisson(n * p))
    if (n > 1000 && p > 0.99) return n - Math.min(n, this.poisson(n * (1 - p)))
    let count = 0
    for (let i = 0; i < n; i++) if (this.uniform() < p) count++
    return count
  }
}

function fnv1a(text: string): number {
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i++) {
    h ^= text.charCodeAt(i)
    h = Math.imul(h, 0x01000193)
  }
  // final mix of MurmurHash3, so that labels differing in the last letter differ in all bits
  h ^= h >>> 16
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
