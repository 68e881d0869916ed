import type { Rng } from '../../core/rng.ts'

/**
 * Fast random numbers for the loops over muons (xoshiro128++, a few ns each). Seeded from an `Rng`, or from
 * two integers for things that must come out the same whoever asks first (the signals of one event).
 */
export class Chance {
  readonly #state = new Int32Array(4)
  #spareNormal = Number.NaN

  constructor(rng?: Rng) {
    if (rng === undefined) this.reseed(0, 0)
    else this.reseed(rng.integer(0x1_0000_0000), rng.integer(0x1_0000_0000))
  }

  /** Same two integers, same numbers from here on. */
  reseed(a: number, b: number): void {
    let h = Math.imul(a, 0x9e3779b9) ^ Math.imul(b, 0x85ebca6b) ^ 0x2545f491
    for (let i = 0; i < 4; i++) {
      // splitmix32
      h = (h + 0x9e3779b9) | 0
      let z = h ^ (i % 2 === 0 ? a : b)
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
      this.#state[i] = z ^ (z >>> 15)
    }
    this.#state[0]! |= 1
    this.#spareNormal = Number.NaN
    for (let i = 0; i < 4; i++) this.bits()
  }

  /** 32 random bits, as an unsigned number */
  bits(): number {
    const s = this.#state
    const s0 = s[0]!
    const s1 = s[1]!
    const sum = (s0 + s[3]!) | 0
    const s2 = s[2]! ^ s0
    const s3 = s[3]! ^ s1
    s[1] = s1 ^ s2
    s[0] = s0 ^ s3
    s[2] = s2 ^ (s1 << 9)
    s[3] = (s3 << 11) | (s3 >>> 21)
    return (((sum << 7) | (sum >>> 25)) + s0) >>> 0
  }

  /** uniform in [0, 1) */
  uniform(): number {
    return this.bits() * 2.3283064365386963e-10
  }

  /** exponential with mean 1 */
  exponential(): number {
    return -Math.log(1 - this.uniform())
  }

  /** Gaussian with mean 0 and sigma 1, polar method */
  normal(): number {
    const spare = this.#spareNormal
    if (!Number.isNaN(spare)) {
      this.#spareNormal = Number.NaN
      return spare
    }
    for (;;) {
      const u = 2 * this.uniform() - 1
      const v = 2 * this.uniform() - 1
      const s = u * u + v * v
      if (s > 0 && s < 1) {
        const f = Math.sqrt((-2 * Math.log(s)) / s)
        this.#spareNormal = v * f
        return u * f
      }
    }
  }

  /** Poisson; Gaussian above a mean of 200 */
  poisson(mean: number): number {
    if (mean <= 0) return 0
    if (mean > 200) return Math.max(0, Math.round(mean + Math.sqrt(mean) * this.normal()))
    if (mean > 25) return this.poisson(mean / 2) + this.poisson(mean / 2)
    const limit = Math.exp(-mean)
    let count = 0
    for (let product = this.uniform(); product > limit; product *= this.uniform()) count++
    return count
  }

  /** Gamma with whole-numbered shape and scale 1 (Marsaglia and Tsang 2000) */
  gamma(shape: number): number {
    if (shape < 6) {
      let sum = 0
      for (let i = 0; i < shape; i++) sum += this.exponential()
      return sum
    }
    const d = shape - 1 / 3
    const c = 1 / Math.sqrt(9 * d)
    for (;;) {
      const x = this.normal()
      const v = (1 + c * x) ** 3
      if (v > 0 && Math.log(1 - this.uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v
    }
  }

  /** where the `k`-th smallest of `n` uniform numbers in (0, 1) lies: Beta(k, n - k + 1) */
  orderStatistic(k: number, n: number): number {
    if (k === 1) return 1 - Math.pow(1 - this.uniform(), 1 / n)
    const below = this.gamma(k)
    return below / (below + this.gamma(n - k + 1))
  }
}
