import type { Histogram } from '../../api/api.ts'

/** A histogram as lines in a box of `width` x `height`, y down. */
export interface HistogramPlot {
  /** outline of the bins, closed along the bottom */
  readonly path: string
  readonly xTicks: readonly Tick[]
  readonly yTicks: readonly Tick[]
}
export interface Tick {
  readonly at: number
  readonly text: string
}

/** Lower end of a logarithmic axis: an empty bin lies on it, a single count stands above it. */
const LOG_FLOOR = 0.5

/** Round values in [low, high], about `wanted` of them. */
export function niceTicks(low: number, high: number, wanted: number): number[] {
  const span = high - low
  if (!(span > 0) || !Number.isFinite(span)) return [low]
  const raw = span / wanted
  const power = 10 ** Math.floor(Math.log10(raw))
  const step = power * ([1, 2, 5, 10].find((m) => m * power >= raw * 0.999) ?? 10)
  const ticks: number[] = []
  const first = Math.ceil(low / step - 1e-9)
  const last = Math.floor(high / step + 1e-9)
  for (let i = first; i <= last; i++) ticks.push(Number((i * step).toPrecision(12)))
  return ticks
}

/** Characters that stand side by side under one plot. */
const AXIS_CHARACTERS = 22

/** As many of up to six round values as stand side by side. */
function fittingTicks(low: number, high: number): number[] {
  for (let wanted = 5; wanted > 1; wanted--) {
    const ticks = niceTicks(low, high, wanted)
    const characters = ticks.reduce((sum, value) => sum + tickText(value).length + 1.5, 0)
    if (characters <= AXIS_CHARACTERS) return ticks
  }
  return niceTicks(low, high, 1)
}

/** 950, 12k, 3.4M: for axes, where room is short. */
export function tickText(value: number): string {
  const size = Math.abs(value)
  if (size >= 1e9) return `${trimmed(value / 1e9)}G`
  if (size >= 1e6) return `${trimmed(value / 1e6)}M`
  if (size >= 1e4) return `${trimmed(value / 1e3)}k`
  return trimmed(value)
}
const trimmed = (value: number): string => String(Number(value.toPrecision(4)))

export function plotHistogram(
  histogram: Histogram,
  size: { width: number; height: number },
  scale: 'linear' | 'log'
): HistogramPlot {
  const { counts, low, high } = histogram
  const { width, height } = size
  const max = counts.reduce((most, count) => Math.max(most, count), 0)
  const top = scale === 'log' ? Math.max(10, max) : Math.max(1, max)
  const share =
    scale === 'log'
      ? (count: number) =>
          Math.log10(Math.max(count, LOG_FLOOR) / LOG_FLOOR) / Math.log10((top * 1.3) / LOG_FLOOR)
      : (count: number) => count / (top * 1.08)
  const y = (count: number): number => round(height * (1 - Math.max(0, share(count))))
  const x = (bin: number): number => round((bin / Math.max(1, counts.length)) * width)

  let path = `M0 ${height}`
  for (const [bin, count] of counts.entries()) path += `V${y(count)}H${x(bin + 1)}`
  path += `V${height}Z`

  const xTicks = fittingTicks(low, high).map((value) => ({
    at: round(((value - low) / (high - low)) * width),
    text: tickText(value)
  }))
  const values =
    scale === 'log'
      ? decades(top)
      : niceTicks(0, top, 3).filter((value) => value > 0 && Number.isInteger(value))
  return { path, xTicks, yTicks: values.map((value) => ({ at: y(value), text: tickText(value) })) }
}

/** 1, 10, 100 ... to `top`, thinned to at most four. */
function decades(top: number): number[] {
  const highest = Math.floor(Math.log10(top))
  const stride = Math.ceil((highest + 1) / 4)
  const values: number[] = []
  for (let e = 0; e <= highest; e += stride) values.push(10 ** e)
  return values
}

const round = (value: number): number => Math.round(value * 10) / 10
