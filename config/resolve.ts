/** Channel runs of channels.yaml -> channels, one object each. */
import type { Channel, ChannelRun, Detector } from './schema.ts'

const CHANNELS_PER_MODULE = 16
const ADCS_PER_PORT = 4

/** Position of a channel in its source: port, adc, channel count on like digits. */
export const channelAddress = (run: Pick<ChannelRun, 'port' | 'adc' | 'channel'>): number =>
  (run.port * ADCS_PER_PORT + run.adc) * CHANNELS_PER_MODULE + run.channel

/** Module (port and adc as one number) of an address in a source. */
export const moduleOf = (address: number): number => Math.floor(address / CHANNELS_PER_MODULE)
export const moduleNumber = (module: { port: number; adc: number }): number =>
  module.port * ADCS_PER_PORT + module.adc

/** All channels in the order of the runs, x fastest. Runs are checked before (cross-checks.ts). */
export function resolveChannels(runs: readonly ChannelRun[], detectors: readonly Detector[]): Channel[] {
  const channels: Channel[] = []
  for (const run of runs) {
    const detector = detectors.find((candidate) => candidate.name === run.detector)
    const first = channelAddress(run)
    const count = run.cellsX * run.cellsY
    for (let cell = 0; cell < count; cell++) {
      const xIndex = cell % run.cellsX
      const yIndex = Math.floor(cell / run.cellsX)
      const module = moduleOf(first + cell)
      channels.push({
        index: channels.length,
        name: `${run.detector}.${run.part}${count === 1 ? '' : `.${xIndex}-${yIndex}`}`,
        source: run.source,
        port: Math.floor(module / ADCS_PER_PORT),
        adc: module % ADCS_PER_PORT,
        channel: (first + cell) % CHANNELS_PER_MODULE,
        detector: run.detector,
        kin: detector?.kin ?? run.detector,
        number: detector?.number ?? 0,
        part: run.part,
        xIndex,
        yIndex,
        gevPerCount: run.gevPerCount,
        mipCounts: run.mipCounts
      })
    }
  }
  return channels
}
