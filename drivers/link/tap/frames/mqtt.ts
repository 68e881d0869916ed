/** MQTT control packets (MQTT 3.1.1 and 5.0, 2.1). */
import { view } from '../../../../core/bytes.ts'
import type { Direction } from '../event.ts'
import { type Cut, CuttingFramer, type StreamFramer } from './frame.ts'

/** The longest packet that is waited for; the protocol would allow 256 MB. */
const PACKET_BYTES_MAX = 1 << 20
const TEXT_MAX = 200

const TYPES = [
  '',
  'CONNECT',
  'CONNACK',
  'PUBLISH',
  'PUBACK',
  'PUBREC',
  'PUBREL',
  'PUBCOMP',
  'SUBSCRIBE',
  'SUBACK',
  'UNSUBSCRIBE',
  'UNSUBACK',
  'PINGREQ',
  'PINGRESP',
  'DISCONNECT',
  'AUTH'
] as const

/** @param version of the protocol, which decides whether packets have properties; the CONNECT tells both directions */
export function mqttFramer(dir: Direction, version: { is5: boolean }): StreamFramer {
  return new CuttingFramer(dir, 'mqtt', (buffer) => cut(buffer, version))
}

function cut(buffer: Uint8Array, version: { is5: boolean }): Cut {
  const type = TYPES[buffer[0]! >> 4]!
  if (type === '') return { skip: 1 }
  const remaining = variableInteger(buffer, 1)
  if (remaining === undefined) return buffer.length > 4 ? { skip: 1 } : undefined
  const length = remaining.end + remaining.value
  if (length > PACKET_BYTES_MAX) return { skip: 1 }
  if (buffer.length < length) return undefined
  const body = buffer.subarray(remaining.end, length)
  if (type === 'CONNECT') version.is5 = body[6] === 5
  return { length, type, text: tell(type, buffer[0]! & 0xf, body, version.is5) }
}

function tell(type: (typeof TYPES)[number], flags: number, body: Uint8Array, is5: boolean): string {
  switch (type) {
    case 'CONNECT':
      return `version ${body[6] === 5 ? '5' : body[6] === 4 ? '3.1.1' : String(body[6] ?? '?')}`
    case 'CONNACK':
      return body[1] === 0 ? 'accepted' : `refused, code ${body[1] ?? '?'}`
    case 'PUBLISH':
      return publish(flags, body, is5)
    case 'SUBSCRIBE':
    case 'UNSUBSCRIBE': {
      const from = is5 ? afterProperties(body, 2) : 2
      return `packet ${wordAt(body, 0)}: ${textAt(body, from).text}`
    }
    case 'PINGREQ':
    case 'PINGRESP':
    case 'DISCONNECT':
    case 'AUTH':
      return ''
    default:
      return `packet ${wordAt(body, 0)}`
  }
}

function publish(flags: number, body: Uint8Array, is5: boolean): string {
  const qos = (flags >> 1) & 3
  const topic = textAt(body, 0)
  const afterId = topic.end + (qos > 0 ? 2 : 0)
  const payload = body.subarray(is5 ? afterProperties(body, afterId) : afterId)
  const words = Buffer.from(payload.subarray(0, TEXT_MAX)).toString('utf8')
  const marks = `${qos > 0 ? ` qos ${qos}` : ''}${(flags & 1) !== 0 ? ' retained' : ''}`
  return `${topic.text}${marks}: ${words}${payload.length > TEXT_MAX ? ` ... (${payload.length} bytes)` : ''}`
}

function afterProperties(body: Uint8Array, at: number): number {
  const length = variableInteger(body, at)
  return length === undefined ? body.length : length.end + length.value
}

/** MQTT 1.5.5: seven bits a byte, at most four bytes; undefined when it does not end in time */
function variableInteger(bytes: Uint8Array, at: number): { value: number; end: number } | undefined {
  let value = 0
  for (let i = 0; i < 4; i++) {
    const byte = bytes[at + i]
    if (byte === undefined) return undefined
    value += (byte & 0x7f) * 128 ** i
    if (byte < 0x80) return { value, end: at + i + 1 }
  }
  return undefined
}

function wordAt(bytes: Uint8Array, at: number): number {
  return at + 2 <= bytes.length ? view(bytes).getUint16(at) : 0
}

function textAt(bytes: Uint8Array, at: number): { text: string; end: number } {
  const end = Math.min(bytes.length, at + 2 + wordAt(bytes, at))
  return { text: Buffer.from(bytes.subarray(at + 2, end)).toString('utf8'), end }
}
