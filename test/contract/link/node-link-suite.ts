import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../core/errors.ts'
import type { NodeLink, NodeValue } from '../../../drivers/link/link.ts'
import { never, reported } from './topic-link-suite.ts'

/** One node of the far end that the test moves. */
export interface BenchNode {
  readonly id: string
  readonly type: 'Double' | 'Int32' | 'Boolean' | 'String'
  value: number | string | boolean
  quality: 'good' | 'suspect' | 'bad'
  sourceTime: Date
  /** what the far end answers to a write; absent: read-only */
  readonly write?: (value: number | string | boolean) => 'ok' | 'refused'
}

export interface NodeBench {
  readonly link: NodeLink
  breakOff(): Promise<void>
  repair(): Promise<void>
}

export function benchNodes(): { current: BenchNode; name: BenchNode; limit: BenchNode } {
  const sourceTime = new Date('2026-07-01T12:00:00.000Z')
  const limit: BenchNode = {
    id: 'Magnet.SM2.Limit',
    type: 'Double',
    value: 5,
    quality: 'good',
    sourceTime,
    write: (value) => {
      if (typeof value !== 'number' || value > 10) return 'refused'
      limit.value = value
      return 'ok'
    }
  }
  return {
    current: { id: 'Magnet.SM2.Current', type: 'Double', value: 3990.5, quality: 'good', sourceTime },
    name: { id: 'Magnet.SM2.Name', type: 'String', value: 'SM2', quality: 'good', sourceTime },
    limit
  }
}

const CURRENT = 'ns=1;s=Magnet.SM2.Current'
const NAME = 'ns=1;s=Magnet.SM2.Name'
const LIMIT = 'ns=1;s=Magnet.SM2.Limit'

/** Values as they come, to be awaited until one is as wanted. */
function watcher(): {
  receiver: (nodeId: string, value: NodeValue) => void
  until(wanted: (nodeId: string, value: NodeValue) => boolean): Promise<NodeValue>
} {
  const seen: [string, NodeValue][] = []
  let wake = (): void => undefined
  return {
    receiver: (nodeId, value) => {
      seen.push([nodeId, value])
      wake()
    },
    until: async (wanted) => {
      for (;;) {
        const next = seen.shift()
        if (next === undefined) await new Promise<void>((resolve) => (wake = resolve))
        else if (wanted(...next)) return next[1]
      }
    }
  }
}

/**
 * What every node link does, over OPC UA or in memory. The far end is made once: a server takes seconds to start.
 *
 * @param nodes what the far end shows, moved by the tests
 */
export function nodeLinkSuite(
  name: string,
  nodes: ReturnType<typeof benchNodes>,
  makeBench: () => NodeBench
): void {
  describe(`a node link ${name}`, () => {
    let bench: NodeBench
    beforeEach(() => {
      bench = makeBench()
    })
    afterEach(() => bench.link.close())

    it('reads values with quality, status and the time of the source', async () => {
      await bench.link.open(never)
      const [current, text, missing] = await bench.link.read([CURRENT, NAME, 'ns=1;s=No.Such'], never)
      expect(current).toEqual({
        value: 3990.5,
        sourceTime: new Date('2026-07-01T12:00:00.000Z'),
        quality: 'good',
        status: 'Good'
      })
      expect(text?.value).toBe('SM2')
      expect(missing).toMatchObject({ value: null, quality: 'bad', status: 'BadNodeIdUnknown' })
    })

    it('writes what is allowed and says what was refused', async () => {
      await bench.link.open(never)
      await bench.link.write(LIMIT, 7.5, never)
      expect(nodes.limit.value).toBe(7.5)
      const refused = { code: ErrorCode.refused }
      await expect(bench.link.write(LIMIT, 11, never)).rejects.toMatchObject(refused)
      await expect(bench.link.write(CURRENT, 1, never)).rejects.toMatchObject(refused)
      expect(nodes.limit.value).toBe(7.5)
    })

    it('reports first values, changes and changes of quality', async () => {
      await bench.link.open(never)
      const seen = watcher()
      await bench.link.watch([CURRENT, 'ns=1;s=No.Such'], seen.receiver)
      const missing = seen.until((nodeId) => nodeId === 'ns=1;s=No.Such')
      expect(await missing).toMatchObject({ quality: 'bad', status: 'BadNodeIdUnknown' })
      nodes.current.value = 3985
      expect(await seen.until((_, value) => value.value === 3985)).toMatchObject({ quality: 'good' })
      nodes.current.quality = 'suspect'
      await seen.until((_, value) => value.quality === 'suspect')
      nodes.current.quality = 'good'
      nodes.current.value = 3990.5
      await seen.until((_, value) => value.value === 3990.5 && value.quality === 'good')
    })

    it('refuses requests while it is down', async () => {
      const disconnected = { code: ErrorCode.disconnected }
      await expect(bench.link.read([CURRENT], never)).rejects.toMatchObject(disconnected)
      await expect(bench.link.write(LIMIT, 1, never)).rejects.toMatchObject(disconnected)
      await expect(bench.link.watch([CURRENT], () => undefined)).rejects.toMatchObject(disconnected)
    })

    it('reports a loss once, opens again and watches again by itself', async () => {
      const changes: boolean[] = []
      bench.link.onState((isOpen) => changes.push(isOpen))
      await bench.link.open(never)
      const seen = watcher()
      await bench.link.watch([CURRENT], seen.receiver)
      await seen.until((_, value) => value.value === 3990.5)
      const lost = reported(bench.link, false)
      await bench.breakOff()
      await lost
      await expect(bench.link.read([CURRENT], never)).rejects.toMatchObject({ code: ErrorCode.disconnected })
      await expect(bench.link.open(never)).rejects.toMatchObject({ code: ErrorCode.disconnected })
      await bench.repair()
      await bench.link.open(never)
      await seen.until((_, value) => value.value === 3990.5)
      nodes.current.value = 3991
      await seen.until((_, value) => value.value === 3991)
      nodes.current.value = 3990.5
      expect(changes).toEqual([true, false, true])
    })
  })
}
