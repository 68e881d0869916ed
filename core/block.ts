/**
 * The event block: some hundred events of one spill in columns, on shared memory.
 *
 *     event e  --fragment table-->  raw bytes as they came (S-LINK blocks)
 *     event e  --hitBegin-->  hits (one channel of one module each)  --sampleBegin-->  samples
 *     per hit: waveform results, energy        per event: calorimeter sums, status, verdict
 *
 * The builder fills raw bytes and the fragment table; decoders fill hits and samples; the stages fill
 * results. A block is the unit of hand-over between threads, of writing and of distribution. Nothing here
 * allocates once a block is made. Layout version: BLOCK_VERSION.
 */
export const BLOCK_VERSION = 1

export interface BlockShape {
  readonly events: number
  /** S-LINK sources, in the order of the configuration */
  readonly sources: number
  /** bytes for raw S-LINK blocks of all events, a multiple of 4 */
  readonly rawBytes: number
  /** decoded channels of all events; one event has at most its share, hits / events */
  readonly hits: number
  /** decoded samples of all hits, a multiple of 8 per event; each hit starts at a multiple of 8 */
  readonly samples: number
  /** named energy sums per event */
  readonly sums: number
}

/** Positions in `header`. */
export const BlockHeader = {
  version: 0,
  run: 1,
  spill: 2,
  /** number in the spill of the event in row 0 */
  firstEvent: 3,
  /** rows in use */
  eventCount: 4,
  hitCount: 5,
  sampleCount: 6,
  rawBytes: 7,
  /** 1 when the builder closed the block, 2 when all stages ran */
  stage: 8,
  /** unix seconds of the spill */
  time: 9,
  /** event number in the run of the event in row 0 (rows count on from it) */
  firstEventInRun: 10,
  /** hits or samples that did not fit: 0 unless the shape is wrong for the data */
  overflow: 11
} as const
const HEADER_WORDS = 32

/** Bits of an event's status. 0 is a clean event. */
export const EventStatus = {
  /** at least one source is missing */
  partial: 1 << 0,
  /** after a missing fragment of a source whose policy is to distrust the rest of the spill */
  afterGap: 1 << 1,
  /** a fragment carries an error of the link or of the trigger control system */
  linkError: 1 << 2,
  /** a decoder met a fault; the hits say which */
  decodeFault: 1 << 3,
  /** the trigger source's block is missing: trigger mask and time are not known */
  noTrigger: 1 << 4,
  /** more hits than the block can hold */
  overflow: 1 << 5,
  /** the row is not used: no source sent this event number */
  absent: 1 << 6,
  /** the stages failed on the block (a bug of ours): raw bytes are good, the other columns are empty */
  notReconstructed: 1 << 7
} as const

/** Bits of a hit's status. 0 is a clean hit. */
export const HitStatus = {
  /** fewer samples than announced */
  truncated: 1 << 0,
  /** at least one sample at the end of the scale (4095) */
  saturated: 1 << 1,
  /** more than one pulse in the window */
  pileUp: 1 << 2,
  /** the pedestal samples are not flat */
  pedestalNoisy: 1 << 3,
  /** no channel of the map has this address */
  unmapped: 1 << 4,
  /** the module's event number is not the S-LINK event number */
  wrongEvent: 1 << 5,
  /** channels of the module do not rise, or one came twice */
  channelOrder: 1 << 6,
  /** no pulse above the threshold of the waveform stage */
  empty: 1 << 7,
  /** the module set its error bit */
  moduleError: 1 << 8,
  /** another number of samples than the configuration says */
  sampleCount: 1 << 9
} as const

/** Channel number of a hit whose address is not in the map. */
export const NO_CHANNEL = 0xffff

interface ColumnTypes {
  u8: Uint8Array
  u16: Uint16Array
  u32: Uint32Array
  f32: Float32Array
}

const COLUMNS = {
  // per event
  eventNumber: ['u32', 'events'],
  triggerMask: ['u32', 'events'],
  /** DATE event type: 7 physics, 8 calibration */
  eventType: ['u32', 'events'],
  /** time since start of spill, ticks of 38.88 MHz */
  timeTicks: ['u32', 'events'],
  eventStatus: ['u32', 'events'],
  /** hits of event e are hitBegin[e] .. hitBegin[e] + hitCount[e] */
  hitBegin: ['u32', 'events'],
  hitCount: ['u32', 'events'],
  /** bit k set: cut k of the selection passed */
  cutMask: ['u32', 'events'],
  /** 1: passed every cut before the signal box */
  selected: ['u32', 'events'],
  /** sum k of event e at k * events + e, GeV */
  sums: ['f32', 'eventSums'],
  // per event and source, at e * sources + s; bytes 0: not there
  fragmentOffset: ['u32', 'fragments'],
  fragmentBytes: ['u32', 'fragments'],
  fragmentStatus: ['u32', 'fragments'],
  /** DecodeFault bits of the fragment; 0 is clean */
  fragmentFaults: ['u32', 'fragments'],
  // per hit
  hitChannel: ['u16', 'hits'],
  hitEvent: ['u16', 'hits'],
  hitStatus: ['u16', 'hits'],
  sampleCount: ['u16', 'hits'],
  sampleBegin: ['u32', 'hits'],
  pedestalEven: ['f32', 'hits'],
  pedestalOdd: ['f32', 'hits'],
  /** counts above pedestal */
  amplitude: ['f32', 'hits'],
  /** ns from the first sample */
  timeNs: ['f32', 'hits'],
  /** counts x samples above pedestal */
  integral: ['f32', 'hits'],
  energyGeV: ['f32', 'hits'],
  /** ADC counts; what fills the last hit up to a multiple of 8 is 0 */
  samples: ['u16', 'samples'],
  /** S-LINK blocks as they came, each at a multiple of 4 */
  raw: ['u8', 'rawBytes']
} as const satisfies Record<string, readonly [keyof ColumnTypes, string]>

