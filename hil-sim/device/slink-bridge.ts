import { crc32c, view } from '../../core/bytes.ts'
import type { DeviceIdentity } from '../../core/device.ts'
import type { ByteFace, ByteSession } from './face.ts'

// docs/hardware/slink-bridge.md
const MAGIC = 0x4b4e4c53
const VERSION = 1
const HEADER_BYTES = 16
const CRC_BYTES = 4
const HEARTBEAT_NS = 1e9
export const FrameKind = {
  hello: 0,
  data: 1,
  startOfSpill: 2,
  endOfSpill: 3,
  heartbeat: 4,
  xoff: 5,
  xon: 6
} as const

/** what a damaged length announces too much */
const LIE_BYTES = 100_000

/** frames are built one after the other in pieces of memory of this size; what was sent is never touched again */
const CHUNK_BYTES = 1 << 20
/** An S-LINK block has at most 65535 words. */
const MAXIMUM_BLOCK_BYTES = 65535 * 4
/** a controller has nothing longer to say */
const COMMAND_BYTES_MAX = 1024

export interface SlinkBridgeOptions {
  readonly identity: DeviceIdentity
  readonly sources: readonly number[]
  /** Data kept while the controller says XOFF; beyond it they are lost (and the sent count shows it). */
  readonly bufferBytesMax?: number
}

export interface EndOfSpillEntry {
  readonly source: number
  readonly eventsSent: number
  readonly wordsSent: number
  readonly busyNs: number
}

/** How a frame is damaged on its way. */
export type FrameDamage = 'checksum' | 'lost' | 'length'

interface Connection {
  readonly send: (bytes: Uint8Array) => void
  readonly hangUp: () => void
  sequence: number
  sinceHeartbeatNs: number
  isXoff: boolean
  /** the controller gets this spill's data */
  isServed: boolean
  /** bytes of a command that is not complete yet */
  input: Uint8Array
}

/**
 * The spill buffer's end of the bridge. Frames collect until `flush`; the device that owns the bridge
 * flushes after each step of time.
 */
export class SlinkBridge implements ByteFace {
  readonly kind = 'bytes'
  readonly #options: SlinkBridgeOptions
  readonly #bufferBytesMax: number
  #connection: Connection | undefined
  #isInSpill = false
  /** somebody was connected when this spill began, or has been served in it */
  #isSpillServed = false
  #isSilent = false
  #isRefusing = false
  #held: { kind: number; payload: Uint8Array }[] = []
  #heldBytes = 0
  #hasOverflowed = false
  #chunk = new Uint8Array(CHUNK_BYTES)
  #chunkView = view(this.#chunk)
  #sent = 0
  #end = 0

  constructor(options: SlinkBridgeOptions) {
    this.#options = options
    this.#bufferBytesMax = options.bufferBytesMax ?? 64 << 20
  }

  get isXoff(): boolean {
    return this.#connection?.isXoff ?? false
  }
  /** data of this spill were lost because the buffer was full under XOFF */
  get hasOverflowed(): boolean {
    return this.#hasOverflowed
  }
  get isConnected(): boolean {
    return this.#connection !== undefined
  }

