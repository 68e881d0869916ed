import type { Socket } from 'node:net'
import type { Direction, TapSink } from './event.ts'

/** The endpoints of one connection, as address and port. */
export interface Endpoints {
  readonly protocol: 'tcp' | 'udp'
  readonly local: readonly [string, number]
  readonly remote: readonly [string, number]
}

export interface WireConnection {
  bytes(dir: Direction, bytes: Uint8Array): void
  closed(): void
}

/** The part of a socket that a tap needs; the sockets of `node:net` and those that libraries show have it. */
export type TappableSocket = Pick<Socket, 'write' | 'once' | 'prependListener'> &
  Partial<Pick<Socket, 'connecting' | 'localAddress' | 'localPort' | 'remoteAddress' | 'remotePort'>>

/**
 * The tap of a link below its library, at the sockets. One for each link; it numbers the connections. Links that
 * are not tapped have none, and pay nothing.
 */
export class WireTap {
  readonly #sink: TapSink
  #connections = 0

  constructor(sink: TapSink) {
    this.#sink = sink
  }

  open({ protocol, local, remote }: Endpoints): WireConnection {
    const connection = ++this.#connections
    this.#sink.record({ dir: 'out', what: 'wire-open', connection, protocol, local, remote })
    return {
      bytes: (dir, bytes) =>
        this.#sink.record({ dir, what: 'wire', connection, bytes: new Uint8Array(bytes) }),
      closed: () => this.#sink.record({ dir: 'in', what: 'wire-close', connection })
    }
  }

  /**
   * Hears everything that a TCP socket carries from now on. Libraries write a message in many small pieces; what
   * is written in one turn of the loop is one piece here, as it is on the wire.
   */
  socket(socket: TappableSocket): void {
    let connection: WireConnection | undefined
    let pieces: Uint8Array[] = []
    const opened = (): WireConnection =>
      (connection ??= this.open({
        protocol: 'tcp',
        local: [socket.localAddress ?? '', socket.localPort ?? 0],
        remote: [socket.remoteAddress ?? '', socket.remotePort ?? 0]
      }))
    const flush = (): void => {
      // what is written before the connection is there goes out with it
      if (pieces.length === 0 || (socket.connecting === true && connection === undefined)) return
      const bytes = Buffer.concat(pieces)
      pieces = []
      opened().bytes('out', bytes)
    }
    const write = socket.write.bind(socket) as (...args: unknown[]) => boolean
    // no event tells what is written
    socket.write = (chunk: Uint8Array | string, ...rest: unknown[]): boolean => {
      const encoding = typeof rest[0] === 'string' ? (rest[0] as BufferEncoding) : 'utf8'
      if (pieces.length === 0) process.nextTick(flush)
      pieces.push(typeof chunk === 'string' ? Buffer.from(chunk, encoding) : Buffer.from(chunk))
      return write(chunk, ...rest)
    }
    // before the library takes it: what it then says follows
    socket.prependListener('data', (bytes: Buffer) => {
      flush()
      opened().bytes('in', bytes)
    })
    socket.once('close', () => {
      if (connection !== undefined) flush()
      connection?.closed()
    })
    if (socket.connecting === true)
      socket.once('connect', () => {
        opened()
        flush()
      })
    else opened()
  }
}
