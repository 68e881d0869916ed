/** IPbus 2.0 datagrams (docs/hardware/ipbus.md). */
import { hex32, hexDump } from '../../../../core/bytes.ts'
import { wordsOf } from '../../ipbus-packet.ts'
import type { Direction } from '../event.ts'
import type { Frame } from './frame.ts'

const WORDS_SHOWN = 8
const TYPES: Readonly<Record<number, string>> = {
  0: 'read',
  1: 'write',
  2: 'read not incrementing',
  3: 'write not incrementing',
  4: 'modify',
  5: 'add'
}
const PACKETS = ['control', 'status', 'resend'] as const

/** A datagram is one packet, or none. */
export function ipbusFrame(dir: Direction, bytes: Uint8Array): Frame {
  const words = wordsOf(bytes)
  const header = words?.[0] ?? 0
  const packet = PACKETS[header & 0xf]
  if (words === undefined || (header & 0xff0000f0) >>> 0 !== 0x200000f0 || packet === undefined)
    return { dir, protocol: 'ipbus', type: 'garbage', text: hexDump(bytes) }
  const id = (header >>> 8) & 0xffff
  const type = `${packet} ${dir === 'out' ? 'request' : 'reply'}`
  if (packet === 'control')
    return { dir, protocol: 'ipbus', type, text: `packet ${id}: ${transactions(dir, words)}` }
  const next = (words[3]! >>> 8) & 0xffff
  const text =
    packet === 'resend' ? `packet ${id}` : dir === 'in' && words.length > 3 ? `next packet ${next}` : ''
  return { dir, protocol: 'ipbus', type, text }
}

function transactions(dir: Direction, words: readonly number[]): string {
  const told: string[] = []
  for (let at = 1; at < words.length;) {
    const header = words[at++]!
    const count = (header >>> 8) & 0xff
    const code = (header >>> 4) & 0xf
    const info = header & 0xf
    const name = TYPES[code] ?? `type ${code}`
    // what follows the header: an address and data in requests, data alone in replies
    const carries = dir === 'out' ? [1, 3].includes(code) : [0, 2].includes(code)
    const data = carries ? count : code === 4 ? (dir === 'out' ? 2 : info === 0 ? 1 : 0) : code === 5 ? 1 : 0
    const address = dir === 'out' ? ` ${hex32(words[at++] ?? 0)}` : ''
    const values = words.slice(at, at + data)
    at += data
    const how =
      info === 0xf || (info === 0 && values.length > 0)
        ? ''
        : info === 0
          ? ' done'
          : ` failed, info ${info}, after ${count} words`
    const amount = dir === 'out' && !carries && code !== 4 ? ` x ${count}` : ''
    told.push(`${name}${address}${amount}${how}${list(values)}`)
  }
  return told.join('; ')
}

function list(values: readonly number[]): string {
  if (values.length === 0) return ''
  const more = values.length > WORDS_SHOWN ? ` ... (${values.length} words)` : ''
  return ` ${values.slice(0, WORDS_SHOWN).map(hex32).join(' ')}${more}`
}
