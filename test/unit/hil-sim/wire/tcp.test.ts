/** Bytes on TCP: a plain socket as the peer. */
import { connect, type Socket } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { Cutting, Segments } from '../../../../hil-sim/wire/segments.ts'
import { serveTcp } from '../../../../hil-sim/wire/tcp.ts'
import type { Wire } from '../../../../hil-sim/wire/wire.ts'
import { Collector, EchoFace, soon } from './faces.ts'

let wire: Wire | undefined
afterEach(async () => {
  await wire?.close()
  wire = undefined
})

async function peer(at: Wire): Promise<{ socket: Socket; collector: Collector; closed: Promise<string> }> {
  const socket = connect(Number(new URL(at.url).port), '127.0.0.1')
  const collector = new Collector()
  let why = 'end'
  socket.on('data', collector.take)
  socket.on('error', (error: NodeJS.ErrnoException) => (why = error.code ?? 'error'))
  const closed = new Promise<string>((resolve) => socket.on('close', () => resolve(why)))
  await soon('connection', new Promise<void>((resolve) => socket.on('connect', () => resolve())))
  return { socket, collector, closed }
}

function seen(face: EchoFace, events: readonly string[]): Promise<void> {
  return soon(
    events.join(),
    new Promise((resolve) => {
      face.onEvent = () => {
        if (face.events.join() === events.join()) resolve()
      }
      face.onEvent()
    })
  )
}

it('attaches the face once per connection and carries bytes both ways', async () => {
  const face = new EchoFace()
  wire = await serveTcp(face)
  expect(wire.url).toMatch(/^tcp:\/\/127\.0\.0\.1:\d+$/)
  const first = await peer(wire)
  const second = await peer(wire)
  first.socket.write(Buffer.from([1, 2]))
  second.socket.write(Buffer.from([10]))
  expect([...(await first.collector.atLeast(2))]).toEqual([2, 3])
  expect([...(await second.collector.atLeast(1))]).toEqual([11])
  first.socket.destroy()
  await seen(face, ['attached', 'attached', 'closed'])
})

it('sends what was said before a hang-up, and takes a buffer that is used again', async () => {
  const face = new EchoFace()
  wire = await serveTcp(face)
  const { collector, closed } = await peer(wire)
  await seen(face, ['attached'])
  const buffer = new Uint8Array(1 << 20).fill(7)
  face.sends[0]!(buffer)
  buffer.fill(9)
  face.hangUps[0]!()
  expect(await soon('hang-up', closed)).toBe('end')
  expect(collector.bytes.length).toBe(1 << 20)
  expect(collector.bytes.every((byte) => byte === 7)).toBe(true)
})

it('cuts off a peer that does not read', async () => {
  const face = new EchoFace()
  wire = await serveTcp(face, { backlogBytesMax: 1 << 20 })
  const { socket } = await peer(wire)
  socket.pause()
  await seen(face, ['attached'])
  // more than the system's own buffers take
  for (let i = 0; i < 64; i++) face.sends[0]!(new Uint8Array(1 << 20))
  await seen(face, ['attached', 'closed'])
  face.sends[0]!(new Uint8Array(1)) // nobody is there any more: nothing happens
  socket.destroy()
})

it('resets connections on demand', async () => {
  wire = await serveTcp(new EchoFace())
  const { closed } = await peer(wire)
  expect(wire.disturb?.({ kind: 'wire-reset' })).toBe(true)
  expect(await soon('reset', closed)).toBe('ECONNRESET')
  expect(wire.disturb?.({ kind: 'wire-other' })).toBe(false)
})

it('comes back on the same port, and says so when it is taken', async () => {
  wire = await serveTcp(new EchoFace())
  const port = Number(new URL(wire.url).port)
  await expect(serveTcp(new EchoFace(), { port })).rejects.toMatchObject({ code: 'disconnected' })
  await wire.close()
  wire = await serveTcp(new EchoFace(), { port })
  expect(wire.url).toBe(`tcp://127.0.0.1:${port}`)
})

it('cuts the stream in other places on demand, and loses nothing of it', async () => {
  const face = new EchoFace()
  wire = await serveTcp(face)
  const { collector, closed } = await peer(wire)
  await seen(face, ['attached'])
  expect(wire.disturb!({ kind: 'wire-join', count: 3 })).toBe(true)
  for (let i = 0; i < 2; i++) face.sends[0]!(Uint8Array.of(1, 2))
  expect(wire.disturb!({ kind: 'wire-split', bytes: 4, count: 2 })).toBe(true)
  face.sends[0]!(Uint8Array.of(3, 4, 5))
  face.sends[0]!(Uint8Array.of(6, 7, 8, 9, 10))
  face.sends[0]!(Uint8Array.of(11))
  wire.disturb!({ kind: 'wire-join', count: 9 })
  face.sends[0]!(Uint8Array.of(12))
  face.hangUps[0]!()
  expect(await soon('hang-up', closed)).toBe('end')
  expect([...collector.bytes]).toEqual([1, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
  expect(wire.disturb!({ kind: 'wire-tapped' })).toBe(false)
})

it('writes joined sends as one and split ones piece by piece', async () => {
  const cutting = new Cutting()
  const written: string[] = []
  const segments = new Segments(cutting, (bytes) => written.push(bytes.toString()))
  const ended = new Promise<void>((resolve) => {
    segments.send(Buffer.from('whole'))
    cutting.disturb({ kind: 'wire-join', count: 2 })
    segments.send(Buffer.from('one '))
    segments.send(Buffer.from('two'))
    cutting.disturb({ kind: 'wire-split', with: { bytes: 3 } })
    segments.send(Buffer.from('pieces!'))
    segments.send(Buffer.from('after'))
    segments.finish(resolve)
  })
  await soon('end', ended)
  expect(written).toEqual(['whole', 'one two', 'pie', 'ces', '!', 'after'])
})
