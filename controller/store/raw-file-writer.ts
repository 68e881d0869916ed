/**
 * Raw data on disk: independent zstd frames, one per block, with content size and checksum, in the order of the
 * blocks; at the end a seek table in a skippable frame (the zstd "seekable format"). A file that is cut off keeps
 * every complete frame. `zstd -d` gives a plain DATE file.
 *
 * Compression runs beside the data plane, on Node's thread pool; the queue is bounded, and a writer without room
 * says so instead of growing.
 */
import { closeSync, fsync, ftruncateSync, mkdirSync, openSync, write, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { constants, zstdCompress, zstdCompressSync, type ZstdOptions } from 'node:zlib'
import { ErrorCode, sentence, SpillwayError } from '../../core/errors.ts'
import { WordBuffer } from './word-buffer.ts'

const compressInPool = promisify(zstdCompress)
const syncFile = promisify(fsync)
const writeFile = promisify(write)

export const SEEK_TABLE_MAGIC = 0x184d2a5e
export const SEEKABLE_MAGIC = 0x8f92eab1
/** descriptor bit: entries carry the checksum of the frame's content */
export const SEEK_CHECKSUMS = 0x80
/** frames being compressed or written; each holds about 1 MB */
const PENDING_MAX = 8

/** `run-000123.date.zst`; simulated data say so in their name. */
export function rawFileName(run: number, isSimulated: boolean): string {
  return `${isSimulated ? 'simulated-' : ''}run-${String(run).padStart(6, '0')}.date.zst`
}

export interface RawFileOptions {
  readonly path: string
  /** zstd level, -131072 (nearly raw) to 19 */
  readonly level: number
  readonly pendingMax?: number
  /** compress and write before `submit` returns: for runs in virtual time, where nothing may depend on threads */
  readonly isSynchronous?: boolean
}

interface SeekEntry {
  readonly compressed: number
  readonly decompressed: number
  readonly checksum: number
}

function ioError(path: string, what: string, error: unknown): SpillwayError {
  const code = (error as NodeJS.ErrnoException).code
  const isFull = code === 'ENOSPC' || code === 'EDQUOT'
  return new SpillwayError(
    isFull ? ErrorCode.overflow : ErrorCode.refused,
    `${what} ${path}: ${sentence(error)}`,
    {
      cause: error,
      hint: isFull
        ? 'the disk is full: make room; what was written before is readable'
        : 'check the folder, its permissions and the disk; what was written before is readable'
    }
  )
}

/**
 * One file. Use: `begin` a buffer, fill it with whole events, `submit` it; `endSpill` after each spill, `close` at the
 * end. After an error nothing more is written; `failure` says which, and every later promise rejects with it.
 */
export class RawFileWriter {
  readonly path: string
  readonly #file: number
  readonly #level: number
  readonly #pendingMax: number
  readonly #isSynchronous: boolean
  readonly #free: WordBuffer[] = []
  readonly #table: SeekEntry[] = []
  readonly #waiting: (() => void)[] = []
  #inUse = 0
  #bytesWritten = 0
  #queue: Promise<void> = Promise.resolve()
  #failure: SpillwayError | undefined
  #isClosed = false

  private constructor(options: RawFileOptions, file: number) {
    this.path = options.path
    this.#file = file
    this.#level = options.level
    this.#pendingMax = options.pendingMax ?? PENDING_MAX
    this.#isSynchronous = options.isSynchronous ?? false
  }

  /**
   * Makes the file and its folder. Never touches a file that exists.
   * @throws SpillwayError `refused` or `overflow`
   */
  static open(options: RawFileOptions): RawFileWriter {
    try {
      mkdirSync(dirname(options.path), { recursive: true })
      return RawFileWriter.on(openSync(options.path, 'wx'), options)
    } catch (error) {
      throw ioError(options.path, 'cannot make', error)
    }
  }

  /** Writes to a file that the caller has opened, from its start, and closes it in the end. */
  static on(file: number, options: RawFileOptions): RawFileWriter {
    return new RawFileWriter(options, file)
  }

  /** bytes in the file so far */
  get bytesWritten(): number {
    return this.#bytesWritten
  }

  get failure(): SpillwayError | undefined {
    return this.#failure
  }

  /** An empty buffer to fill, or undefined: no room now (wait for `room`), or failed, or closed. */
  begin(): WordBuffer | undefined {
    if (this.#failure !== undefined || this.#isClosed || this.#inUse >= this.#pendingMax) return undefined
    this.#inUse++
    const buffer = this.#free.pop() ?? new WordBuffer()
    buffer.clear()
    return buffer
  }

  /** Resolves when `begin` gives a buffer again; rejects when it never will. */
  async room(): Promise<void> {
    while (this.#failure === undefined && this.#inUse >= this.#pendingMax)
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#throwFailure()
  }

  /** Takes a buffer of `begin` back and writes it as one frame (an empty one as none). */
  submit(buffer: WordBuffer): void {
    const { bytes } = buffer
    if (bytes.length === 0) this.#release(buffer)
    else if (this.#isSynchronous) {
      try {
        const frame = zstdCompressSync(bytes, this.#parameters(bytes))
        for (let at = 0; at < frame.length;) at += writeSync(this.#file, frame, at)
        this.#written(frame, bytes.length)
      } catch (error) {
        this.#fail(error)
      }
      this.#release(buffer)
    } else {
      // frames are compressed side by side and written in the order of `submit`
      const compressed = compressInPool(bytes, this.#parameters(bytes))
      compressed.catch(() => undefined) // looked at when its turn comes
      this.#queue = this.#queue.then(() => this.#writeWhenReady(compressed, bytes.length, buffer))
    }
  }

  /** All that was submitted is on the disk, also when the power fails now. */
  async endSpill(): Promise<void> {
    await this.#queue
    this.#throwFailure()
    try {
      await syncFile(this.#file)
    } catch (error) {
      this.#fail(error)
    }
    this.#throwFailure()
  }

  /** Writes the seek table and closes the file; the file is closed also when this rejects. May be called again. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#queue
    try {
      this.#throwFailure()
      const table = seekTable(this.#table)
      await this.#writeAll(table)
      this.#bytesWritten += table.length
      await syncFile(this.#file)
    } catch (error) {
      this.#fail(error)
    } finally {
      closeSync(this.#file)
    }
    this.#throwFailure()
  }

  /** Never rejects: what goes wrong is in `failure`. */
  async #writeWhenReady(
    compressed: Promise<Buffer>,
    decompressed: number,
    buffer: WordBuffer
  ): Promise<void> {
    try {
      const frame = await compressed
      if (this.#failure === undefined) {
        await this.#writeAll(frame)
        this.#written(frame, decompressed)
      }
    } catch (error) {
      this.#fail(error)
    }
    this.#release(buffer)
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += (await writeFile(this.#file, bytes, at)).bytesWritten
  }

  #written(frame: Buffer, decompressed: number): void {
    this.#bytesWritten += frame.length
    // the frame ends with the low word of its content's XXH64, which is what the seek table wants
    this.#table.push({
      compressed: frame.length,
      decompressed,
      checksum: frame.readUInt32LE(frame.length - 4)
    })
  }

  #fail(error: unknown): void {
    if (this.#failure !== undefined) return
    this.#failure = error instanceof SpillwayError ? error : ioError(this.path, 'cannot write', error)
    try {
      ftruncateSync(this.#file, this.#bytesWritten) // half a frame helps nobody
    } catch {
      // readers know a cut-off frame; the failure that brought us here is the one to report
    }
  }

  #parameters(bytes: Uint8Array): ZstdOptions {
    return {
      // without it Node leaves the content size out of frames that it compresses in the pool
      pledgedSrcSize: bytes.length,
      params: { [constants.ZSTD_c_compressionLevel]: this.#level, [constants.ZSTD_c_checksumFlag]: 1 }
    }
  }

  #release(buffer: WordBuffer): void {
    this.#free.push(buffer)
    this.#inUse--
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure
  }
}

function seekTable(entries: readonly SeekEntry[]): Buffer {
  const table = Buffer.alloc(8 + 12 * entries.length + 9)
  table.writeUInt32LE(SEEK_TABLE_MAGIC, 0)
  table.writeUInt32LE(table.length - 8, 4)
  entries.forEach((entry, i) => {
    table.writeUInt32LE(entry.compressed, 8 + 12 * i)
    table.writeUInt32LE(entry.decompressed, 12 + 12 * i)
    table.writeUInt32LE(entry.checksum, 16 + 12 * i)
  })
  const footer = table.length - 9
  table.writeUInt32LE(entries.length, footer)
  table.writeUInt8(SEEK_CHECKSUMS, footer + 4)
  table.writeUInt32LE(SEEKABLE_MAGIC, footer + 5)
  return table
}
