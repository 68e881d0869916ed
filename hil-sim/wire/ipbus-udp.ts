import { createSocket } from 'node:dgram'
import { ErrorCode, SpillwayError } from '../../core/errors.ts'
import type { RegisterFace, SimFault } from '../device/face.ts'
import { type IpbusTargetOptions, makeIpbusTarget } from './ipbus-target.ts'
import { faultNumber, LOOPBACK, type ServeOptions, type Wire } from './wire.ts'

/** What may happen to a datagram. Each fault strikes the next `count` (1) datagrams of its direction. */
const WIRE_FAULTS = [
  'wire-drop-request',
  'wire-drop-reply',
  'wire-duplicate-request',
  'wire-duplicate-reply'
] as const
type WireFault = (typeof WIRE_FAULTS)[number]

/** Puts registers (space `bus`) on IPbus over UDP. */
export async function serveIpbus(
  face: RegisterFace,
  options: ServeOptions & IpbusTargetOptions = {}
): Promise<Wire> {
  const target = makeIpbusTarget(face, options)
  const due = new Map<WireFault, number>()
  const strikes = (fault: WireFault): boolean => {
    const left = due.get(fault) ?? 0
    if (left > 0) due.set(fault, left - 1)
    return left > 0
  }

  const socket = createSocket('udp4')
  let isClosed = false
  socket.on('message', (bytes, peer) => {
    if (strikes('wire-drop-request')) return
    for (let copies = strikes('wire-duplicate-request') ? 2 : 1; copies > 0; copies--) {
      const reply = target.receive(bytes)
      if (reply === undefined || strikes('wire-drop-reply')) continue
      for (let sends = strikes('wire-duplicate-reply') ? 2 : 1; sends > 0; sends--)
        // UDP: an answer that cannot be sent is lost, and the controller asks again
        socket.send(reply, peer.port, peer.address, () => undefined)
    }
  })
  const wanted = options.port ?? 0
  await new Promise<void>((resolve, reject) => {
    socket.once('error', (error) => {
      reject(
        new SpillwayError(ErrorCode.disconnected, `ipbus: cannot listen on ${LOOPBACK}:${wanted}`, {
          hint: 'another simulator may be running: stop it, or use free ports',
          cause: error
        })
      )
    })
    socket.bind(wanted, LOOPBACK, () => resolve())
  })
  socket.on('error', () => undefined)
  return {
    url: `ipbus+udp://${LOOPBACK}:${socket.address().port}`,
    close: () =>
      new Promise((resolve) => {
        if (isClosed) {
          resolve()
          return
        }
        isClosed = true
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
