import { crc32c, view } from '../../core/bytes.ts'
import { type FragmentSink, FragmentStatus, STREAM_FAULTS, type StreamFault } from '../../core/fragment.ts'
import { limits } from '../../core/limits.ts'
import {
  slinkErrorFlag,
  slinkErrorWords,
  slinkEvent,
  slinkFormat,
  SLINK_HEADER_BYTES,
  slinkSource,
  slinkSpill,
  slinkTcsError,
  slinkWords,
  TCS_GOOD
} from '../../core/slink.ts'
import {
  FRAME_HEADER_BYTES,
  FRAME_MAGIC,
  FRAME_TRAILER_BYTES,
  FRAME_VERSION,
  FrameKind
} from './slink-frame.ts'

/** Bytes of the magic word in the order of the wire. */
const MAGIC = [0x53, 0x4c, 0x4e, 0x4b] as const
const START_OF_SPILL_BYTES = 16
const END_OF_SPILL_HEADER_BYTES = 8
const END_OF_SPILL_SOURCE_BYTES = 24
/** Views of the assembly buffer are kept for payloads up to this length, so that they are made once. */
const KEPT_VIEWS_BYTES_MAX = 16 << 10

/** What a stream brought since it was made. bytes = frameBytes + garbageBytes + those of a frame not yet whole. */
export interface SlinkStreamCounts {
  bytes: number
  /** good frames of any kind */
  frames: number
  frameBytes: number
  garbageBytes: number
  /** garbage in bytes, sequence gaps in frames, the others in occurrences */
  readonly faults: Record<StreamFault, number>
}

export interface SlinkStreamOptions {
  /** S-LINK source ids that may come; damage that belongs to none is told of the first */
  readonly sources: readonly number[]
  readonly sink: FragmentSink
  /** payload of a hello; only valid during the call */
  readonly onHello: (payload: Uint8Array) => void
}

/**
 * Reads the frames of one bridge out of any chunks and hands what is in them to the sink, in order. A frame
 * counts when magic, version, bounded length and checksum agree; otherwise reading goes on one byte after its
 * magic, and what is skipped is counted as garbage. Every byte ends in a good frame or in the garbage count.
 *
 * Hot path: synchronous, never throws, allocates nothing per frame. Each frame is put together in one buffer;
 * after damage that buffer is searched, and may hold several frames.
 */
export class SlinkStream {
  readonly counts: SlinkStreamCounts = {
    bytes: 0,
    frames: 0,
    frameBytes: 0,
    garbageBytes: 0,
    faults: Object.fromEntries(STREAM_FAULTS.map((fault) => [fault, 0])) as Record<StreamFault, number>
  }
  readonly #sources: readonly number[]
  readonly #sink: FragmentSink
  readonly #onHello: (payload: Uint8Array) => void

  readonly #buffer = Buffer.alloc(FRAME_HEADER_BYTES + limits.slinkFrameBytesMax + FRAME_TRAILER_BYTES)
  readonly #view = view(this.#buffer)
  /** what is read and not yet used: begin..end of the buffer */
  #begin = 0
  #end = 0
  /** by length in words, of frames that begin at 0 */
  readonly #checkedViews: (Uint8Array | undefined)[] = []
  readonly #payloadViews: (Uint8Array | undefined)[] = []

  /** garbage since the last good frame */
  #garbage = 0
  #nextSequence = 0
  /** status bit for the next data frame */
  #afterGap = 0
  #isInSpill = false
  /** the connection before this one ended inside a spill */
  #wasCut = false

  constructor(options: SlinkStreamOptions) {
    this.#sources = options.sources
    this.#sink = options.sink
    this.#onHello = options.onHello
  }

