/**
 * The verdict on a spill: which facts make it tainted (something wrong was seen) or incomplete (something is
 * missing), and that each of them is said in words.
 */
import { describe, expect, it } from 'vitest'
import type { SourceSpillLedger } from '../../../../controller/event/source-account.ts'
import { type SpillFacts, summarise } from '../../../../controller/spill/spill-summary.ts'

const source = (change: Partial<SourceSpillLedger> = {}): SourceSpillLedger => ({
  ...{ source: 600, device: 'board', expected: true, sent: 10, received: 10, built: 10, partial: 0 },
  ...{ late: 0, duplicate: 0, corrupt: 0, dropped: 0, lost: 0, closed: true, faults: {} },
  ...change
})

function facts(change: Partial<SpillFacts> = {}, only: SourceSpillLedger = source()): SpillFacts {
  return {
    utc: new Date(0),
    ledger: {
      ...{ run: 1, spill: 2, cycle: 3, time: 4, eventsBuilt: 10, eventsPartial: 0, eventsExpected: 10 },
      ...{ closed: only.closed, agrees: true, sources: [only], unknownSource: 0, reasons: [] }
    },
    fragmentFaults: [{}],
    notReconstructed: 0,
    scalers: {
      ...{ spill: 2, counters: [], lines: [], accepted: 10 },
      ...{ beam: 1000, beamLive: 900, spillLengthUs: 100, liveTimeUs: 90 }
    },
    ...{ selected: 1, columnHash: '', lines: [], isOverdue: false, forced: undefined, inherited: [] },
    ...{ timingOddities: [], isBeamExpected: true },
    storeFailure: undefined,
    ...change
  }
}

describe('the verdict on a spill', () => {
  it('is good when nothing is wrong, and carries muons on target', () => {
    expect(summarise(facts())).toMatchObject({ condition: [], reasons: [], muonsOnTarget: 900 })
  })

  it('names faults inside fragments, by source, beside those of the stream, and is tainted', () => {
    const only = source({ faults: { garbage: 25 } })
    const summary = summarise(facts({ fragmentFaults: [{ wrongEvent: 2 }] }, only))
    expect(summary.condition).toEqual(['tainted'])
    expect(summary.sources[0]!.faults).toEqual({ garbage: 25, wrongEvent: 2 })
    expect(summary.reasons).toEqual(['source 600 (board): garbage 25', 'source 600 (board): wrongEvent 2'])
  })

  it('is incomplete when events were not reconstructed, and says what to do', () => {
    const summary = summarise(facts({ notReconstructed: 4 }))
    expect(summary.condition).toEqual(['incomplete'])
    expect(summary.reasons.join()).toContain('4 events could not be reconstructed: replay')
  })

  it('tells odd marks of the machine and an extraction without muons, which harm no data', () => {
    const scalers = { ...facts().scalers!, beam: 0 }
    const summary = summarise(facts({ timingOddities: ['missing-end'], scalers }))
    expect(summary.condition).toEqual([])
    expect(summary.reasons).toEqual(['marks of the machine: missing-end', 'the extraction brought no muons'])
    expect(summarise(facts({ scalers, isBeamExpected: false })).reasons).toEqual([])
  })

  it.each([
    ['lost fragments', source({ lost: 1, received: 9, built: 9 }), ['incomplete']],
    ['late fragments', source({ late: 1, built: 9 }), ['incomplete']],
    ['open sums', source({ closed: false }), ['incomplete']],
    ['dropped fragments', source({ dropped: 1, faults: { 'no-room': 1 } }), ['tainted', 'incomplete']],
    ['duplicates', source({ duplicate: 1, received: 11 }), ['tainted']],
    ['corrupt fragments', source({ corrupt: 1 }), ['tainted']]
  ])('by %s', (_, only, condition) => {
    expect(summarise(facts({}, only)).condition).toEqual(condition)
  })
})
