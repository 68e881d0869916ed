// Datagrams stay whole on a UDP link, whoever is too slow or gone is told so, and the wire of the simulator loses, doubles
// and swaps what it is told to.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SystemClock } from '../../../core/clock.ts'
import { ErrorCode } from '../../../core/errors.ts'
import type { ByteLink } from '../../../drivers/link/link.ts'
import { makeUdpLink } from '../../../drivers/link/udp.ts'
import type { ByteFace } from '../../../hil-sim/device/face.ts'
import { serveUdp } from '../../../hil-sim/wire/udp.ts'
import type { Wire } from '../../../hil-sim/wire/wire.ts'

const never = new AbortController().signal
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')

describe('a UDP link', () => {
  let wire: Wire
  let link: ByteLink
  let heard: string[]
  let wake: () => void
  let send: (words: string) => void
  let attached: number
  const echo: ByteFace = {
    kind: 'bytes',
    attach: (reply) => {
      attached++
      send = (words) => reply(Buffer.from(words))
      return { receive: reply, closed: () => undefined }
    }
  }
  const until = async (count: number): Promise<void> => {
    while (heard.length < count) await new Promise<void>((resolve) => (wake = resolve))
  }
  const say = (words: string): Promise<void> => link.write(Buffer.from(words))

  beforeEach(async () => {
    attached = 0
    heard = []
    wake = () => undefined
    wire = await serveUdp(echo)
    link = makeUdpLink(wire.url, new SystemClock())
    link.receive((bytes) => {
      heard.push(text(bytes))
      wake()
    })
    await link.open(never)
  })
  afterEach(async () => {
    await link.close()
    await wire.close()
  })

  it('keeps datagrams apart, and one session per peer', async () => {
    for (const words of ['one', 'two', 'x'.repeat(1400)]) await say(words)
    await until(3)
    expect(heard).toEqual(['one', 'two', 'x'.repeat(1400)])
    expect(attached).toBe(1)
  })

  it('holds what comes while paused, up to its bound', async () => {
    await say('first')
    await until(1)
    link.pause()
    for (let n = 0; n < 5; n++) send(`held ${n}`)
    const other = makeUdpLink(wire.url, new SystemClock())
    const sync = new Promise<void>((resolve) => other.receive(() => resolve()))
    await other.open(never)
    await other.write(Buffer.from('sync'))
    await sync
    await other.close()
    expect(heard).toEqual(['first'])
    link.resume()
    await until(6)
    expect(heard.slice(1)).toEqual(['held 0', 'held 1', 'held 2', 'held 3', 'held 4'])
  })

  it('loses, doubles and swaps by the faults of the wire', async () => {
    for (const kind of ['wire-drop-reply', 'wire-duplicate-reply'])
      expect(wire.disturb!({ kind, count: 1 })).toBe(true)
    await say('lost')
    await say('twice')
    await until(2)
    wire.disturb!({ kind: 'wire-swap-reply', count: 1 })
    await say('late')
    await say('early')
    await until(4)
    expect(heard).toEqual(['twice', 'twice', 'early', 'late'])
    expect(wire.disturb!({ kind: 'wire-reset' })).toBe(false)
  })

  it('is told by the system that nobody listens, and opens again', async () => {
    await wire.close()
    const lost = new Promise<string>((resolve) => link.onState((_, why) => resolve(why)))
    await say('anybody').catch(() => undefined)
    expect(await lost).toContain('ECONNREFUSED')
    await expect(say('x')).rejects.toMatchObject({ code: ErrorCode.disconnected })
    wire = await serveUdp(echo, { port: Number(new URL(link.url).port) })
    await link.open(never)
    await say('again')
    await until(1)
    expect(heard).toEqual(['again'])
  })

  it('is closed at first and for good', async () => {
    const other = makeUdpLink(wire.url, new SystemClock())
    await expect(other.write(Buffer.from('x'))).rejects.toMatchObject({ code: ErrorCode.disconnected })
    await expect(other.open(AbortSignal.abort())).rejects.toMatchObject({ code: ErrorCode.aborted })
    await link.close()
    await link.close()
    await expect(say('x')).rejects.toMatchObject({ code: ErrorCode.disconnected })
    expect(() => makeUdpLink('udp://127.0.0.1', new SystemClock())).toThrow(/port/)
  })
})
