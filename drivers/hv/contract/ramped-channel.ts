import type { Clock } from '../../../core/clock.ts'
import { ErrorCode, sentence, SpillwayError } from '../../../core/errors.ts'
import type { Reading, Setpoint } from '../../../core/signal.ts'
import { SignalCell } from '../../../core/signal-value.ts'
import { type DurationNs, milliseconds, seconds, toSeconds } from '../../../core/units.ts'
import type { LinkedSignal } from '../../link/device-connection.ts'
import type { HvChannel, HvChannelState } from './hv-supply.ts'

/** What the experiment wants of one channel; every maker's options contain it. */
export interface HvChannelOptions {
  /** as printed on the module */
  readonly number: number
  readonly name: string
  /** our own limit, at or below that of the supply; V */
  readonly limitV: number
  readonly rampVPerS: number
  readonly currentLimitUa: number
}

/** One channel at one time; voltages as magnitudes, whatever the polarity. */
export interface HvReadout {
  readonly demandV: number
  readonly voltageV: number
  readonly currentUa: number
  readonly state: HvChannelState
  readonly isOn: boolean
  readonly isRamping: boolean
  /** harm that stands until a person has cleared it, in the words of the supply; keeps the channel off */
  readonly blocking: readonly string[]
  /** what keeps the channel off as long as it lasts: interlock, switch on the panel */
  readonly inhibits: readonly string[]
  /** the supply's own status word */
  readonly statusWord: number
  /** what the supply reports beyond on and ramping, for people */
  readonly events: readonly string[]
}

/**
 * What a maker's supply must be able to do with one channel. Each write happens at most once and resolves when
 * the supply has taken it; whether it had its effect is read back.
 */
export interface HvChannelPort {
  read(signal: AbortSignal): Promise<HvReadout>
  writeDemand(volts: number, signal: AbortSignal): Promise<void>
  /** current limit and ramps, before the channel is switched on */
  prepare(signal: AbortSignal): Promise<void>
  switchOn(signal: AbortSignal): Promise<void>
  /** starts a controlled ramp down, at whose end the channel is off */
  switchOff(signal: AbortSignal): Promise<void>
  clear(signal: AbortSignal): Promise<void>
  /** the highest demand that the supply itself will follow; V */
  ceilingV?(signal: AbortSignal): Promise<number>
}

export interface RampedChannelOptions extends HvChannelOptions {
  /** `hv-ecal/ch0` */
  readonly path: string
  readonly toleranceV: number
  readonly staleAfterMs: number
  /** a demand reads back within this; V */
  readonly readbackV: number
  /** the supply shows within this what it was told */
  readonly showsWithin: DurationNs
}

const READBACK_PAUSE = milliseconds(100)
const RAMP_STEP = milliseconds(250)
/** The voltage counts as reached when it has stayed within tolerance for this long. */
const SETTLE = seconds(1)
/** Twice the time of the ramp itself, and this. */
const RAMP_MARGIN = seconds(30)
/** A supply that ignores the ramp command ramps as it likes; this much faster than told is too fast. */
const TOO_FAST = 1.5
const SLOPE_TIME = seconds(1)

/**
 * The part of a channel that is the same for every maker: who may do what, and what is waited for. Its signals are
 * fed by the supply's poll and by what is read in between.
 */
export class RampedChannel implements HvChannel {
  readonly name: string
  readonly number: number
  readonly limitV: number
  readonly demand: Setpoint<number>
  readonly voltage: SignalCell<number>
  readonly current: SignalCell<number>
  readonly state: SignalCell<string>
  readonly signals: readonly LinkedSignal[]
  readonly #options: RampedChannelOptions
  readonly #port: HvChannelPort
  readonly #clock: Clock
  readonly #cells: ReturnType<typeof makeCells>

