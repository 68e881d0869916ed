import type { Device } from '../../../core/device.ts'
import type { DataLogic, SettingDifference } from '../../digitiser/contract/digitiser.ts'

/** One line of the trigger menu, as the crate knows it. */
export interface TriggerLineSetting {
  readonly line: number
  /** bit mask of counters that must fire */
  readonly require: number
  /** bit mask of counters that must not fire */
  readonly veto: number
  /** every n-th is taken; 0 switches the line off */
  readonly prescale: number
  /** for lines that fire by chance instead of by counters; 0 for none */
  readonly randomRateHz: number
}

export interface TriggerSettings {
  /** discriminator threshold of each counter, DAC counts, by counter number */
  readonly thresholds: readonly number[]
  readonly lines: readonly TriggerLineSetting[]
  /** dead time after each accepted trigger, ns */
  readonly deadTimeNs: number
}

/** What the crate counted in one spill; latched at the end of extraction. */
export interface SpillScalers {
  readonly spill: number
  /** singles by counter number */
  readonly counters: readonly number[]
  readonly lines: readonly {
    readonly attempts: number
    readonly prescaled: number
    readonly accepted: number
  }[]
  /** accepted triggers of all lines: the number of events of the spill */
  readonly accepted: number
  /** beam coincidences (S0 S1 !V0) in the whole spill, and those while not busy */
  readonly beam: number
  readonly beamLive: number
  readonly spillLengthUs: number
  readonly liveTimeUs: number
}

/**
 * The trigger crate: decides which muons become events, counts all, and sends its own S-LINK block (trigger
 * mask and time) for every event. Safe: triggers inhibited.
 */
export interface TriggerCrate extends Device {
  readonly data: DataLogic
  /** Writes all settings, reads all back; the list is empty when they agree. Refused while a run is enabled. */
  apply(settings: TriggerSettings, signal: AbortSignal): Promise<readonly SettingDifference[]>
  /**
   * Enables triggers from the next whole spill on and counts spills from 1 in this run.
   * @param source `sps`: the extraction lines; `local`: `startSpill` and `endSpill`
   */
  enable(run: number, source: 'sps' | 'local', signal: AbortSignal): Promise<void>
  /** No spill begins after this; the current one is finished. */
  disable(signal: AbortSignal): Promise<void>
  /** Whether a run is enabled, or its last spill still goes on: settings cannot be written then. */
  isRunning(signal: AbortSignal): Promise<boolean>
  /** Immediate: no trigger from now on. */
  inhibit(signal: AbortSignal): Promise<void>
  /** Artificial spills, only when enabled with `local`. */
  startSpill(signal: AbortSignal): Promise<void>
  endSpill(signal: AbortSignal): Promise<void>
  /** Scalers of the spill; rejects with `not-found` while the crate holds those of another one. */
  scalers(spill: number, signal: AbortSignal): Promise<SpillScalers>
}
