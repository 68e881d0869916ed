import type { Clock } from '../../../core/clock.ts'
import { toSeconds } from '../../../core/units.ts'

/** Bits of the status and event words that the far end uses, by their position in the manual. */
export const Bit = { on: 3, ramping: 4, emergency: 5, voltage: 7, inhibit: 12, trip: 13 } as const
const END_OF_RAMP = 4
const ON_TO_OFF = 3
const BLOCKING = 2 ** Bit.trip + 2 ** Bit.inhibit + 2 ** Bit.emergency

interface Channel {
  setV: number
  currentLimitA: number
  rampVPerS: number
  isOn: boolean
  isInhibited: boolean
  events: number
  /** voltage at `since`, from where it ramps */
  fromV: number
  since: number
}

/**
 * An iseg supply as its manual describes it, written for the tests: answers lines, ramps with time, latches events
 * and obeys the blocking rule. It can be told to misbehave on the line.
 */
export class IsegFarEnd {
  identification = 'iseg Spezialelektronik GmbH,NR042060r4050000200,8200002,1.12'
  echoes = false
  /** does nothing with what it hears */
  isMute = false
  /** ignores `:CONF:RAMP`, as modules with one ramp for all channels do */
  hasModuleRampOnly = false
  /** comes as a line of its own before each answer */
  rubbish = ''
  /** takes the place of the next answers, in order; undefined: no answer */
  readonly nextAnswers: (string | undefined)[] = []
  /** every command that was heard */
  readonly heard: string[] = []
  readonly channels: Channel[]
  readonly #clock: Clock
  #send: ((bytes: Uint8Array) => void) | undefined
  #hangUp: (() => void) | undefined
  #pending = ''

  constructor(clock: Clock, count: number) {
    this.#clock = clock
    this.channels = Array.from({ length: count }, () => ({
      setV: 0,
      currentLimitA: 0.001,
      rampVPerS: 100,
      isOn: false,
      isInhibited: false,
      events: 0,
      fromV: 0,
      since: 0
    }))
  }

  attach(send: (bytes: Uint8Array) => void, hangUp: () => void) {
    this.#send = send
    this.#hangUp = hangUp
    this.#pending = ''
    return {
      receive: (bytes: Uint8Array) => this.receive(Buffer.from(bytes).toString('latin1')),
      closed: () => (this.#send = undefined)
    }
  }

  hangUp(): void {
    this.#hangUp?.()
  }

  /** bytes on the line that nobody asked for */
  send(text: string): void {
    this.#send?.(Buffer.from(text, 'latin1'))
  }

  receive(text: string): void {
    this.#pending += text
    for (;;) {
      const end = this.#pending.indexOf('\r\n')
      if (end < 0) return
      const line = this.#pending.slice(0, end)
      this.#pending = this.#pending.slice(end + 2)
      this.heard.push(line)
      if (this.isMute) continue
      if (this.echoes) this.send(`${line}\r\n`)
      this.#obey(line)
    }
  }

  voltageV(index: number): number {
    const channel = this.channels[index]!
    const target = channel.isOn ? channel.setV : 0
    const step = channel.rampVPerS * toSeconds(this.#clock.now() - channel.since)
    const away = target - channel.fromV
    return Math.abs(away) <= step ? target : channel.fromV + Math.sign(away) * step
  }

  trip(index: number): void {
    const channel = this.channels[index]!
    channel.isOn = false
    channel.fromV = 0
    channel.since = this.#clock.now()
    channel.events |= 2 ** Bit.trip + 2 ** ON_TO_OFF
  }

  inhibit(index: number, isInhibited: boolean): void {
    const channel = this.channels[index]!
    channel.isInhibited = isInhibited
    if (!isInhibited) return
    channel.isOn = false
    channel.events |= 2 ** Bit.inhibit
  }

  #obey(line: string): void {
    const answer = this.#answer(line)
    if (answer === undefined) return
    if (this.rubbish !== '') this.send(`${this.rubbish}\r\n`)
    const instead = this.nextAnswers.length > 0 ? this.nextAnswers.shift() : answer
    if (instead !== undefined) this.send(`${instead}\r\n`)
  }

  #answer(line: string): string | undefined {
    if (line === '*IDN?') return this.identification
    if (line === '*OPC?') return '1'
    const query = /^(:[A-Z:]+\?) \(@([\d,]+)\)$/.exec(line)
    if (query !== null) return this.#read(query[1]!, query[2]!.split(',').map(Number))
    const command = /^(:[A-Z: ]+?)(?: ([\dE.+-]+|ON|OFF|CLEAR))?,\(@([\d,]+)\)$/.exec(line)
    if (command !== null)
      for (const index of command[3]!.split(',').map(Number)) this.#set(command[1]!, command[2] ?? '', index)
    return undefined
  }

  #read(command: string, indices: readonly number[]): string | undefined {
    const each = (show: (index: number) => string): string => indices.map(show).join(',')
    const value = (number: number, unit: string): string =>
      `${number.toExponential(5).toUpperCase().replace('E+', 'E')}${unit}`
    switch (command) {
      case ':READ:VOLT?':
        return each((index) => value(this.channels[index]!.setV, 'V'))
      case ':MEAS:VOLT?':
        return each((index) => value(this.voltageV(index), 'V'))
      case ':MEAS:CURR?':
        return each((index) => value(this.voltageV(index) * 1e-9, 'A'))
      case ':READ:CHAN:STAT?':
        return each((index) => `${this.#status(index)}`)
      case ':READ:CHAN:EV:STAT?':
        return each((index) => `${this.channels[index]!.events}`)
      default:
        return undefined
    }
  }

  #status(index: number): number {
    const { isOn, isInhibited, setV } = this.channels[index]!
    const isRamping = this.voltageV(index) !== (isOn ? setV : 0)
    if (!isRamping && isOn) this.channels[index]!.events |= 2 ** END_OF_RAMP
    return (
      (isOn ? 2 ** Bit.on + 2 ** Bit.voltage : 0) +
      (isRamping ? 2 ** Bit.ramping : 0) +
      (isInhibited ? 2 ** Bit.inhibit : 0)
    )
  }

  #set(command: string, value: string, index: number): void {
    const channel = this.channels[index]!
    const fromV = this.voltageV(index)
    const isBlocked = (channel.events & BLOCKING) !== 0
    if (command === ':EV') channel.events = channel.isInhibited ? 2 ** Bit.inhibit : 0
    else if (command === ':CURR') channel.currentLimitA = Number(value)
    else if (command === ':CONF:RAMP:VOLT:UP' && !this.hasModuleRampOnly) channel.rampVPerS = Number(value)
    else if (command === ':VOLT' && value === 'OFF') channel.isOn = false
    else if (command === ':VOLT' && value === 'ON') channel.isOn = !isBlocked
    else if (command === ':VOLT' && !(isBlocked && Number(value) > channel.setV)) channel.setV = Number(value)
    channel.fromV = fromV
    channel.since = this.#clock.now()
  }
}
