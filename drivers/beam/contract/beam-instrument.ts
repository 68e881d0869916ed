import type { Device } from '../../../core/device.ts'

/** A device that is only read: magnet, environment, beam information. Safe: nothing to do. */
export interface BeamInstrument extends Device {
  /** Reads everything once; does nothing for devices that report by themselves. */
  poll(signal: AbortSignal): Promise<void>
}

/** warning-warning of extraction, warning, start and end of extraction (protocols 7.1) */
export type SpillMark = 'WWE' | 'WE' | 'SOE' | 'EOE'

export interface TimingMark {
  readonly mark: SpillMark
  /** number of the machine cycle */
  readonly cycle: number
  /** time of the source */
  readonly utc: Date
}

/** What the machine announces: when extraction comes, how long it and the cycle are. */
export interface CycleInfo {
  readonly cycle: number
  readonly cycleLengthMs: number
  readonly extractionMs: number
  /** start of the next extraction, if it is known */
  readonly nextStart: Date | undefined
}

export interface SpillTiming extends BeamInstrument {
  onMark(listener: (mark: TimingMark) => void): () => void
  latestCycle(): CycleInfo | undefined
}

/** The interlock PLC. Only the PLC interlocks hardware; the controller reacts and records. */
export interface InterlockPlc extends BeamInstrument {
  /** Names of interlocks that are open now; undefined while unknown, which counts as open. */
  openInterlocks(): readonly string[] | undefined
}
