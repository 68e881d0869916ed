import type { Device } from '../../../core/device.ts'
import type { FragmentSink } from '../../../core/fragment.ts'

/** Settings of one ADC channel that decide what leaves the board. */
export interface ChannelThreshold {
  readonly port: number
  readonly adc: number
  readonly channel: number
  /** counts above pedestal */
  readonly thresholdCounts: number
}

export interface DigitiserSettings {
  /** trigger latency in samples */
  readonly latencySamples: number
  readonly samplesPerEvent: number
  readonly zeroSuppression: boolean
  readonly thresholds: readonly ChannelThreshold[]
}

/** One setting that does not read back as written. */
export interface SettingDifference {
  readonly setting: string
  readonly wanted: number
  readonly got: number
}

/** What decides when and what the board digitises. */
export interface TriggerLogic {
  /** Writes all settings, reads all back; the list is empty when they agree. Never while armed. */
  apply(settings: DigitiserSettings, signal: AbortSignal): Promise<readonly SettingDifference[]>
}

export interface AcquireLogic {
  /** From the next start of spill on, data are sent. */
  arm(signal: AbortSignal): Promise<void>
  /** No data after the end of the current spill. */
  disarm(signal: AbortSignal): Promise<void>
}

export interface DataLogic {
  /** S-LINK source ids that this device may send */
  readonly sources: readonly number[]
  /** Where fragments go; set before `connect`. */
  attach(sink: FragmentSink): void
  /** Back-pressure: the controller cannot take more now; the far end keeps what it has. */
  pause(): void
  resume(): void
}

/**
 * A digitiser: composed of what triggers it, what makes it acquire, and what its data are.
 * Safe: not armed. Settings can be read back only when connected.
 */
export interface Digitiser extends Device {
  readonly trigger: TriggerLogic
  readonly acquire: AcquireLogic
  readonly data: DataLogic
}
