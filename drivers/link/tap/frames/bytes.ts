/** What goes over byte links: S-LINK bridge frames (docs/hardware/slink-bridge.md) or lines of text. */
import { crc32c, hexDump, view } from '../../../../core/bytes.ts'
import { limits } from '../../../../core/limits.ts'
import { SLINK_HEADER_BYTES, slinkEvent, slinkSource, slinkSpill } from '../../../../core/slink.ts'
import { FRAME_HEADER_BYTES, FRAME_MAGIC, FRAME_TRAILER_BYTES, FrameKind } from '../../slink-frame.ts'
import type { Direction } from '../event.ts'
import { type Cut, CuttingFramer, type StreamFramer } from './frame.ts'

const LINE_BYTES_MAX = 4096
const HELLO_SHOWN = 300
const NEWLINE = 0x0a
const RETURN = 0x0d
const MAGIC_FIRST = FRAME_MAGIC & 0xff

const KINDS = new Map<number, string>(Object.entries(FrameKind).map(([name, kind]) => [kind, name]))

export function slinkFramer(dir: Direction): StreamFramer {
  return new CuttingFramer(dir, 's-link', cutSlink)
}

function cutSlink(buffer: Uint8Array): Cut {
  if (buffer[0] !== MAGIC_FIRST) return toNextMagic(buffer)
  if (buffer.length < FRAME_HEADER_BYTES) return undefined
  const head = view(buffer)
  const payloadBytes = head.getUint32(8, true)
  if (head.getUint32(0, true) !== FRAME_MAGIC || payloadBytes > limits.slinkFrameBytesMax)
    return toNextMagic(buffer)
  const end = FRAME_HEADER_BYTES + payloadBytes
  if (buffer.length < end + FRAME_TRAILER_BYTES) return undefined
  if (head.getUint32(end, true) !== crc32c(buffer.subarray(0, end))) return toNextMagic(buffer)
  const kind = head.getUint16(6, true)
  const type = KINDS.get(kind) ?? `kind ${kind}`
  const payload = buffer.subarray(FRAME_HEADER_BYTES, end)
  const said = tellPayload(kind, payload)
  return {
    length: end + FRAME_TRAILER_BYTES,
    type,
    text: `frame ${head.getUint32(12, true)}${said === '' ? '' : `: ${said}`}`
  }
}

/** Frames are looked for one byte after what was none. */
function toNextMagic(buffer: Uint8Array): Cut {
  const next = buffer.indexOf(MAGIC_FIRST, 1)
  return { skip: next < 0 ? buffer.length : next }
}

function tellPayload(kind: number, payload: Uint8Array): string {
  if (payload.length === 0) return ''
  const from = view(payload)
  if (kind === FrameKind.hello) return Buffer.from(payload.subarray(0, HELLO_SHOWN)).toString('utf8')
  if (kind === FrameKind.data && payload.length >= SLINK_HEADER_BYTES) {
    const [w0, w1] = [from.getUint32(0, true), from.getUint32(4, true)]
    return `source ${slinkSource(w0)} spill ${slinkSpill(w1)} event ${slinkEvent(w1)}, ${payload.length} bytes`
  }
  const isSpill = kind === FrameKind.startOfSpill || kind === FrameKind.endOfSpill
  if (isSpill && payload.length >= 4) return `spill ${from.getUint32(0, true)}`
  return hexDump(payload)
}

/** Lines that end with a line feed, a carriage return or both, without their ends; empty ones are left out. */
export function lineFramer(dir: Direction): StreamFramer {
  return new CuttingFramer(dir, 'text', cutLine)
}

function cutLine(buffer: Uint8Array): Cut {
  if (isEnd(buffer[0]!)) return { pass: 1 }
  const end = buffer.findIndex(isEnd)
  if (end < 0 && buffer.length < LINE_BYTES_MAX) return undefined
  const length = end < 0 ? buffer.length : end
  return { length, type: 'line', text: readable(buffer.subarray(0, length)) }
}

const isEnd = (byte: number): boolean => byte === NEWLINE || byte === RETURN

/** Bytes that are no printable ASCII are written as \xNN. */
function readable(line: Uint8Array): string {
  return Array.from(line, (byte) =>
    byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`
  ).join('')
}
