import { expect, test } from 'vitest'
import { ErrorCode } from '../../../core/errors.ts'
import { milliseconds, seconds } from '../../../core/units.ts'
import { VirtualClock } from '../../../core/virtual-clock.ts'

// Virtual time moves only when everybody waits, and in one order. Shown by what sleepers write down.

test('sleepers wake in order of time, then of creation', async () => {
  const clock = new VirtualClock()
  const woke: string[] = []
  const sleeper = async (name: string, ms: number): Promise<void> => {
    await clock.sleep(name, milliseconds(ms))
    woke.push(`${name}@${clock.now() / 1e6}`)
  }
  await clock.resolve(Promise.all([sleeper('b', 20), sleeper('a', 10), sleeper('c', 20)]))
  expect(woke).toEqual(['a@10', 'b@20', 'c@20'])
})

test('promises settle completely between two instants', async () => {
  const clock = new VirtualClock()
  const seen: number[] = []
  const chain = async (): Promise<void> => {
    await clock.sleep('first', milliseconds(1))
    for (let i = 0; i < 50; i++) await Promise.resolve()
    seen.push(clock.now())
  }
  const other = async (): Promise<void> => {
    await clock.sleep('second', milliseconds(2))
    seen.push(clock.now())
  }
  await clock.resolve(Promise.all([chain(), other()]))
  expect(seen).toEqual([1e6, 2e6])
})

test('a deadline rejects with timeout and aborts the work; an outer abort rejects with aborted', async () => {
  const clock = new VirtualClock()
  let inner: AbortSignal | undefined
  const late = clock.within('slow answer', milliseconds(5), async (signal) => {
    inner = signal
    await clock.sleep('answer', seconds(1), signal)
  })
  await expect(clock.resolve(late)).rejects.toMatchObject({ code: ErrorCode.timeout })
  expect(clock.now()).toBe(5e6)
  expect(inner?.aborted).toBe(true)

  const outer = new AbortController()
  const given = clock.within('up', seconds(1), (s) => clock.sleep('long', seconds(1), s), outer.signal)
  outer.abort()
  await expect(clock.resolve(given)).rejects.toMatchObject({ code: ErrorCode.aborted })
  expect(clock.pending()).toEqual([])
})

test('waiting for what nothing can bring is an error, not a hang', async () => {
  const clock = new VirtualClock()
  await expect(clock.resolve(new Promise(() => undefined))).rejects.toMatchObject({
    code: ErrorCode.internal
  })
})
