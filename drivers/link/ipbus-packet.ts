/** IPbus 2.0 packets as bytes (docs/hardware/ipbus.md). Pure; no id is chosen and nothing is sent here. */
import { view } from '../../core/bytes.ts'

/** words of one packet, its header included: one MTU of 1500 bytes */
export const PACKET_WORDS_MAX = 368
const TRANSACTION_WORDS_MAX = 255
const STATUS_WORDS = 16

export type Transaction =
  | { readonly type: 'read'; readonly address: number; readonly count: number }
  | { readonly type: 'write'; readonly address: number; readonly values: readonly number[] }
  | { readonly type: 'modify'; readonly address: number; readonly and: number; readonly or: number }

const TYPE = { read: 0, write: 1, modify: 4 } as const
const INFO_REQUEST = 0xf

/** what the info code of a failed transaction means */
const INFO_TEXT: Readonly<Record<number, string>> = {
  1: 'bad header',
  4: 'bus error on read',
  5: 'bus error on write',
  6: 'bus time-out on read',
  7: 'bus time-out on write'
}

export const controlHeader = (id: number): number => (0x200000f0 | (id << 8)) >>> 0
export const STATUS_HEADER = 0x200000f1
const resendHeader = (id: number): number => (0x200000f2 | (id << 8)) >>> 0
/** 1..65535 and then 1 again; 0 would mean that the target keeps no reply */
export const followingId = (id: number): number => (id >= 0xffff ? 1 : id + 1)

function bytesOf(words: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(words.length * 4)
  const out = view(bytes)
  words.forEach((word, i) => out.setUint32(i * 4, word))
  return bytes
}

/** undefined when the length is not that of words */
export function wordsOf(bytes: Uint8Array): number[] | undefined {
  if (bytes.length === 0 || bytes.length % 4 !== 0) return undefined
  const from = view(bytes)
  return Array.from({ length: bytes.length / 4 }, (_, i) => from.getUint32(i * 4))
}

export const statusRequest = (): Uint8Array =>
  bytesOf([STATUS_HEADER, ...Array<number>(STATUS_WORDS - 1).fill(0)])
export const resendRequest = (id: number): Uint8Array => bytesOf([resendHeader(id)])

export interface TargetStatus {
  readonly mtuBytes: number
  readonly replyBuffers: number
  readonly nextId: number
}

/** undefined when it is no status reply */
export function decodeStatus(words: readonly number[]): TargetStatus | undefined {
  if (words.length !== STATUS_WORDS || words[0] !== STATUS_HEADER) return undefined
  const next = words[3]!
  const nextId = (next >>> 8) & 0xffff
  if (controlHeader(nextId) !== next || nextId === 0) return undefined
  return { mtuBytes: words[1]!, replyBuffers: words[2]!, nextId }
}

/** Packets for a read or write of any length: request and reply of each stay within one MTU. */
export function packetsFor(whole: Transaction): Transaction[][] {
  if (whole.type === 'modify') return [[whole]]
  const total = whole.type === 'read' ? whole.count : whole.values.length
  const packets: Transaction[][] = []
  let packet: Transaction[] = []
  let words = 1
  for (let done = 0; done < total;) {
    // a read grows its reply by header and data, a write its request by header, address and data
    const overhead = whole.type === 'read' ? 1 : 2
    const count = Math.min(TRANSACTION_WORDS_MAX, total - done, PACKET_WORDS_MAX - words - overhead)
    if (count <= 0) {
      packets.push(packet)
      packet = []
      words = 1
      continue
    }
    const address = whole.address + done
    packet.push(
      whole.type === 'read'
        ? { type: 'read', address, count }
        : { type: 'write', address, values: whole.values.slice(done, done + count) }
    )
    words += overhead + count
    done += count
  }
  if (packet.length > 0) packets.push(packet)
  return packets
}

export function encodeControl(id: number, transactions: readonly Transaction[]): Uint8Array {
  const words = [controlHeader(id)]
  transactions.forEach((transaction, index) => {
    const header = (count: number): number =>
      (2 << 28) | (index << 16) | (count << 8) | (TYPE[transaction.type] << 4) | INFO_REQUEST
    switch (transaction.type) {
      case 'read':
        words.push(header(transaction.count), transaction.address)
        break
      case 'write':
        words.push(header(transaction.values.length), transaction.address, ...transaction.values)
        break
      case 'modify':
        words.push(header(1), transaction.address, transaction.and, transaction.or)
    }
  })
  return bytesOf(words)
}

export type ControlReply =
  | { readonly kind: 'done'; readonly values: number[] }
  | { readonly kind: 'refused'; readonly address: number; readonly info: number; readonly text: string }
  | { readonly kind: 'malformed'; readonly expected: string; readonly got: string }

/** What a reply says to the packet of `transactions`. `values`: what reads and modifies brought, in order. */
export function decodeControl(words: readonly number[], transactions: readonly Transaction[]): ControlReply {
  const values: number[] = []
  let at = 1
  for (const [index, transaction] of transactions.entries()) {
    const header = words[at++]
    const wanted = ((2 << 28) | (index << 16) | (TYPE[transaction.type] << 4)) >>> 0
    if (header === undefined || (header & 0xffff00f0) >>> 0 !== wanted)
      return malformed(`reply to ${transaction.type} ${index}`, header)
    const info = header & 0xf
    const count = (header >>> 8) & 0xff
    if (info !== 0)
      return {
        kind: 'refused',
        address: transaction.address + count,
        info,
        text: INFO_TEXT[info] ?? `info code ${info}`
      }
    const requested =
      transaction.type === 'read'
        ? transaction.count
        : transaction.type === 'write'
          ? transaction.values.length
          : 1
    if (count !== requested) return malformed(`${requested} words in reply ${index}`, header)
    if (transaction.type === 'write') continue
    if (at + count > words.length) return malformed(`${count} words after ${index}`, undefined)
    for (let i = 0; i < count; i++) values.push(words[at++]!)
  }
  if (at !== words.length) return malformed(`${at} words`, words[at])
  return { kind: 'done', values }
}

function malformed(expected: string, word: number | undefined): ControlReply {
  return {
    kind: 'malformed',
    expected,
    got: word === undefined ? 'the end of the packet' : `word 0x${word.toString(16).padStart(8, '0')}`
  }
}
