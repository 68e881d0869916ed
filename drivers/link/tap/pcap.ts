import { ErrorCode, SpillwayError } from '../../../core/errors.ts'
import type { DurationNs } from '../../../core/units.ts'
import { parseLinkUrl } from '../link-url.ts'
import type { TapEvent } from './event.ts'
import { ACK, address, FIN, ipv4, PSH, SYN, tcpSegment, udpDatagram } from './packet.ts'
import type { Recording } from './recording.ts'

/** LINKTYPE_RAW: packets begin with the IP header */
const LINKTYPE_RAW = 101
const SNAP_BYTES = 262_144
/** payload of one segment on Ethernet */
const SEGMENT_BYTES = 1460
/** The receiver acknowledges after so many segments, well within its window. */
const SEGMENTS_PER_ACK = 16
/** of our side, where the tap does not know it: the dynamic ports (RFC 6335) */
const FIRST_PORT = 49_152

type Endpoint = readonly [string, number]
interface Packet {
  /** ns since the epoch */
  readonly at: bigint
  readonly bytes: Uint8Array
}

/**
 * A capture file (classic pcap, microseconds) of what passed, for Wireshark and its relatives. Bytes and times are
 * the recorded ones; IP, TCP and UDP headers are made for them, with sequence numbers, acknowledgements and
 * checksums that agree. Hosts that are names or IPv6 become 192.0.2.x, which is nobody's (RFC 5737).
 *
 * Rejects with `usage` when a recording is of a serial line, and when there are no bytes of a network at all.
 */
export function writePcap(session: readonly Recording[]): Uint8Array {
  const packets = session.flatMap((recording, index) => {
    const from = BigInt(recording.startUtc.getTime()) * 1_000_000n
    const writer = new PacketWriter(from)
    if (recording.kind === 'bytes') writeByteLink(writer, recording, FIRST_PORT + 256 * index)
    else writeSockets(writer, recording)
    return writer.packets
  })
  if (packets.length === 0)
    throw new SpillwayError(ErrorCode.usage, 'there are no bytes of a network in the recording', {
      hint: 'links are tapped at their sockets by the link factory; a link in memory has none, nor one that was never open'
    })
  packets.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))
  const bytes = Buffer.alloc(24 + packets.reduce((sum, packet) => sum + 16 + packet.bytes.length, 0))
  bytes.writeUInt32LE(0xa1b2c3d4, 0)
  bytes.writeUInt16LE(2, 4)
  bytes.writeUInt16LE(4, 6)
  bytes.writeUInt32LE(SNAP_BYTES, 16)
  bytes.writeUInt32LE(LINKTYPE_RAW, 20)
  let at = 24
  for (const packet of packets) {
    const us = packet.at / 1000n
    bytes.writeUInt32LE(Number(us / 1_000_000n), at)
    bytes.writeUInt32LE(Number(us % 1_000_000n), at + 4)
    bytes.writeUInt32LE(packet.bytes.length, at + 8)
    bytes.writeUInt32LE(packet.bytes.length, at + 12)
    bytes.set(packet.bytes, at + 16)
    at += 16 + packet.bytes.length
  }
  return bytes
}

/** A byte link: its bytes are the connection's, its openings the connections; over UDP each piece is a datagram. */
function writeByteLink(writer: PacketWriter, { url, entries }: Recording, firstPort: number): void {
  const protocol = /^(?:[a-z0-9.-]+\+)?(tcp|udp):/.exec(url)?.[1] as 'tcp' | 'udp' | undefined
  if (protocol === undefined)
    throw new SpillwayError(ErrorCode.usage, `${url}: what passed here is no network traffic`, {
      hint: 'the recording itself (JSON lines) has all bytes with their times'
    })
  const { host, port } = parseLinkUrl(url, url.split(':', 1)[0]!, [...new URL(url).searchParams.keys()])
  const failed = new Set(entries.flatMap(({ event }) => (event.what === 'failure' ? [event.id] : [])))
  const connection = { port: firstPort - 1 }
  let open: TcpConversation | UdpConversation | undefined
  const conversation = (at: DurationNs): TcpConversation | UdpConversation =>
    (open ??= writer[protocol](at, ['127.0.0.1', ++connection.port], [host, port]))
  for (const { at, event } of entries)
    switch (event.what) {
      case 'state':
        if (event.isOpen) conversation(at)
        else {
          open?.close(at, 'in')
          open = undefined
        }
        break
      case 'bytes':
        conversation(at).bytes(at, 'in', event.bytes)
        break
      case 'request': {
        const bytes = bytesWritten(event)
        if (bytes !== undefined && !failed.has(event.id)) conversation(at).bytes(at, 'out', bytes)
        break
      }
      default: // answers to writes carry no bytes
    }
}

function bytesWritten(event: Extract<TapEvent, { what: 'request' }>): Uint8Array | undefined {
  const [bytes] = event.args
  return event.verb === 'write' && bytes instanceof Uint8Array ? bytes : undefined
}