  constructor(options: RampedChannelOptions, port: HvChannelPort, clock: Clock) {
    this.name = options.name
    this.number = options.number
    this.limitV = options.limitV
    this.#options = options
    this.#port = port
    this.#clock = clock
    const cells = (this.#cells = makeCells(options, clock))
    this.signals = Object.values(cells)
    this.voltage = cells.voltage
    this.current = cells.current
    this.state = cells.state
    this.demand = {
      path: cells.demand.path,
      meta: cells.demand.meta,
      latest: () => cells.demand.latest(),
      watch: (listener) => cells.demand.watch(listener),
      set: (value, signal) => this.#setDemand(value, signal)
    }
  }

  /** Takes over what the supply does; called after every reading. @param utc time of the source, where it gives one */
  show(readout: HvReadout, utc?: Date, doubt?: string): void {
    const quality = doubt === undefined ? 'good' : 'suspect'
    this.#cells.demand.update(readout.demandV, quality, doubt, utc)
    this.#cells.voltage.update(readout.voltageV, quality, doubt, utc)
    this.#cells.current.update(readout.currentUa, quality, doubt, utc)
    this.#cells.state.update(readout.state, quality, doubt, utc)
    this.#cells.statusWord.update(readout.statusWord, quality, doubt, utc)
    this.#cells.events.update(readout.events.join(' '), quality, doubt, utc)
  }

  /** The channel does not answer although the rest of the supply does: its last values stay visible, as stale. */
  lose(why: string): void {
    for (const cell of this.signals) cell.lose(why)
  }

  /**
   * Refuses while harm stands that blocks the channel: what happened is for a person to judge, who then calls
   * `clearTrip`. Aborting ends the waiting, not the ramp; `rampOff` takes the voltage away.
   */
  async energise(permit: { readonly by: string }, signal: AbortSignal): Promise<Reading<number>> {
    this.#checkPermit('energise', permit)
    const before = await this.#read(signal)
    this.#checkMayEnergise(before)
    await this.#checkCeiling(before.demandV, signal)
    await this.#port.prepare(signal)
    await this.#port.switchOn(signal)
    await this.#rampTo(before.demandV, before.voltageV, signal)
    return this.voltage.latest()!
  }

  /** Ramps down and switches off; resolves when the voltage is gone. */
  async rampOff(signal: AbortSignal): Promise<void> {
    const before = await this.#read(signal)
    await this.#port.switchOff(signal)
    await this.waitUntilOff(before.voltageV, signal)
  }

  /** Resolves when the channel is off and its voltage gone. @param fromV where the ramp began */
  async waitUntilOff(fromV: number, signal: AbortSignal): Promise<void> {
    await this.#watchRamp('ramp off', fromV, signal, ({ isOn, isRamping, voltageV }) => {
      return !isOn && !isRamping && voltageV <= this.#options.toleranceV
    })
  }

  /** Clears what stands; the channel stays off until somebody energises it. */
  async clearTrip(permit: { readonly by: string }, signal: AbortSignal): Promise<void> {
    this.#checkPermit('clear the trip of', permit)
    await this.#port.clear(signal)
    const { blocking } = await this.#shown('clear', ({ blocking: left }) => left.length === 0, signal)
    if (blocking.length > 0)
      throw this.#error(ErrorCode.refused, `${blocking.join(', ')} stands again at once`, {
        hint: 'its cause is still there: look at the detector and the interlock before the next try'
      })
  }

  async #setDemand(value: number, signal: AbortSignal): Promise<Reading<number>> {
    if (!(value >= 0 && value <= this.limitV))
      throw this.#error(ErrorCode.notPermitted, `a demand of ${value} V is outside 0 to ${this.limitV} V`)
    await this.#checkCeiling(value, signal)
    await this.#port.writeDemand(value, signal)
    const isTaken = ({ demandV }: HvReadout): boolean => Math.abs(demandV - value) <= this.#options.readbackV
    const readout = await this.#shown('readback', isTaken, signal)
    if (isTaken(readout)) return this.#cells.demand.latest()!
    const { blocking, demandV } = readout
    throw this.#error(ErrorCode.readback, 'the demand was not taken over', {
      expected: `${value} V`,
      got: `${demandV} V`,
      hint:
        blocking.length > 0
          ? `${blocking.join(', ')} stands and blocks the channel: clear it first`
          : 'look at the voltage limit of the module'
    })
  }

  /** Reads until it is as it should be, as long as the supply may take to show it; gives the last reading. */
  async #shown(
    name: string,
    isAsTold: (readout: HvReadout) => boolean,
    signal: AbortSignal
  ): Promise<HvReadout> {
    const until = this.#clock.now() + this.#options.showsWithin
    for (;;) {
      const readout = await this.#read(signal)
      if (isAsTold(readout) || this.#clock.now() >= until) return readout
      await this.#clock.sleep(`${this.#options.path}: ${name}`, READBACK_PAUSE, signal)
    }
  }

  #checkPermit(what: string, permit: { readonly by: string }): void {
    if (permit.by.trim() === '')
      throw this.#error(ErrorCode.notPermitted, `nobody is named who allows to ${what} the channel`)
  }

  #checkMayEnergise({ demandV, blocking, inhibits }: HvReadout): void {
    if (blocking.length > 0)
      throw this.#error(ErrorCode.notPermitted, `${blocking.join(', ')} stands and blocks the channel`, {
        hint: 'find the cause; then a person clears it (clear trip) and energises again'
      })
    if (inhibits.length > 0)
      throw this.#error(ErrorCode.notPermitted, `${inhibits.join(', ')} holds the channel off`, {
        hint: 'look at the interlock (PLC), the cabling and the front panel of the supply'
      })
    if (demandV > this.limitV)
      throw this.#error(ErrorCode.notPermitted, `the module holds a demand of ${demandV} V`, {
        expected: `at most our limit of ${this.limitV} V`,
        hint: 'set a lower demand first'
      })
  }

  async #checkCeiling(demandV: number, signal: AbortSignal): Promise<void> {
    const ceilingV = await this.#port.ceilingV?.(signal)
    if (ceilingV === undefined || demandV <= ceilingV) return
    throw this.#error(ErrorCode.notPermitted, `the supply itself goes no higher than ${ceilingV} V`, {
      expected: `a demand of at most ${ceilingV} V`,
      got: `${demandV} V`,
      hint: "lower the demand, or have the supply's own maximum raised at its panel by the chamber expert"
    })
  }

  async #rampTo(demandV: number, fromV: number, signal: AbortSignal): Promise<void> {
    let reachedAt: number | undefined
    const switchedOnAt = this.#clock.now()
    await this.#watchRamp('ramp', Math.abs(demandV - fromV), signal, async (readout) => {
      const { isOn, isRamping, state, voltageV } = readout
      const harm = [...readout.blocking, ...readout.inhibits]
      const isLate = this.#clock.now() - switchedOnAt > this.#options.showsWithin
      if (harm.length > 0 || (isLate && !isOn)) {
        if (isOn) await this.#port.switchOff(signal)
        const what = harm.length > 0 ? harm.join(', ') : `the channel is ${state}`
        throw this.#error(ErrorCode.refused, `${what} on the way up; the channel is off`, {
          got: `${voltageV} V of ${demandV} V`,
          hint: 'find the cause; then a person clears it (clear trip) and energises again'
        })
      }
      const isThere = isOn && !isRamping && Math.abs(voltageV - demandV) <= this.#options.toleranceV
      reachedAt = isThere ? (reachedAt ?? this.#clock.now()) : undefined
      return reachedAt !== undefined && this.#clock.now() - reachedAt >= SETTLE
    })
  }

  /** Reads again and again until `isDone`, at most twice the time that the ramp should take. */
  async #watchRamp(
    name: string,
    distanceV: number,
    signal: AbortSignal,
    isDone: (readout: HvReadout) => boolean | Promise<boolean>
  ): Promise<void> {
    const limit: DurationNs = 2 * seconds(distanceV / this.#options.rampVPerS) + RAMP_MARGIN
    let slopeFrom: { readonly at: number; readonly voltageV: number } | undefined
    await this.#clock.within(
      `${this.#options.path}: ${name}`,
      limit,
      async (inner) => {
        for (;;) {
          const readout = await this.#read(inner)
          const now = this.#clock.now()
          slopeFrom ??= { at: now, voltageV: readout.voltageV }
          if (now - slopeFrom.at >= SLOPE_TIME) {
            await this.#checkSlope(readout.voltageV - slopeFrom.voltageV, now - slopeFrom.at, inner)
            slopeFrom = { at: now, voltageV: readout.voltageV }
          }
          if (await isDone(readout)) return
          await this.#clock.sleep(`${this.#options.path}: ${name}`, RAMP_STEP, inner)
        }
      },
      signal
    )
  }

  /** Only upwards: a trip takes the voltage away at once, and that is as it should be. */
  async #checkSlope(riseV: number, duration: DurationNs, signal: AbortSignal): Promise<void> {
    const { rampVPerS, toleranceV } = this.#options
    if (riseV <= TOO_FAST * rampVPerS * toSeconds(duration) + 2 * toleranceV) return
    await this.#port.switchOff(signal)
    throw this.#error(ErrorCode.readback, 'the channel ramps too fast and was switched off', {
      expected: `${rampVPerS} V/s`,
      got: `${Math.round(riseV / toSeconds(duration))} V/s`,
      hint: 'the module ignores the ramp of the channel: set the ramp of the module'
    })
  }

  async #read(signal: AbortSignal): Promise<HvReadout> {
    const readout = await this.#port.read(signal)
    this.show(readout)
    return readout
  }

  #error(
    code: ErrorCode,
    what: string,
    details: { expected?: string; got?: string; hint?: string } = {}
  ): SpillwayError {
    const { path } = this.#options
    return new SpillwayError(code, `${path} (${this.name}): ${what}`, { device: path, ...details })
  }
}

