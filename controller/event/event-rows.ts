import { BlockHeader, type EventBlock, EventStatus } from '../../core/block.ts'
import { FragmentStatus } from '../../core/fragment.ts'
import type { SourceAccount } from './source-account.ts'

const LINK_ERROR = FragmentStatus.slinkError | FragmentStatus.errorWords | FragmentStatus.tcsError
/** of an event whose trigger block is missing: DATE wants one, and noTrigger says that it is not known */
const PHYSICS_EVENT = 7

/** An empty block for the events from `firstEvent` of the spill. */
export function clearRows(block: EventBlock, firstEvent: number): void {
  block.header.fill(0)
  block.header[BlockHeader.firstEvent] = firstEvent
  block.fragmentOffset.fill(0)
  block.fragmentBytes.fill(0)
  block.fragmentStatus.fill(0)
  block.fragmentFaults.fill(0)
  block.triggerMask.fill(0)
  block.eventType.fill(PHYSICS_EVENT)
  block.timeTicks.fill(0)
  block.eventStatus.fill(0)
  block.hitBegin.fill(0)
  block.hitCount.fill(0)
  block.cutMask.fill(0)
  block.selected.fill(0)
  block.sums.fill(0)
  for (let row = 0; row < block.eventNumber.length; row++) block.eventNumber[row] = firstEvent + row
}

export interface RowCounts {
  complete: number
  partial: number
}

/**
 * Sets the status of every event and books its fragments as built or partial. Blocks must come in the order of
 * the spill: what is after a gap depends on what was before.
 * @returns rows in use: up to the last event that anybody sent
 */
export function closeRows(block: EventBlock, accounts: readonly SourceAccount[], counts: RowCounts): number {
  const sources = accounts.length
  const first = block.header[BlockHeader.firstEvent]!
  let rows = 0
  for (let row = 0; row < block.shape.events; row++) {
    const at = row * sources
    let present = 0
    let status = 0
    for (let s = 0; s < sources; s++) {
      if (block.fragmentBytes[at + s]! > 0) {
        present++
        if ((block.fragmentStatus[at + s]! & LINK_ERROR) !== 0) status |= EventStatus.linkError
      } else {
        if (accounts[s]!.isExpected) status |= EventStatus.partial
        if (accounts[s]!.source.format === 'trigger') status |= EventStatus.noTrigger
      }
    }
    if (present === 0) {
      block.eventStatus[row] = EventStatus.absent
      continue
    }
    const isPartial = (status & EventStatus.partial) !== 0
    for (let s = 0; s < sources; s++) {
      const account = accounts[s]!
      if (account.isExpected && account.source.distrustAfterGap) {
        if (first + row > account.nextEvent) account.hasGap = true
        if (account.hasGap) status |= EventStatus.afterGap
      }
      if (block.fragmentBytes[at + s]! === 0) continue
      account.nextEvent = first + row + 1
      if (isPartial) account.partial++
      else account.built++
    }
    if (isPartial) counts.partial++
    else counts.complete++
    block.eventStatus[row] = status
    rows = row + 1
  }
  // rows behind the last event are not in use, whatever they hold
  return rows
}
