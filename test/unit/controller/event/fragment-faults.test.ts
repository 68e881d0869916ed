/**
 * Faults inside fragments, counted from the columns of blocks that all stages have seen: by source and kind, only
 * of rows in use, and only what is there.
 */
import { describe, expect, it } from 'vitest'
import { BlockHeader, type EventBlock, EventStatus, makeBlock } from '../../../../core/block.ts'
import { DecodeFault } from '../../../../core/decoder.ts'
import { FragmentStatus } from '../../../../core/fragment.ts'
import { FragmentFaults } from '../../../../controller/event/fragment-faults.ts'

const SOURCES = 3

function block(rows: number): EventBlock {
  const made = makeBlock({ events: 8, sources: SOURCES, rawBytes: 64, hits: 8, samples: 64, sums: 1 })
  made.header[BlockHeader.eventCount] = rows
  return made
}

describe('fragment faults', () => {
  it('counts nothing in clean blocks', () => {
    const faults = new FragmentFaults(SOURCES)
    faults.add(block(8))
    for (let s = 0; s < SOURCES; s++) expect(faults.of(s)).toEqual({})
    expect(faults.notReconstructed).toBe(0)
  })

  it('counts every bit of every fragment for its source, over blocks', () => {
    const faults = new FragmentFaults(SOURCES)
    const one = block(8)
    one.fragmentFaults[2 * SOURCES + 1] = DecodeFault.wrongEvent | DecodeFault.sampleWord
    one.fragmentFaults[7 * SOURCES + 1] = DecodeFault.wrongEvent
    one.fragmentStatus[0] = FragmentStatus.tcsError | FragmentStatus.afterGap
    one.fragmentStatus[2] = FragmentStatus.slinkError | FragmentStatus.errorWords | FragmentStatus.firstOfRun
    faults.add(one)
    const other = block(1)
    other.fragmentFaults[1] = DecodeFault.wrongEvent
    other.fragmentFaults[1 + SOURCES] = DecodeFault.key // behind the last event
    faults.add(other)
    expect(faults.of(0)).toEqual({ 'tcs-error': 1 })
    expect(faults.of(1)).toEqual({ wrongEvent: 3, sampleWord: 1 })
    expect(faults.of(2)).toEqual({ 'slink-error': 1, 'error-words': 1 })
  })

  it('has a name for every fault of a decoder', () => {
    for (const [name, bit] of Object.entries(DecodeFault)) {
      const faults = new FragmentFaults(SOURCES)
      const one = block(1)
      one.fragmentFaults[0] = bit
      faults.add(one)
      expect(faults.of(0)).toEqual({ [name]: 1 })
    }
  })

  it('counts events on which the stages failed', () => {
    const faults = new FragmentFaults(SOURCES)
    const one = block(3)
    one.eventStatus.fill(EventStatus.notReconstructed)
    faults.add(one)
    expect(faults.notReconstructed).toBe(3)
  })
})
