import type { Clock } from '../../../core/clock.ts'
import { ErrorCode, SpillwayError } from '../../../core/errors.ts'
import type { Reading, Setpoint } from '../../../core/signal.ts'
import { SignalCell } from '../../../core/signal-value.ts'
import { type DurationNs, milliseconds, seconds, toSeconds } from '../../../core/units.ts'
import type { HvChannel } from '../contract/hv-supply.ts'
import type { LinkedSignal } from '../../link/device-connection.ts'
import { type ChannelReadout, readChannels } from './readout.ts'
import type { ScpiPort } from './scpi-port.ts'
import { blockingEvents } from './status.ts'

export interface IsegChannelOptions {
  /** as printed on the module, from 0 */
  readonly number: number
  readonly name: string
  /** our own limit, at or below that of the module; V */
  readonly limitV: number
  readonly rampVPerS: number
  readonly currentLimitUa: number
}

/** A demand reads back rounded to six digits. */
const READBACK_V = 0.05
const READBACK_TRIES = 5
const READBACK_PAUSE = milliseconds(100)
const RAMP_STEP = milliseconds(250)
/** The voltage counts as reached when it has stayed within tolerance for this long. */
const SETTLE = seconds(1)
/** A module may take this long to say that a channel is on. */
const SWITCH_ON = seconds(1)
/** Twice the time of the ramp itself, and this. */
const RAMP_MARGIN = seconds(30)
/** A module that ignores the ramp command ramps as it likes; this much faster than told is too fast. */
const TOO_FAST = 1.5
const SLOPE_TIME = seconds(1)
const STALE_AFTER_MS = 10_000

/** One channel. Its signals are fed by the supply's poll and by what is read in between. */
export class IsegChannel implements HvChannel {
  readonly name: string
  readonly number: number
  readonly limitV: number
  readonly demand: Setpoint<number>
  readonly voltage: SignalCell<number>
  readonly current: SignalCell<number>
  readonly state: SignalCell<string>
  readonly signals: readonly LinkedSignal[]
  readonly #path: string
  readonly #options: IsegChannelOptions
  readonly #toleranceV: number
  readonly #port: ScpiPort
  readonly #clock: Clock
  readonly #cells: ReturnType<typeof makeCells>

  constructor(supply: string, options: IsegChannelOptions, toleranceV: number, port: ScpiPort, clock: Clock) {
    this.name = options.name
    this.number = options.number
    this.limitV = options.limitV
    this.#path = `${supply}/ch${options.number}`
    this.#options = options
    this.#toleranceV = toleranceV
    this.#port = port
    this.#clock = clock
    const cells = (this.#cells = makeCells(this.#path, options, clock))
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

  /** Takes over what the module does; called after every reading. */
  show(readout: ChannelReadout): void {
    this.#cells.demand.update(readout.demandV)
    this.#cells.voltage.update(readout.voltageV)
    this.#cells.current.update(readout.currentUa)
    this.#cells.state.update(readout.state)
    this.#cells.statusWord.update(readout.statusWord)
    this.#cells.events.update([...readout.events].join(' '))
  }

  /**
   * Refuses while an event stands that blocks the channel: what happened is for a person to judge, who then calls
   * `clearTrip`. Aborting ends the waiting, not the ramp; `rampOff` takes the voltage away.
   */
  async energise(permit: { readonly by: string }, signal: AbortSignal): Promise<Reading<number>> {
    this.#checkPermit('energise', permit)
    const before = await this.#read(signal)
    this.#checkMayEnergise(before)
    const { number } = this
    const { rampVPerS, currentLimitUa } = this.#options
    await this.#command(`:CURR ${scientific(currentLimitUa * 1e-6)},(@${number})`, signal)
    await this.#command(`:CONF:RAMP:VOLT:UP ${rampVPerS},(@${number})`, signal)
    await this.#command(`:CONF:RAMP:VOLT:DOWN ${rampVPerS},(@${number})`, signal)
    await this.#command(`:VOLT ON,(@${number})`, signal)
    await this.#rampTo(before.demandV, before.voltageV, signal)
    return this.voltage.latest()!
  }

  /** Ramps down and switches off; resolves when the voltage is gone. */
  async rampOff(signal: AbortSignal): Promise<void> {
    const before = await this.#read(signal)
    await this.#command(`:VOLT OFF,(@${this.number})`, signal)
    await this.waitUntilOff(before.voltageV, signal)
  }

  /** Resolves when the channel is off and its voltage gone. @param fromV where the ramp began */
  async waitUntilOff(fromV: number, signal: AbortSignal): Promise<void> {
    await this.#watchRamp('ramp off', fromV, signal, ({ status, voltageV }) => {
      return !status.has('on') && !status.has('ramping') && voltageV <= this.#toleranceV
    })
  }

  /** Clears all standing events of the channel; it stays off until somebody energises it. */
  async clearTrip(permit: { readonly by: string }, signal: AbortSignal): Promise<void> {
    this.#checkPermit('clear the trip of', permit)
    await this.#command(`:EV CLEAR,(@${this.number})`, signal)
    const still = blockingEvents((await this.#read(signal)).events)
    if (still.length > 0)
      throw this.#error(ErrorCode.refused, `${still.join(', ')} stands again at once`, {
        hint: 'its cause is still there: look at the detector and the interlock before the next try'
      })
  }

