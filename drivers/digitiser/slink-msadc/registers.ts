/** Registers of the MSADC board: docs/hardware/msadc.md. */

/** "MSAD" */
export const ID_MSADC = 0x4d534144

export const ADDRESS = {
  status: 0x0003,
  control: 0x0004,
  latency: 0x0005,
  samples: 0x0006,
  modules: 0x0007,
  /** + module */
  module: 0x0008,
  /** + 16 x module + channel */
  threshold: 0x0100,
  /** and the number of that spill behind it */
  eventsSent: 0x0700
} as const

export const MODULES_MAX = 32
export const CHANNELS_PER_MODULE = 16

export const CONTROL_DATA_ENABLE = 1 << 0
export const CONTROL_ZERO_SUPPRESSION = 1 << 1

export const STATUS_ARMED = 1 << 2
const STATUS_WORDS = ['ready', 'clock locked', 'armed', 'XOFF asserted', 'buffer overflow']

/** The set bits of STATUS in words; "not ready" when there are none. */
export function statusWords(status: number): string {
  const words = STATUS_WORDS.filter((_, bit) => (status & (1 << bit)) !== 0)
  return words.length === 0 ? 'not ready' : words.join(', ')
}