/**
 * Waits until every channel is off, one after the other: they all ramp. Rejects with `several`, after all were waited
 * for, when one is not known to be off.
 */
export async function waitUntilAllOff(
  id: string,
  channels: readonly RampedChannel[],
  signal: AbortSignal,
  alreadyFailed: readonly unknown[] = []
): Promise<void> {
  const causes = [...alreadyFailed]
  for (const channel of channels) {
    try {
      await channel.waitUntilOff(channel.limitV, signal)
    } catch (error) {
      causes.push(error)
    }
  }
  if (causes.length === 0) return
  throw new SpillwayError(
    ErrorCode.several,
    `${id}: not every channel is known to be off: ${causes.map(sentence).join('; ')}`,
    { device: id, causes, hint: 'look at the supply itself' }
  )
}

function makeCells({ path, name, currentLimitUa, staleAfterMs }: RampedChannelOptions, clock: Clock) {
  const meta = { staleAfterMs, zones: [] }
  return {
    demand: new SignalCell<number>(clock, `${path}/demand`, {
      ...meta,
      unit: 'V',
      description: `demanded voltage of ${name}, as the module holds it`
    }),
    voltage: new SignalCell<number>(clock, `${path}/voltage`, {
      ...meta,
      unit: 'V',
      description: `measured voltage of ${name}`
    }),
    current: new SignalCell<number>(clock, `${path}/current`, {
      unit: 'uA',
      description: `measured current of ${name}`,
      staleAfterMs,
      zones: [
        {
          lower: currentLimitUa,
          severity: 'critical',
          action: 'the current is at its limit: a discharge or a short; look at the detector'
        }
      ]
    }),
    state: new SignalCell<string>(clock, `${path}/state`, {
      ...meta,
      unit: '',
      description: 'off, on, ramping, tripped, inhibited, emergency-off'
    }),
    statusWord: new SignalCell<number>(clock, `${path}/status-word`, {
      ...meta,
      unit: '',
      description: 'channel status word of the module'
    }),
    events: new SignalCell<string>(clock, `${path}/events`, {
      ...meta,
      unit: '',
      description: 'what the module reports besides: limits, trips, interlocks'
    })
  }
}
