import { createServer } from 'node:net'
import { view } from '../../core/bytes.ts'
import type { RegisterFace, SimFault } from '../device/face.ts'
import { closeServer, Connections, listen } from './listen.ts'
import { answerModbus } from './modbus-pdu.ts'
import { LOOPBACK, type ServeOptions, type Wire } from './wire.ts'

/** MBAP: u16 transaction, u16 protocol 0, u16 length of unit and PDU, u8 unit; big-endian. */
const HEADER_BYTES = 7
const LENGTH_MIN = 2
const LENGTH_MAX = 254

/** Answers of the standard for a unit that is not behind this address. */
const GATEWAY_TARGET_SILENT = 0x0b

export interface ServeModbusOptions extends ServeOptions {
  /** the only unit that answers; absent: all do, as PLCs without a serial side */
  readonly unit?: number
}

/** Puts registers on Modbus TCP. Faults: `wire-reset` resets all connections. */
export async function serveModbus(face: RegisterFace, options: ServeModbusOptions = {}): Promise<Wire> {
  const server = createServer({ noDelay: true })
  const connections = new Connections(server)
  server.on('connection', (socket) => {
    const framing = makeModbusFraming(face, options.unit)
    socket.on('data', (bytes) => {
      const answers = framing.receive(bytes)
      // A header that cannot be true: nobody knows where the next one begins.
      if (answers === undefined) socket.destroy()
      else for (const answer of answers) socket.write(answer)
    })
  })
  const port = await listen(server, options.port ?? 0, 'modbus')
  return {
    url: `modbus+tcp://${LOOPBACK}:${port}`,
    close: () => closeServer(server, connections),
    disturb: (fault: SimFault) => {
      if (fault.kind !== 'wire-reset') return false
      connections.reset()
      return true
    }
  }
}

/** Requests of one connection, which come split and joined as TCP likes. */
export interface ModbusFraming {
  /** Answers to all requests that are complete by now; undefined: the stream is no Modbus. */
  receive(bytes: Uint8Array): Uint8Array[] | undefined
}

export function makeModbusFraming(face: RegisterFace, unit?: number): ModbusFraming {
  let pending: Uint8Array = new Uint8Array(0)
  return {
    receive: (bytes) => {
      pending = pending.length === 0 ? Uint8Array.from(bytes) : Buffer.concat([pending, bytes])
      const answers: Uint8Array[] = []
      while (pending.length >= HEADER_BYTES) {
        const header = view(pending)
        const length = header.getUint16(4)
        if (header.getUint16(2) !== 0 || length < LENGTH_MIN || length > LENGTH_MAX) return undefined
        const end = HEADER_BYTES - 1 + length
        if (pending.length < end) break
        const request = pending.subarray(HEADER_BYTES, end)
        const isOurs = unit === undefined || pending[6] === unit
        const pdu = isOurs
          ? answerModbus(face, request)
          : Uint8Array.of((request[0] ?? 0) | 0x80, GATEWAY_TARGET_SILENT)
        if (pdu !== undefined) answers.push(frame(pending, pdu))
        pending = pending.subarray(end)
      }
      return answers
    }
  }
}

/** Transaction and unit are those of the request. */
function frame(request: Uint8Array, pdu: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + pdu.length)
  bytes.set(request.subarray(0, HEADER_BYTES))
  view(bytes).setUint16(4, 1 + pdu.length)
  bytes.set(pdu, HEADER_BYTES)
  return bytes
}
