import { limits } from '../../core/limits.ts'
import { type DurationNs, milliseconds } from '../../core/units.ts'

/**
 * How long to wait before attempt number `attempt` (0 is the first retry): doubles up to the longest. No chance
 * in it: one controller reconnects to one device, so there is no crowd to spread.
 */
export function backoff(attempt: number): DurationNs {
  const doubled = limits.backoffFirstMs * 2 ** Math.min(Math.max(0, attempt), 30)
  return milliseconds(Math.min(doubled, limits.backoffLongestMs))
}
