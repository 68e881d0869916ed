import type { Condition, SpillSummary } from '../../api/api.ts'

export type Verdict = 'good' | 'flagged' | 'bad'

/** With one of these the spill's data are not whole. */
const BAD: readonly Condition[] = ['incomplete', 'interrupted', 'aborted']

/** `simulated` says where the data come from, not that something is wrong. */
export function abnormal(condition: readonly Condition[]): Condition[] {
  return condition.filter((bit) => bit !== 'simulated')
}

export function verdictOf(spill: SpillSummary): Verdict {
  const bits = abnormal(spill.condition)
  if (bits.some((bit) => BAD.includes(bit))) return 'bad'
  return bits.length > 0 || !spill.closed ? 'flagged' : 'good'
}

/** Why a spill is not good, in one line. */
export function reasonText(spill: SpillSummary): string {
  const reasons = [...spill.reasons]
  if (!spill.closed && !reasons.some((reason) => reason.includes('close')))
    reasons.push('the ledger does not close')
  if (reasons.length === 0) reasons.push(...abnormal(spill.condition))
  return reasons.length === 0 ? 'good' : reasons.join('; ')
}

/** Part of these spills that is good; null when there are none. */
export function goodFraction(spills: readonly SpillSummary[]): number | null {
  if (spills.length === 0) return null
  return spills.filter((spill) => verdictOf(spill) === 'good').length / spills.length
}

/** Mean muons on target of the spills that have the number. */
export function meanMuons(spills: readonly SpillSummary[]): number | null {
  const known = spills.flatMap((spill) => spill.muonsOnTarget ?? [])
  return known.length === 0 ? null : known.reduce((sum, n) => sum + n, 0) / known.length
}

/** How many of the newest spills in a row are not good. */
export function badInARow(spills: readonly SpillSummary[]): number {
  const newestGood = spills.findLastIndex((spill) => verdictOf(spill) === 'good')
  return spills.length - 1 - newestGood
}

/** Lines of the table of one source, in the order of the two sums. */
export const LEDGER_COLUMNS = [
  'sent',
  'received',
  'built',
  'partial',
  'late',
  'duplicate',
  'corrupt',
  'dropped',
  'lost'
] as const
export type LedgerColumn = (typeof LEDGER_COLUMNS)[number]

/** A count that is nought when all is well. */
export function isLoss(column: LedgerColumn, count: number | null): boolean {
  if (column === 'received' || column === 'built') return false
  if (column === 'sent' || column === 'lost') return count === null || (column === 'lost' && count !== 0)
  return count !== 0
}
