/**
 * Far ends for the contract suites, written by hand from the manuals and independent of drivers and twin: a TCP
 * listener and an IPbus target that can lose datagrams, each in front of a face as the memory links have it.
 */
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram'
import { createServer, type Server, type Socket } from 'node:net'
import type { MemoryByteFace } from '../../../drivers/link/memory-bytes.ts'
import type { MemoryRegisterFace } from '../../../drivers/link/memory-registers.ts'

export const never = new AbortController().signal

/** A byte face on loopback TCP. */
export class TcpFarEnd {
  readonly #face: MemoryByteFace
  readonly #sockets = new Set<Socket>()
  #server: Server | undefined
  #port = 0

  constructor(face: MemoryByteFace) {
    this.#face = face
  }

  get url(): string {
    return `tcp://127.0.0.1:${this.#port}`
  }

  /** Listens, on the port of the time before if there was one. */
  listen(): Promise<void> {
    const server = createServer({ noDelay: true }, (socket) => {
      this.#sockets.add(socket)
      const session = this.#face.attach(
        (bytes) => socket.write(Buffer.from(bytes)),
        () => socket.end()
      )
      socket.on('data', (bytes) => session.receive(bytes))
      socket.on('error', () => undefined)
      socket.on('close', () => {
        this.#sockets.delete(socket)
        session.closed()
      })
    })
    this.#server = server
    return new Promise((resolve) => {
      server.listen(this.#port, '127.0.0.1', () => {
        this.#port = (server.address() as { port: number }).port
        resolve()
      })
    })
  }

  async close(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    if (server === undefined) return
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }
}

const STATUS = 0x200000f1

/** An IPbus 2.0 target on loopback UDP in front of a register face. */
export class IpbusFarEnd {
  readonly #face: MemoryRegisterFace
  readonly #replies = new Map<number, Buffer>()
  #socket: UdpSocket | undefined
  #port = 0
  /** id of the next control packet that it will take */
  nextId = 1
  /** every request that arrived, lost ones not, in hexadecimal */
  readonly requests: string[] = []
  /** Whether this datagram, counted from 0 in its direction, is lost on the way. */
  isLost: (direction: 'request' | 'reply', index: number) => boolean = () => false
  /** what is sent in place of the right reply */
  distort: (reply: Buffer) => Buffer = (reply) => reply
  #requestCount = 0
  #replyCount = 0

  constructor(face: MemoryRegisterFace) {
    this.#face = face
  }

  get url(): string {
    return `ipbus+udp://127.0.0.1:${this.#port}`
  }

  listen(): Promise<void> {
    const socket = createSocket('udp4')
    this.#socket = socket
    socket.on('message', (bytes, from) => this.#receive(bytes, from))
    return new Promise((resolve) => {
      socket.bind(this.#port, '127.0.0.1', () => {
        this.#port = socket.address().port
        resolve()
      })
    })
  }

  /** As after switching off and on: the first id is 1, no replies are kept. */
  restart(): void {
    this.nextId = 1
    this.#replies.clear()
  }

  close(): Promise<void> {
    const socket = this.#socket
    this.#socket = undefined
    return new Promise((resolve) => (socket === undefined ? resolve() : socket.close(() => resolve())))
  }

  #receive(bytes: Buffer, from: RemoteInfo): void {
    if (this.isLost('request', this.#requestCount++)) return
    this.requests.push(bytes.toString('hex'))
    const reply = this.#answer(bytes)
    if (reply === undefined || this.isLost('reply', this.#replyCount++)) return
    this.#socket?.send(this.distort(reply), from.port, from.address)
  }

  #answer(request: Buffer): Buffer | undefined {
    const header = request.readUInt32BE(0)
    if (header === STATUS)
      return words([STATUS, 1500, 4, (0x200000f0 | (this.nextId << 8)) >>> 0, ...Array<number>(12).fill(0)])
    const id = (header >>> 8) & 0xffff
    if ((header & 0xf) === 2) return this.#replies.get(id)
    if (id !== this.nextId) return undefined
    const body = this.#execute(request)
    if (body === undefined) return undefined
    this.nextId = id === 65535 ? 1 : id + 1
    const reply = words([header, ...body])
    this.#replies.set(id, reply)
    return reply
  }

  /** Bodies of all replies; undefined when the face stays silent. */
  #execute(request: Buffer): number[] | undefined {
    const out: number[] = []
    for (let at = 4; at < request.length;) {
      const head = request.readUInt32BE(at)
      const address = request.readUInt32BE(at + 4)
      const count = (head >>> 8) & 0xff
      const type = (head >>> 4) & 0xf
      const say = (info: number, done: number): number =>
        ((head & 0xffff0000) | (done << 8) | (type << 4) | info) >>> 0
      at += 8
      if (type === 0) {
        const values = this.#face.read('bus', address, count)
        if (values === 'silent') return undefined
        if (typeof values === 'string') return [...out, say(4, 0)]
        out.push(say(0, count), ...values)
      } else if (type === 1) {
        const values = Array.from({ length: count }, (_, i) => request.readUInt32BE(at + 4 * i))
        at += 4 * count
        const refusal = this.#face.write('bus', address, values)
        if (refusal === 'silent') return undefined
        if (refusal !== undefined) return [...out, say(5, 0)]
        out.push(say(0, count))
      } else {
        const before = this.#face.read('bus', address, 1)
        if (before === 'silent') return undefined
        if (typeof before === 'string') return [...out, say(4, 0)]
        const after = (before[0]! & request.readUInt32BE(at)) | request.readUInt32BE(at + 4)
        at += 8
        if (this.#face.write('bus', address, [after >>> 0]) !== undefined) return [...out, say(5, 0)]
        out.push(say(0, 1), before[0]!)
      }
    }
    return out
  }
}

function words(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4)
  values.forEach((value, i) => bytes.writeUInt32BE(value, i * 4))
  return bytes
}
