// IPbus and memory register links keep the same contract. Then IPbus alone: the golden conversation byte by byte,
// every pattern of lost datagrams, targets that start again, answer nonsense or are not there.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SystemClock } from '../../../core/clock.ts'
import { ErrorCode } from '../../../core/errors.ts'
import { VirtualClock } from '../../../core/virtual-clock.ts'
import { decodeStatus, followingId, resendRequest, wordsOf } from '../../../drivers/link/ipbus-packet.ts'
import { makeIpbusLink } from '../../../drivers/link/ipbus.ts'
import type { RegisterLink } from '../../../drivers/link/link.ts'
import { makeMemoryRegisterLink } from '../../../drivers/link/memory-registers.ts'
import { fromHex, type GoldenCall, goldenIpbus, toHex } from '../../golden/wire/golden.ts'
import { IpbusFarEnd, never } from './far-ends.ts'
import { describeRegisterLink, ScriptedRegisterFace } from './register-link-suite.ts'

const clock = new SystemClock()

describeRegisterLink('ipbus+udp', async (face) => {
  const farEnd = new IpbusFarEnd(face)
  await farEnd.listen()
  return {
    link: makeIpbusLink(farEnd.url, clock, { replyMs: 30, rounds: 4 }),
    run: (work) => work,
    end: () => farEnd.close()
  }
})

describeRegisterLink('memory', (face) => {
  const virtual = new VirtualClock()
  return Promise.resolve({
    link: makeMemoryRegisterLink('ipbus+udp://memory:1', face, virtual),
    run: (work) => virtual.resolve(work),
    end: () => Promise.resolve()
  })
})

describe('IPbus packets', () => {
  const golden = goldenIpbus()
  const find = (name: string): (typeof golden.conversation)[number] =>
    golden.conversation.find((entry) => entry.name.startsWith(name))!

  it('says the golden conversation to the byte, and understands the replies', async () => {
    const said: string[] = []
    const farEnd = new IpbusFarEnd(new ScriptedRegisterFace())
    await farEnd.listen()
    const link = makeIpbusLink(farEnd.url, clock, { replyMs: 1000 })
    try {
      const told = golden.conversation.filter((entry) => entry.call !== undefined)
      farEnd.distort = () => fromHexBuffer(find('status: first').reply!)
      await link.open(never)
      for (const { call, reply } of told) {
        // our far end makes a reply of its own; the golden one goes out in its place
        farEnd.distort = () => fromHexBuffer(reply!)
        const outcome = await perform(link, call!).catch((error: unknown) => error)
        if (call!.refusedAt !== undefined) {
          expect(outcome).toMatchObject({
            code: ErrorCode.refused,
            message: expect.stringContaining(call!.refusedAt.toString(16).padStart(8, '0')) as unknown
          })
        } else if (call!.do === 'read') expect(outcome).toEqual(call!.values)
        else if (call!.do === 'modify') expect(outcome).toBe(call!.before)
      }
      said.push(...farEnd.requests)
      expect(said).toEqual([find('status: first').request, ...told.map((entry) => entry.request)])
    } finally {
      await link.close()
      await farEnd.close()
    }
  })

  it('knows status and re-send packets', () => {
    const status = decodeStatus(wordsOf(fromHex(find('status: packet 7').reply!))!)
    expect(status).toEqual({ mtuBytes: 1500, replyBuffers: 4, nextId: 7 })
    expect(toHex(resendRequest(2))).toBe(find('re-send').request)
    expect(followingId(golden.ids.last)).toBe(golden.ids.afterLast)
  })
})

const fromHexBuffer = (hex: string): Buffer => Buffer.from(fromHex(hex))

function perform(link: RegisterLink, call: GoldenCall): Promise<unknown> {
  switch (call.do) {
    case 'read':
      return link.read('bus', call.address, call.count, never)
    case 'write':
      return link.write('bus', call.address, call.values, never)
    case 'modify':
      return link.modify(call.address, call.and, call.or, never)
  }
}

