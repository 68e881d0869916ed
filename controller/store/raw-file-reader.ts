/**
 * Reads raw files of any size piece by piece: zstd frames, each decompressed by itself, or a plain DATE file in
 * chunks. Damage costs the frame that has it; the seek table is not needed.
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { ErrorCode, SpillwayError } from '../../core/errors.ts'
import type { StreamFault } from './date-walk.ts'
import { decompressFrame, frameLength, isSkippable, isZstd, nextFrame } from './zstd-frames.ts'

export interface RawPiece {
  readonly kind: 'piece'
  /** a decompressed frame, or a chunk of a plain file; events may reach from one piece into the next */
  readonly bytes: Uint8Array
  /** of the frame in the file */
  readonly offset: number
}
export type RawItem = RawPiece | { readonly kind: 'fault'; readonly fault: StreamFault }

const CHUNK_BYTES = 4 << 20
/** a compressed frame may not be longer; ours have about 1 MB */
const COMPRESSED_BYTES_MAX = 256 << 20
/** decompressed, of one frame of a file that is read piece by piece */
const PIECE_BYTES_MAX = 512 << 20

/**
 * The pieces of a file, in order, with what is wrong between them.
 * @throws SpillwayError `not-found` when the file cannot be opened; never for what it holds
 */
export function* readRawFile(path: string, chunkBytes = CHUNK_BYTES): Generator<RawItem, void, void> {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    throw new SpillwayError(ErrorCode.notFound, `cannot read ${path}`, {
      cause: error,
      hint: 'give the path of a raw file; `spillway runs` lists them'
    })
  }
  try {
    const window = new Window(file, chunkBytes)
    window.grow()
    yield* isZstd(window.bytes) ? frames(window) : chunks(window)
  } finally {
    closeSync(file)
  }
}

function* chunks(window: Window): Generator<RawItem, void, void> {
  while (window.bytes.length > 0) {
    yield { kind: 'piece', bytes: window.bytes, offset: window.offset }
    window.drop(window.bytes.length)
    window.grow()
  }
}

function* frames(window: Window): Generator<RawItem, void, void> {
  for (;;) {
    const length = frameLength(window.bytes, 0)
    if (length === -1 && window.bytes.length < COMPRESSED_BYTES_MAX && window.grow()) continue
    if (window.bytes.length === 0) return
    const { offset } = window
    if (length > 0) {
      if (!isSkippable(window.bytes, 0)) {
        const content = decompressFrame(window.bytes.subarray(0, length), offset, PIECE_BYTES_MAX)
        if (content instanceof Uint8Array) yield { kind: 'piece', bytes: content, offset }
        else yield { kind: 'fault', fault: content }
        // the length of a damaged frame is not to be trusted: another may start inside
        if (!(content instanceof Uint8Array)) {
          window.drop(Math.min(length, nextFrame(window.bytes, 4)))
          continue
        }
      }
      window.drop(length)
      continue
    }
    const next = nextFrame(window.bytes, 4)
    const isLast = next === window.bytes.length
    const isRoom = window.bytes.length < COMPRESSED_BYTES_MAX
    if (isLast && length === -2 && isRoom && window.grow()) continue
    const code = length === -1 && isLast ? 'FRAME_TRUNCATED' : 'FRAME_GARBAGE'
    yield { kind: 'fault', fault: { code, offset, bytes: next } }
    window.drop(next)
  }
}

/** The part of a file that is in memory. */
class Window {
  bytes: Uint8Array = new Uint8Array(0)
  /** of `bytes` in the file */
  offset = 0
  readonly #file: number
  readonly #chunkBytes: number

  constructor(file: number, chunkBytes: number) {
    this.#file = file
    this.#chunkBytes = chunkBytes
  }

  /** Doubles what is in memory, at least by a chunk. @returns false at the end of the file */
  grow(): boolean {
    const more = new Uint8Array(Math.max(this.#chunkBytes, this.bytes.length))
    const count = readSync(this.#file, more, 0, more.length, this.offset + this.bytes.length)
    if (count === 0) return false
    const old = this.bytes
    if (old.length === 0) this.bytes = more.subarray(0, count)
    else {
      this.bytes = new Uint8Array(old.length + count)
      this.bytes.set(old)
      this.bytes.set(more.subarray(0, count), old.length)
    }
    return true
  }

  drop(count: number): void {
    this.bytes = this.bytes.subarray(count)
    this.offset += count
  }
}
