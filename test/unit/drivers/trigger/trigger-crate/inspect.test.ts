// The block of the trigger crate, whole and not.
import { expect, test } from 'vitest'
import { inspectTrigger } from '../../../../../drivers/trigger/trigger-crate/inspect.ts'
import { payload } from '../../digitiser/payload-fixture.ts'

test('mask, times and type', () => {
  const { view, faults } = payload([0x80000001, 77, 5, 8])
  expect(inspectTrigger(view)).toEqual({
    kind: 'trigger',
    mask: 0x80000001,
    timeTicks: 77,
    busyTicks: 5,
    eventType: 8
  })
  expect(faults).toEqual([])
})

test.each([
  [[], 0, undefined],
  [[1, 2, 3], 0, ['00000001', '00000002', '00000003']],
  [[1, 2, 3, 7, 9], 7, ['00000009']]
])('words %j are said to be too few or too many', (words, eventType, rest) => {
  const { view, faults } = payload(words)
  const result = inspectTrigger(view)
  expect([result.eventType, result.rest]).toEqual([eventType, rest])
  expect(faults).toMatchObject([{ code: 'TRIGGER_BAD_SIZE', expected: 4, got: words.length }])
})