  async #setDemand(value: number, signal: AbortSignal): Promise<Reading<number>> {
    if (!(value >= 0 && value <= this.limitV))
      throw this.#error(ErrorCode.notPermitted, `a demand of ${value} V is outside 0 to ${this.limitV} V`)
    await this.#command(`:VOLT ${value},(@${this.number})`, signal)
    for (let attempt = 1; ; attempt++) {
      const readout = await this.#read(signal)
      if (Math.abs(readout.demandV - value) <= READBACK_V) return this.#cells.demand.latest()!
      if (attempt < READBACK_TRIES) {
        await this.#clock.sleep(`${this.#path}: readback`, READBACK_PAUSE, signal)
        continue
      }
      const blocking = blockingEvents(readout.events)
      throw this.#error(ErrorCode.readback, 'the demand was not taken over', {
        expected: `${value} V`,
        got: `${readout.demandV} V`,
        hint:
          blocking.length > 0
            ? `${blocking.join(', ')} stands and blocks the channel: clear it first`
            : 'look at the voltage limit of the module'
      })
    }
  }

  #checkPermit(what: string, permit: { readonly by: string }): void {
    if (permit.by.trim() === '')
      throw this.#error(ErrorCode.notPermitted, `nobody is named who allows to ${what} the channel`)
  }

  #checkMayEnergise({ demandV, events, status }: ChannelReadout): void {
    const blocking = blockingEvents(events)
    if (blocking.length > 0)
      throw this.#error(ErrorCode.notPermitted, `${blocking.join(', ')} stands and blocks the channel`, {
        hint: 'find the cause; then a person clears it (clear trip) and energises again'
      })
    if (status.has('external-inhibit'))
      throw this.#error(ErrorCode.notPermitted, 'the external inhibit is active', {
        hint: 'the interlock holds the channel off: look at the PLC'
      })
    if (demandV > this.limitV)
      throw this.#error(ErrorCode.notPermitted, `the module holds a demand of ${demandV} V`, {
        expected: `at most our limit of ${this.limitV} V`,
        hint: 'set a lower demand first'
      })
  }

  async #rampTo(demandV: number, fromV: number, signal: AbortSignal): Promise<void> {
    let reachedAt: number | undefined
    const switchedOnAt = this.#clock.now()
    await this.#watchRamp('ramp', Math.abs(demandV - fromV), signal, async (readout) => {
      const { status, state, events, voltageV } = readout
      const harm = blockingEvents(events)
      const isLate = this.#clock.now() - switchedOnAt > SWITCH_ON
      if (harm.length > 0 || (isLate && !status.has('on'))) {
        if (status.has('on')) await this.#command(`:VOLT OFF,(@${this.number})`, signal)
        const what = harm.length > 0 ? harm.join(', ') : `the channel is ${state}`
        throw this.#error(ErrorCode.refused, `${what} on the way up; the channel is off`, {
          got: `${voltageV} V of ${demandV} V`,
          hint: 'find the cause; then a person clears it (clear trip) and energises again'
        })
      }
      const isThere =
        status.has('on') && Math.abs(voltageV - demandV) <= this.#toleranceV && !status.has('ramping')
      reachedAt = isThere ? (reachedAt ?? this.#clock.now()) : undefined
      return reachedAt !== undefined && this.#clock.now() - reachedAt >= SETTLE
    })
  }

  /** Reads again and again until `isDone`, at most twice the time that the ramp should take. */
  async #watchRamp(
    name: string,
    distanceV: number,
    signal: AbortSignal,
    isDone: (readout: ChannelReadout) => boolean | Promise<boolean>
  ): Promise<void> {
    const limit: DurationNs = 2 * seconds(distanceV / this.#options.rampVPerS) + RAMP_MARGIN
    let slopeFrom: { readonly at: number; readonly voltageV: number } | undefined
    await this.#clock.within(
      `${this.#path}: ${name}`,
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
          await this.#clock.sleep(`${this.#path}: ${name}`, RAMP_STEP, inner)
        }
      },
      signal
    )
  }

  /** Only upwards: a trip takes the voltage away at once, and that is as it should be. */
  async #checkSlope(riseV: number, duration: DurationNs, signal: AbortSignal): Promise<void> {
    const allowedV = TOO_FAST * this.#options.rampVPerS * toSeconds(duration) + 2 * this.#toleranceV
    if (riseV <= allowedV) return
    await this.#command(`:VOLT OFF,(@${this.number})`, signal)
    throw this.#error(ErrorCode.readback, 'the channel ramps too fast and was switched off', {
      expected: `${this.#options.rampVPerS} V/s`,
      got: `${Math.round(riseV / toSeconds(duration))} V/s`,
      hint: 'the module ignores the ramp of the channel: set the ramp of the module'
    })
  }

  async #read(signal: AbortSignal): Promise<ChannelReadout> {
    const [readout] = await readChannels(this.#port, [this.number], signal)
    this.show(readout!)
    return readout!
  }

  #command(command: string, signal: AbortSignal): Promise<void> {
    return this.#port.command(command, signal)
  }

  #error(
    code: ErrorCode,
    what: string,
    details: { expected?: string; got?: string; hint?: string } = {}
  ): SpillwayError {
    return new SpillwayError(code, `${this.#path} (${this.name}): ${what}`, {
      device: this.#path,
      ...details
    })
  }
}

/** As the manual writes small numbers: 5.00000E-4. */
function scientific(value: number): string {
  return value.toExponential(5).toUpperCase().replace('E+', 'E')
}

function makeCells(path: string, { name, currentLimitUa }: IsegChannelOptions, clock: Clock) {
  const meta = { staleAfterMs: STALE_AFTER_MS, zones: [] }
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
      staleAfterMs: STALE_AFTER_MS,
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
      description: 'what happened since events were last cleared'
    })
  }
}
