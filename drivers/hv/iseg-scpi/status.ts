import type { HvChannelState } from '../contract/hv-supply.ts'

/**
 * Channel status and channel event words of the iseg SCPI protocol (iseg, "SCPI protocol common instruction set",
 * 2020-11; mirrored NHS manual p. 44). The event word has the positions of the status word, latched until
 * `:EV CLEAR`; bits 1, 3, 4 and 9 mean something else there.
 */

/** Positions in the channel status word. 16 to 22 exist in NHR and SHR only; 1, 9 and 23 up are unused. */
export const STATUS_BITS = {
  0: 'positive',
  2: 'input-error',
  3: 'on',
  4: 'ramping',
  5: 'emergency-off',
  6: 'constant-current',
  7: 'constant-voltage',
  8: 'low-current-range',
  10: 'current-bounds',
  11: 'voltage-bounds',
  12: 'external-inhibit',
  13: 'current-trip',
  14: 'current-limit',
  15: 'voltage-limit',
  16: 'current-ramp',
  17: 'current-ramp-up',
  18: 'current-ramp-down',
  19: 'voltage-ramp-up',
  20: 'voltage-ramp-down',
  21: 'voltage-bound-upper',
  22: 'voltage-bound-lower'
} as const satisfies Record<number, string>

/** Positions in the channel event word. */
export const EVENT_BITS = {
  ...STATUS_BITS,
  0: undefined,
  1: 'arc',
  3: 'on-to-off',
  4: 'end-of-ramp',
  9: 'arc-error'
} as const satisfies Record<number, string | undefined>

export type StatusName = (typeof STATUS_BITS)[keyof typeof STATUS_BITS]
export type EventName = NonNullable<(typeof EVENT_BITS)[keyof typeof EVENT_BITS]>

/**
 * Events that tell of harm. While one of them stands (and its mask bit is set, as it is when shipped), the module
 * raises no voltage and switches no channel on: the commonest "the HV does not come back". The others happen in
 * every ordinary ramp.
 */
export const BLOCKING_EVENTS: readonly EventName[] = [
  'input-error',
  'emergency-off',
  'arc-error',
  'current-bounds',
  'voltage-bounds',
  'external-inhibit',
  'current-trip',
  'current-limit',
  'voltage-limit',
  'voltage-bound-upper',
  'voltage-bound-lower'
]

function decode<N extends string>(
  word: number,
  bits: Readonly<Record<number, N | undefined>>
): ReadonlySet<N> {
  const names = new Set<N>()
  for (const [bit, name] of Object.entries(bits))
    if (name !== undefined && (word & (1 << Number(bit))) !== 0) names.add(name)
  return names
}

export const decodeStatus = (word: number): ReadonlySet<StatusName> => decode<StatusName>(word, STATUS_BITS)
export const decodeEvents = (word: number): ReadonlySet<EventName> => decode<EventName>(word, EVENT_BITS)

/** Standing events that keep the channel from being switched on. */
export function blockingEvents(events: ReadonlySet<EventName>): EventName[] {
  return BLOCKING_EVENTS.filter((name) => events.has(name))
}

/**
 * The channel's state in one word. What switched the channel off counts until it is cleared, because the channel
 * cannot be switched on before.
 */
export function channelState(
  status: ReadonlySet<StatusName>,
  events: ReadonlySet<EventName>
): HvChannelState {
  const isOn = status.has('on')
  const happened = (name: StatusName & EventName): boolean => status.has(name) || (!isOn && events.has(name))
  if (happened('emergency-off')) return 'emergency-off'
  if (happened('current-trip')) return 'tripped'
  if (happened('external-inhibit')) return 'inhibited'
  if (status.has('ramping')) return 'ramping'
  return isOn ? 'on' : 'off'
}
