import type { HvChannelState } from '../contract/hv-supply.ts'
import type { CrateMap, StatusMeaning } from './crate-map.ts'

/** Trips: what switched the channel off, until somebody has cleared it. */
const TRIPS: readonly StatusMeaning[] = [
  'internal-trip',
  'external-trip',
  'over-voltage-protection',
  'power-fail',
  'temperature-error'
]
/** What keeps a channel off as long as it lasts. */
const INHIBITS: readonly StatusMeaning[] = ['external-disable', 'unplugged', 'calibration-error']
const ORDINARY: readonly StatusMeaning[] = ['on', 'ramping-up', 'ramping-down']

export interface CrateStatus {
  readonly state: HvChannelState
  readonly isOn: boolean
  readonly isRamping: boolean
  readonly blocking: readonly StatusMeaning[]
  readonly inhibits: readonly StatusMeaning[]
  readonly events: readonly StatusMeaning[]
}

/**
 * @param isForgiven a person has cleared what stands, and the crate will show so only when the channel is switched on
 */
export function decodeStatus(
  word: number,
  { statusBits }: Pick<CrateMap, 'statusBits'>,
  isForgiven = false
): CrateStatus {
  const names = Object.entries(statusBits).flatMap(([bit, meaning]) =>
    meaning !== undefined && (word & (1 << Number(bit))) !== 0 ? [meaning] : []
  )
  const isOn = names.includes('on')
  const isRamping = names.includes('ramping-up') || names.includes('ramping-down')
  const blocking = isForgiven ? [] : names.filter((name) => TRIPS.includes(name))
  const inhibits = names.filter((name) => INHIBITS.includes(name))
  const live: HvChannelState = isRamping ? 'ramping' : isOn ? 'on' : 'off'
  return {
    state: blocking.length > 0 ? 'tripped' : inhibits.length > 0 ? 'inhibited' : live,
    isOn,
    isRamping,
    blocking,
    inhibits,
    events: names.filter((name) => !ORDINARY.includes(name))
  }
}
