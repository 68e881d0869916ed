/**
 * The IPbus target: packets written out here from the manual, the golden conversation, and datagrams over the loopback
 * with what may happen to them.
 */
import { createSocket } from 'node:dgram'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { makeIpbusTarget } from '../../../../hil-sim/wire/ipbus-target.ts'
import { serveIpbus } from '../../../../hil-sim/wire/ipbus-udp.ts'
import { fromHex, goldenIpbus, toHex } from '../../../golden/wire/golden.ts'
import { soon, TableFace } from './faces.ts'

/** words in hexadecimal, separated by blanks -> bytes, big-endian */
const packet = (words: string): Uint8Array => fromHex(words.replace(/\s/g, ''))
const words = (bytes: Uint8Array | undefined): string | undefined =>
  bytes === undefined ? undefined : toHex(bytes).replace(/(.{8})(?!$)/g, '$1 ')
const swapped = (bytes: Uint8Array): Uint8Array => {
  const copy = Buffer.from(bytes)
  copy.swap32()
  return copy
}
const STATUS = `200000f1 ${'00000000 '.repeat(15)}`

const face = (): TableFace =>
  new TableFace([
    ...[0, 1, 2, 3, 4, 5, 6, 7].map((address) => [address, 0x100 + address] as const),
    [0xfffffffe, 1],
    [0xffffffff, 2]
  ])

it('speaks the golden conversation to the byte', () => {
  const board = new TableFace([
    ...[0x4d534144, 0x00010002, 600, 0, 2, 19, 30, 4].map((value, address) => [address, value] as const),
    ...Array.from({ length: 512 }, (_, i) => [0x100 + i, 30 + (i % 16)] as const)
  ])
  // the conversation asks for a reply that is five packets old; the status in it announces four buffers
  const target = makeIpbusTarget(board, { replyBuffers: 5 })
  for (const { name, request, reply } of goldenIpbus().conversation) {
    const got = target.receive(fromHex(request))
    // words 2 and 4..7 of a status: number of buffers, and what is for people
    const comparable = (hex: string): string =>
      hex.startsWith('200000f1') ? hex.slice(0, 16) + hex.slice(24, 32) + hex.slice(64) : hex
    expect(got === undefined ? null : comparable(toHex(got)), name).toBe(
      reply === null ? null : comparable(reply)
    )
  }
})

describe('transactions', () => {
  const once = (request: string, on = face()): string | undefined =>
    words(makeIpbusTarget(on).receive(packet(request)))

  it.each([
    ['read', '200000f0 2000020f 00000003', '200000f0 20000200 00000103 00000104'],
    ['read of no words', '200000f0 2000000f 00000003', '200000f0 20000000'],
    ['read that does not step', '200000f0 2000032f 00000003', '200000f0 20000320 00000103 00000103 00000103'],
    ['write', '200000f0 2000011f 00000003 deadbeef', '200000f0 20000110'],
    ['bits', '200000f0 2000014f 00000003 ffffff0f 000000a0', '200000f0 20000140 00000103'],
    ['sum', '200000f0 2000015f 00000003 fffffffe', '200000f0 20000150 00000103'],
    ['an empty packet', '200000f0', '200000f0'],
    ['read over the end', '200000f0 2000040f 00000006', '200000f0 20000204 00000106 00000107'],
    ['write over the end', '200000f0 2000031f 00000007 00000001 00000002 00000003', '200000f0 20000115'],
    [
      'write that does not step, nowhere',
      '200000f0 2000023f 00000009 00000001 00000002',
      '200000f0 20000035'
    ],
    ['bits of nothing', '200000f0 2000014f 00000009 ffffffff 00000001', '200000f0 20000044'],
    ['another version', '200000f0 1000010f 00000003', '200000f0 20000001'],
    ['a reply as request', '200000f0 20000100 00000003', '200000f0 20000001'],
    ['an unknown type', '200000f0 2000016f 00000003', '200000f0 20000061'],
    ['a write without its data', '200000f0 2000021f 00000003 00000001', '200000f0 20000011']
  ])('%s', (_name, request, reply) => {
    expect(once(request)).toBe(reply)
  })

  it('keeps the transaction ids and stops after a failure', () => {
    const board = face()
    const request = '200000f0 2abc011f 00000002 00000007 2001010f 00000099 2002011f 00000003 00000007'
    expect(once(request, board)).toBe('200000f0 2abc0110 20010004')
    expect(board.writes).toEqual(['bus 2 7'])
  })

  it('does what the reply says', () => {
    const board = face()
    once('200000f0 2000015f 00000003 fffffffe 2001014f 00000004 0000000f 00000020', board)
    expect(board.table.get(3)).toBe(0x101)
    expect(board.table.get(4)).toBe(0x24)
  })

  it('does not answer more than one packet holds', () => {
    const big = new TableFace(Array.from({ length: 255 }, (_, i) => [i, i]))
    const reply = makeIpbusTarget(big).receive(packet('200000f0 2000ff0f 00000000 2001ff0f 00000000'))
    expect(reply!.length).toBe(4 * (1 + 1 + 255 + 1))
    expect(words(reply)?.endsWith('20010001')).toBe(true)
  })

  it('answers in the byte order of the request', () => {
    const reply = makeIpbusTarget(face()).receive(swapped(packet('200000f0 2000010f 00000003')))
    expect(words(swapped(reply!))).toBe('200000f0 20000100 00000103')
  })

  it('tells a hanging device by a time-out, and says nothing for a silent one', () => {
    const board = face()
    board.refuse = 'device-failure'
    expect(once('200000f0 2000010f 00000003', board)).toBe('200000f0 20000006')
    expect(once('200000f0 2000011f 00000003 00000001', board)).toBe('200000f0 20000017')
    board.refuse = 'silent'
    expect(once('200000f0 2000010f 00000003', board)).toBeUndefined()
  })
})

