import type { SettingsOf } from '../../../config/schema.ts'
import type { Rng } from '../../../core/rng.ts'
import { HighVoltageOutput, isOutputState, loadMegaohm, type OutputState } from '../high-voltage-output.ts'
import { type Model, MODELS, monitorChannel, OutsideBit, setChannel } from './parameters.ts'
import type { Request } from './request.ts'

type BoardSettings = SettingsOf<'caen-n1470'>['boards'][number]

const TRIP_S = 1
/** channels of the board that the configuration does not name */
const SPARE = { limitV: 0, nominalV: 0, rampVPerS: 10, currentLimitUa: 100 }

/** What happens to a board from outside, at one time. */
export interface BoardConditions {
  readonly isKilled: boolean
  readonly isInterlocked: boolean
  readonly isLocal: boolean
  isDisabled(channel: number): boolean
  isRampStuck(channel: number): boolean
  extraUa(channel: number): number
}

/** What a board remembers without power. */
export interface BoardState {
  readonly interlockMode: 'OPEN' | 'CLOSED'
  readonly channels: readonly OutputState[]
}

/** One board of the chain: its channels, and what it says to a request. */
export class Board {
  readonly number: number
  readonly outputs: readonly HighVoltageOutput[]
  readonly model: Model
  readonly #id: string
  readonly #settings: BoardSettings
  #interlockMode: 'OPEN' | 'CLOSED' = 'CLOSED'

