import type { HvReadout } from '../contract/ramped-channel.ts'
import { channelList, parseValues, parseWords } from './answers.ts'
import type { ScpiPort } from './scpi-port.ts'
import { blockingEvents, channelState, decodeEvents, decodeStatus } from './status.ts'

/** Reads everything of the channels, five requests whatever their number; in the order of `numbers`. */
export async function readChannels(
  port: ScpiPort,
  numbers: readonly number[],
  signal: AbortSignal
): Promise<HvReadout[]> {
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
      state: channelState(status, events),
      isOn: status.has('on'),
      isRamping: status.has('ramping'),
      blocking: blockingEvents(events),
      inhibits: status.has('external-inhibit') ? ['external-inhibit'] : [],
      statusWord: statusWords[index]!,
      events: [...events]
    }
  })
}

/** Six digits, as on the wire: no 140.00199999999998. */
function microamperes(amperes: number): number {
  return Number((amperes * 1e6).toPrecision(6))
}
