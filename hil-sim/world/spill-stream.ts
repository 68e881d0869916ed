import { limits } from '../../core/limits.ts'
import type { Rng } from '../../core/rng.ts'
import { Chance } from './chance.ts'
import type { Patterns } from './coincidence.ts'

/** Generation goes in slices of spill time, so that a spill is the same however time is cut. */
export const SLICE_NS = 1e6
const RIPPLE_PERIOD_NS = 20e6

export interface LineSettings {
  readonly prescale: number
  readonly require: number
  readonly veto: number
  readonly randomRateHz: number
}

export interface SpillSettings {
  /** mean number of muons in the spill, halo included; 0 without beam */
  readonly muons: number
  /** amplitude of the 50 Hz ripple */
  readonly ripple: number
  /** amplitude of the second harmonic of the mains, relative to the first */
  readonly rippleSecondHarmonic: number
  /** how long beam comes */
  readonly beamNs: number
  readonly patterns: Patterns
  readonly beamMask: number
  readonly haloMask: number
  readonly lines: readonly LineSettings[]
  readonly deadTimeNs: number
}

/** One accepted trigger. The stream uses the same object again for the next one. */
export interface Trigger {
  /** in the spill, from 1 */
  number: number
  /** lines that took it */
  mask: number
  /** since start of extraction */
  timeNs: number
  /** busy since start of extraction, before this trigger */
  busyNs: number
  /** muon class, or -1: a random line fired */
  muonClass: number
  /** counters that fired */
  fired: number
  /** muons per ns at that moment, all classes */
  muonsPerNs: number
}

export interface LineCounts {
  attempts: number
  prescaled: number
  accepted: number
}

export interface SpillCounts {
  readonly muons: number
  readonly counters: readonly number[]
  readonly lines: readonly LineCounts[]
  readonly accepted: number
  readonly beam: number
  readonly beamLive: number
  readonly lengthNs: number
  readonly liveNs: number
}

/**
 * The muons of one spill, in order of time, and what the trigger logic makes of them. Each muon costs one
 * random number (its pattern of counters); a time is drawn only for those that matter: candidates after
 * the prescales, and whatever follows an accepted trigger within its dead time. So scalers, prescales and
 * live counts are exact sums over what was generated.
 */
export class SpillStream {
  /** no triggers are accepted while this is set; acts from the next slice on */
  isInhibited = false
  readonly #s: SpillSettings
  readonly #muons: Chance
  readonly #random: Chance
  readonly #phases: readonly [number, number]
  readonly #patternCount: Float64Array
  /** per pattern: lines whose coincidence it makes; those of them that are on; whether it is a beam muon */
  readonly #attempts: Uint32Array
  readonly #active: Uint32Array
  readonly #isBeam: Uint8Array
  readonly #seen: Float64Array
  readonly #prescales: Float64Array
  readonly #nextRandomNs: Float64Array
  readonly #lines: LineCounts[]
  readonly #trigger: Trigger
  #sliceNs = 0
  #busyUntilNs = -1
  #busyNs = 0
  #beamBusy = 0
  #accepted = 0

