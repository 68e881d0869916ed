/** What somebody meant to write: distances by hand and the laws that any distance keeps. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { editDistance, hintFor, nearest } from '../../../config/nearest.ts'

test.each([
  ['', '', 0],
  ['', 'abc', 3],
  ['kitten', 'sitting', 3],
  ['porcess', 'process', 1],
  ['spil', 'spill', 1],
  ['spill', 'spill', 0]
])('from %o to %o it is %i edits', (a, b, edits) => {
  expect(editDistance(a, b)).toBe(edits)
})

test('the distance is symmetric, zero for equal words only, and at most the longer length', () => {
  const word = fc.string({ maxLength: 8 })
  fc.assert(
    fc.property(word, word, (a, b) => {
      const edits = editDistance(a, b)
      expect(edits).toBe(editDistance(b, a))
      expect(edits === 0).toBe(a === b)
      expect(edits).toBeLessThanOrEqual(Math.max(a.length, b.length))
    })
  )
})

test.each([
  ['treshold', 'thresholdCounts'],
  ['thresholdMv', 'thresholdCounts'],
  ['latency', 'latencySamples'],
  ['porcess', 'process'],
  ['Process', 'process'],
  ['lenghtMs', 'lengthMs'],
  ['lengthS', 'lengthMs'],
  ['na64', 'na64mu-2022']
])('%s means %s', (word, meant) => {
  const known = ['process', 'thresholdCounts', 'latencySamples', 'lengthMs', 'na64mu-2022', 'bench']
  expect(nearest(word, known)).toBe(meant)
})

test('a word that is near to nothing means nothing, and the hint lists what there is', () => {
  expect(nearest('colour', ['process', 'lengthMs'])).toBeUndefined()
  expect(hintFor('colour', ['process', 'lengthMs'], 'keys')).toBe('known keys: process, lengthMs')
  expect(hintFor('colour', [], 'counters')).toBe('there are no counters')
})