describe('IPbus on a bad wire', () => {
  let face: ScriptedRegisterFace
  let farEnd: IpbusFarEnd
  let link: RegisterLink
  let states: string[]

  beforeEach(async () => {
    face = new ScriptedRegisterFace()
    farEnd = new IpbusFarEnd(face)
    await farEnd.listen()
    link = makeIpbusLink(farEnd.url, clock, { replyMs: 10, rounds: 20 })
    states = []
    link.onState((isOpen, why) => states.push(isOpen ? 'open' : why))
    await link.open(never)
  })
  afterEach(async () => {
    await link.close()
    await farEnd.close()
  })

  it('writes once and reads right, whichever of the next five requests and replies are lost', async () => {
    let value = 0
    for (let pattern = 0; pattern < 32; pattern++) {
      for (const direction of ['request', 'reply'] as const) {
        let index = 0
        farEnd.isLost = (way) => way === direction && (pattern & (1 << index++)) !== 0 && index <= 5
        const before = face.writes.length
        await link.write('bus', 8, [++value], never)
        expect(await link.modify(8, 0, ++value, never)).toBe(value - 1)
        expect(await link.read('bus', 8, 1, never)).toEqual([value])
        expect(face.writes.slice(before)).toEqual([
          [8, value - 1],
          [8, value]
        ])
      }
    }
    expect(states).toEqual(['open'])
  })

  it('keeps ids right when the caller gave up while the reply was lost', async () => {
    const caller = new AbortController()
    let lost = 0
    farEnd.isLost = (way) => {
      if (way !== 'reply' || lost++ > 0) return false
      caller.abort()
      return true
    }
    await expect(link.write('bus', 8, [77], caller.signal)).rejects.toMatchObject({ code: ErrorCode.aborted })
    expect(await link.read('bus', 8, 1, never)).toEqual([77])
    expect(face.writes).toEqual([[8, 77]])
    expect(farEnd.nextId).toBe(3)
  })

  it('ignores replies that come twice or damaged', async () => {
    farEnd.distort = (reply) => reply.subarray(0, 3)
    const reading = link.read('bus', 9, 1, never)
    while (farEnd.requests.length < 4) await new Promise((resolve) => setImmediate(resolve))
    farEnd.distort = (reply) => reply
    expect(await reading).toEqual([9])
  })

  it('counts ids from 65535 to 1', async () => {
    await link.close()
    farEnd.nextId = 65535
    await link.open(never)
    for (let i = 0; i < 3; i++) await link.write('bus', 8, [i], never)
    expect(farEnd.nextId).toBe(3)
    expect(face.writes.map(([, value]) => value)).toEqual([0, 1, 2])
  })

  it('goes down when the target was started again, and begins at its id when opened again', async () => {
    await link.write('bus', 8, [1], never)
    farEnd.restart()
    await expect(link.write('bus', 8, [2], never)).rejects.toMatchObject({ code: ErrorCode.disconnected })
    expect(states.at(-1)).toContain('started again')
    expect(face.writes).toEqual([[8, 1]])
    await link.open(never)
    await link.write('bus', 8, [3], never)
    expect(face.writes.at(-1)).toEqual([8, 3])
  })

  it('says what is wrong with a reply that is not one to the request', async () => {
    farEnd.distort = (reply) => {
      const bytes = Buffer.from(reply)
      if (bytes.length === 12) bytes[6] = 2
      return bytes
    }
    await expect(link.read('bus', 9, 1, never)).rejects.toMatchObject({ code: ErrorCode.protocol })
    farEnd.distort = (reply) => Buffer.concat([reply, Buffer.alloc(4)])
    await expect(link.write('bus', 9, [1], never)).rejects.toMatchObject({ code: ErrorCode.protocol })
    farEnd.distort = (reply) => reply
    expect(await link.read('bus', 10, 1, never)).toEqual([10])
  })

  it('notices at once when nobody listens any more, and is refused there', async () => {
    await farEnd.close()
    await expect(link.read('bus', 9, 1, never)).rejects.toMatchObject({ code: ErrorCode.disconnected })
    expect(link.isOpen).toBe(false)
    await expect(link.open(never)).rejects.toMatchObject({ code: ErrorCode.disconnected })
  })

  it('gives up opening a silent target by itself or with its caller', async () => {
    await link.close()
    farEnd.isLost = () => true
    const impatient = makeIpbusLink(farEnd.url, clock, { replyMs: 5, rounds: 3 })
    await expect(impatient.open(never)).rejects.toMatchObject({ code: ErrorCode.timeout })
    const caller = new AbortController()
    const opening = link.open(caller.signal)
    caller.abort()
    await expect(opening).rejects.toMatchObject({ code: ErrorCode.aborted })
    farEnd.isLost = () => false
    await link.open(never)
  })

  it('has no other registers than those of the bus', async () => {
    await expect(link.read('holding', 0, 1, never)).rejects.toMatchObject({ code: ErrorCode.usage })
  })
})
