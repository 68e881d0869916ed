// TCP and memory byte links keep the same contract; TCP against a listener of node:net. Bounds of each follow.
import { createServer, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../core/errors.ts'
import { limits } from '../../../core/limits.ts'
import { makeMemoryByteLink, type MemoryByteFace } from '../../../drivers/link/memory-bytes.ts'
import { makeTcpLink } from '../../../drivers/link/tcp.ts'
import { type ByteBench, describeByteLink, Ear, ScriptedByteFace, text } from './byte-link-suite.ts'
import { never, TcpFarEnd } from './far-ends.ts'

describeByteLink('tcp', async (face): Promise<ByteBench> => {
  const farEnd = new TcpFarEnd(face)
  await farEnd.listen()
  return {
    link: makeTcpLink(farEnd.url),
    takeAway: () => farEnd.close(),
    bringBack: () => farEnd.listen(),
    end: () => farEnd.close()
  }
})

describeByteLink('memory', (face): Promise<ByteBench> => {
  let isThere = true
  const door: MemoryByteFace = {
    attach: (send, hangUp) => {
      if (isThere) return face.attach(send, hangUp)
      hangUp()
      return { receive: () => undefined, closed: () => undefined }
    }
  }
  const set = (there: boolean): Promise<void> => {
    isThere = there
    return Promise.resolve()
  }
  return Promise.resolve({
    link: makeMemoryByteLink('tcp://memory:1', door),
    takeAway: () => set(false),
    bringBack: () => set(true),
    end: () => Promise.resolve()
  })
})

describe('bounds of byte links', () => {
  it('refuses to write more to a far end that does not read than fits', async () => {
    const sockets: Socket[] = []
    const server = createServer({ pauseOnConnect: true }, (socket) => sockets.push(socket))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
    const link = makeTcpLink(`tcp://127.0.0.1:${(server.address() as { port: number }).port}`)
    await link.open(never)
    const piece = new Uint8Array(limits.linkWriteBacklogBytesMax / 2)
    const writes: Promise<unknown>[] = []
    for (let i = 0; i < 100; i++) writes.push(link.write(piece).catch((error: unknown) => error))
    expect(await writes.at(-1)).toMatchObject({ code: ErrorCode.overflow })
    expect(link.isOpen).toBe(true)
    await link.close()
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })

  it('loses a memory connection rather than keep more for a paused receiver than fits', async () => {
    const face = new ScriptedByteFace()
    const link = makeMemoryByteLink('tcp://memory:1', face)
    const ear = new Ear(link)
    await link.open(never)
    link.pause()
    const piece = new Uint8Array(limits.memoryLinkBacklogBytesMax / 4)
    for (let i = 0; i < 5; i++) face.send(piece)
    expect(ear.states).toEqual(['open', 'closed'])
    expect(face.closed).toBe(1)
  })

  it('keeps what the face sent although the face uses its buffer again', async () => {
    const face = new ScriptedByteFace()
    const link = makeMemoryByteLink('tcp://memory:1', face)
    const ear = new Ear(link)
    await link.open(never)
    const buffer = text('first')
    face.send(buffer)
    buffer.fill(0)
    expect(await ear.until((heard) => heard.length > 0)).toBe('first')
  })

  it.each(['tcp://127.0.0.1:1?x=1', 'udp://127.0.0.1:1'])('refuses the URL %s', (url) => {
    expect(() => makeTcpLink(url)).toThrow(expect.objectContaining({ code: 'configuration' }) as Error)
  })
})
