import { view } from '../../core/bytes.ts'
import type { RegisterFace, RegisterRefusal } from '../device/face.ts'

/**
 * The far end of IPbus 2.0 (docs/hardware/ipbus.md): datagram in, datagram out. Writes happen once: a control
 * packet whose id is not the expected one is dropped, and lost replies are kept for a re-send request.
 */
export interface IpbusTarget {
  /** The reply, or undefined for silence. `bytes` is not kept. */
  receive(bytes: Uint8Array): Uint8Array | undefined
}

export interface IpbusTargetOptions {
  /** replies kept for re-send requests */
  readonly replyBuffers?: number
}

const MTU_BYTES = 1500
const PACKET_WORDS_MAX = 368
const STATUS_WORDS = 16
const FIXED_BITS = 0xff0000f0
const FIXED_VALUE = 0x200000f0

const PacketType = { control: 0, status: 1, resend: 2 } as const

const TransactionType = { read: 0, write: 1, readFifo: 2, writeFifo: 3, modifyBits: 4, modifySum: 5 } as const

const Info = {
  done: 0,
  badHeader: 1,
  readError: 4,
  writeError: 5,
  readTimeout: 6,
  writeTimeout: 7,
  request: 15
} as const

/** Codes of the traffic history in the status packet (ours: the public text leaves them to the firmware). */
const Traffic = { control: 1, status: 2, resend: 3, dropped: 4 } as const

export function makeIpbusTarget(face: RegisterFace, options: IpbusTargetOptions = {}): IpbusTarget {
  const replyBuffers = options.replyBuffers ?? 4
  let nextId = 1
  const replies = new Map<number, Uint8Array>()
  const traffic = new Array<number>(16).fill(0)
  const received = new Array<number>(4).fill(0)
  const sent = new Array<number>(4).fill(0)

  const note = (history: number[], entry: number): void => {
    history.push(entry)
    history.shift()
  }

  const control = (header: number, request: PacketReader): Uint8Array | undefined => {
    const id = (header >>> 8) & 0xffff
    note(received, header)
    if (id !== 0 && id !== nextId) {
      note(traffic, Traffic.dropped)
      return undefined
    }
    note(traffic, Traffic.control)
    const words = execute(face, header, request)
    if (id !== 0) nextId = id === 0xffff ? 1 : id + 1
    if (words === undefined) return undefined
    const reply = toBytes(words, request.isLittleEndian)
    note(sent, header)
    if (id !== 0) {
      replies.delete(id) // a new reply is the youngest, whatever its id
      replies.set(id, reply)
      const oldest = replies.keys().next().value
      if (replies.size > replyBuffers && oldest !== undefined) replies.delete(oldest)
    }
    return reply
  }

  const status = (isLittleEndian: boolean): Uint8Array => {
    note(traffic, Traffic.status)
    const history = [0, 4, 8, 12].map((i) =>
      traffic.slice(i, i + 4).reduce((word, code) => (word << 8) | code, 0)
    )
    const expected = FIXED_VALUE | (nextId << 8)
    const words = [0x200000f1, MTU_BYTES, replyBuffers, expected, ...history, ...received, ...sent]
    return toBytes(words, isLittleEndian)
  }

  return {
    receive: (bytes) => {
      const request = openPacket(bytes)
      if (request === undefined) return undefined
      const header = request.next()
      switch (header & 0xf) {
        case PacketType.control:
          return control(header, request)
        case PacketType.status:
          return request.words === STATUS_WORDS ? status(request.isLittleEndian) : undefined
        case PacketType.resend:
          note(traffic, Traffic.resend)
          return replies.get((header >>> 8) & 0xffff)
        default:
          return undefined
      }
    }
  }
}

interface PacketReader {
  readonly isLittleEndian: boolean
  readonly words: number
  left(): number
  next(): number
}

/** The first byte of a header is 0x20, the last 0xF-something: that tells the byte order. */
function openPacket(bytes: Uint8Array): PacketReader | undefined {
  if (bytes.length < 4 || bytes.length % 4 !== 0 || bytes.length > PACKET_WORDS_MAX * 4) return undefined
  const data = view(bytes)
  const looksRight = (word: number): boolean => (word & FIXED_BITS) >>> 0 === FIXED_VALUE
  const isLittleEndian = !looksRight(data.getUint32(0, false))
  if (isLittleEndian && !looksRight(data.getUint32(0, true))) return undefined
  const words = bytes.length / 4
  let at = 0
  return {
    isLittleEndian,
    words,
    left: () => words - at,
    next: () => data.getUint32(4 * at++, isLittleEndian)
  }
}

