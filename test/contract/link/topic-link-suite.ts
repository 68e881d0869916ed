import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../core/errors.ts'
import type { TopicLink } from '../../../drivers/link/link.ts'

/** The far end of a topic link as a test needs it. */
export interface TopicBench {
  readonly link: TopicLink
  /** another client of the same broker publishes */
  publish(topic: string, payload: string, retain: boolean): Promise<void>
  /** resolves when another client has received this on `topic` */
  expectArrival(topic: string): Promise<string>
  /** takes the broker away, resolves when it is gone */
  breakOff(): Promise<void>
  repair(): Promise<void>
  end(): Promise<void>
}

export const never = new AbortController().signal

/** Resolves when the link has reported that state. */
export function reported(
  link: { onState(listener: (isOpen: boolean, why: string) => void): () => void },
  wanted: boolean
): Promise<string> {
  return new Promise((resolve) => {
    const stop = link.onState((isOpen, why) => {
      if (isOpen !== wanted) return
      stop()
      resolve(why)
    })
  })
}

/** Messages as they come, to be awaited one by one. */
export function inbox(): { receiver: (topic: string, payload: string) => void; next(): Promise<string> } {
  const arrived: string[] = []
  const waiting: ((line: string) => void)[] = []
  return {
    receiver: (topic, payload) => {
      const line = `${topic} ${payload}`
      const waiter = waiting.shift()
      if (waiter === undefined) arrived.push(line)
      else waiter(line)
    },
    next: () => {
      const line = arrived.shift()
      return line === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(line)
    }
  }
}

/** What every topic link does, over a broker or in memory. */
export function topicLinkSuite(name: string, makeBench: () => Promise<TopicBench>): void {
  describe(`a topic link ${name}`, () => {
    let bench: TopicBench
    beforeEach(async () => {
      bench = await makeBench()
    })
    afterEach(async () => {
      await bench.link.close()
      await bench.end()
    })

    it('brings retained messages first and then what is published, in order', async () => {
      await bench.publish('hall/status', 'online', true)
      await bench.link.open(never)
      const box = inbox()
      await bench.link.subscribe('hall/#', box.receiver)
      expect(await box.next()).toBe('hall/status online')
      for (const n of [1, 2, 3]) await bench.publish(`hall/mark`, `${n}`, false)
      expect([await box.next(), await box.next(), await box.next()]).toEqual([
        'hall/mark 1',
        'hall/mark 2',
        'hall/mark 3'
      ])
    })

    it('gives each receiver what matches its filter only', async () => {
      await bench.link.open(never)
      const [one, all] = [inbox(), inbox()]
      await bench.link.subscribe('a/+/c', one.receiver)
      await bench.link.subscribe('a/#', all.receiver)
      await bench.publish('a/b', 'short', false)
      await bench.publish('a/b/c', 'long', false)
      expect(await one.next()).toBe('a/b/c long')
      const wide = new Set([await all.next(), await all.next()])
      expect(wide).toEqual(new Set(['a/b short', 'a/b/c long']))
    })

    it('publishes to others', async () => {
      await bench.link.open(never)
      const arrival = bench.expectArrival('controller/heartbeat')
      await bench.link.publish('controller/heartbeat', '17', { retain: false, qos: 1 })
      expect(await arrival).toBe('17')
    })

    it('refuses requests while it is down instead of queueing them', async () => {
      const disconnected = { code: ErrorCode.disconnected }
      await expect(bench.link.publish('a', 'b', { retain: false, qos: 1 })).rejects.toMatchObject(
        disconnected
      )
      await expect(bench.link.subscribe('a', () => undefined)).rejects.toMatchObject(disconnected)
      expect(bench.link.isOpen).toBe(false)
    })

    it('reports a loss once, opens again, and subscribes again by itself', async () => {
      const changes: boolean[] = []
      bench.link.onState((isOpen) => changes.push(isOpen))
      await bench.link.open(never)
      const box = inbox()
      await bench.link.subscribe('hall/mark', box.receiver)
      const lost = reported(bench.link, false)
      await bench.breakOff()
      expect(await lost).not.toBe('')
      await expect(bench.link.open(never)).rejects.toMatchObject({ code: ErrorCode.disconnected })
      await bench.repair()
      await bench.link.open(never)
      await bench.publish('hall/mark', 'after', false)
      expect(await box.next()).toBe('hall/mark after')
      expect(changes).toEqual([true, false, true])
    })

    it('opens and closes many times and hears each message once', async () => {
      await bench.link.open(never)
      const box = inbox()
      await bench.link.subscribe('hall/mark', box.receiver)
      for (let n = 0; n < 5; n++) {
        await bench.link.close()
        await bench.link.open(never)
      }
      await bench.publish('hall/mark', 'first', false)
      await bench.publish('hall/mark', 'second', false)
      expect([await box.next(), await box.next()]).toEqual(['hall/mark first', 'hall/mark second'])
    })

    it('closes without complaint when it was never open', async () => {
      await expect(bench.link.close()).resolves.toBeUndefined()
    })
  })
}
