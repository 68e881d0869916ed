/** Time in nanoseconds since the clock's own start. A number: exact to 104 days. */
export type RunNs = number
/** A span of time in nanoseconds. */
export type DurationNs = number

export const nanoseconds = (n: number): DurationNs => n
export const microseconds = (n: number): DurationNs => n * 1e3
export const milliseconds = (n: number): DurationNs => n * 1e6
export const seconds = (n: number): DurationNs => n * 1e9
export const toMilliseconds = (d: DurationNs): number => d / 1e6
export const toSeconds = (d: DurationNs): number => d / 1e9

/** Period of the trigger control system's clock, 38.88 MHz, in ns (CORAL DaqDataDecoding, Chip.h). */
export const TCS_PERIOD_NS = 1e3 / 38.88
/** Sampling period of the MSADC, 1 / (2 x 38.88 MHz), in ns: 12.8601. */
export const MSADC_PERIOD_NS = TCS_PERIOD_NS / 2
