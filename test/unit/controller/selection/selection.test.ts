/** Selection and cut flow over columns that are set by hand. */
import { describe, expect, it } from 'vitest'
import type { SelectionConfig } from '../../../../config/schema.ts'
import { CutFlow, makeSelection } from '../../../../controller/selection/selection.ts'
import { BlockHeader, EventStatus, makeBlock } from '../../../../core/block.ts'

const provenance = 'A: test'
const selection: SelectionConfig = {
  cuts: [
    { name: 'clean', kind: 'clean', provenance },
    { name: 'physics', kind: 'trigger', use: 'physics', provenance },
    { name: 'window', kind: 'sum', sum: 'b', lowGeV: 1, highGeV: 2, provenance }
  ]
}
const line = { name: 'x', require: [], veto: [], prescale: 1, randomRateHz: 0, provenance }
const lines = [
  { ...line, line: 0, use: 'physics' as const },
  { ...line, line: 1, use: 'beam' as const },
  { ...line, line: 15, use: 'physics' as const }
]
const ROWS: readonly (readonly [status: number, mask: number, sum: number, cuts: number])[] = [
  [0, 1, 1, 0b111],
  [0, 1 << 15, 2, 0b111],
  [0, 1, 2.001, 0b011],
  [0, 1, 0.999, 0b011],
  [0, 2, 1.5, 0b101],
  [EventStatus.partial, 1, 1.5, 0b110],
  [EventStatus.absent, 1, 1.5, 0]
]

function filled() {
  const block = makeBlock({ events: 8, sources: 1, rawBytes: 4, hits: 0, samples: 0, sums: 2 })
  block.header[BlockHeader.eventCount] = ROWS.length
  ROWS.forEach(([status, mask, sum], row) => {
    block.eventStatus[row] = status
    block.triggerMask[row] = mask
    block.sums[8 + row] = sum
  })
  makeSelection({ selection, lines, sums: ['a', 'b'] })(block)
  return block
}

describe('selection', () => {
  it('sets a bit for each cut by itself, and selects what passes all; limits are inclusive', () => {
    const block = filled()
    expect(Array.from(block.cutMask.subarray(0, 7))).toEqual(ROWS.map((row) => row[3]))
    expect(Array.from(block.selected)).toEqual([1, 1, 0, 0, 0, 0, 0, 0])
  })

  it('refuses a cut on a sum that does not exist', () => {
    expect(() => makeSelection({ selection, lines, sums: ['a'] })).toThrow('window')
  })

  it('counts what is left after each cut, in order, without events that nobody sent', () => {
    const flow = new CutFlow(selection)
    const block = filled()
    flow.add(block)
    flow.add(block)
    expect(flow.events).toBe(12)
    expect(flow.counts()).toEqual([
      { name: 'clean', passed: 10 },
      { name: 'physics', passed: 8 },
      { name: 'window', passed: 4 }
    ])
    flow.clear()
    expect([flow.events, ...flow.counts().map((cut) => cut.passed)]).toEqual([0, 0, 0, 0])
  })
})
