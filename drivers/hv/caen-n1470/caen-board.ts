import type { Clock } from '../../../core/clock.ts'
import { ErrorCode, isCode, SpillwayError } from '../../../core/errors.ts'
import { SignalCell } from '../../../core/signal-value.ts'
import { type RunNs, seconds } from '../../../core/units.ts'
import type { LinkedSignal } from '../../link/device-connection.ts'
import {
  type HvChannelOptions,
  type HvChannelPort,
  type HvReadout,
  RampedChannel
} from '../contract/ramped-channel.ts'
import type { CaenPort, Place } from './caen-port.ts'
import { formatValue, parseNumbers, parseText, parseWords } from './reply.ts'
import { decodeStatus } from './status.ts'

export interface CaenBoardOptions {
  /** as set on the module, 0 to 31 */
  readonly number: number
  readonly channels: readonly HvChannelOptions[]
}

export interface BoardIdentity {
  readonly model: string
  readonly serial: string
  readonly firmware: string
}

const CHANNELS_MAX = 32
const STALE_AFTER_MS = 10_000
/** A board that was silent is asked again after this, so that it does not slow down the others. */
const SILENT_PAUSE = seconds(10)
const DECIMALS = ['VDEC', 'ISDEC', 'RUPDEC', 'RDWDEC'] as const
type Decimals = Readonly<Record<(typeof DECIMALS)[number], readonly number[]>>

/** One board of the chain: its channels, and what is asked of all of them at once. */
export class CaenBoard {
  readonly number: number
  readonly channels: readonly RampedChannel[]
  readonly signals: readonly LinkedSignal[]
  /** why it does not answer; undefined: it does */
  silence: string | undefined = 'never asked'
  readonly #path: string
  readonly #options: readonly HvChannelOptions[]
  readonly #port: CaenPort
  readonly #clock: Clock
  readonly #cells: ReturnType<typeof makeCells>
  #known: { readonly channelCount: number; readonly decimals: Decimals } | undefined
  #askAgainAt: RunNs = 0

  constructor(
    supply: string,
    { number, channels }: CaenBoardOptions,
    toleranceV: number,
    port: CaenPort,
    clock: Clock
  ) {
    this.number = number
    this.#path = `${supply}/bd${number}`
    this.#options = channels
    this.#port = port
    this.#clock = clock
    this.channels = channels.map(
      (channel, index) =>
        new RampedChannel(
          {
            ...channel,
            path: `${this.#path}/ch${channel.number}`,
            toleranceV,
            staleAfterMs: STALE_AFTER_MS,
            // one step of the coarsest family, and a demand is cut to it
            readbackV: 0.11,
            showsWithin: seconds(1)
          },
          this.#channelPort(index),
          clock
        )
    )
    this.#cells = makeCells(this.#path, number, clock)
    this.signals = [...this.channels.flatMap(({ signals }) => signals), ...Object.values(this.#cells)]
  }

  /** Whether it is worth asking: a silent board is left alone for a while. */
  get isDue(): boolean {
    return this.silence === undefined || this.#clock.now() >= this.#askAgainAt
  }

  /** Finds out what the board is and how it writes numbers; reads only. */
  async greet(signal: AbortSignal): Promise<BoardIdentity> {
    const model = await this.#port.identify(this.number, signal)
    const [channelCount] = await this.#monitor('BDNCH', (value) => parseNumbers(value, 1), signal)
    const most = Math.max(...this.#options.map(({ number }) => number))
    if (channelCount === undefined || channelCount > CHANNELS_MAX || most >= channelCount)
      throw new SpillwayError(ErrorCode.protocol, `${this.#path}: a ${model} has no channel ${most}`, {
        device: this.#path,
        expected: `more than ${most} channels`,
        got: `${channelCount ?? 'no'} channels`,
        hint: 'compare boards and channels in devices.yaml with the chain'
      })
    const decimals = { VDEC: [], ISDEC: [], RUPDEC: [], RDWDEC: [] } as Record<string, readonly number[]>
    for (const name of DECIMALS) decimals[name] = await this.#readAll(name, channelCount, signal)
    this.#known = { channelCount, decimals: decimals as Decimals }
    return {
      model,
      serial: await this.#monitor('BDSNUM', parseText, signal),
      firmware: await this.#monitor('BDFREL', parseText, signal)
    }
  }

  /** Reads everything once and updates the signals. */
  async poll(signal: AbortSignal): Promise<void> {
    if (this.#known === undefined || this.silence !== undefined) await this.greet(signal)
    this.#show(await this.#readChannels(signal))
    const [control] = await this.#monitor(
      'BDCTR',
      (value) => parseWords(value, ['REMOTE', 'LOCAL'], 1),
      signal
    )
    const [alarm] = await this.#monitor('BDALARM', (value) => parseNumbers(value, 1), signal)
    this.#cells.control.update(control!)
    this.#cells.alarm.update(alarm!)
    this.#cells.answers.update(true)
    this.silence = undefined
  }

  /** It did not answer: its signals keep their last values, as stale. */
  miss(why: string): void {
    this.silence = why
    this.#askAgainAt = this.#clock.now() + SILENT_PAUSE
    for (const cell of this.signals) cell.lose(why)
    this.#cells.answers.update(false)
  }

  /** Starts a controlled ramp down of these channels; one that refuses does not keep the others up. */
  async switchOff(numbers: readonly number[], signal: AbortSignal): Promise<void> {
    const failures: unknown[] = []
    for (const channel of numbers) {
      try {
        await this.#switchOff({ board: this.number, channel }, signal)
      } catch (error) {
        // silence is the board's, not the channel's
        if (isCode(error, ErrorCode.timeout)) throw error
        failures.push(error)
      }
    }
    if (failures.length > 0) throw failures[0]
  }

  async #switchOff(place: Place, signal: AbortSignal): Promise<void> {
    const parse = (value: string): ('RAMP' | 'KILL')[] | undefined => parseWords(value, ['RAMP', 'KILL'], 1)
    const [powerDown] = await this.#port.monitor(place, 'PDWN', parse, signal)
    if (powerDown === 'KILL') await this.#port.set(place, 'PDWN', 'RAMP', signal)
    await this.#switchOffOnce(place, signal).catch((error: unknown) => {
      // off is off however often it is said
      if (!isCode(error, ErrorCode.timeout)) throw error
      return this.#switchOffOnce(place, signal)
    })
  }

