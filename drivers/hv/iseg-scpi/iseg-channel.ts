import type { HvChannelOptions, HvChannelPort } from '../contract/ramped-channel.ts'
import { readChannels } from './readout.ts'
import type { ScpiPort } from './scpi-port.ts'

/** A demand reads back rounded to six digits. */
export const READBACK_V = 0.05

/** One channel of a module, by its SCPI commands. */
export function makeIsegChannel(
  { number, rampVPerS, currentLimitUa }: HvChannelOptions,
  port: ScpiPort
): HvChannelPort {
  const command = (text: string, signal: AbortSignal): Promise<void> =>
    port.command(`${text},(@${number})`, signal)
  return {
    read: async (signal) => (await readChannels(port, [number], signal))[0]!,
    writeDemand: (volts, signal) => command(`:VOLT ${volts}`, signal),
    prepare: async (signal) => {
      await command(`:CURR ${scientific(currentLimitUa * 1e-6)}`, signal)
      await command(`:CONF:RAMP:VOLT:UP ${rampVPerS}`, signal)
      await command(`:CONF:RAMP:VOLT:DOWN ${rampVPerS}`, signal)
    },
    switchOn: (signal) => command(':VOLT ON', signal),
    switchOff: (signal) => command(':VOLT OFF', signal),
    clear: (signal) => command(':EV CLEAR', signal)
  }
}

/** As the manual writes small numbers: 5.00000E-4. */
function scientific(value: number): string {
  return value.toExponential(5).toUpperCase().replace('E+', 'E')
}
