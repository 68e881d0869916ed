/** Modbus TCP (MODBUS Messaging on TCP/IP 1.0b, 3.1.3; MODBUS Application Protocol 1.1b3, 6). */
import { hexDump, view } from '../../../../core/bytes.ts'
import type { Direction } from '../event.ts'
import { type Cut, CuttingFramer, type StreamFramer } from './frame.ts'

const MBAP_BYTES = 7
/** unit and PDU */
const LENGTH_MAX = 254

const FUNCTIONS: Readonly<Record<number, string>> = {
  1: 'read coils',
  2: 'read discrete inputs',
  3: 'read holding registers',
  4: 'read input registers',
  5: 'write coil',
  6: 'write register',
  15: 'write coils',
  16: 'write registers',
  22: 'mask register',
  23: 'read and write registers',
  43: 'identification'
}

export function modbusFramer(dir: Direction): StreamFramer {
  return new CuttingFramer(dir, 'modbus', (buffer) => cut(buffer, dir))
}

function cut(buffer: Uint8Array, dir: Direction): Cut {
  if (buffer.length < MBAP_BYTES) return undefined
  const head = view(buffer)
  const length = head.getUint16(4)
  // protocol 0; at least the unit and a function code
  if (head.getUint16(2) !== 0 || length < 2 || length > LENGTH_MAX) return { skip: 1 }
  if (buffer.length < 6 + length) return undefined
  const pdu = buffer.subarray(MBAP_BYTES, 6 + length)
  const code = pdu[0]! & 0x7f
  const isException = (pdu[0]! & 0x80) !== 0
  const name = FUNCTIONS[code] ?? `function ${code}`
  const type = dir === 'out' ? 'request' : isException ? 'exception' : 'reply'
  const body = isException
    ? `exception ${pdu[1] ?? '?'}`
    : dir === 'out'
      ? request(code, pdu)
      : reply(code, pdu)
  return {
    length: 6 + length,
    type,
    text: `transaction ${head.getUint16(0)} unit ${buffer[6]!}: ${name} ${body}`.trimEnd()
  }
}

function request(code: number, pdu: Uint8Array): string {
  if (pdu.length < 5) return hexDump(pdu.subarray(1))
  const head = view(pdu)
  const [address, second] = [head.getUint16(1), head.getUint16(3)]
  if (code >= 1 && code <= 4) return `${address} x ${second}`
  if (code === 5) return `${address} = ${second === 0 ? 0 : 1}`
  if (code === 6) return `${address} = ${second}`
  if (code === 16) return `${address} = ${words(pdu.subarray(6))}`
  return hexDump(pdu.subarray(1))
}

function reply(code: number, pdu: Uint8Array): string {
  if (code === 3 || code === 4) return words(pdu.subarray(2))
  if ((code === 6 || code === 16) && pdu.length === 5) return 'done'
  return hexDump(pdu.subarray(1))
}

function words(bytes: Uint8Array): string {
  const from = view(bytes)
  return Array.from({ length: bytes.length >> 1 }, (_, i) => from.getUint16(2 * i)).join(' ')
}
