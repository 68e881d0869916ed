/** IPv4, TCP and UDP packets as bytes (RFC 791, 9293, 768). Pure. */
type Endpoint = readonly [string, number]

export const FIN = 1
export const SYN = 2
export const PSH = 8
export const ACK = 16

const IP_BYTES = 20
const TCP_BYTES = 20
const UDP_BYTES = 8
const TTL = 64
const WINDOW = 65_535
const DONT_FRAGMENT = 0x4000
/** a UDP checksum of 0 would say that there is none (RFC 768) */
const NO_CHECKSUM = 0

/** The four bytes of a dotted address. */
export function address(dotted: string): Uint8Array {
  return Uint8Array.from(dotted.split('.'), Number)
}

export function ipv4(
  protocol: number,
  from: Uint8Array,
  to: Uint8Array,
  identification: number,
  payload: Uint8Array
): Uint8Array {
  const bytes = Buffer.alloc(IP_BYTES + payload.length)
  bytes[0] = 0x45
  bytes.writeUInt16BE(bytes.length, 2)
  bytes.writeUInt16BE(identification, 4)
  bytes.writeUInt16BE(DONT_FRAGMENT, 6)
  bytes[8] = TTL
  bytes[9] = protocol
  bytes.set(from, 12)
  bytes.set(to, 16)
  bytes.writeUInt16BE(checksum(bytes.subarray(0, IP_BYTES)), 10)
  bytes.set(payload, IP_BYTES)
  return bytes
}

export function tcpSegment(
  from: Endpoint,
  to: Endpoint,
  sequence: number,
  acknowledged: number,
  flags: number,
  payload: Uint8Array
): Uint8Array {
  const bytes = Buffer.alloc(TCP_BYTES + payload.length)
  bytes.writeUInt16BE(from[1], 0)
  bytes.writeUInt16BE(to[1], 2)
  bytes.writeUInt32BE(sequence, 4)
  bytes.writeUInt32BE(acknowledged, 8)
  bytes[12] = (TCP_BYTES / 4) << 4
  bytes[13] = flags
  bytes.writeUInt16BE(WINDOW, 14)
  bytes.set(payload, TCP_BYTES)
  bytes.writeUInt16BE(checksum(pseudoHeader(6, from, to, bytes.length), bytes), 16)
  return bytes
}

export function udpDatagram(from: Endpoint, to: Endpoint, payload: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(UDP_BYTES + payload.length)
  bytes.writeUInt16BE(from[1], 0)
  bytes.writeUInt16BE(to[1], 2)
  bytes.writeUInt16BE(bytes.length, 4)
  bytes.set(payload, UDP_BYTES)
  const sum = checksum(pseudoHeader(17, from, to, bytes.length), bytes)
  bytes.writeUInt16BE(sum === NO_CHECKSUM ? 0xffff : sum, 6)
  return bytes
}

function pseudoHeader(protocol: number, from: Endpoint, to: Endpoint, length: number): Uint8Array {
  const bytes = Buffer.alloc(12)
  bytes.set(address(from[0]), 0)
  bytes.set(address(to[0]), 4)
  bytes[9] = protocol
  bytes.writeUInt16BE(length, 10)
  return bytes
}

/** One's complement of the one's complement sum of 16-bit words (RFC 1071); parts have even lengths but the last. */
function checksum(...parts: readonly Uint8Array[]): number {
  let sum = 0
  for (const part of parts)
    for (let i = 0; i < part.length; i += 2) sum += (part[i]! << 8) | (part[i + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}
