import type { SimulationConfig } from '../../config/schema.ts'
import type { Machine, MachineCycle, Mark } from '../device/context.ts'
import { type Fault, FaultBook, MACHINE_FAULTS } from '../fault/fault.ts'

export type CycleMode = 'real' | 'fast'

const DOUBLED_SOE_NS = 20e6
/** the part of a short pause that the warning-warning and the warning may take */
const SQUEEZED_WWE = 0.8
const SQUEEZED_WE = 0.4

interface Step {
  readonly atNs: number
  readonly run: () => void
}

export interface SpsMachineOptions {
  readonly cycle: SimulationConfig['cycle']
  readonly mode: CycleMode
  /** wall time of the hall at a machine time */
  readonly utcAt: (timeNs: number) => Date
  /** number that the run's next spill will have, for faults; 0 while no run is enabled */
  readonly nextSpill: () => number
}

/**
 * The accelerator. A cycle is a pause and then an extraction:
 *
 *     |-- pause -------- WWE ------ WE - SOE ======= extraction ======= EOE |-- next cycle
 *
 * With mode `fast` the pause is cut to `fastPauseMs`; extraction keeps its length, and the warnings are
 * squeezed into the pause. Time is machine time in ns since the start; marks come at exact times.
 */
export class SpsMachine implements Machine {
  readonly #options: SpsMachineOptions
  readonly #faults = new FaultBook()
  readonly #markListeners: ((mark: Mark, cycle: number, utc: Date) => void)[] = []
  readonly #cycleListeners: ((cycle: MachineCycle) => void)[] = []
  /** what comes in this cycle, soonest first */
  #steps: Step[] = []
  #nowNs = 0
  #cycle = 0
  #isExtracting = false
  #hasBeam = true
  #latest: MachineCycle | undefined

  constructor(options: SpsMachineOptions) {
    this.#options = options
  }

  get cycle(): number {
    return this.#cycle
  }
  get isExtracting(): boolean {
    return this.#isExtracting
  }
  /** whether the present or coming extraction brings muons */
  get hasBeam(): boolean {
    return this.#hasBeam
  }
  get extractionNs(): number {
    return Math.round(this.#options.cycle.extractionMs * 1e6)
  }

  onMark(listener: (mark: Mark, cycle: number, utc: Date) => void): void {
    this.#markListeners.push(listener)
  }

  /** The listener hears of every cycle when it starts, and of the present one at once. */
  onCycle(listener: (cycle: MachineCycle) => void): void {
    this.#cycleListeners.push(listener)
    if (this.#latest !== undefined) listener(this.#latest)
  }

  /** false: not a fault of the machine */
  inject(fault: Fault): boolean {
    if (!(MACHINE_FAULTS as readonly string[]).includes(fault.kind)) return false
    this.#faults.add(fault)
    return true
  }

  /** until something happens; 0 before the first `advance` */
  untilNextNs(): number {
    const next = this.#steps[0]
    return next === undefined ? 0 : next.atNs - this.#nowNs
  }

  advance(dtNs: number): void {
    const end = this.#nowNs + dtNs
    if (this.#steps.length === 0) this.#startCycle(this.#nowNs)
    for (let step = this.#steps[0]; step !== undefined && step.atNs <= end; step = this.#steps[0]) {
      this.#steps.shift()
      this.#nowNs = step.atNs
      step.run()
    }
    this.#nowNs = end
  }

  save(): unknown {
    return { cycle: this.#cycle }
  }

  restore(saved: unknown): void {
    const cycle = (saved as { cycle?: unknown } | null)?.cycle
    if (typeof cycle === 'number') this.#cycle = cycle
  }

  #faulty(kind: (typeof MACHINE_FAULTS)[number]): Fault | undefined {
    if (this.#faults.isEmpty) return undefined
    return this.#faults.take([kind], this.#options.nextSpill())
  }

  #startCycle(atNs: number): void {
    const { cycle: config, mode } = this.#options
    this.#cycle++
    const usualMs = mode === 'fast' ? config.extractionMs + config.fastPauseMs : config.cycleLengthMs
    const fault = this.#faulty('cycle-length')
    const faultyMs = typeof fault?.with.lengthMs === 'number' ? fault.with.lengthMs : 1.5 * usualMs
    const lengthMs = Math.max(config.extractionMs + 1, fault === undefined ? usualMs : faultyMs)
    const pauseMs = lengthMs - config.extractionMs
    const soe = atNs + Math.round(pauseMs * 1e6)
    const eoe = soe + this.extractionNs
    const lead = (ms: number, share: number): number => Math.round(Math.min(ms, share * pauseMs) * 1e6)
    this.#steps = [
      { atNs: soe - lead(config.warningWarningMs, SQUEEZED_WWE), run: () => this.#warningWarning() },
      { atNs: soe - lead(config.warningMs, SQUEEZED_WE), run: () => this.#mark('WE') },
      { atNs: soe, run: () => this.#startOfExtraction() },
      { atNs: eoe, run: () => this.#endOfExtraction() }
    ]
    this.#latest = {
      cycle: this.#cycle,
      cycleLengthMs: lengthMs,
      extractionMs: config.extractionMs,
      nextStart: this.#options.utcAt(soe)
    }
    for (const listener of this.#cycleListeners) listener(this.#latest)
  }

  #mark(mark: Mark): void {
    const utc = this.#options.utcAt(this.#nowNs)
    for (const listener of this.#markListeners) listener(mark, this.#cycle, utc)
  }

  #warningWarning(): void {
    if (this.#faulty('lost-wwe') === undefined) this.#mark('WWE')
  }

  #startOfExtraction(): void {
    this.#hasBeam = this.#faulty('spill-without-beam') === undefined
    const isDoubled = this.#faulty('doubled-soe') !== undefined
    // decided now, while the coming spill's number is known
    const isEoeMissing = this.#faulty('missing-eoe') !== undefined
    if (isEoeMissing)
      this.#steps = this.#steps.map((step) => ({ ...step, run: () => this.#endOfExtraction(false) }))
    if (isDoubled)
      this.#steps.unshift({
        atNs: this.#nowNs + Math.min(DOUBLED_SOE_NS, Math.floor(this.extractionNs / 2)),
        run: () => this.#mark('SOE')
      })
    this.#isExtracting = true
    this.#mark('SOE')
  }

  #endOfExtraction(isMarked = true): void {
    this.#isExtracting = false
    this.#hasBeam = true
    if (isMarked) this.#mark('EOE')
    this.#startCycle(this.#nowNs)
  }
}