  #switchOffOnce(place: Place, signal: AbortSignal): Promise<void> {
    return this.#port.set(place, 'OFF', undefined, signal)
  }

  #channelPort(index: number): HvChannelPort {
    const { number: channel, rampVPerS, currentLimitUa } = this.#options[index]!
    const place = { board: this.number, channel }
    const write = (parameter: string, value: number, decimals: number, signal: AbortSignal): Promise<void> =>
      this.#port.set(place, parameter, formatValue(value, decimals), signal)
    return {
      read: async (signal) => {
        const readouts = await this.#readChannels(signal)
        this.#show(readouts)
        return readouts[index]!
      },
      writeDemand: async (volts, signal) => {
        try {
          await write('VSET', volts, this.#decimals('VDEC', channel), signal)
        } catch (error) {
          // Boards have been seen to obey without saying so: the readback decides.
          if (!isCode(error, ErrorCode.timeout)) throw error
        }
      },
      prepare: async (signal) => {
        await write('ISET', currentLimitUa, this.#decimals('ISDEC', channel), signal)
        await write('RUP', rampVPerS, this.#decimals('RUPDEC', channel), signal)
        await write('RDW', rampVPerS, this.#decimals('RDWDEC', channel), signal)
        await this.#port.set(place, 'PDWN', 'RAMP', signal)
      },
      switchOn: (signal) => this.#port.set(place, 'ON', undefined, signal),
      switchOff: (signal) => this.switchOff([channel], signal),
      clear: (signal) => this.#port.set({ board: this.number }, 'BDCLR', undefined, signal),
      ceilingV: async (signal) => {
        const [maxV] = await this.#port.monitor(place, 'MAXV', (value) => parseNumbers(value, 1), signal)
        return maxV!
      }
    }
  }

  #show(readouts: readonly HvReadout[]): void {
    for (const [index, readout] of readouts.entries()) this.channels[index]!.show(readout)
  }

  /** Four requests whatever the number of channels; in the order of the configuration. */
  async #readChannels(signal: AbortSignal): Promise<HvReadout[]> {
    const count = this.#knownChannels()
    const demands = await this.#readAll('VSET', count, signal)
    const voltages = await this.#readAll('VMON', count, signal)
    const currents = await this.#readAll('IMON', count, signal)
    const words = await this.#readAll('STAT', count, signal)
    return this.#options.map(({ number }) => {
      const statusWord = words[number]!
      return {
        demandV: demands[number]!,
        voltageV: voltages[number]!,
        currentUa: currents[number]!,
        statusWord,
        ...decodeStatus(statusWord)
      }
    })
  }

  /** One past the last channel means all of them. */
  #readAll(parameter: string, count: number, signal: AbortSignal): Promise<number[]> {
    return this.#port.monitor(
      { board: this.number, channel: count },
      parameter,
      (value) => parseNumbers(value, count),
      signal
    )
  }

  #monitor<T>(parameter: string, parse: (value: string) => T | undefined, signal: AbortSignal): Promise<T> {
    return this.#port.monitor({ board: this.number }, parameter, parse, signal)
  }

  #knownChannels(): number {
    if (this.#known !== undefined) return this.#known.channelCount
    throw new SpillwayError(ErrorCode.disconnected, `${this.#path}: the board has not answered yet`, {
      device: this.#path,
      hint: 'it is off, not cabled, or has another number: look at its panel'
    })
  }

  #decimals(name: (typeof DECIMALS)[number], channel: number): number {
    this.#knownChannels()
    return this.#known!.decimals[name][channel]!
  }
}

function makeCells(path: string, number: number, clock: Clock) {
  const meta = { unit: '', staleAfterMs: STALE_AFTER_MS, zones: [] }
  return {
    answers: new SignalCell<boolean>(clock, `${path}/answers`, {
      ...meta,
      // asked for less often while it does not
      staleAfterMs: 3 * STALE_AFTER_MS,
      description: `board ${number} of the chain answers`
    }),
    control: new SignalCell<string>(clock, `${path}/control`, {
      ...meta,
      description: 'REMOTE; LOCAL: the front panel has it, commands are refused'
    }),
    alarm: new SignalCell<number>(clock, `${path}/alarm`, {
      ...meta,
      description: 'alarm word of the board: bits 0 to 3 channels, 4 power fail, 5 over power, 6 HV clock'
    })
  }
}
