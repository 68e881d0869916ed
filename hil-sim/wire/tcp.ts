import { createServer } from 'node:net'
import type { ByteFace, SimFault } from '../device/face.ts'
import { closeServer, Connections, listen } from './listen.ts'
import { Cutting, Segments } from './segments.ts'
import { LOOPBACK, type ServeOptions, type Wire } from './wire.ts'

/**
 * Bytes that may wait for a peer that does not read. A spill of the largest sources fits; a peer that is
 * further behind is cut off, so that it cannot eat the memory of the hall.
 */
const BACKLOG_BYTES_MAX = 64 << 20

export interface ServeTcpOptions extends ServeOptions {
  readonly backlogBytesMax?: number
}

/**
 * Puts bytes on TCP. Faults: `wire-reset` resets all connections; `wire-split` (`bytes`, `count`) and `wire-join`
 * (`count`) cut the stream in other places than the face did.
 */
export async function serveTcp(face: ByteFace, options: ServeTcpOptions = {}): Promise<Wire> {
  const backlogBytesMax = options.backlogBytesMax ?? BACKLOG_BYTES_MAX
  const server = createServer({ noDelay: true })
  const connections = new Connections(server)
  const cutting = new Cutting()
  server.on('connection', (socket) => {
    const segments = new Segments(cutting, (bytes) => {
      if (socket.writable) socket.write(bytes)
    })
    const send = (bytes: Uint8Array): void => {
      if (!socket.writable) return
      // The face may use its buffer again, and the socket may keep what it cannot send at once: a copy.
      segments.send(Buffer.from(bytes))
      if (socket.writableLength > backlogBytesMax) socket.resetAndDestroy()
    }
    const session = face.attach(send, () => segments.finish(() => socket.destroySoon()))
    socket.on('data', (bytes) => session.receive(bytes))
    socket.on('close', () => session.closed())
  })
  const port = await listen(server, options.port ?? 0, 'tcp')
  return {
    url: `tcp://${LOOPBACK}:${port}`,
    close: () => closeServer(server, connections),
    disturb: (fault: SimFault) => {
      if (cutting.disturb(fault)) return true
      if (fault.kind !== 'wire-reset') return false
      connections.reset()
      return true
    }
  }
}
