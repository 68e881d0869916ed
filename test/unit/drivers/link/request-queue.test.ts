/** A request queue keeps one request in flight and bounds the rest; shown on the virtual clock. */
import { describe, expect, test } from 'vitest'
import { ErrorCode } from '../../../../core/errors.ts'
import { milliseconds } from '../../../../core/units.ts'
import { VirtualClock } from '../../../../core/virtual-clock.ts'
import { RequestQueue } from '../../../../drivers/link/request-queue.ts'

const code = (of: ErrorCode) => expect.objectContaining({ code: of }) as unknown

describe('RequestQueue', () => {
  test('runs requests one after the other, in order', async () => {
    const clock = new VirtualClock()
    const queue = new RequestQueue('box', clock)
    const log: string[] = []
    const request = (name: string, ms: number): Promise<string> =>
      queue.run(name, milliseconds(100), async (signal) => {
        log.push(`+${name}`)
        await clock.sleep(name, milliseconds(ms), signal)
        log.push(`-${name}`)
        return name
      })
    const all = Promise.all([request('a', 30), request('b', 10), request('c', 20)])
    expect(queue.waiting).toBe(2)
    expect(await clock.resolve(all)).toEqual(['a', 'b', 'c'])
    expect(log).toEqual(['+a', '-a', '+b', '-b', '+c', '-c'])
    expect(clock.now()).toBe(milliseconds(60))
  })

  test('counts a deadline from the turn of the request, and goes on after it', async () => {
    const clock = new VirtualClock()
    const queue = new RequestQueue('box', clock)
    const aborted: boolean[] = []
    const silent = queue.run(
      'silent',
      milliseconds(50),
      (signal) =>
        new Promise<never>(() => {
          signal.addEventListener('abort', () => aborted.push(true))
        })
    )
    const good = queue.run('good', milliseconds(50), async (signal) => {
      await clock.sleep('good', milliseconds(40), signal)
      return 'ok'
    })
    await expect(clock.resolve(silent)).rejects.toEqual(code('timeout'))
    expect(aborted).toEqual([true])
    expect(await clock.resolve(good)).toBe('ok')
    expect(clock.now()).toBe(milliseconds(90))
  })

  test('refuses one more than may wait', async () => {
    const clock = new VirtualClock()
    const queue = new RequestQueue('box', clock, { limit: 1 })
    const slow = (): Promise<void> =>
      queue.run('slow', milliseconds(50), (signal) => clock.sleep('slow', milliseconds(10), signal))
    const both = Promise.all([slow(), slow()])
    await expect(slow()).rejects.toEqual(code('overflow'))
    await clock.resolve(both)
    await clock.resolve(slow())
  })

  test('drops a waiting request as soon as its caller gives up, without starting it', async () => {
    const clock = new VirtualClock()
    const queue = new RequestQueue('box', clock)
    const caller = new AbortController()
    const slow = (): Promise<void> =>
      queue.run('slow', milliseconds(50), (signal) => clock.sleep('slow', milliseconds(10), signal))
    const first = slow()
    let started = false
    const given = queue.run(
      'given up',
      milliseconds(50),
      () => Promise.resolve((started = true)),
      caller.signal
    )
    const last = slow()
    caller.abort()
    await expect(given).rejects.toEqual(code('aborted'))
    await clock.resolve(Promise.all([first, last]))
    expect(started).toBe(false)
    expect(queue.waiting).toBe(0)
  })

  test('hands the turn on when a request fails or throws at once', async () => {
    const clock = new VirtualClock()
    const queue = new RequestQueue('box', clock)
    const failing = queue.run('failing', milliseconds(50), () => Promise.reject(new TypeError('no')))
    const next = queue.run('next', milliseconds(50), () => Promise.resolve(1))
    await expect(failing).rejects.toThrow('no')
    expect(await next).toBe(1)
  })
})
