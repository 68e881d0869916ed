/**
 * The Landau distribution of energy losses in thin layers, in its own variable lambda:
 *
 *     p(lambda) = 1/pi  integral over t > 0 of  exp(-t ln t - lambda t) sin(pi t)
 *
 * (Landau 1944; Koelbig and Schorr 1984 for its numbers.) The density is integrated once into a table; the
 * far tail goes on as 1 / lambda, which is its limit, and ends at LAMBDA_MAX.
 */

/** most probable value of lambda */
export const LANDAU_MODE = -0.22278298
/** Largest lambda that is drawn: the mean of the distribution is infinite, that of real losses is not. */
export const LAMBDA_MAX = 300

const LAMBDA_MIN = -3.4
const DENSE_END = 6
const DENSE_STEP = 0.02
const TABLE_END = 60
const SPARSE_POINTS = 240
const SIMPSON_STEPS = 400

interface Table {
  readonly lambda: Float64Array
  readonly cumulative: Float64Array
}
let table: Table | undefined

/** Probability density; valid from -3.4 upward, below that it is 0 to six digits. */
export function landauDensity(lambda: number): number {
  if (lambda < LAMBDA_MIN) return 0
  const exponent = (t: number): number => -t * (Math.log(t) + lambda)
  let end = 1
  while (exponent(end) > -36) end *= 1.1
  while (end > 1e-3 && exponent(end * 0.9) < -36) end *= 0.9
  const h = end / SIMPSON_STEPS
  let sum = 0
  for (let i = 1; i < SIMPSON_STEPS; i++) {
    const t = i * h
    sum += (i % 2 === 1 ? 4 : 2) * Math.exp(exponent(t)) * Math.sin(Math.PI * t)
  }
  return Math.max(0, (sum * h) / 3 / Math.PI)
}

function buildTable(): Table {
  const densePoints = Math.round((DENSE_END - LAMBDA_MIN) / DENSE_STEP) + 1
  const lambda = new Float64Array(densePoints + SPARSE_POINTS)
  for (let i = 0; i < densePoints; i++) lambda[i] = LAMBDA_MIN + i * DENSE_STEP
  for (let i = 1; i <= SPARSE_POINTS; i++)
    lambda[densePoints - 1 + i] = DENSE_END * (TABLE_END / DENSE_END) ** (i / SPARSE_POINTS)
  const cumulative = new Float64Array(lambda.length)
  let before = landauDensity(LAMBDA_MIN)
  for (let i = 1; i < lambda.length; i++) {
    const low = lambda[i - 1]!
    const high = lambda[i]!
    const here = landauDensity(high)
    const middle = landauDensity((low + high) / 2)
    cumulative[i] = cumulative[i - 1]! + ((high - low) / 6) * (before + 4 * middle + here)
    before = here
  }
  return { lambda, cumulative }
}

/** Largest index of `sorted` whose value is at most `value`, but never the last one. */
function intervalOf(sorted: Float64Array, value: number): number {
  let low = 0
  let high = sorted.length - 1
  while (high - low > 1) {
    const middle = (low + high) >>> 1
    if (sorted[middle]! <= value) low = middle
    else high = middle
  }
  return low
}

function interpolate(from: Float64Array, to: Float64Array, value: number): number {
  const i = intervalOf(from, value)
  const width = from[i + 1]! - from[i]!
  const fraction = width > 0 ? (value - from[i]!) / width : 0
  return to[i]! + fraction * (to[i + 1]! - to[i]!)
}

/** Probability that lambda is at most this. */
export function landauCumulative(lambda: number): number {
  const { lambda: grid, cumulative } = (table ??= buildTable())
  if (lambda <= LAMBDA_MIN) return 0
  if (lambda >= LAMBDA_MAX) return 1
  if (lambda <= TABLE_END) return interpolate(grid, cumulative, lambda)
  const beyond = 1 - cumulative[cumulative.length - 1]!
  return 1 - (beyond * TABLE_END) / lambda
}

/** Lambda below which a fraction `u` of all draws lies. */
export function landauQuantile(u: number): number {
  const { lambda: grid, cumulative } = (table ??= buildTable())
  const last = cumulative[cumulative.length - 1]!
  if (u <= 0) return LAMBDA_MIN
  if (u <= last) return interpolate(cumulative, grid, u)
  return Math.min(LAMBDA_MAX, (TABLE_END * (1 - last)) / Math.max(1e-12, 1 - u))
}

/**
 * Amplitude in units of the most probable one, at quantile `u`.
 * @param width Landau width over most probable value
 */
export function landauAmplitude(u: number, width: number): number {
  return Math.max(0, 1 + width * (landauQuantile(u) - LANDAU_MODE))
}

/** Fraction of amplitudes (in units of the most probable one) above `threshold`. */
export function landauEfficiency(threshold: number, width: number): number {
  if (threshold <= 0) return 1
  return 1 - landauCumulative((threshold - 1) / width + LANDAU_MODE)
}
