import type { HvChannelState } from '../contract/hv-supply.ts'

/** Bits of STAT (CAEN UM2027 rev. 17, p. 25), by position. */
export const STATUS_BITS = [
  'on',
  'ramping-up',
  'ramping-down',
  'over-current',
  'over-voltage',
  'under-voltage',
  'max-voltage',
  'trip',
  'over-power',
  'over-temperature',
  'disabled',
  'kill',
  'interlock',
  'calibration-error'
] as const
export type StatusName = (typeof STATUS_BITS)[number]

/** These keep a channel off until BDCLR. */
const BLOCKING: readonly StatusName[] = ['trip', 'over-power', 'over-temperature']
/** These as long as they last. */
const INHIBITS: readonly StatusName[] = ['disabled', 'kill', 'interlock']
const ORDINARY: readonly StatusName[] = ['on', 'ramping-up', 'ramping-down']

export interface ChannelStatus {
  readonly state: HvChannelState
  readonly isOn: boolean
  readonly isRamping: boolean
  readonly blocking: readonly StatusName[]
  readonly inhibits: readonly StatusName[]
  readonly events: readonly StatusName[]
}

export function decodeStatus(word: number): ChannelStatus {
  const names = STATUS_BITS.filter((_, bit) => (word & (1 << bit)) !== 0)
  const has = (name: StatusName): boolean => names.includes(name)
  const blocking = names.filter((name) => BLOCKING.includes(name))
  const inhibits = names.filter((name) => INHIBITS.includes(name))
  const isOn = has('on')
  const isRamping = has('ramping-up') || has('ramping-down')
  return {
    state: stateOf(isOn, isRamping, blocking, inhibits),
    isOn,
    isRamping,
    blocking,
    inhibits,
    events: names.filter((name) => !ORDINARY.includes(name))
  }
}

function stateOf(
  isOn: boolean,
  isRamping: boolean,
  blocking: readonly StatusName[],
  inhibits: readonly StatusName[]
): HvChannelState {
  if (inhibits.includes('kill')) return 'emergency-off'
  if (blocking.length > 0) return 'tripped'
  if (inhibits.length > 0) return 'inhibited'
  if (isRamping) return 'ramping'
  return isOn ? 'on' : 'off'
}
