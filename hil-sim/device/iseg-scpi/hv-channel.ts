import type { Rng } from '../../../core/rng.ts'

/** Bits of the status word; the event word has the same positions, latched. */
export const ChannelBit = {
  positive: 1 << 0,
  inputError: 1 << 2,
  on: 1 << 3,
  ramping: 1 << 4,
  emergencyOff: 1 << 5,
  constantCurrent: 1 << 6,
  constantVoltage: 1 << 7,
  currentBounds: 1 << 10,
  voltageBounds: 1 << 11,
  externalInhibit: 1 << 12,
  currentTrip: 1 << 13,
  currentLimit: 1 << 14,
  voltageLimit: 1 << 15
} as const

/** in the event word these mean: end of ramp, on to off */
export const EventBit = { endOfRamp: ChannelBit.ramping, onToOff: ChannelBit.on } as const

/** Events that block until they are cleared, unless somebody writes another mask. */
export const DEFAULT_EVENT_MASK =
  ChannelBit.currentTrip | ChannelBit.externalInhibit | ChannelBit.emergencyOff

/** cable and filter; charging it costs current while the channel ramps */
const LOAD_FARAD = 10e-9
/** without power the load discharges through itself and the supply's bleeder */
const DISCHARGE_S = 0.4
const VOLTAGE_NOISE_V = 0.05
const CURRENT_NOISE_A = 2e-8
/** below this the output counts as discharged */
const ZERO_V = 0.5

/** What a module keeps of a channel, and a restart of the simulator must not lose. */
export interface ChannelState {
  /** on; ramping down after it was switched off; off without a drive */
  drive: 'on' | 'down' | 'off'
  isEmergencyOff: boolean
  setV: number
  limitA: number
  boundV: number
  boundA: number
  rampUpVPerS: number
  rampDownVPerS: number
  /** what the ramp generator gives; the terminal is lower at the current limit */
  outputV: number
  events: number
  eventMask: number
}

/** What happens to a channel from outside. */
export interface ChannelConditions {
  readonly isInhibited: boolean
  /** the ramp generator hangs */
  readonly isRampStuck: boolean
  /** current that flows beyond the load's own, A */
  readonly extraA: number
  /** ms at the current limit until a trip; 0: never */
  readonly tripMs: number
}

export interface HvChannelOptions {
  readonly nominalV: number
  readonly nominalA: number
  /** resistance of divider, cable and insulation as the supply sees it */
  readonly loadOhm: number
  readonly state: ChannelState
  readonly rng: Rng
}

/**
 * One channel: ramps linearly towards its demand while on, to 0 after it was switched off; obeys its current
 * limit, trips, and latches what happened.
 */
export class HvChannelModel {
  readonly #options: HvChannelOptions
  #state: ChannelState
  #terminalV: number
  #measuredV: number
  #measuredA = 0
  #isRamping = false
  #isInhibited = false
  #isCurrentLimited = false
  #hasInputError = false
  #atLimitMs = 0

  constructor(options: HvChannelOptions) {
    this.#options = options
    this.#state = { ...options.state }
    this.#terminalV = this.#measuredV = options.state.outputV
    this.#measuredA = options.state.outputV / options.loadOhm
  }

