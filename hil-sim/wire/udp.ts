import { createSocket, type RemoteInfo } from 'node:dgram'
import { ErrorCode, SpillwayError } from '../../core/errors.ts'
import type { ByteFace, ByteSession, SimFault } from '../device/face.ts'
import { faultNumber, LOOPBACK, type ServeOptions, type Wire } from './wire.ts'

/** Peers that are remembered; the one that was silent longest makes room. */
const PEERS_MAX = 16

/** What may happen to a datagram to a peer. Each fault strikes the next `count` (1). */
const WIRE_FAULTS = ['wire-drop-reply', 'wire-duplicate-reply', 'wire-swap-reply'] as const
type WireFault = (typeof WIRE_FAULTS)[number]

/**
 * Puts a byte face on UDP: a session per peer, a datagram per call. There is no connection: a session begins with a peer's
 * first datagram and ends when others need the room. Faults: `wire-drop-reply`, `wire-duplicate-reply`, `wire-swap-reply`
 * (a datagram goes behind the next one), each for `count` datagrams.
 */
export async function serveUdp(face: ByteFace, options: ServeOptions = {}): Promise<Wire> {
  const socket = createSocket('udp4')
  const due = new Map<WireFault, number>()
  const strikes = (fault: WireFault): boolean => {
    const left = due.get(fault) ?? 0
    if (left > 0) due.set(fault, left - 1)
    return left > 0
  }
  let isClosed = false
  const send = (peer: RemoteInfo, bytes: Uint8Array): void => {
    // UDP: what cannot be sent is lost
    if (!isClosed) socket.send(Uint8Array.from(bytes), peer.port, peer.address, () => undefined)
  }
  const held = new Map<string, Uint8Array>()
  const deliver = (key: string, peer: RemoteInfo, bytes: Uint8Array): void => {
    if (strikes('wire-drop-reply')) return
    if (!held.has(key) && strikes('wire-swap-reply')) {
      held.set(key, Uint8Array.from(bytes))
      return
    }
    for (let copies = strikes('wire-duplicate-reply') ? 2 : 1; copies > 0; copies--) send(peer, bytes)
    const late = held.get(key)
    held.delete(key)
    if (late !== undefined) send(peer, late)
  }
  const sessions = new Map<string, ByteSession>()
  const end = (key: string): void => {
    sessions.get(key)?.closed()
    sessions.delete(key)
    held.delete(key)
  }
  socket.on('message', (bytes, peer) => {
    const key = `${peer.address}:${peer.port}`
    const session =
      sessions.get(key) ??
      face.attach(
        (reply) => deliver(key, peer, reply),
        () => end(key)
      )
    // again at the end: the first of the map is the one that was silent longest
    sessions.delete(key)
    sessions.set(key, session)
    if (sessions.size > PEERS_MAX) end(sessions.keys().next().value!)
    session.receive(bytes)
  })
  const wanted = options.port ?? 0
  await new Promise<void>((resolve, reject) => {
    socket.once('error', (error) => {
      reject(
        new SpillwayError(ErrorCode.disconnected, `udp: cannot listen on ${LOOPBACK}:${wanted}`, {
          hint: 'another simulator may be running: stop it, or use free ports',
          cause: error
        })
      )
    })
    socket.bind(wanted, LOOPBACK, () => resolve())
  })
  socket.on('error', () => undefined)
  return {
    url: `udp://${LOOPBACK}:${socket.address().port}`,
    close: () =>
      new Promise((resolve) => {
        if (isClosed) {
          resolve()
          return
        }
        isClosed = true
        for (const key of [...sessions.keys()]) end(key)
        socket.close(() => resolve())
      }),
    disturb: (fault: SimFault) => {
      const kind = WIRE_FAULTS.find((known) => known === fault.kind)
      if (kind === undefined) return false
      due.set(kind, (due.get(kind) ?? 0) + faultNumber(fault, 'count', 1))
      return true
    }
  }
}