  constructor(settings: SpillSettings, rng: Rng) {
    this.#s = settings
    this.#muons = new Chance(rng.split('muons'))
    this.#random = new Chance(rng.split('random triggers'))
    const phase = rng.split('ripple')
    this.#phases = [phase.between(0, 2 * Math.PI), phase.between(0, 2 * Math.PI)]
    const { patterns, lines } = settings
    const slots = patterns.fired.length
    this.#patternCount = new Float64Array(slots)
    this.#attempts = new Uint32Array(slots)
    this.#active = new Uint32Array(slots)
    this.#isBeam = new Uint8Array(slots)
    for (let p = 0; p < slots; p++) {
      const fired = patterns.fired[p]!
      lines.forEach((line, l) => {
        if (line.randomRateHz > 0 || line.require === 0) return
        if ((fired & line.require) !== line.require || (fired & line.veto) !== 0) return
        this.#attempts[p]! |= 1 << l
        if (line.prescale > 0) this.#active[p]! |= 1 << l
      })
      const { beamMask, haloMask } = settings
      this.#isBeam[p] = beamMask !== 0 && (fired & beamMask) === beamMask && (fired & haloMask) === 0 ? 1 : 0
    }
    this.#seen = new Float64Array(lines.length)
    this.#prescales = Float64Array.from(lines, (line) => line.prescale)
    this.#nextRandomNs = Float64Array.from(lines, (line) =>
      line.randomRateHz > 0 ? this.#randomGapNs(line.randomRateHz) : Number.POSITIVE_INFINITY
    )
    this.#lines = lines.map(() => ({ attempts: 0, prescaled: 0, accepted: 0 }))
    this.#trigger = {
      number: 0,
      mask: 0,
      timeNs: 0,
      busyNs: 0,
      muonClass: -1,
      fired: 0,
      muonsPerNs: 0
    }
  }

  /** end of the slice that is not generated yet */
  get nextSliceEndNs(): number {
    return this.#sliceNs + SLICE_NS
  }

  /** Generates every slice that is over at `timeNs`. The trigger is only valid during the call. */
  advanceTo(timeNs: number, accept: (trigger: Readonly<Trigger>) => void): void {
    while (this.#sliceNs + SLICE_NS <= timeNs) this.#slice(this.#sliceNs + SLICE_NS, accept)
  }

  /** The spill ends: generates the rest up to `timeNs` and counts. */
  end(timeNs: number, accept: (trigger: Readonly<Trigger>) => void): SpillCounts {
    this.advanceTo(timeNs, accept)
    if (timeNs > this.#sliceNs) this.#slice(timeNs, accept)
    const overhang = Math.max(0, this.#busyUntilNs - timeNs)
    const { patterns } = this.#s
    const counters = new Array<number>(16).fill(0)
    let muons = 0
    let beam = 0
    for (let p = 0; p < this.#patternCount.length; p++) {
      const n = this.#patternCount[p]!
      muons += n
      if (this.#isBeam[p] === 1) beam += n
      for (let i = 0; i < 16; i++) if ((patterns.fired[p]! & (1 << i)) !== 0) counters[i]! += n
      for (let l = 0; l < this.#lines.length; l++)
        if ((this.#attempts[p]! & (1 << l)) !== 0) this.#lines[l]!.attempts += n
    }
    return {
      muons,
      counters,
      lines: this.#lines,
      accepted: this.#accepted,
      beam,
      beamLive: beam - this.#beamBusy,
      lengthNs: timeNs,
      liveNs: timeNs - (this.#busyNs - overhang)
    }
  }

  #randomGapNs(rateHz: number): number {
    return (this.#random.exponential() * 1e9) / rateHz
  }

  #muonsPerNs(timeNs: number): number {
    const { muons, beamNs, ripple, rippleSecondHarmonic } = this.#s
    if (muons === 0 || timeNs >= beamNs) return 0
    const phase = (2 * Math.PI * timeNs) / RIPPLE_PERIOD_NS
    const wave =
      Math.sin(phase + this.#phases[0]) + rippleSecondHarmonic * Math.sin(2 * phase + this.#phases[1])
    return (muons / beamNs) * Math.max(0, 1 + ripple * wave)
  }

  #slice(end: number, accept: (trigger: Readonly<Trigger>) => void): void {
    let from = this.#sliceNs
    if (this.isInhibited && end > this.#busyUntilNs) {
      // an inhibit is busy time without a trigger before it
      this.#busyNs += end - Math.max(from, this.#busyUntilNs)
      this.#busyUntilNs = end
    }
    for (;;) {
      let line = -1
      let to = end
      for (let l = 0; l < this.#nextRandomNs.length; l++)
        if (this.#nextRandomNs[l]! < to) {
          to = this.#nextRandomNs[l]!
          line = l
        }
      this.#muonsBetween(from, to, accept)
      from = to
      if (line < 0) break
      this.#randomTrigger(line, to, accept)
    }
    this.#sliceNs = end
  }

  #randomTrigger(line: number, timeNs: number, accept: (trigger: Readonly<Trigger>) => void): void {
    this.#nextRandomNs[line] = timeNs + this.#randomGapNs(this.#s.lines[line]!.randomRateHz)
    this.#lines[line]!.attempts++
    const prescale = this.#prescales[line]!
    if (prescale === 0 || ++this.#seen[line]! < prescale) return
    this.#seen[line] = 0
    this.#lines[line]!.prescaled++
    if (timeNs >= this.#busyUntilNs) this.#accept(timeNs, 1 << line, -1, 0, accept)
  }

  #muonsBetween(from: number, to: number, accept: (trigger: Readonly<Trigger>) => void): void {
    const width = Math.min(to, this.#s.beamNs) - from
    if (width <= 0) return
    const chance = this.#muons
    const n = chance.poisson(this.#muonsPerNs(from + width / 2) * width)
    const { shift, keep, alias, muonClass, fired } = this.#s.patterns
    const counts = this.#patternCount
    const active = this.#active
    const lowBits = 2 ** shift - 1
    // muon `known` of this stretch (-1: its begin) lies at `position` of it, in (0, 1)
    let known = -1
    let position = 0
    let isTimed = this.#busyUntilNs > from
    for (let i = 0; i < n; i++) {
      const bits = chance.bits()
      const slot = bits >>> shift
      const p = (bits & lowBits) >>> 0 < keep[slot]! ? slot : alias[slot]!
      counts[p]!++
      const lines = active[p]! === 0 ? 0 : this.#prescale(active[p]!)
      if (lines === 0 && !isTimed) continue
      position += (1 - position) * chance.orderStatistic(i - known, n - 1 - known)
      known = i
      const timeNs = from + position * width
      if (timeNs < this.#busyUntilNs) {
        this.#beamBusy += this.#isBeam[p]!
        continue
      }
      isTimed = false
      if (lines === 0) continue
      this.#accept(timeNs, lines, muonClass[p]!, fired[p]!, accept)
      isTimed = this.#busyUntilNs > timeNs
    }
  }

  /** Counts an attempt on each line of `mask`; returns those that pass their prescale. */
  #prescale(mask: number): number {
    let passed = 0
    for (let rest = mask; rest !== 0; rest &= rest - 1) {
      const line = 31 - Math.clz32(rest & -rest)
      if (++this.#seen[line]! >= this.#prescales[line]!) {
        this.#seen[line] = 0
        this.#lines[line]!.prescaled++
        passed |= 1 << line
      }
    }
    return passed
  }

  #accept(
    timeNs: number,
    mask: number,
    muonClass: number,
    fired: number,
    accept: (trigger: Readonly<Trigger>) => void
  ): void {
    if (this.#accepted >= limits.eventInSpillMax) return
    const trigger = this.#trigger
    trigger.number = ++this.#accepted
    trigger.mask = mask
    trigger.timeNs = timeNs
    trigger.busyNs = this.#busyNs
    trigger.muonClass = muonClass
    trigger.fired = fired
    trigger.muonsPerNs = this.#muonsPerNs(timeNs)
    for (let rest = mask; rest !== 0; rest &= rest - 1) this.#lines[31 - Math.clz32(rest & -rest)]!.accepted++
    this.#busyUntilNs = timeNs + this.#s.deadTimeNs
    this.#busyNs += this.#s.deadTimeNs
    accept(trigger)
  }
}
