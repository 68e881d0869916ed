/** Reconnection delays double from the first to the longest of core/limits.ts. */
import { expect, test } from 'vitest'
import { limits } from '../../../../core/limits.ts'
import { milliseconds } from '../../../../core/units.ts'
import { backoff } from '../../../../drivers/link/backoff.ts'

test('doubles from the first delay and stays at the longest', () => {
  expect([0, 1, 2].map(backoff)).toEqual([1, 2, 4].map((n) => milliseconds(n * limits.backoffFirstMs)))
  expect([10, 1000, Number.MAX_SAFE_INTEGER].map(backoff)).toEqual(
    Array<number>(3).fill(milliseconds(limits.backoffLongestMs))
  )
})
