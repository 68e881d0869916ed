/** Frames of the S-LINK bridge (docs/hardware/slink-bridge.md), little-endian. */
import { crc32c, view } from '../../core/bytes.ts'

/** "SLNK" */
export const FRAME_MAGIC = 0x4b4e4c53
export const FRAME_VERSION = 1
export const FRAME_HEADER_BYTES = 16
export const FRAME_TRAILER_BYTES = 4

export const FrameKind = {
  hello: 0,
  data: 1,
  startOfSpill: 2,
  endOfSpill: 3,
  heartbeat: 4,
  xoff: 5,
  xon: 6
} as const

/** A whole frame, for what the controller says (XOFF, XON). */
export function encodeFrame(
  kind: number,
  sequence: number,
  payload: Uint8Array = new Uint8Array(0)
): Uint8Array {
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + payload.length + FRAME_TRAILER_BYTES)
  const out = view(bytes)
  out.setUint32(0, FRAME_MAGIC, true)
  out.setUint16(4, FRAME_VERSION, true)
  out.setUint16(6, kind, true)
  out.setUint32(8, payload.length, true)
  out.setUint32(12, sequence, true)
  bytes.set(payload, FRAME_HEADER_BYTES)
  const end = FRAME_HEADER_BYTES + payload.length
  out.setUint32(end, crc32c(bytes.subarray(0, end)), true)
  return bytes
}
