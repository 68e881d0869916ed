/**
 * Zstandard files as a row of frames. Node's decompressor stops after the first frame without an error, so frames
 * are found by walking their headers, and each is decompressed by itself: a damaged or cut-off one costs itself only.
 */
import { constants, zstdDecompressSync } from 'node:zlib'
import type { StreamFault } from './date-walk.ts'

export const ZSTD_MAGIC = 0xfd2fb528
/** upper 28 bits of the magic word of skippable frames */
const SKIPPABLE = 0x184d2a5
/** decompressed bytes of one frame; ours have about 1 MB */
export const FRAME_BYTES_MAX = 1 << 30

/**
 * Bytes of the zstd or skippable frame at `at`.
 * @returns -1: cut off, -2: no frame starts here
 */
export function frameLength(bytes: Uint8Array, at: number): number {
  const b = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (at + 8 > b.length) return -1
  const magic = b.readUInt32LE(at)
  if (magic >>> 4 === SKIPPABLE) {
    const length = 8 + b.readUInt32LE(at + 4)
    return at + length <= b.length ? length : -1
  }
  if (magic !== ZSTD_MAGIC) return -2
  const descriptor = b[at + 4]!
  const isSingleSegment = (descriptor >> 5) & 1
  const dictionary = [0, 1, 2, 4][descriptor & 3]!
  const contentSize = descriptor >> 6 ? 1 << (descriptor >> 6) : isSingleSegment
  let p = at + 5 + (isSingleSegment ? 0 : 1) + dictionary + contentSize
  for (let header = 0; (header & 1) === 0;) {
    if (p + 3 > b.length) return -1
    header = b.readUIntLE(p, 3)
    const isRepeated = ((header >> 1) & 3) === 1
    p += 3 + (isRepeated ? 1 : header >> 3)
  }
  if ((descriptor & 4) !== 0) p += 4
  return p <= b.length ? p - at : -1
}

export const isSkippable = (bytes: Uint8Array, at: number): boolean =>
  at + 4 <= bytes.length && Buffer.from(bytes.buffer, bytes.byteOffset).readUInt32LE(at) >>> 4 === SKIPPABLE

/** The bytes are a zstd file: they start with a frame, whole or not. */
export const isZstd = (bytes: Uint8Array): boolean =>
  bytes.length >= 4 &&
  (isSkippable(bytes, 0) || Buffer.from(bytes.buffer, bytes.byteOffset).readUInt32LE(0) === ZSTD_MAGIC)

/** Start of the next thing that looks like a frame, or the end. */
export function nextFrame(bytes: Uint8Array, from: number): number {
  const b = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const magic = Buffer.alloc(4)
  magic.writeUInt32LE(ZSTD_MAGIC)
  const found = b.indexOf(magic, from)
  return found < 0 ? b.length : found
}

/** The content of one whole frame, or the fault that kept it. */
export function decompressFrame(
  frame: Uint8Array,
  offset: number,
  bytesMax = FRAME_BYTES_MAX
): Uint8Array | StreamFault {
  try {
    return zstdDecompressSync(frame, {
      maxOutputLength: bytesMax,
      params: { [constants.ZSTD_d_windowLogMax]: 27 }
    })
  } catch {
    // whatever zlib says, the content is not to be had: the fault names the frame, and the reader goes on
    return { code: 'FRAME_DAMAGED', offset, bytes: frame.length }
  }
}