  constructor(id: string, settings: BoardSettings, found: 'nominal' | 'off', rng: Rng) {
    const { number, channels } = settings
    this.number = number
    this.#id = id
    this.#settings = settings
    const isLarge = channels.some((channel) => channel.number >= 4)
    const highestV = Math.max(...channels.map(({ limitV }) => limitV))
    const highestUa = Math.max(...channels.map(({ currentLimitUa }) => currentLimitUa))
    const fitting = MODELS.find((model) => model.highestV >= highestV && model.highestUa >= highestUa)
    const largest = MODELS.at(-1)!
    this.model = isLarge ? { ...largest, name: 'R1470ET' } : (fitting ?? largest)
    this.outputs = Array.from({ length: isLarge ? 8 : 4 }, (_, channel) => {
      const { limitV, nominalV, currentLimitUa } = this.#named(channel)
      return new HighVoltageOutput(this.#found(channel, found), {
        loadMegaohm: loadMegaohm(nominalV || limitV, currentLimitUa),
        rng: rng.split(`channel ${channel}`),
        tripsKill: false
      })
    })
  }

  /** @returns the reply, without its end */
  obey(request: Request, conditions: BoardConditions): string {
    const reply = this.#reply(request, conditions)
    return `#BD:${String(this.number).padStart(2, '0')},${reply}`
  }

  tick(dtS: number, conditions: BoardConditions): void {
    for (const [channel, output] of this.outputs.entries())
      output.tick(dtS, {
        isForbidden: this.#outside(channel, conditions) !== 0,
        isRampStuck: conditions.isRampStuck(channel),
        extraUa: conditions.extraUa(channel)
      })
  }

  /** Power comes back: settings are kept, everything is off. */
  powerUp(): void {
    for (const output of this.outputs)
      output.restore({ ...output.state, drive: 'off', outputV: 0, isTripped: false })
  }

  save(): BoardState {
    return {
      interlockMode: this.#interlockMode,
      channels: this.outputs.map(({ state }) => ({ ...state }))
    }
  }

  /** Nobody knows how the channels stood when `saved` cannot be read: the safe guess is off, never on. */
  restore(saved: unknown): void {
    const { interlockMode, channels } = (saved ?? {}) as Partial<BoardState>
    const isKnown =
      Array.isArray(channels) && channels.length === this.outputs.length && channels.every(isOutputState)
    for (const [channel, output] of this.outputs.entries())
      output.restore(isKnown ? channels[channel]! : this.#found(channel, 'off'))
    if (interlockMode === 'OPEN' || interlockMode === 'CLOSED') this.#interlockMode = interlockMode
  }

  #reply(request: Request, conditions: BoardConditions): string {
    const { command, channel, parameter } = request
    if (command !== 'MON' && command !== 'SET') return 'CMD:ERR'
    if (parameter === undefined) return 'PAR:ERR'
    if (/^BD[A-Z]+$/.test(parameter)) return this.#boardReply(request, parameter, conditions)
    const isKnown = monitorChannel(parameter, this.outputs[0]!, this.model, 0) !== undefined
    if (!isKnown && parameter !== 'ON' && parameter !== 'OFF') return 'PAR:ERR'
    // one past the last: all of them
    const isAll = channel === this.outputs.length
    const numbers = isAll ? [...this.outputs.keys()] : channel === undefined ? [] : [channel]
    const outputs = numbers.flatMap((number) => this.outputs[number] ?? [])
    if (outputs.length === 0) return 'CH:ERR'
    if (command === 'MON') {
      const values = outputs.map((output, i) =>
        monitorChannel(parameter, output, this.model, this.#outside(numbers[i]!, conditions))
      )
      return values.includes(undefined) ? 'PAR:ERR' : `CMD:OK,VAL:${values.join(';')}`
    }
    if (conditions.isLocal) return 'LOC:ERR'
    const outcomes = outputs.map((output) => setChannel(parameter, request.value, output, this.model))
    const refusal = outcomes.find((outcome) => outcome !== 'OK')
    return refusal === undefined ? 'CMD:OK' : `${refusal}:ERR`
  }

  #boardReply({ command, value }: Request, parameter: string, conditions: BoardConditions): string {
    if (command === 'MON') {
      const text = this.#monitorBoard(parameter, conditions)
      return text === undefined ? 'PAR:ERR' : `CMD:OK,VAL:${text}`
    }
    if (parameter !== 'BDCLR' && parameter !== 'BDILKM') return 'PAR:ERR'
    if (conditions.isLocal) return 'LOC:ERR'
    if (parameter === 'BDCLR') for (const output of this.outputs) output.clearTrip()
    else if (value === 'OPEN' || value === 'CLOSED') this.#interlockMode = value
    else return 'VAL:ERR'
    return 'CMD:OK'
  }

  #monitorBoard(parameter: string, conditions: BoardConditions): string | undefined {
    switch (parameter) {
      case 'BDNAME':
        return this.model.name
      case 'BDNCH':
        return `${this.outputs.length}`
      case 'BDFREL':
        return '1.08'
      case 'BDSNUM':
        return `SIM-${this.#id}-${this.number}`
      case 'BDILK':
        return conditions.isInterlocked ? 'YES' : 'NO'
      case 'BDILKM':
        return this.#interlockMode
      case 'BDCTR':
        return conditions.isLocal ? 'LOCAL' : 'REMOTE'
      case 'BDTERM':
        return 'ON'
      case 'BDALARM':
        return this.#alarmWord().toString().padStart(5, '0')
      default:
        return undefined
    }
  }

  #alarmWord(): number {
    // bits from 4 on have other meanings: the word knows four channels
    return this.outputs
      .slice(0, 4)
      .reduce((word, { state }, i) => (state.isTripped ? word | (1 << i) : word), 0)
  }

  #outside(channel: number, conditions: BoardConditions): number {
    return (
      (conditions.isDisabled(channel) ? OutsideBit.disabled : 0) |
      (conditions.isKilled ? OutsideBit.kill : 0) |
      (conditions.isInterlocked ? OutsideBit.interlock : 0)
    )
  }

  #named(channel: number): Omit<BoardSettings['channels'][number], 'number' | 'name' | 'provenance'> {
    return this.#settings.channels.find(({ number }) => number === channel) ?? SPARE
  }

  #found(channel: number, at: 'nominal' | 'off'): OutputState {
    const { nominalV, rampVPerS, currentLimitUa } = this.#named(channel)
    const isOn = at === 'nominal' && nominalV > 0
    const ramp = Math.min(500, Math.max(1, Math.round(rampVPerS)))
    return {
      drive: isOn ? 'on' : 'off',
      demandV: isOn ? nominalV : 0,
      limitUa: currentLimitUa,
      ceilingV: this.model.highestV,
      rampUpVPerS: ramp,
      rampDownVPerS: ramp,
      tripS: TRIP_S,
      powerDown: 'ramp',
      isTripped: false,
      outputV: isOn ? nominalV : 0
    }
  }
}