  get nominalV(): number {
    return this.#options.nominalV
  }
  get nominalA(): number {
    return this.#options.nominalA
  }
  get state(): Readonly<ChannelState> {
    return this.#state
  }
  get measuredV(): number {
    return this.#measuredV
  }
  get measuredA(): number {
    return this.#measuredA
  }
  get isRamping(): boolean {
    return this.#isRamping
  }
  /** an event that its mask lets through is set: no raising, no switching on */
  get isBlocked(): boolean {
    return (this.#state.events & this.#state.eventMask) !== 0
  }

  restore(state: ChannelState): void {
    this.#state = { ...state }
    this.#terminalV = this.#measuredV = state.outputV
  }

  /** @returns false: refused */
  setVoltage(volts: number): boolean {
    const isInRange = volts >= 0 && volts <= this.nominalV
    this.#noteInput(isInRange)
    if (!isInRange || (this.isBlocked && volts > this.#state.setV)) return false
    this.#state.setV = volts
    return true
  }

  setCurrentLimit(amperes: number): boolean {
    const isInRange = amperes >= 0 && amperes <= this.nominalA
    this.#noteInput(isInRange)
    if (isInRange) this.#state.limitA = amperes
    return isInRange
  }

  setBounds(which: 'boundV' | 'boundA', value: number): boolean {
    if (value < 0) return false
    this.#state[which] = value
    return true
  }

  setRamp(which: 'rampUpVPerS' | 'rampDownVPerS', voltsPerSecond: number): boolean {
    if (voltsPerSecond <= 0 || voltsPerSecond > this.nominalV) return false
    this.#state[which] = voltsPerSecond
    return true
  }

  setEventMask(mask: number): void {
    this.#state.eventMask = mask
  }

  switchOn(): boolean {
    if (this.#state.drive === 'on') return true
    if (this.isBlocked || this.#state.isEmergencyOff || this.#isInhibited) return false
    this.#state.drive = 'on'
    return true
  }

  switchOff(): void {
    if (this.#state.drive === 'on') this.#state.drive = 'down'
  }

  emergencyOff(): void {
    this.#state.isEmergencyOff = true
    this.#cut(ChannelBit.emergencyOff)
  }

  clearEmergencyOff(): void {
    this.#state.isEmergencyOff = false
  }

  /** Clears events whose cause is gone. */
  clearEvents(bits = 0xffffffff): void {
    const stillThere =
      (this.#isInhibited ? ChannelBit.externalInhibit : 0) |
      (this.#state.isEmergencyOff ? ChannelBit.emergencyOff : 0)
    this.#state.events &= ~bits | stillThere
    if ((bits & ChannelBit.inputError) !== 0) this.#hasInputError = false
  }

  trip(): void {
    this.#cut(ChannelBit.currentTrip)
  }

  statusWord(): number {
    const { drive, isEmergencyOff, setV, boundV, boundA, limitA, events } = this.#state
    const isLive = drive !== 'off'
    const isSettled = drive === 'on' && !this.#isRamping
    const isBeyond = (bound: number, distance: number): boolean => isSettled && bound > 0 && distance > bound
    const bits: readonly (readonly [number, boolean])[] = [
      [ChannelBit.on, isLive],
      [ChannelBit.ramping, this.#isRamping],
      [ChannelBit.constantVoltage, isLive && !this.#isCurrentLimited],
      [ChannelBit.constantCurrent | ChannelBit.currentLimit, this.#isCurrentLimited],
      [ChannelBit.emergencyOff, isEmergencyOff],
      [ChannelBit.externalInhibit, this.#isInhibited],
      // shown until the event is cleared
      [ChannelBit.currentTrip, (events & ChannelBit.currentTrip) !== 0],
      [ChannelBit.inputError, this.#hasInputError],
      [ChannelBit.voltageBounds, isBeyond(boundV, Math.abs(this.#measuredV - setV))],
      [ChannelBit.currentBounds, isBeyond(boundA, Math.abs(this.#measuredA - limitA))]
    ]
    return bits.reduce((word, [bit, isSet]) => (isSet ? word | bit : word), 0)
  }

  controlWord(): number {
    const { drive, isEmergencyOff } = this.#state
    return (drive === 'on' ? ChannelBit.on : 0) | (isEmergencyOff ? ChannelBit.emergencyOff : 0)
  }

  tick(dtS: number, conditions: ChannelConditions): void {
    this.#isInhibited = conditions.isInhibited
    if (conditions.isInhibited) this.#cut(ChannelBit.externalInhibit)
    const beforeV = this.#state.outputV
    this.#move(dtS, conditions.isRampStuck)
    this.#draw(dtS, beforeV, conditions)
    this.#measuredV = Math.max(0, this.#terminalV + this.#options.rng.normal(0, VOLTAGE_NOISE_V))
  }

  #move(dtS: number, isStuck: boolean): void {
    const state = this.#state
    if (state.drive === 'off') {
      state.outputV = state.outputV < ZERO_V ? 0 : state.outputV * Math.exp(-dtS / DISCHARGE_S)
      return
    }
    const target = state.drive === 'on' ? state.setV : 0
    const left = target - state.outputV
    if (left !== 0) this.#isRamping = true
    if (isStuck) return
    const step = (left > 0 ? state.rampUpVPerS : state.rampDownVPerS) * dtS
    if (Math.abs(left) > step) {
      state.outputV += Math.sign(left) * step
      return
    }
    state.outputV = target
    if (this.#isRamping) this.#latch(EventBit.endOfRamp)
    this.#isRamping = false
    if (state.drive === 'down') {
      state.drive = 'off'
      this.#latch(EventBit.onToOff)
    }
  }

  /** Current, and what the limit does about it. */
  #draw(dtS: number, beforeV: number, conditions: ChannelConditions): void {
    const state = this.#state
    const noiseA = this.#options.rng.normal(0, CURRENT_NOISE_A)
    const isLive = state.drive !== 'off'
    const chargingA = isLive ? (LOAD_FARAD * (state.outputV - beforeV)) / dtS : 0
    const extraA = isLive ? conditions.extraA : 0
    const { loadOhm } = this.#options
    const wantedA = state.outputV / loadOhm + chargingA + extraA
    this.#isCurrentLimited = isLive && wantedA >= state.limitA
    // At the limit the terminal has the voltage that the limited current makes in the load.
    this.#terminalV = this.#isCurrentLimited ? Math.max(0, (state.limitA - extraA) * loadOhm) : state.outputV
    this.#measuredA = (this.#isCurrentLimited ? state.limitA : wantedA) + noiseA
    if (!this.#isCurrentLimited) {
      this.#atLimitMs = 0
      return
    }
    this.#latch(ChannelBit.currentLimit)
    this.#atLimitMs += dtS * 1e3
    if (conditions.tripMs > 0 && this.#atLimitMs >= conditions.tripMs) this.trip()
  }

  /** Off without a ramp. */
  #cut(event: number): void {
    const wasLive = this.#state.drive !== 'off'
    this.#state.drive = 'off'
    if (this.#isCurrentLimited) this.#state.outputV = Math.min(this.#state.outputV, this.#terminalV)
    this.#isRamping = false
    this.#atLimitMs = 0
    this.#isCurrentLimited = false
    this.#latch(event | (wasLive ? EventBit.onToOff : 0))
  }

  #noteInput(isGood: boolean): void {
    this.#hasInputError = !isGood
    if (!isGood) this.#latch(ChannelBit.inputError)
  }

  #latch(bits: number): void {
    this.#state.events |= bits
  }
}