/** A link that was tapped at its sockets. */
function writeSockets(writer: PacketWriter, { entries }: Recording): void {
  const connections = new Map<number, TcpConversation | UdpConversation>()
  for (const { at, event } of entries)
    if (event.what === 'wire-open') {
      const { connection, protocol, local, remote } = event
      connections.set(connection, writer[protocol](at, local, remote))
    } else if (event.what === 'wire') connections.get(event.connection)?.bytes(at, event.dir, event.bytes)
    else if (event.what === 'wire-close') connections.get(event.connection)?.close(at, 'in')
}

class PacketWriter {
  readonly packets: Packet[] = []
  readonly #startNs: bigint
  /** IP addresses made up for hosts that have none of four bytes */
  readonly #hosts = new Map<string, string>()
  #identification = 0

  constructor(startNs: bigint) {
    this.#startNs = startNs
  }

  tcp(at: DurationNs, local: Endpoint, remote: Endpoint): TcpConversation {
    return new TcpConversation(this, at, this.#endpoint(local), this.#endpoint(remote))
  }

  udp(_at: DurationNs, local: Endpoint, remote: Endpoint): UdpConversation {
    return new UdpConversation(this, this.#endpoint(local), this.#endpoint(remote))
  }

  write(at: DurationNs, protocol: 6 | 17, from: Endpoint, to: Endpoint, payload: Uint8Array): void {
    this.#identification = (this.#identification + 1) & 0xffff
    const bytes = ipv4(protocol, address(from[0]), address(to[0]), this.#identification, payload)
    this.packets.push({ at: this.#startNs + BigInt(Math.round(at)), bytes })
  }

  #endpoint([host, port]: Endpoint): Endpoint {
    const four = host.replace(/^::ffff:/, '')
    if (/^\d+\.\d+\.\d+\.\d+$/.test(four)) return [four, port]
    if (host === 'localhost' || host === '::1') return ['127.0.0.1', port]
    let made = this.#hosts.get(host)
    if (made === undefined) this.#hosts.set(host, (made = `192.0.2.${1 + (this.#hosts.size % 254)}`))
    return [made, port]
  }
}

class UdpConversation {
  readonly #writer: PacketWriter
  readonly #ends: { readonly out: Endpoint; readonly in: Endpoint }

  constructor(writer: PacketWriter, local: Endpoint, remote: Endpoint) {
    this.#writer = writer
    this.#ends = { out: local, in: remote }
  }

  bytes(at: DurationNs, dir: 'out' | 'in', bytes: Uint8Array): void {
    const [from, to] = dir === 'out' ? [this.#ends.out, this.#ends.in] : [this.#ends.in, this.#ends.out]
    this.#writer.write(at, 17, from, to, udpDatagram(from, to, bytes))
  }

  close(): void {
    // datagrams know no end
  }
}

/** One TCP connection from its first packet to its last. */
class TcpConversation {
  readonly #writer: PacketWriter
  readonly #ends: { readonly out: Endpoint; readonly in: Endpoint }
  /** next sequence number of each side */
  readonly #next = { out: 1000, in: 2000 }
  #isClosed = false

  constructor(writer: PacketWriter, at: DurationNs, local: Endpoint, remote: Endpoint) {
    this.#writer = writer
    this.#ends = { out: local, in: remote }
    this.#send(at, 'out', SYN)
    this.#send(at, 'in', SYN | ACK)
    this.#send(at, 'out', ACK)
  }

  bytes(at: DurationNs, dir: 'out' | 'in', bytes: Uint8Array): void {
    if (this.#isClosed) return
    const other = dir === 'out' ? 'in' : 'out'
    for (let from = 0, count = 1; from < bytes.length; from += SEGMENT_BYTES, count++) {
      const part = bytes.subarray(from, from + SEGMENT_BYTES)
      const isLast = from + part.length === bytes.length
      this.#send(at, dir, isLast ? PSH | ACK : ACK, part)
      if (isLast || count % SEGMENTS_PER_ACK === 0) this.#send(at, other, ACK)
    }
  }

  close(at: DurationNs, by: 'out' | 'in'): void {
    if (this.#isClosed) return
    this.#isClosed = true
    const other = by === 'out' ? 'in' : 'out'
    this.#send(at, by, FIN | ACK)
    this.#send(at, other, FIN | ACK)
    this.#send(at, by, ACK)
  }

  #send(at: DurationNs, dir: 'out' | 'in', flags: number, payload: Uint8Array = new Uint8Array(0)): void {
    const other = dir === 'out' ? 'in' : 'out'
    const [from, to] = [this.#ends[dir], this.#ends[other]]
    const acknowledged = (flags & ACK) === 0 ? 0 : this.#next[other]
    const segment = tcpSegment(from, to, this.#next[dir], acknowledged, flags, payload)
    this.#writer.write(at, 6, from, to, segment)
    // SYN and FIN count as one byte
    const length = payload.length + ((flags & (SYN | FIN)) === 0 ? 0 : 1)
    this.#next[dir] = (this.#next[dir] + length) >>> 0
  }
}
