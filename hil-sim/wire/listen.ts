import type { AddressInfo, Server, Socket } from 'node:net'
import { ErrorCode, SpillwayError } from '../../core/errors.ts'
import { LOOPBACK } from './wire.ts'

/** Resolves to the port; says what to do when it is taken. */
export function listen(server: Server, port: number, what: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      reject(
        new SpillwayError(ErrorCode.disconnected, `${what}: cannot listen on ${LOOPBACK}:${port}`, {
          hint: 'another simulator may be running: stop it, or use free ports',
          cause: error
        })
      )
    })
    server.listen(port, LOOPBACK, () => resolve((server.address() as AddressInfo).port))
  })
}

/** Follows the connections of a server, so that it can be closed at once. */
export class Connections {
  readonly #sockets = new Set<Socket>()

  constructor(server: Server) {
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
      // a reset by the peer ends in `close`, which is all that matters here
      socket.on('error', () => undefined)
    })
  }

  get size(): number {
    return this.#sockets.size
  }

  /** Ends every connection with a reset, as a switch that loses power does. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  destroy(): void {
    for (const socket of this.#sockets) socket.destroy()
  }
}

export function closeServer(server: Server, connections: Connections): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    connections.destroy()
  })
}