type Columns = { readonly [K in keyof typeof COLUMNS]: ColumnTypes[(typeof COLUMNS)[K][0]] }

/** Every column starts at a multiple of this, so that SIMD loads are aligned. */
const ALIGNMENT = 64
const BYTES = { u8: 1, u16: 2, u32: 4, f32: 4 } as const

function lengthOf(shape: BlockShape, of: string): number {
  switch (of) {
    case 'eventSums':
      return shape.events * shape.sums
    case 'fragments':
      return shape.events * shape.sources
    default:
      return shape[of as keyof BlockShape]
  }
}

const aligned = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT

/** Bytes that one block takes. */
export function blockBytes(shape: BlockShape): number {
  let bytes = aligned(HEADER_WORDS * 4)
  for (const [type, of] of Object.values(COLUMNS)) bytes += aligned(BYTES[type] * lengthOf(shape, of))
  return bytes
}

export interface EventBlock extends Columns {
  readonly shape: BlockShape
  readonly buffer: ArrayBufferLike
  /** byte offset of the block in `buffer` */
  readonly offset: number
  readonly header: Int32Array
  /** `raw` as the little-endian words of the S-LINK, for decoders */
  readonly rawWords: Uint32Array
}

/** Columns over `blockBytes(shape)` bytes of `buffer` from `offset` (a multiple of 64). */
export function attachBlock(buffer: ArrayBufferLike, offset: number, shape: BlockShape): EventBlock {
  let at = offset + aligned(HEADER_WORDS * 4)
  const columns: Record<string, ColumnTypes[keyof ColumnTypes]> = {}
  for (const [name, [type, of]] of Object.entries(COLUMNS)) {
    const length = lengthOf(shape, of)
    columns[name] =
      type === 'u8'
        ? new Uint8Array(buffer, at, length)
        : type === 'u16'
          ? new Uint16Array(buffer, at, length)
          : type === 'u32'
            ? new Uint32Array(buffer, at, length)
            : new Float32Array(buffer, at, length)
    at += aligned(BYTES[type] * length)
  }
  const header = new Int32Array(buffer, offset, HEADER_WORDS)
  const raw = columns['raw']!
  const rawWords = new Uint32Array(buffer, raw.byteOffset, raw.length >> 2)
  return { ...(columns as unknown as Columns), shape, buffer, offset, header, rawWords }
}

/** A block on memory of its own. */
export function makeBlock(shape: BlockShape): EventBlock {
  return attachBlock(new SharedArrayBuffer(blockBytes(shape)), 0, shape)
}

const columnsOf = (of: string): (keyof Columns)[] =>
  (Object.keys(COLUMNS) as (keyof Columns)[]).filter((name) => COLUMNS[name][1] === of)

/**
 * The columns that depend on the data and the constants alone, cut to what is in use: two passes over the same
 * fragments give the same bytes, in whatever order the sources arrived. (Not so raw, fragmentOffset and
 * fragmentStatus.) Replay compares these.
 */
export function resultColumns(
  block: EventBlock
): readonly { readonly name: string; readonly bytes: Uint8Array }[] {
  const { header, shape } = block
  const events = header[BlockHeader.eventCount]!
  const bytes = (name: keyof Columns, from: number, count: number): Uint8Array => {
    const part = block[name].subarray(from, from + count)
    return new Uint8Array(part.buffer, part.byteOffset, part.byteLength)
  }
  const result: { name: string; bytes: Uint8Array }[] = []
  for (const name of columnsOf('events')) result.push({ name, bytes: bytes(name, 0, events) })
  for (let k = 0; k < shape.sums; k++)
    result.push({ name: `sums[${k}]`, bytes: bytes('sums', k * shape.events, events) })
  for (const name of ['fragmentBytes', 'fragmentFaults'] as const)
    result.push({ name, bytes: bytes(name, 0, events * shape.sources) })
  for (const name of columnsOf('hits'))
    result.push({ name, bytes: bytes(name, 0, header[BlockHeader.hitCount]!) })
  result.push({ name: 'samples', bytes: bytes('samples', 0, header[BlockHeader.sampleCount]!) })
  return result
}
