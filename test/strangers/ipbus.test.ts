/**
 * The registers of the simulated MSADC board over UDP, read and written by a client in Python's standard library
 * that was written from the public text of IPbus 2.0 only, in both byte orders, while requests and replies get lost.
 */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { Hall } from '../../hil-sim/hall.ts'
import { serveIpbus } from '../../hil-sim/wire/ipbus-udp.ts'
import type { Wire } from '../../hil-sim/wire/wire.ts'
import { busOf, makeExperiment } from '../unit/hil-sim/hall-experiment.ts'
import { Conversation } from './conversation.ts'
import { describeWith, python } from './programs.ts'

const BUS_ERROR = { read: 4, write: 5 } as const
const THRESHOLD = 0x100

for (const order of ['>', '<'])
  describeWith(`an IPbus client in Python (byte order ${order})`, { python: python() }, (paths) => {
    let wire: Wire
    let client: Conversation
    /** every write that the board saw */
    let writes: string[]

    beforeEach(async () => {
      const hall = new Hall({ experiment: makeExperiment(), seed: 1, cycle: 'fast', start: new Date(0) })
      const board = busOf(hall.devices[0]!)
      writes = []
      wire = await serveIpbus({
        kind: 'registers',
        read: (...words) => board.read(...words),
        write: (space, address, values) => {
          writes.push(`${address} ${values.join(' ')}`)
          return board.write(space, address, values)
        }
      })
      client = await Conversation.start(paths.python, 'ipbus_client.py', new URL(wire.url).port, order)
    })
    afterEach(async () => {
      await client.kill()
      await wire.close()
    })
    const read = (address: number, count = 1): Promise<unknown> => client.ask({ do: 'read', address, count })
    const write = (address: number, ...values: number[]): Promise<unknown> =>
      client.ask({ do: 'write', address, values })
    const lose = (kind: 'wire-drop-request' | 'wire-drop-reply', count = 1): void =>
      expect(wire.disturb?.({ kind, count })).toBe(true)

    it('reads who the board is and its modules, and writes settings and a run of thresholds', async () => {
      expect(await read(0)).toEqual([0x4d534144])
      expect(await read(2)).toEqual([600])
      expect(await read(7, 3)).toEqual([2, 0, 1])
      expect(await write(5, 100)).toEqual([])
      expect(await write(THRESHOLD, 1, 2, 3, 4095)).toEqual([])
      expect(await read(5)).toEqual([100])
      expect(await read(THRESHOLD, 4)).toEqual([1, 2, 3, 4095])
      expect(writes).toEqual(['5 100', '256 1', '257 2', '258 3', '259 4095'])
    })

    it('changes bits and sums in one step, and is given the value before', async () => {
      await write(THRESHOLD, 0xf0)
      expect(await client.ask({ do: 'bits', address: THRESHOLD, values: [0xffffffcf, 0x05] })).toEqual([0xf0])
      expect(await client.ask({ do: 'sum', address: THRESHOLD, values: [10] })).toEqual([0xc5])
      expect(await read(THRESHOLD)).toEqual([0xcf])
    })

    it('is told a bus error, how far the request came, and goes on', async () => {
      expect(await read(0x50)).toEqual({ error: BUS_ERROR.read, done: 0, words: [] })
      expect(await write(0, 1)).toEqual({ error: BUS_ERROR.write, done: 0, words: [] })
      expect(await write(5, 7, 8, 9)).toEqual({ error: BUS_ERROR.write, done: 2, words: [] })
      expect(await read(5, 2)).toEqual([7, 8])
    })

    it('writes once when the request is lost, and once when the reply is lost', async () => {
      const add = (value: number): Promise<unknown> =>
        client.ask({ do: 'sum', address: THRESHOLD, values: [value] })
      lose('wire-drop-request')
      expect(await add(100)).toEqual([0])
      lose('wire-drop-reply')
      expect(await add(10)).toEqual([100])
      lose('wire-drop-reply')
      expect(await write(5, 17)).toEqual([])
      expect(await read(THRESHOLD)).toEqual([110])
      expect(writes).toEqual([`${THRESHOLD} 100`, `${THRESHOLD} 110`, '5 17'])
      expect(await client.ask({ do: 'history' })).toEqual(['request lost', 'reply lost', 'reply lost'])
    })
  })
