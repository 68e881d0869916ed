/** What a histogram is to the outside; console/api has the same. */
export interface HistogramRecord {
  readonly name: string
  readonly title: string
  readonly unit: string
  readonly low: number
  readonly high: number
  readonly counts: number[]
  readonly underflow: number
  readonly overflow: number
  readonly entries: number
}

export interface HistogramAxis {
  readonly name: string
  readonly title: string
  readonly unit: string
  readonly low: number
  readonly high: number
  readonly bins: number
}

/** Counts in bins of equal width over [low, high), with what lies outside. */
export class Histogram {
  readonly axis: HistogramAxis
  readonly #counts: Uint32Array
  readonly #perUnit: number
  #underflow = 0
  #overflow = 0
  #entries = 0

  constructor(axis: HistogramAxis) {
    this.axis = axis
    this.#counts = new Uint32Array(axis.bins)
    this.#perUnit = axis.bins / (axis.high - axis.low)
  }

  get entries(): number {
    return this.#entries
  }

  /** Not a number counts as overflow: it must not vanish. */
  fill(value: number): void {
    this.#entries++
    if (value < this.axis.low) this.#underflow++
    else if (value < this.axis.high) {
      // rounding may lead to the bin behind the last one
      const bin = Math.min(Math.floor((value - this.axis.low) * this.#perUnit), this.axis.bins - 1)
      this.#counts[bin]!++
    } else this.#overflow++
  }

  /** Adds another one with the same axis: of another worker, or another spill. */
  merge(other: Histogram): void {
    for (let bin = 0; bin < this.#counts.length; bin++) this.#counts[bin]! += other.#counts[bin]!
    this.#underflow += other.#underflow
    this.#overflow += other.#overflow
    this.#entries += other.#entries
  }

  clear(): void {
    this.#counts.fill(0)
    this.#underflow = this.#overflow = this.#entries = 0
  }

  toJSON(): HistogramRecord {
    const { name, title, unit, low, high } = this.axis
    return {
      ...{ name, title, unit, low, high },
      counts: Array.from(this.#counts),
      underflow: this.#underflow,
      overflow: this.#overflow,
      entries: this.#entries
    }
  }
}
