/** Signals: what slow control reads and what everybody may watch. */

export type Quality = 'good' | 'suspect' | 'stale' | 'bad'

/** A band of values with a severity and the sentence for the operator; bounds in the signal's unit. */
export interface Zone {
  readonly lower?: number
  readonly upper?: number
  readonly severity: 'advice' | 'warning' | 'critical'
  /** what it means and what to do */
  readonly action: string
}

export interface SignalMeta {
  /** for example V, uA, degC; empty for words and bits */
  readonly unit: string
  readonly description: string
  /** a value that was not confirmed for this long is stale, not good */
  readonly staleAfterMs: number
  readonly zones: readonly Zone[]
}

export type SignalValue = number | string | boolean

export interface Reading<T extends SignalValue = SignalValue> {
  readonly value: T
  /** time of the source where it gives one, else of reception */
  readonly utc: Date
  readonly quality: Quality
  /** why the quality is not good */
  readonly reason?: string
}

export type Unsubscribe = () => void

export interface Signal<T extends SignalValue = SignalValue> {
  /** device id and name: "hv-ecal/ch0/voltage" */
  readonly path: string
  readonly meta: SignalMeta
  /** the newest reading, with `stale` already applied; does not go to hardware */
  latest(): Reading<T> | undefined
  watch(listener: (reading: Reading<T>) => void): Unsubscribe
}

export interface Setpoint<T extends SignalValue = SignalValue> extends Signal<T> {
  /** Resolves when the readback agrees; rejects with `readback`, `refused`, `timeout`, `not-permitted`. */
  set(value: T, signal: AbortSignal): Promise<Reading<T>>
}
