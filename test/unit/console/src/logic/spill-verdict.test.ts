/** What the squares of the strip and the table of losses say. */
import { describe, expect, it } from 'vitest'
import {
  badInARow,
  goodFraction,
  isLoss,
  meanMuons,
  reasonText,
  verdictOf
} from '../../../../../console/src/logic/spill-verdict.ts'
import { spillOf } from '../fixtures.ts'

describe('verdict of a spill', () => {
  it('is good without condition bits; "simulated" is none against it', () => {
    expect(verdictOf(spillOf(1))).toBe('good')
    expect(verdictOf(spillOf(1, { condition: ['simulated'] }))).toBe('good')
    expect(reasonText(spillOf(1, { condition: ['simulated'] }))).toBe('good')
  })
  it('is bad when data are not whole, flagged for all else, an open ledger included', () => {
    expect(verdictOf(spillOf(1, { condition: ['degraded', 'interrupted'] }))).toBe('bad')
    expect(verdictOf(spillOf(1, { condition: ['tainted'] }))).toBe('flagged')
    expect(verdictOf(spillOf(1, { closed: false }))).toBe('flagged')
  })
  it('gives the reasons in words, the condition bits when there are none', () => {
    expect(reasonText(spillOf(1, { reasons: ['a', 'b'], closed: false }))).toBe(
      'a; b; the ledger does not close'
    )
    expect(reasonText(spillOf(1, { condition: ['tainted', 'simulated'] }))).toBe('tainted')
  })
})

it('numbers over spills are null when nothing is known', () => {
  expect(goodFraction([])).toBeNull()
  expect(goodFraction([spillOf(1), spillOf(2, { closed: false })])).toBe(0.5)
  expect(meanMuons([spillOf(1, { muonsOnTarget: null })])).toBeNull()
  expect(meanMuons([spillOf(1, { muonsOnTarget: null }), spillOf(2, { muonsOnTarget: 10 })])).toBe(10)
})

it('bad spills in a row are counted from the newest', () => {
  const bad = { closed: false }
  expect(badInARow([])).toBe(0)
  expect(badInARow([spillOf(1, bad), spillOf(2)])).toBe(0)
  expect(badInARow([spillOf(1), spillOf(2, bad), spillOf(3, bad)])).toBe(2)
  expect(badInARow([spillOf(1, bad), spillOf(2, bad)])).toBe(2)
})

it('a loss is a count that should be nought, or one that is not known', () => {
  expect(isLoss('built', 5)).toBe(false)
  expect(isLoss('late', 0)).toBe(false)
  expect(isLoss('late', 1)).toBe(true)
  expect(isLoss('sent', 7)).toBe(false)
  expect(isLoss('sent', null)).toBe(true)
  expect(isLoss('lost', 3)).toBe(true)
  expect(isLoss('lost', 0)).toBe(false)
})
