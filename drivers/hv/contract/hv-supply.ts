import type { Device } from '../../../core/device.ts'
import type { Reading, Setpoint, Signal } from '../../../core/signal.ts'

export type HvChannelState = 'off' | 'on' | 'ramping' | 'tripped' | 'inhibited' | 'emergency-off'

export interface HvChannel {
  readonly name: string
  readonly number: number
  /** V; refuses a value above `limitV` before anything is written */
  readonly demand: Setpoint<number>
  readonly voltage: Signal<number>
  /** uA */
  readonly current: Signal<number>
  readonly state: Signal<string>
  /** our own limit, at or below the crate's; V */
  readonly limitV: number
  /**
   * Switches the channel on and ramps to the demand. Resolves when the measured voltage stays within
   * tolerance. A trip on the way rejects with `refused` and leaves the channel off.
   * `permit` names who allowed it; an empty name is refused.
   */
  energise(permit: { readonly by: string }, signal: AbortSignal): Promise<Reading<number>>
  /** Ramps down and switches off. Needs nobody's permission. */
  rampOff(signal: AbortSignal): Promise<void>
  /** Clears a trip; a person's decision. */
  clearTrip(permit: { readonly by: string }, signal: AbortSignal): Promise<void>
}

/**
 * A high-voltage supply. `connect` adopts what the hardware does and writes no setpoint. Safe: every channel
 * ramped down and off, in a controlled way.
 */
export interface HvSupply extends Device {
  readonly channels: readonly HvChannel[]
  /** Reads everything once and updates the signals. */
  poll(signal: AbortSignal): Promise<void>
}