describe('packet ids', () => {
  const write = (id: string): Uint8Array => packet(`20${id}f0 2000011f 00000002 00000007`)

  it('executes each id once, in order, and sends the reply again', () => {
    const board = face()
    const target = makeIpbusTarget(board, { replyBuffers: 2 })
    expect(target.receive(write('0002'))).toBeUndefined() // 1 is expected
    expect(words(target.receive(write('0001')))).toBe('200001f0 20000110')
    expect(target.receive(write('0001'))).toBeUndefined()
    expect(words(target.receive(packet('200001f2')))).toBe('200001f0 20000110')
    target.receive(write('0002'))
    target.receive(write('0003'))
    expect(target.receive(packet('200001f2'))).toBeUndefined() // two replies are kept
    expect(words(target.receive(packet('200002f2')))).toBe('200002f0 20000110')
    expect(board.writes).toHaveLength(3)
  })

  it('tells in its status what it expects and what it has seen', () => {
    const target = makeIpbusTarget(face())
    for (const id of ['0001', '0002', '0002', '0003']) target.receive(write(id))
    const status = words(target.receive(packet(STATUS)))!.split(' ')
    expect(status).toHaveLength(16)
    expect(status.slice(0, 4)).toEqual(['200000f1', '000005dc', '00000004', '200004f0'])
    expect(status.slice(8, 12)).toEqual(['200001f0', '200002f0', '200002f0', '200003f0'])
    expect(status.slice(12)).toEqual(['00000000', '200001f0', '200002f0', '200003f0'])
  })

  it('counts 65535 and then 1, never 0', () => {
    const target = makeIpbusTarget(face())
    const empty = (id: number): Uint8Array => packet(`20${id.toString(16).padStart(4, '0')}f0`)
    for (let id = 1; id <= 0xffff; id++)
      if (target.receive(empty(id)) === undefined) expect.unreachable(`${id}`)
    expect(words(target.receive(packet(STATUS)))?.split(' ')[3]).toBe('200001f0')
    expect(target.receive(empty(1))).toBeDefined()
    expect(words(target.receive(packet('200001f2')))).toBe('200001f0') // and the old reply with that id is gone
  })

  it('always executes id 0, without disturbing the count', () => {
    const board = face()
    const target = makeIpbusTarget(board)
    target.receive(write('0000'))
    target.receive(write('0000'))
    expect(board.writes).toHaveLength(2)
    expect(target.receive(write('0001'))).toBeDefined()
  })
})

it('survives any datagram', () => {
  const target = makeIpbusTarget(face())
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1600 }), fc.boolean(), (bytes, isPacket) => {
      if (isPacket) bytes.set([0x20, 0, 0, 0xf0].slice(0, bytes.length))
      target.receive(bytes)
    })
  )
  expect(words(target.receive(packet('200000f0 2000010f 00000003')))).toBeDefined()
})

describe('over UDP', () => {
  async function conversation(disturb: string | undefined, requests: readonly string[], replies: number) {
    const board = face()
    const wire = await serveIpbus(board)
    const socket = createSocket('udp4')
    try {
      if (disturb !== undefined) expect(wire.disturb?.({ kind: disturb })).toBe(true)
      const got: string[] = []
      const enough = new Promise<void>((resolve) => {
        socket.on('message', (bytes) => {
          got.push(words(bytes)!)
          if (got.length >= replies) resolve()
        })
      })
      for (const request of requests)
        socket.send(packet(request), Number(new URL(wire.url).port), '127.0.0.1')
      await soon('replies', enough)
      return { got, writes: board.writes }
    } finally {
      socket.close()
      await wire.close()
    }
  }
  const WRITE = '200001f0 2000011f 00000002 00000007'
  const RESEND = '200001f2'
  const DONE = '200001f0 20000110'

  it('answers whom it was asked by', async () => {
    expect(await conversation(undefined, [WRITE], 1)).toEqual({ got: [DONE], writes: ['bus 2 7'] })
  })
  it('executes a request once whose reply is lost', async () => {
    expect(await conversation('wire-drop-reply', [WRITE, RESEND], 1)).toEqual({
      got: [DONE],
      writes: ['bus 2 7']
    })
  })
  it('executes a request once that was lost and is sent again', async () => {
    expect(await conversation('wire-drop-request', [WRITE, WRITE], 1)).toEqual({
      got: [DONE],
      writes: ['bus 2 7']
    })
  })
  it('executes a doubled request once', async () => {
    expect(await conversation('wire-duplicate-request', [WRITE, RESEND], 2)).toEqual({
      got: [DONE, DONE],
      writes: ['bus 2 7']
    })
  })
  it('says a reply twice when told to', async () => {
    expect((await conversation('wire-duplicate-reply', [WRITE], 2)).got).toEqual([DONE, DONE])
  })
})
