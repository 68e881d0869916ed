import type { DeviceConfig, Experiment } from '../../config/schema.ts'
import type { Rng } from '../../core/rng.ts'
import type { SimDevice } from './face.ts'

export type Mark = 'WWE' | 'WE' | 'SOE' | 'EOE'

export interface MachineCycle {
  readonly cycle: number
  readonly cycleLengthMs: number
  readonly extractionMs: number
  readonly nextStart: Date
}

/** The accelerator as the hall sees it: extraction marks and the cycle. */
export interface Machine {
  onMark(listener: (mark: Mark, cycle: number, utc: Date) => void): void
  onCycle(listener: (cycle: MachineCycle) => void): void
}

/** What a simulated device may know of the world around it. */
export interface SimContext {
  readonly experiment: Experiment
  /** already split for this device */
  readonly rng: Rng
  readonly machine: Machine
  /** time in the hall */
  utc(): Date
  /** What another device really does, for one that feels it; not while the hall is being made. Absent: there is no other. */
  truthOf?(id: string): unknown
}

export type MakeSimDevice = (config: DeviceConfig, context: SimContext) => SimDevice