function toBytes(words: readonly number[], isLittleEndian: boolean): Uint8Array {
  const bytes = new Uint8Array(words.length * 4)
  const data = view(bytes)
  words.forEach((word, i) => data.setUint32(4 * i, word >>> 0, isLittleEndian))
  return bytes
}

/** Executes transactions until one fails; undefined when the device hangs. */
function execute(face: RegisterFace, header: number, request: PacketReader): number[] | undefined {
  const reply = [header]
  while (request.left() > 0) {
    const outcome = transaction(face, request, PACKET_WORDS_MAX - reply.length - 1)
    if (outcome === 'silent') return undefined
    const { id, type, info, words, body } = outcome
    reply.push((2 << 28) | (id << 16) | (words << 8) | (type << 4) | info, ...body)
    if (info !== Info.done) break
  }
  return reply
}

interface Outcome {
  readonly id: number
  readonly type: number
  readonly info: number
  /** words done */
  readonly words: number
  readonly body: readonly number[]
}

/** @param room words that the reply can still take */
function transaction(face: RegisterFace, request: PacketReader, room: number): Outcome | 'silent' {
  const header = request.next()
  const id = (header >>> 16) & 0xfff
  const count = (header >>> 8) & 0xff
  const type = (header >>> 4) & 0xf
  const end = (info: number, words: number, body: readonly number[] = []): Outcome => {
    return { id, type, info, words, body }
  }
  const isHeader = header >>> 28 === 2 && (header & 0xf) === Info.request
  const bodyWords = requestWords(type, count)
  if (!isHeader || bodyWords === undefined || request.left() < bodyWords || replyWords(type, count) > room)
    return end(Info.badHeader, 0)

  const base = request.next()
  const address = (i: number): number => {
    return type === TransactionType.readFifo || type === TransactionType.writeFifo ? base : (base + i) >>> 0
  }
  const done: number[] = []
  switch (type) {
    case TransactionType.read:
    case TransactionType.readFifo:
      for (let i = 0; i < count; i++) {
        const value = readWord(face, address(i))
        if (value === 'silent') return 'silent'
        if (typeof value !== 'number') return end(readInfo(value), i, done)
        done.push(value)
      }
      return end(Info.done, count, done)
    case TransactionType.write:
    case TransactionType.writeFifo:
      for (let i = 0; i < count; i++) {
        const refusal = face.write('bus', address(i), [request.next()])
        if (refusal === 'silent') return 'silent'
        if (refusal !== undefined) return end(writeInfo(refusal), i)
      }
      return end(Info.done, count)
    default: {
      const before = readWord(face, base)
      if (before === 'silent') return 'silent'
      if (typeof before !== 'number') return end(readInfo(before), 0)
      const first = request.next()
      const after =
        type === TransactionType.modifyBits
          ? ((before & first) | request.next()) >>> 0
          : (before + first) >>> 0
      const refusal = face.write('bus', base, [after])
      if (refusal === 'silent') return 'silent'
      return refusal === undefined ? end(Info.done, 1, [before]) : end(writeInfo(refusal), 0)
    }
  }
}

/** Words after the transaction header, base address included; undefined: no such transaction. */
function requestWords(type: number, count: number): number | undefined {
  switch (type) {
    case TransactionType.read:
    case TransactionType.readFifo:
      return 1
    case TransactionType.write:
    case TransactionType.writeFifo:
      return 1 + count
    case TransactionType.modifyBits:
      return count === 1 ? 3 : undefined
    case TransactionType.modifySum:
      return count === 1 ? 2 : undefined
    default:
      return undefined
  }
}

function replyWords(type: number, count: number): number {
  return type === TransactionType.write || type === TransactionType.writeFifo ? 0 : count
}

function readWord(face: RegisterFace, address: number): number | RegisterRefusal {
  const values = face.read('bus', address, 1)
  return typeof values === 'string' ? values : (values[0] ?? 0) >>> 0
}

const readInfo = (refusal: RegisterRefusal): number =>
  refusal === 'device-failure' ? Info.readTimeout : Info.readError
const writeInfo = (refusal: RegisterRefusal): number =>
  refusal === 'device-failure' ? Info.writeTimeout : Info.writeError