  push(bytes: Uint8Array): void {
    this.counts.bytes += bytes.length
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    let at = 0
    for (;;) {
      const needed = this.#readFrames()
      if (at === chunk.length) return
      if (this.#begin > 0) this.#moveToFront()
      const taken = Math.min(needed - this.#end, chunk.length - at)
      chunk.copy(this.#buffer, this.#end, at, at + taken)
      this.#end += taken
      at += taken
    }
  }

  /** bytes have come that are no whole frame yet */
  get isInsideFrame(): boolean {
    return this.#end > this.#begin
  }

  /**
   * The frame that is being read does not come to its end. When whole frames lie behind its start, its length was a
   * lie: they are read, as after any other damage. When there are none, the wire is just slow.
   */
  doubtFrame(): void {
    if (!this.isInsideFrame || !this.#hasFrameBehind()) return
    this.#fault('length', 1)
    this.#skip()
    this.#readFrames()
  }

  /**
   * The connection is over: a frame that is not whole will never be. Good frames behind its false start are
   * still read. Ready for the next connection afterwards.
   */
  finish(): void {
    while (this.#end > this.#begin) {
      this.#skip()
      this.#readFrames()
    }
    this.#tellGarbage()
    this.#nextSequence = 0
    this.#afterGap = 0
    this.#wasCut = this.#isInSpill
    this.#isInSpill = false
  }

  /** Uses up every whole frame; returns how many bytes from `begin` on are needed to go on. */
  #readFrames(): number {
    for (;;) {
      const have = this.#end - this.#begin
      if (have === 0) {
        this.#begin = 0
        this.#end = 0
        return FRAME_HEADER_BYTES
      }
      if (!this.#isMagic(have)) {
        this.#skip()
        continue
      }
      if (have < FRAME_HEADER_BYTES) return FRAME_HEADER_BYTES
      const length = this.#view.getUint32(this.#begin + 8, true)
      const fault =
        this.#view.getUint16(this.#begin + 4, true) !== FRAME_VERSION
          ? 'unknown-frame'
          : length > limits.slinkFrameBytesMax
            ? 'length'
            : undefined
      if (fault !== undefined) {
        this.#fault(fault, 1)
        this.#skip()
        continue
      }
      const whole = FRAME_HEADER_BYTES + length + FRAME_TRAILER_BYTES
      if (have < whole) return whole
      const checksum = this.#view.getUint32(this.#begin + FRAME_HEADER_BYTES + length, true)
      if (crc32c(this.#checked(length)) !== checksum) {
        this.#fault('checksum', 1)
        this.#skip()
        continue
      }
      this.#frame(length)
      this.#begin += whole
      this.counts.frames++
      this.counts.frameBytes += whole
    }
  }

  /** Whether the bytes there, as far as they go, are the magic word. */
  #isMagic(have: number): boolean {
    if (have >= 4) return this.#view.getUint32(this.#begin, true) === FRAME_MAGIC
    for (let i = 0; i < have; i++) if (this.#buffer[this.#begin + i] !== MAGIC[i]) return false
    return true
  }

  /** Whether a whole good frame lies between the start of the present one and the last byte read. */
  #hasFrameBehind(): boolean {
    const bytes = this.#buffer.subarray(0, this.#end)
    for (let at = this.#begin; ;) {
      at = bytes.indexOf('SLNK', at + 1, 'latin1')
      if (at < 0 || at + FRAME_HEADER_BYTES + FRAME_TRAILER_BYTES > this.#end) return false
      const length = this.#view.getUint32(at + 8, true)
      const checked = at + FRAME_HEADER_BYTES + length
      if (this.#view.getUint16(at + 4, true) !== FRAME_VERSION) continue
      if (length > limits.slinkFrameBytesMax || checked + FRAME_TRAILER_BYTES > this.#end) continue
      if (crc32c(bytes.subarray(at, checked)) === this.#view.getUint32(checked, true)) return true
    }
  }

  /** One byte, and all others up to where a magic word could begin, are garbage. */
  #skip(): void {
    let at = this.#begin + 1
    while (at < this.#end && this.#buffer[at] !== MAGIC[0]) at++
    this.#garbage += at - this.#begin
    this.counts.garbageBytes += at - this.#begin
    this.#begin = at
  }

  #moveToFront(): void {
    this.#buffer.copyWithin(0, this.#begin, this.#end)
    this.#end -= this.#begin
    this.#begin = 0
  }

  #checked(length: number): Uint8Array {
    return this.#slice(this.#checkedViews, 0, length, FRAME_HEADER_BYTES + length)
  }

  #payload(length: number): Uint8Array {
    return this.#slice(this.#payloadViews, FRAME_HEADER_BYTES, length, length)
  }

  #slice(kept: (Uint8Array | undefined)[], from: number, length: number, bytes: number): Uint8Array {
    if (this.#begin > 0 || length > KEPT_VIEWS_BYTES_MAX || length % 4 !== 0)
      return this.#buffer.subarray(this.#begin + from, this.#begin + from + bytes)
    return (kept[length >>> 2] ??= this.#buffer.subarray(from, from + bytes))
  }

  #fault(fault: StreamFault, count: number): void {
    this.counts.faults[fault] += count
    this.#sink.fault(this.#sources[0]!, fault, count)
  }

  #tellGarbage(): void {
    if (this.#garbage === 0) return
    this.#fault('garbage', this.#garbage)
    this.#garbage = 0
  }

  #frame(length: number): void {
    this.#tellGarbage()
    const kind = this.#view.getUint16(this.#begin + 6, true)
    const isRepeated = this.#followSequence(this.#view.getUint32(this.#begin + 12, true))
    if (kind === FrameKind.data) {
      this.#data(length)
      return
    }
    // the event builder counts data that come twice; a record that comes twice would end a spill twice
    if (isRepeated) return
    switch (kind) {
      case FrameKind.hello:
        this.#onHello(this.#payload(length))
        break
      case FrameKind.startOfSpill:
        this.#startOfSpill(length)
        break
      case FrameKind.endOfSpill:
        this.#endOfSpill(length)
        break
      case FrameKind.heartbeat:
        break
      default:
        this.#fault('unknown-frame', 1)
    }
  }

  /** Whether a frame with this number, or a later one, was there already. */
  #followSequence(sequence: number): boolean {
    const missing = (sequence - this.#nextSequence) >>> 0
    if (missing >= 0x8000_0000) {
      this.#fault('repeated-frame', 1)
      return true
    }
    if (missing > 0) {
      this.#fault('sequence-gap', missing)
      this.#afterGap = FragmentStatus.afterGap
    }
    this.#nextSequence = (sequence + 1) >>> 0
    return false
  }

  #data(length: number): void {
    this.#noteReconnection()
    const at = this.#begin + FRAME_HEADER_BYTES
    const word0 = length >= 4 ? this.#view.getUint32(at, true) : 0
    const announced = slinkSource(word0)
    const isKnown = this.#sources.includes(announced)
    if (length < SLINK_HEADER_BYTES || slinkWords(word0) * 4 !== length) {
      this.counts.faults['slink-size']++
      this.#sink.corrupt(isKnown ? announced : this.#sources[0]!, 'slink-size', length)
      return
    }
    if (!isKnown) {
      this.#fault('unknown-source', 1)
      return
    }
    const word1 = this.#view.getUint32(at + 4, true)
    const word2 = this.#view.getUint32(at + 8, true)
    const status =
      this.#afterGap |
      (slinkErrorFlag(word0) !== 0 ? FragmentStatus.slinkError : 0) |
      (slinkErrorWords(word2) !== 0 ? FragmentStatus.errorWords : 0) |
      (slinkTcsError(word2) !== TCS_GOOD ? FragmentStatus.tcsError : 0) |
      ((slinkFormat(word2) & 0x80) !== 0 ? FragmentStatus.firstOfRun : 0)
    this.#afterGap = 0
    this.#sink.fragment(announced, slinkSpill(word1), slinkEvent(word1), this.#payload(length), status)
  }

  #startOfSpill(length: number): void {
    if (length !== START_OF_SPILL_BYTES) {
      this.#fault('length', 1)
      return
    }
    this.#wasCut = false
    this.#isInSpill = true
    // what was missing before belongs to the spill before
    this.#afterGap = 0
    const at = this.#begin + FRAME_HEADER_BYTES
    const spill = this.#view.getUint32(at, true)
    const cycle = this.#view.getUint32(at + 4, true)
    for (const source of this.#sources) this.#sink.startOfSpill(source, spill, cycle)
  }

  #endOfSpill(length: number): void {
    const at = this.#begin + FRAME_HEADER_BYTES
    const count = length < END_OF_SPILL_HEADER_BYTES ? 0 : this.#view.getUint32(at + 4, true)
    if (length !== END_OF_SPILL_HEADER_BYTES + count * END_OF_SPILL_SOURCE_BYTES) {
      this.#fault('length', 1)
      return
    }
    this.#noteReconnection()
    this.#isInSpill = false
    const spill = this.#view.getUint32(at, true)
    for (let i = 0; i < count; i++) {
      const entry = at + END_OF_SPILL_HEADER_BYTES + i * END_OF_SPILL_SOURCE_BYTES
      const source = this.#view.getUint32(entry, true)
      if (!this.#sources.includes(source)) {
        this.#fault('unknown-source', 1)
        continue
      }
      this.#sink.endOfSpill({
        source,
        spill,
        eventsSent: this.#view.getUint32(entry + 4, true),
        wordsSent: this.#unsigned64(entry + 8),
        busyNs: this.#unsigned64(entry + 16)
      })
    }
  }

  /** The spill goes on in which the connection before this one ended. */
  #noteReconnection(): void {
    this.#isInSpill = true
    if (!this.#wasCut) return
    this.#wasCut = false
    this.#fault('reconnected', 1)
  }

  #unsigned64(at: number): number {
    return this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * 2 ** 32
  }
}
