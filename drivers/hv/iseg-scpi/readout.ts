import type { HvChannelState } from '../contract/hv-supply.ts'
import { channelList, parseValues, parseWords } from './answers.ts'
import type { ScpiPort } from './scpi-port.ts'
import { channelState, decodeEvents, decodeStatus, type EventName, type StatusName } from './status.ts'

/** One channel at one time; voltages as magnitudes, whatever the polarity of the module. */
export interface ChannelReadout {
  readonly demandV: number
  readonly voltageV: number
  readonly currentUa: number
  readonly statusWord: number
  readonly status: ReadonlySet<StatusName>
  readonly events: ReadonlySet<EventName>
  readonly state: HvChannelState
}

/** Reads everything of the channels, five requests whatever their number; in the order of `numbers`. */
export async function readChannels(
  port: ScpiPort,
  numbers: readonly number[],
  signal: AbortSignal
): Promise<ChannelReadout[]> {
  const list = channelList(numbers)
  const count = numbers.length
  const values = (command: string, unit: 'V' | 'A'): Promise<number[]> =>
    port.query(`${command} ${list}`, (line) => parseValues(line, unit, count), signal)
  const words = (command: string): Promise<number[]> =>
    port.query(`${command} ${list}`, (line) => parseWords(line, count), signal)
  const demands = await values(':READ:VOLT?', 'V')
  const voltages = await values(':MEAS:VOLT?', 'V')
  const currents = await values(':MEAS:CURR?', 'A')
  const statusWords = await words(':READ:CHAN:STAT?')
  const eventWords = await words(':READ:CHAN:EV:STAT?')
  return numbers.map((_, index) => {
    const status = decodeStatus(statusWords[index]!)
    const events = decodeEvents(eventWords[index]!)
    return {
      demandV: Math.abs(demands[index]!),
      voltageV: Math.abs(voltages[index]!),
      currentUa: microamperes(currents[index]!),
      statusWord: statusWords[index]!,
      status,
      events,
      state: channelState(status, events)
    }
  })
}

/** Six digits, as on the wire: no 140.00199999999998. */
function microamperes(amperes: number): number {
  return Number((amperes * 1e6).toPrecision(6))
}