  attach(send: (bytes: Uint8Array) => void, hangUp: () => void): ByteSession {
    this.hangUp()
    const connection: Connection = {
      send,
      hangUp,
      sequence: 0,
      sinceHeartbeatNs: 0,
      isXoff: false,
      isServed: !this.#isInSpill || this.#isSpillServed,
      input: new Uint8Array(0)
    }
    this.#connection = connection
    if (this.#isRefusing) this.hangUp()
    else this.#hello()
    this.flush()
    return {
      receive: (bytes) => {
        if (this.#connection === connection) this.#receive(connection, bytes)
      },
      closed: () => {
        if (this.#connection === connection) this.#forget()
      }
    }
  }

  /** Time passes: heartbeats. */
  advance(dtNs: number): void {
    const connection = this.#connection
    if (connection === undefined) return
    connection.sinceHeartbeatNs += dtNs
    while (connection.sinceHeartbeatNs >= HEARTBEAT_NS) {
      connection.sinceHeartbeatNs -= HEARTBEAT_NS
      this.#put(FrameKind.heartbeat)
    }
  }

  /** @param isTold the frame is sent; not: a fault */
  startOfSpill(spill: number, cycle: number, utcNs: bigint, isTold = true): void {
    this.#isInSpill = true
    this.#isSpillServed = this.#connection !== undefined
    this.#hasOverflowed = false
    if (this.#connection !== undefined) this.#connection.isServed = true
    const payload = new Uint8Array(16)
    const v = view(payload)
    v.setUint32(0, spill, true)
    v.setUint32(4, cycle, true)
    v.setBigUint64(8, utcNs, true)
    if (isTold) this.#deliver(FrameKind.startOfSpill, payload)
  }

  /** One S-LINK block. `bytes` is free again after the call. */
  data(bytes: Uint8Array, damage?: FrameDamage): void {
    this.#deliver(FrameKind.data, bytes, damage)
  }

  endOfSpill(spill: number, entries: readonly EndOfSpillEntry[]): void {
    const payload = new Uint8Array(8 + 24 * entries.length)
    const v = view(payload)
    v.setUint32(0, spill, true)
    v.setUint32(4, entries.length, true)
    entries.forEach((entry, i) => {
      const at = 8 + 24 * i
      v.setUint32(at, entry.source, true)
      v.setUint32(at + 4, entry.eventsSent, true)
      v.setBigUint64(at + 8, BigInt(entry.wordsSent), true)
      v.setBigUint64(at + 16, BigInt(Math.round(entry.busyNs)), true)
    })
    this.#deliver(FrameKind.endOfSpill, payload)
  }

  /** The spill is over, with or without its frame. */
  spillIsOver(): void {
    this.#isInSpill = false
  }

  /** Fault: bytes on the wire that belong to no frame. */
  garbage(bytes: Uint8Array): void {
    if (this.#connection?.isServed !== true || this.#connection.isXoff || this.#isSilent) return
    this.#reserve(bytes.length)
    this.#chunk.set(bytes, this.#end)
    this.#end += bytes.length
  }

  /** Fault: connected, but nothing leaves. */
  setSilent(isSilent: boolean): void {
    this.#isSilent = isSilent
  }

  /** Fault: every new connection is closed at once. */
  setRefusing(isRefusing: boolean): void {
    this.#isRefusing = isRefusing
  }

  hangUp(): void {
    const connection = this.#connection
    if (connection === undefined) return
    this.flush()
    this.#forget()
    connection.hangUp()
  }

  /** Hands over what has collected. */
  flush(): void {
    if (this.#end === this.#sent) return
    const bytes = this.#chunk.subarray(this.#sent, this.#end)
    this.#sent = this.#end
    this.#connection?.send(bytes)
  }

  #forget(): void {
    this.#connection = undefined
    this.#held = []
    this.#heldBytes = 0
    this.#sent = this.#end
  }

  #hello(): void {
    const { identity, sources } = this.#options
    const { maker, model, serial, firmware } = identity
    const hello = {
      identity: { maker, model, serial, firmware },
      sources,
      maximumBlockBytes: MAXIMUM_BLOCK_BYTES
    }
    this.#put(FrameKind.hello, new TextEncoder().encode(JSON.stringify(hello)))
  }

  /** Puts a frame of the spill on the wire, or keeps it while the controller says XOFF. */
  #deliver(kind: number, payload: Uint8Array, damage?: FrameDamage): void {
    const connection = this.#connection
    if (connection?.isServed !== true) return
    this.#isSpillServed = true
    if (!connection.isXoff) {
      this.#put(kind, payload, damage)
      return
    }
    // marks of the spill are few and small; only data are refused room
    if (kind === FrameKind.data && this.#heldBytes + payload.length > this.#bufferBytesMax) {
      this.#hasOverflowed = true
      return
    }
    this.#held.push({ kind, payload: payload.slice() })
    this.#heldBytes += payload.length
  }

  #put(kind: number, payload?: Uint8Array, damage?: FrameDamage): void {
    const connection = this.#connection
    if (connection === undefined || this.#isSilent) return
    const sequence = connection.sequence++
    if (damage === 'lost') return
    const length = payload?.length ?? 0
    this.#reserve(HEADER_BYTES + length + CRC_BYTES)
    const at = this.#end
    const v = this.#chunkView
    v.setUint32(at, MAGIC, true)
    v.setUint16(at + 4, VERSION, true)
    v.setUint16(at + 6, kind, true)
    v.setUint32(at + 8, damage === 'length' ? length + LIE_BYTES : length, true)
    v.setUint32(at + 12, sequence, true)
    if (payload !== undefined) this.#chunk.set(payload, at + HEADER_BYTES)
    const crcAt = at + HEADER_BYTES + length
    const crc = crc32c(this.#chunk.subarray(at, crcAt))
    v.setUint32(crcAt, damage === 'checksum' ? crc ^ 0x10 : crc, true)
    this.#end = crcAt + CRC_BYTES
  }

  #reserve(bytes: number): void {
    if (this.#end + bytes <= this.#chunk.length) return
    this.flush()
    this.#chunk = new Uint8Array(Math.max(CHUNK_BYTES, bytes))
    this.#chunkView = view(this.#chunk)
    this.#sent = 0
    this.#end = 0
  }

  #receive(connection: Connection, bytes: Uint8Array): void {
    const input = new Uint8Array(connection.input.length + bytes.length)
    input.set(connection.input)
    input.set(bytes, connection.input.length)
    const v = view(input)
    let at = 0
    while (input.length - at >= HEADER_BYTES + CRC_BYTES) {
      const length = v.getUint32(at + 8, true)
      const isHeader =
        v.getUint32(at, true) === MAGIC &&
        v.getUint16(at + 4, true) === VERSION &&
        length <= COMMAND_BYTES_MAX
      if (!isHeader) {
        at++
        continue
      }
      const crcAt = at + HEADER_BYTES + length
      if (crcAt + CRC_BYTES > input.length) break
      if (crc32c(input.subarray(at, crcAt)) !== v.getUint32(crcAt, true)) {
        at++
        continue
      }
      this.#command(connection, v.getUint16(at + 6, true))
      at = crcAt + CRC_BYTES
    }
    connection.input = input.slice(at)
  }

  #command(connection: Connection, kind: number): void {
    if (kind === FrameKind.xoff) connection.isXoff = true
    if (kind !== FrameKind.xon) return
    connection.isXoff = false
    const held = this.#held
    this.#held = []
    this.#heldBytes = 0
    for (const { kind: heldKind, payload } of held) this.#put(heldKind, payload)
    this.flush()
  }
}
