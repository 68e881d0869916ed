import type { SourceSpillLedger } from './source-account.ts'

/** What became of one spill, in events and per source in fragments. */
export interface SpillLedger {
  readonly run: number
  readonly spill: number
  readonly cycle: number
  /** unix seconds */
  readonly time: number
  /** events in which every expected source is */
  readonly eventsBuilt: number
  readonly eventsPartial: number
  /** what the trigger crate accepted; null when the caller does not know */
  readonly eventsExpected: number | null
  /** both sums of every source hold that is expected, or sent anything */
  readonly closed: boolean
  /** every source says that it sent what the trigger crate accepted; false when either is not known */
  readonly agrees: boolean
  readonly sources: readonly SourceSpillLedger[]
  /** fragments of sources that are not configured */
  readonly unknownSource: number
  /** what is not as it should be, for people */
  readonly reasons: readonly string[]
}

/** A source that no event needs and that sent nothing. */
export const isNotMissed = (source: SourceSpillLedger): boolean => !source.expected && source.received === 0

/** What is not as it should be, as sentences. */
export function reasonsOf(
  sources: readonly SourceSpillLedger[],
  expected: number | null,
  unknownSource: number
): readonly string[] {
  const reasons: string[] = []
  for (const s of sources) {
    if (isNotMissed(s)) continue
    const name = `source ${s.source} (${s.device})`
    if (s.sent === null) reasons.push(`${name}: no end-of-spill record`)
    else {
      if (!s.closed) reasons.push(`${name}: its sums do not close: sent ${s.sent}, received ${s.received}`)
      if (s.lost !== null && s.lost > 0) reasons.push(`${name}: ${s.lost} of ${s.sent} fragments lost`)
      if (expected !== null && s.sent !== expected)
        reasons.push(`${name}: sent ${s.sent} events, the trigger crate accepted ${expected}`)
    }
    for (const key of ['late', 'duplicate', 'corrupt', 'dropped'] as const)
      if (s[key] > 0) reasons.push(`${name}: ${s[key]} fragments ${key}`)
  }
  if (unknownSource > 0) reasons.push(`${unknownSource} fragments of sources that are not configured`)
  return reasons
}
