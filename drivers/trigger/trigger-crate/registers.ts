/** Registers of the trigger crate: docs/hardware/trigger-crate.md. */

/** "TCRC" */
export const ID_CRATE = 0x54435243

export const ADDRESS = {
  status: 0x0003,
  control: 0x0004,
  runNumber: 0x0005,
  spill: 0x0006,
  deadTime: 0x0007,
  localSpill: 0x0008,
  /** and the number of lines behind it */
  counters: 0x0010,
  /** + counter */
  threshold: 0x0020,
  /** + line, the following four as well */
  prescale: 0x0040,
  require: 0x0060,
  veto: 0x0080,
  randomRate: 0x00a0,
  /** LATCHED_SPILL, ACCEPTED, BEAM, BEAM_LIVE, SPILL_LENGTH, LIVE_TIME */
  latched: 0x0100,
  /** + counter */
  counter: 0x0110,
  /** + line, the following two as well */
  attempts: 0x0130,
  prescaled: 0x0150,
  lineAccepted: 0x0170
} as const

export const LATCHED_REGISTERS = 6
export const COUNTERS_MAX = 16
export const LINES_MAX = 16

export const CONTROL_RUN_ENABLE = 1 << 0
export const CONTROL_INHIBIT = 1 << 1
export const CONTROL_LOCAL_SPILLS = 1 << 2

export const STATUS_RUN_ENABLED = 1 << 1
export const STATUS_IN_SPILL = 1 << 2
const STATUS_WORDS = ['ready', 'run enabled', 'in spill', 'busy', 'inhibited']

/** The set bits of STATUS in words; "not ready" when there are none. */
export function statusWords(status: number): string {
  const words = STATUS_WORDS.filter((_, bit) => (status & (1 << bit)) !== 0)
  return words.length === 0 ? 'not ready' : words.join(', ')
}
