import type { Rng } from '../../core/rng.ts'

/** cable and filter; charging it costs current while the output ramps */
const LOAD_FARAD = 10e-9
/** without power the load discharges through itself and the supply's bleeder */
const DISCHARGE_S = 0.4
const VOLTAGE_NOISE_V = 0.05
const CURRENT_NOISE_UA = 0.02
/** below this the output counts as discharged */
const ZERO_V = 0.5
/** part of the current limit that the load takes at its usual voltage */
const LOAD_SHARE = 0.4

/** What the hardware remembers of an output; JSON can hold it. */
export interface OutputState {
  /** on; ramping down after it was switched off; off without a drive */
  drive: 'on' | 'down' | 'off'
  demandV: number
  limitUa: number
  /** the output goes no higher, whatever the demand */
  ceilingV: number
  rampUpVPerS: number
  rampDownVPerS: number
  /** s at the current limit until a trip; `NEVER_S` and above: never */
  tripS: number
  /** how the voltage is taken away by the switch and by trips */
  powerDown: 'ramp' | 'kill'
  isTripped: boolean
  /** what the ramp generator gives; the terminal is lower at the current limit */
  outputV: number
}

/** A trip time of this length means that there is no trip. */
export const NEVER_S = 1000

export interface OutputConditions {
  /** interlock, kill, a switch on the panel: off without a ramp, and no way on */
  readonly isForbidden: boolean
  /** the ramp generator hangs */
  readonly isRampStuck: boolean
  /** current that flows beyond the load's own, uA */
  readonly extraUa: number
}

/** The load of an output that takes part of its current limit at its usual voltage. */
export const loadMegaohm = (usualV: number, limitUa: number): number =>
  Math.max(usualV, 1) / (LOAD_SHARE * limitUa)

/**
 * One high-voltage output with linear ramps, a resistive load, a current limit and a trip timer; what it looks like on
 * the wire is for the device around it.
 */
export class HighVoltageOutput {
  state: OutputState
  readonly #loadMegaohm: number
  readonly #rng: Rng
  readonly #tripsKill: boolean
  #terminalV: number
  #measuredV: number
  #measuredUa = 0
  #isForbidden = false
  #isRampingUp = false
  #isRampingDown = false
  #isOverCurrent = false
  #atLimitS = 0

  /** @param options.tripsKill a trip takes the voltage away at once, whatever `powerDown` says */
  constructor(
    state: OutputState,
    options: { readonly loadMegaohm: number; readonly rng: Rng; readonly tripsKill: boolean }
  ) {
    const { loadMegaohm, rng, tripsKill } = options
    this.state = { ...state }
    this.#loadMegaohm = loadMegaohm
    this.#rng = rng
    this.#tripsKill = tripsKill
    this.#terminalV = this.#measuredV = state.outputV
    this.#measuredUa = state.outputV / loadMegaohm
  }

  get measuredV(): number {
    return this.#measuredV
  }
  get measuredUa(): number {
    return this.#measuredUa
  }
  get isOn(): boolean {
    return this.state.drive === 'on'
  }
  get isRampingUp(): boolean {
    return this.#isRampingUp
  }
  get isRampingDown(): boolean {
    return this.#isRampingDown
  }
  get isOverCurrent(): boolean {
    return this.#isOverCurrent
  }
  /** V above the demand, negative below; 0 unless the output is on and settled */
  get deviationV(): number {
    const isSettled = this.isOn && !this.#isRampingUp && !this.#isRampingDown
    return isSettled ? this.#measuredV - this.state.demandV : 0
  }
  get isAtCeiling(): boolean {
    const { outputV, ceilingV, demandV } = this.state
    return this.isOn && demandV > ceilingV && outputV >= ceilingV
  }

  restore(state: OutputState): void {
    this.state = { ...state }
    this.#terminalV = this.#measuredV = state.outputV
    this.#measuredUa = state.outputV / this.#loadMegaohm
  }

  switchOn(): void {
    if (!this.state.isTripped && !this.#isForbidden) this.state.drive = 'on'
  }

  switchOff(): void {
    if (this.state.drive === 'on') this.state.drive = this.state.powerDown === 'ramp' ? 'down' : 'off'
  }

  trip(): void {
    this.state.isTripped = true
    if (this.#tripsKill) this.state.drive = 'off'
    else this.switchOff()
  }

  clearTrip(): void {
    this.state.isTripped = false
  }

  tick(dtS: number, conditions: OutputConditions): void {
    this.#isForbidden = conditions.isForbidden
    if (conditions.isForbidden) this.state.drive = 'off'
    const beforeV = this.state.outputV
    this.#move(dtS, conditions.isRampStuck)
    this.#draw(dtS, beforeV, conditions.extraUa)
    this.#measuredV = Math.max(0, this.#terminalV + this.#rng.normal(0, VOLTAGE_NOISE_V))
  }

  #move(dtS: number, isStuck: boolean): void {
    const { state } = this
    if (state.drive === 'off') {
      this.#isRampingUp = this.#isRampingDown = false
      state.outputV = state.outputV < ZERO_V ? 0 : state.outputV * Math.exp(-dtS / DISCHARGE_S)
      return
    }
    const target = state.drive === 'on' ? Math.min(state.demandV, state.ceilingV) : 0
    const left = target - state.outputV
    this.#isRampingUp = left > 0
    this.#isRampingDown = left < 0
    if (isStuck) return
    const step = (left > 0 ? state.rampUpVPerS : state.rampDownVPerS) * dtS
    if (Math.abs(left) > step) {
      state.outputV += Math.sign(left) * step
      return
    }
    state.outputV = target
    this.#isRampingUp = this.#isRampingDown = false
    if (state.drive === 'down') state.drive = 'off'
  }

  /** Current, and what the limit does about it. */
  #draw(dtS: number, beforeV: number, extraUa: number): void {
    const { state } = this
    const noiseUa = this.#rng.normal(0, CURRENT_NOISE_UA)
    const isLive = state.drive !== 'off'
    const chargingUa = isLive ? (LOAD_FARAD * 1e6 * (state.outputV - beforeV)) / dtS : 0
    const ownUa = state.outputV / this.#loadMegaohm
    const wantedUa = ownUa + chargingUa + (isLive ? extraUa : 0)
    this.#isOverCurrent = isLive && wantedUa >= state.limitUa
    // At the limit the terminal has the voltage that the limited current makes in the load.
    this.#terminalV = this.#isOverCurrent
      ? Math.min(state.outputV, Math.max(0, (state.limitUa - extraUa) * this.#loadMegaohm))
      : state.outputV
    this.#measuredUa = Math.max(0, (this.#isOverCurrent ? state.limitUa : wantedUa) + noiseUa)
    this.#atLimitS = this.#isOverCurrent ? this.#atLimitS + dtS : 0
    if (this.#isOverCurrent && state.tripS < NEVER_S && this.#atLimitS >= state.tripS) this.trip()
  }
}

/** Whether something read from a file is a state that an output can take back. */
export function isOutputState(value: unknown): value is OutputState {
  const { drive, powerDown, isTripped, ...numbers } = (value ?? {}) as Partial<OutputState>
  const expected = ['demandV', 'limitUa', 'ceilingV', 'rampUpVPerS', 'rampDownVPerS', 'tripS', 'outputV']
  return (
    (drive === 'on' || drive === 'down' || drive === 'off') &&
    (powerDown === 'ramp' || powerDown === 'kill') &&
    typeof isTripped === 'boolean' &&
    expected.every((key) => Number.isFinite((numbers as Record<string, unknown>)[key]))
  )
}
