import type { SpillSummary } from '../../console/api/api.ts'
import type { SpillScalers } from '../../drivers/trigger/contract/trigger-crate.ts'
import type { SpillLedger } from '../event/event-builder.ts'
import type { FaultCounts } from '../event/fragment-faults.ts'
import { type Condition, inOrder } from '../run/run-state.ts'

export interface SpillFacts {
  readonly utc: Date
  readonly ledger: SpillLedger
  /** what is wrong inside the fragments of each source, in the order of the ledger */
  readonly fragmentFaults: readonly FaultCounts[]
  /** events that only raw data hold, because the stages failed on them */
  readonly notReconstructed: number
  /** undefined: the crate did not give them */
  readonly scalers: SpillScalers | undefined
  readonly selected: number
  /** over the result columns of the spill */
  readonly columnHash: string
  readonly lines: readonly { readonly line: number; readonly name: string }[]
  /** closed by the clock, not by its sources */
  readonly isOverdue: boolean
  /** marks of the machine that were lost or doubled: they harm no data, and are told */
  readonly timingOddities: readonly string[]
  readonly isBeamExpected: boolean
  readonly forced: { readonly condition: Condition; readonly reason: string } | undefined
  /** conditions of the run that every spill of it shares */
  readonly inherited: readonly Condition[]
  readonly storeFailure: string | undefined
}

/** Counted here because the books of their own spill are closed; they say nothing against this one. */
const OF_OTHER_SPILLS: readonly string[] = ['after-close']

/**
 * Muons on target of one spill: the scaler of the beam coincidence S0 S1 !V0 times the live fraction of the
 * spill (physics.md 1.4).
 */
export function muonsOnTarget(scalers: SpillScalers): { muons: number; liveFraction: number } {
  const liveFraction = scalers.spillLengthUs > 0 ? Math.min(1, scalers.liveTimeUs / scalers.spillLengthUs) : 0
  return { muons: Math.round(scalers.beam * liveFraction), liveFraction }
}

/** The record of a spill: counts, both ledger sums per source, and the verdict with its reasons. */
export function summarise(facts: SpillFacts): SpillSummary {
  const { ledger, scalers, forced } = facts
  const sources = ledger.sources.map((s, i) => ({
    ...s,
    faults: { ...s.faults, ...facts.fragmentFaults[i] }
  }))
  const condition = new Set<Condition>(facts.inherited)
  const reasons = [...ledger.reasons]
  if (forced !== undefined) {
    condition.add(forced.condition)
    reasons.unshift(forced.reason)
  }
  if (scalers === undefined && forced === undefined) {
    condition.add('incomplete')
    reasons.push('the scalers of the spill were not read: muons on target unknown')
  }
  if (facts.isOverdue) reasons.push('not every source ended the spill in time')
  if (facts.storeFailure !== undefined) {
    condition.add('incomplete')
    reasons.push(`raw data were not written: ${facts.storeFailure}`)
  }
  if (facts.notReconstructed > 0) {
    condition.add('incomplete')
    reasons.push(`${facts.notReconstructed} events could not be reconstructed: replay the raw data`)
  }
  const isIncomplete =
    facts.isOverdue ||
    !ledger.closed ||
    ledger.eventsPartial > 0 ||
    ledger.sources.some((s) => (s.lost ?? 0) > 0 || s.late > 0 || s.dropped > 0)
  if (isIncomplete) condition.add('incomplete')
  const disagrees =
    ledger.eventsExpected !== null &&
    ledger.sources.some((s) => s.sent !== null && s.sent !== ledger.eventsExpected)
  const hasFault = (faults: FaultCounts): boolean =>
    Object.keys(faults).some((kind) => !OF_OTHER_SPILLS.includes(kind))
  const isTainted =
    disagrees ||
    ledger.unknownSource > 0 ||
    sources.some((s) => s.corrupt > 0 || s.duplicate > 0 || hasFault(s.faults))
  if (isTainted) condition.add('tainted')
  for (const s of sources)
    for (const [kind, count] of Object.entries(s.faults))
      reasons.push(`source ${s.source} (${s.device}): ${kind} ${count}`)
  for (const oddity of facts.timingOddities) reasons.push(`marks of the machine: ${oddity}`)
  if (facts.isBeamExpected && scalers?.beam === 0) reasons.push('the extraction brought no muons')
  const exposure = scalers === undefined ? undefined : muonsOnTarget(scalers)
  return {
    run: ledger.run,
    spill: ledger.spill,
    utc: facts.utc.toISOString(),
    condition: inOrder(condition),
    reasons,
    muonsOnTarget: exposure?.muons ?? null,
    liveFraction: exposure?.liveFraction ?? null,
    triggers:
      scalers === undefined
        ? null
        : Object.fromEntries(facts.lines.map(({ line, name }) => [name, scalers.lines[line]?.accepted ?? 0])),
    eventsBuilt: ledger.eventsBuilt,
    eventsPartial: ledger.eventsPartial,
    eventsSelected: facts.selected,
    columnHash: facts.columnHash,
    closed: ledger.closed,
    sources
  }
}
