import type { Experiment } from '../config/schema.ts'
import { BlockHeader, type EventBlock } from '../core/block.ts'
import { limits } from '../core/limits.ts'
import { makeInlineDataPlane } from './data-plane.ts'
import { EventBuilder, type SpillLedger } from './event/event-builder.ts'
import { type ReplayStep, replayRawFile } from './store/raw-replay.ts'
import { RunHash } from './store/run-hash.ts'
import type { CutCount } from './selection/selection.ts'

export interface ReplayedSpill {
  readonly run: number
  readonly number: number
  readonly built: number
  readonly partial: number
  readonly selected: number
  /** numbers in the spill of the events that passed every cut before the signal box */
  readonly selectedEvents: readonly number[]
  readonly columnHash: string
  /** its end-of-spill event is in the file */
  readonly isClosed: boolean
  readonly cutFlow: readonly CutCount[]
}

export interface ReplayedFile {
  readonly file: string
  readonly run: number | null
  readonly spills: readonly ReplayedSpill[]
  readonly columnHashes: Readonly<Record<string, string>>
  /** damage of the file, with offsets */
  readonly faults: readonly Extract<ReplayStep, { kind: 'fault' }>['fault'][]
}

/** faults listed one by one; a file with more is beyond listing */
const FAULTS_MAX = 1000

/**
 * Reconstructs and selects a raw file again: the same builder, decoders, stages and cuts as online, without their
 * clock. With the configuration that the run was taken with, the columns are the same bit for bit.
 */
export function replayFile(
  path: string,
  experiment: Experiment,
  onSpill: (spill: ReplayedSpill) => void = () => undefined
): ReplayedFile {
  const { sources, pool, processor, monitor } = makeInlineDataPlane(experiment)
  const spills: ReplayedSpill[] = []
  const faults: ReplayedFile['faults'][number][] = []
  const hash = new RunHash()
  let selectedEvents: number[] = []
  let run: number | null = null
  let time = 0
  processor.onDone((index) => {
    const block = pool.blocks[index]!
    hash.add(block)
    monitor.fill(block)
    collectSelected(block, selectedEvents)
    pool.giveBack(index)
  })
  const builder = new EventBuilder({
    sources,
    pool,
    openBlocksMax: Math.floor(limits.blocks / 2),
    unixSeconds: () => time,
    onBlock: (index) => processor.submit(index),
    onPressure: () => undefined, // the file has all the time
    onOverrun: () => undefined // steps come in order: a spill is closed before the next one starts
  })
  const absent = absentOptionalSources(path, experiment)
  const finish = (step: Extract<ReplayStep, { kind: 'end' }>): void => {
    if (!builder.isSpillOpen) return
    const ledger: SpillLedger = builder.closeSpill()
    monitor.endOfSpill()
    const spill: ReplayedSpill = {
      run: step.run,
      number: step.spill,
      built: ledger.eventsBuilt,
      partial: ledger.eventsPartial,
      selected: selectedEvents.length,
      selectedEvents,
      columnHash: hash.endSpill(step.spill),
      isClosed: step.isClosed,
      cutFlow: monitor.cutFlow()
    }
    selectedEvents = []
    spills.push(spill)
    onSpill(spill)
  }
  for (const step of replayRawFile(path, (source, spill, event, bytes, status) =>
    builder.fragment(source, spill, event, bytes, status)
  ))
    switch (step.kind) {
      case 'start':
        time = step.time
        if (step.run !== run) {
          run = step.run
          builder.beginRun(run)
          for (const source of sources) builder.expect(source.id, !absent.has(source.id))
        }
        builder.openSpill(step.spill, 0, step.time)
        break
      case 'event': {
        // Events are in order: whatever a block before this one lacks is not in the file.
        const first = step.event - ((step.event - 1) % limits.eventsPerBlock)
        while (builder.oldestOpenEvent < first && builder.giveUpOldest());
        break
      }
      case 'end':
        finish(step)
        break
      case 'fault':
        if (faults.length < FAULTS_MAX) faults.push(step.fault)
    }
  return { file: path, run, spills, columnHashes: hash.digest(), faults }
}

/** Optional boards of which the file has nothing were not waited for when it was taken. */
function absentOptionalSources(path: string, experiment: Experiment): ReadonlySet<number> {
  const optional = new Set(
    experiment.devices
      .filter((device) => device.role === 'optional' && device.links.data !== undefined)
      .map((device) => (device.settings as { source: number }).source)
  )
  if (optional.size === 0) return optional
  for (const _step of replayRawFile(path, (source) => optional.delete(source))) if (optional.size === 0) break
  return optional
}

function collectSelected(block: EventBlock, into: number[]): void {
  const rows = block.header[BlockHeader.eventCount]!
  for (let row = 0; row < rows; row++) if (block.selected[row] === 1) into.push(block.eventNumber[row]!)
}
