/**
 * The connection to a bridge trusts a hello only when it is the right one, notices silence after 3 s, and holds
 * back and lets go by XOFF and XON; shown with a bridge written by hand, in memory and virtual time.
 */
import { beforeEach, describe, expect, test } from 'vitest'
import { silentLog } from '../../../../core/log.ts'
import { milliseconds, seconds } from '../../../../core/units.ts'
import { VirtualClock } from '../../../../core/virtual-clock.ts'
import { makeMemoryByteLink, type MemoryByteFace } from '../../../../drivers/link/memory-bytes.ts'
import { SlinkConnection } from '../../../../drivers/link/slink-connection.ts'
import { BridgeFarEnd, CollectingSink } from '../../../contract/front-end.ts'

const never = new AbortController().signal
const XOFF = 5
const XON = 6

describe('SlinkConnection', () => {
  let clock: VirtualClock
  let bridge: BridgeFarEnd
  let sink: CollectingSink
  let connection: SlinkConnection
  let losses: string[]

  function connectionTo(face: MemoryByteFace): SlinkConnection {
    const made = new SlinkConnection(
      { device: 'board', url: 'tcp://memory:1', sources: [600] },
      {
        clock,
        log: silentLog,
        links: {
          bytes: (url) => makeMemoryByteLink(url, face),
          registers: absent,
          topics: absent,
          nodes: absent
        }
      }
    )
    made.attach(sink)
    made.onState((isOpen, why) => {
      if (!isOpen) losses.push(why)
    })
    return made
  }
  const open = (): Promise<unknown> => clock.resolve(connection.open(never))

  beforeEach(() => {
    clock = new VirtualClock()
    bridge = new BridgeFarEnd(600)
    sink = new CollectingSink()
    losses = []
    connection = connectionTo(bridge)
  })

  test('gives what the hello says, and tells the sink before anything else', async () => {
    expect(await open()).toEqual(bridge.hello)
    expect(sink.connections).toEqual([true])
    await connection.close()
    expect(sink.connections).toEqual([true, false])
    expect(losses).toEqual(['closed by us'])
  })

  test.each([
    ['other sources', { sources: [601] }, 'source 601'],
    ['more sources', { sources: [600, 601] }, 'source 600, 601'],
    ['no identity', { identity: {} }, 'identity'],
    ['sources that are no numbers', { sources: ['600'] }, '"600"']
  ])('refuses a hello with %s and names what it got', async (_, change, got) => {
    bridge.hello = { ...bridge.hello, ...change }
    await expect(open()).rejects.toMatchObject({
      code: 'protocol',
      details: { device: 'board', got: expect.stringContaining(got) as unknown }
    })
    expect(connection.isOpen).toBe(false)
    expect(sink.connections).toEqual([])
  })

  test('does not wait for a hello longer than its caller, nor than the bridge', async () => {
    let hangUp = (): void => undefined
    connection = connectionTo({
      attach: (_, hang) => {
        hangUp = hang
        return { receive: () => undefined, closed: () => undefined }
      }
    })
    const limited = clock.within('hello', seconds(1), (signal) => connection.open(signal))
    await expect(clock.resolve(limited)).rejects.toMatchObject({ code: 'timeout' })
    const opening = connection.open(never)
    await Promise.resolve()
    hangUp()
    await expect(opening).rejects.toMatchObject({ code: 'disconnected' })
  })

  test('calls a bridge gone after 3 s without a frame, and keeps one that beats', async () => {
    await open()
    for (let i = 0; i < 10; i++) {
      await clock.advance(seconds(1))
      bridge.heartbeat()
    }
    expect(losses).toEqual([])
    await clock.advance(milliseconds(2900))
    expect(losses).toEqual([])
    await clock.advance(milliseconds(1200))
    expect(losses).toEqual(['no frame for 3 s: the bridge is gone'])
    expect(sink.connections).toEqual([true, false])
    await open()
    expect(connection.isOpen).toBe(true)
    await connection.close()
  })

  test('says XOFF and XON once each, and is not impatient while it holds the bridge back', async () => {
    await open()
    connection.pause()
    connection.pause()
    bridge.startOfSpill(1, 1)
    await clock.advance(seconds(60))
    expect(sink.starts).toEqual([])
    expect(losses).toEqual([])
    connection.resume()
    connection.resume()
    await clock.resolve(sink.until((s) => s.starts.length === 1))
    expect(bridge.heard).toEqual([XOFF, XON])
    await connection.close()
  })

  test('holds the bridge back from the start when it was paused before', async () => {
    connection.pause()
    await open()
    bridge.startOfSpill(1, 1)
    await clock.advance(seconds(1))
    expect(bridge.heard).toEqual([XOFF])
    expect(sink.starts).toEqual([])
    await connection.close()
  })

  /** A bridge that can also say bytes of ours. */
  async function openLoudly(): Promise<(bytes: Uint8Array) => void> {
    let send: (bytes: Uint8Array) => void = () => undefined
    connection = connectionTo({
      attach: (to, hangUp) => {
        send = to
        return bridge.attach(to, hangUp)
      }
    })
    await open()
    return (bytes) => send(bytes)
  }

  /** Header of a frame that announces far more than will come. */
  function lie(): Buffer {
    const header = Buffer.alloc(16)
    header.write('SLNK')
    header.writeUInt16LE(1, 4)
    header.writeUInt32LE(300_000, 8)
    return header
  }

  test('reads what is behind a lying length within half a second, and keeps the connection', async () => {
    const send = await openLoudly()
    send(lie())
    bridge.startOfSpill(4, 9)
    send(lie())
    bridge.endOfSpill(4)
    await clock.advance(milliseconds(240))
    expect(sink.starts).toEqual([])
    await clock.advance(milliseconds(300))
    expect(sink.starts).toEqual([{ source: 600, spill: 4, cycle: 9 }])
    expect(sink.faults).toEqual(['length 1', 'garbage 16'])
    await clock.advance(milliseconds(500))
    expect(sink.ends).toHaveLength(1)
    expect(sink.faults).toEqual(['length 1', 'garbage 16', 'length 1', 'garbage 16'])
    expect(losses).toEqual([])
    await connection.close()
  })

  test('is patient with a frame that comes slowly: nothing lies behind its start', async () => {
    const send = await openLoudly()
    const sent: Buffer[] = []
    const slow = new BridgeFarEnd(600)
    slow.attach(
      (bytes) => sent.push(Buffer.from(bytes)),
      () => undefined
    )
    slow.startOfSpill(7, 3) // frame 1, as this connection expects it
    const frame = sent[1]!
    for (const byte of frame) {
      send(Uint8Array.of(byte))
      await clock.advance(milliseconds(70))
    }
    expect(sink.starts).toEqual([{ source: 600, spill: 7, cycle: 3 }])
    expect(sink.faults).toEqual([])
    expect(losses).toEqual([])
    await connection.close()
  })

  test('is patient with a frame that has just begun', async () => {
    const send = await openLoudly()
    for (let i = 0; i < 6; i++) {
      await clock.advance(milliseconds(300))
      bridge.heartbeat()
    }
    const half = lie()
    half.writeUInt32LE(40_000, 8)
    send(half)
    await clock.advance(milliseconds(240))
    expect(sink.faults).toEqual([])
    await connection.close()
  })

  test('refuses to open without a sink', async () => {
    const deaf = new SlinkConnection(
      { device: 'board', url: 'tcp://memory:1', sources: [600] },
      {
        clock,
        log: silentLog,
        links: {
          bytes: (url) => makeMemoryByteLink(url, bridge),
          registers: absent,
          topics: absent,
          nodes: absent
        }
      }
    )
    await expect(deaf.open(never)).rejects.toMatchObject({ code: 'not-permitted' })
  })
})

function absent(): never {
  throw new TypeError('not in this test')
}
