/**
 * The reader of the S-LINK bridge finds every good frame in any chunks and counts every other byte; shown on
 * the golden stream, cut, damaged and repeated in every way, and on random damage.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { crc32c } from '../../../../core/bytes.ts'
import { type FragmentSink, FragmentStatus } from '../../../../core/fragment.ts'
import { encodeFrame, FrameKind } from '../../../../drivers/link/slink-frame.ts'
import { SlinkStream } from '../../../../drivers/link/slink-stream.ts'
import { fromHex, goldenSlink, toHex } from '../../../golden/wire/golden.ts'

const golden = goldenSlink()
const frames = golden.bridgeToController.map((entry) => fromHex(entry.frame))
const stream = Buffer.concat(frames)
const HELLO = 0
const START = 1
const FIRST = 2
const SECOND = 3
const THIRD = 5
const END = 6

/** Everything that the reader said, in order, as lines. */
class Recorder implements FragmentSink {
  readonly said: string[] = []
  startOfSpill(source: number, spill: number, cycle: number): void {
    this.said.push(`start ${source} ${spill} ${cycle}`)
  }
  fragment(source: number, spill: number, event: number, bytes: Uint8Array, status: number): void {
    this.said.push(`fragment ${source} ${spill} ${event} ${status} ${crc32c(bytes)}`)
  }
  corrupt(source: number, fault: string, bytes: number): void {
    this.said.push(`corrupt ${source} ${fault} ${bytes}`)
  }
  endOfSpill(record: object): void {
    this.said.push(`end ${JSON.stringify(record)}`)
  }
  fault(source: number, fault: string, count: number): void {
    this.said.push(`fault ${source} ${fault} ${count}`)
  }
  connection(): void {
    this.said.push('never')
  }
}

interface Outcome {
  readonly said: string[]
  readonly stream: SlinkStream
}

function read(chunks: readonly Uint8Array[], { finish = true } = {}): Outcome {
  const recorder = new Recorder()
  const reader = new SlinkStream({
    sources: [600],
    sink: recorder,
    onHello: (payload) => recorder.said.push(`hello ${crc32c(payload)}`)
  })
  for (const chunk of chunks) reader.push(chunk)
  if (finish) reader.finish()
  return { said: recorder.said, stream: reader }
}

const clean = read([stream]).said
const isFault = (line: string): boolean => line.startsWith('fault')
const faultsOf = (outcome: Outcome): string[] => outcome.said.filter(isFault)
const dataOf = (outcome: Outcome): string[] => outcome.said.filter((line) => !isFault(line))
const without = (...indices: number[]): Uint8Array[] => frames.filter((_, i) => !indices.includes(i))

/** a frame of the golden stream with other header fields and a checksum that agrees */
function resealed(index: number, change: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.from(frames[index]!)
  change(bytes)
  bytes.writeUInt32LE(crc32c(bytes.subarray(0, -4)), bytes.length - 4)
  return bytes
}
const damaged = (index: number, at: number): Buffer => {
  const bytes = Buffer.from(frames[index]!)
  bytes[at]! ^= 0x10
  return bytes
}

describe('golden stream', () => {
  test('CRC-32C has its check value', () => {
    expect(crc32c(Buffer.from(golden.crc32c.of))).toBe(golden.crc32c.value)
    expect(golden.crc32c.value).toBe(0xe3069283)
  })

  test('gives hello, start, fragments and end as they are written in the transcript', () => {
    const { startOfSpill, endOfSpill, fragments } = golden.records
    const record = endOfSpill.sources[0]!
    const block = (event: number): number =>
      crc32c(fromHex(golden.bridgeToController[[0, FIRST, SECOND, THIRD][event]!]!.payload!))
    expect(clean).toEqual([
      `hello ${crc32c(fromHex(golden.bridgeToController[HELLO]!.payload!))}`,
      `start 600 ${startOfSpill.spill} ${startOfSpill.cycle}`,
      ...fragments.map((f) => `fragment ${f.source} ${f.spill} ${f.event} 0 ${block(f.event)}`),
      `end ${JSON.stringify({
        source: record.source,
        spill: endOfSpill.spill,
        eventsSent: record.eventsSent,
        wordsSent: record.wordsSent,
        busyNs: record.busyNs
      })}`
    ])
  })

  test('what the controller says is encoded as in the transcript', () => {
    for (const entry of golden.controllerToBridge)
      expect(toHex(encodeFrame(entry.kind, entry.sequence))).toBe(entry.frame)
    const hello = golden.bridgeToController[HELLO]!
    expect(toHex(encodeFrame(FrameKind.hello, 0, fromHex(hello.payload!)))).toBe(hello.frame)
  })

  test('reads the same at every split point', () => {
    for (let at = 0; at <= stream.length; at++)
      expect(read([stream.subarray(0, at), stream.subarray(at)]).said).toEqual(clean)
  })

  test('reads the same one byte at a time', () => {
    expect(read(Array.from(stream, (byte) => Uint8Array.of(byte))).said).toEqual(clean)
  })
})

describe('damage', () => {
  const garbage = Buffer.from('no frame, but S, SL, SLN and SLNK are in it')
  const after = (index: number): Uint8Array[] => [...frames.slice(0, index), garbage, ...frames.slice(index)]

  test.each(Array.from({ length: frames.length + 1 }, (_, index) => [index]))(
    'garbage before frame %i is counted to the byte and nothing else is lost',
    (index) => {
      const outcome = read(after(index))
      expect(dataOf(outcome)).toEqual(clean)
      expect(outcome.stream.counts.faults.garbage).toBe(garbage.length)
      // "SLNK is" looks like a header, of a version that is not known
      expect(outcome.stream.counts.faults['sequence-gap']).toBe(0)
    }
  )

  test('a stream that is cut anywhere gives the frames before the cut and counts the rest', () => {
    let whole = 0
    for (let at = 0; at <= stream.length; at++) {
      const outcome = read([stream.subarray(0, at)])
      while (whole < frames.length && Buffer.concat(frames.slice(0, whole + 1)).length <= at) whole++
      const { counts } = outcome.stream
      expect(counts.frames).toBe(whole)
      expect(counts.frameBytes + counts.garbageBytes).toBe(at)
      expect(clean.slice(0, dataOf(outcome).length)).toEqual(dataOf(outcome))
    }
  })

  test('a frame with a wrong checksum is lost alone, as garbage and as a gap', () => {
    for (const at of [20, frames[FIRST]!.length - 1]) {
      const outcome = read([...frames.slice(0, FIRST), damaged(FIRST, at), ...frames.slice(FIRST + 1)])
      expect(faultsOf(outcome)).toEqual([
        'fault 600 checksum 1',
        `fault 600 garbage ${frames[FIRST]!.length}`,
        'fault 600 sequence-gap 1'
      ])
      expect(dataOf(outcome)).toHaveLength(clean.length - 1)
      expect(dataOf(outcome)[2]).toMatch(new RegExp(`^fragment 600 7 2 ${FragmentStatus.afterGap} `))
      expect(dataOf(outcome)[3]).toMatch(/^fragment 600 7 3 0 /)
    }
  })

  test('a frame that announces more than the bound is skipped', () => {
    const bytes = Buffer.from(frames[SECOND]!)
    bytes.writeUInt32LE(300_001, 8)
    const outcome = read([...frames.slice(0, SECOND), bytes, ...frames.slice(SECOND + 1)])
    expect(faultsOf(outcome)).toEqual([
      'fault 600 length 1',
      `fault 600 garbage ${bytes.length}`,
      'fault 600 sequence-gap 1'
    ])
  })

  test.each([
    ['0', 0],
    ['less than it has', 12],
    ['more than it has', 120],
    ['as much as is allowed', 300_000]
  ])(
    'a length that lies, %s, costs that frame alone, at the latest when the connection ends',
    (_, length) => {
      const bytes = Buffer.from(frames[FIRST]!)
      bytes.writeUInt32LE(length, 8)
      const outcome = read([...frames.slice(0, FIRST), bytes, ...frames.slice(FIRST + 1)])
      expect(dataOf(outcome).map((line) => line.split(' ')[0])).toEqual([
        'hello',
        'start',
        'fragment',
        'fragment',
        'end'
      ])
      expect(outcome.stream.counts.garbageBytes).toBe(bytes.length)
      expect(outcome.stream.counts.faults['sequence-gap']).toBe(1)
    }
  )

  test('frames that are missing are counted exactly by their sequence', () => {
    const outcome = read(without(FIRST, SECOND))
    expect(faultsOf(outcome)).toEqual(['fault 600 sequence-gap 2'])
    expect(dataOf(outcome)[2]).toMatch(new RegExp(`^fragment 600 7 3 ${FragmentStatus.afterGap} `))
  })

  test('a repeated data frame goes to the sink again; a repeated record does not', () => {
    const outcome = read([...frames.slice(0, THIRD), frames[FIRST]!, ...frames.slice(THIRD), frames[END]!])
    expect(faultsOf(outcome)).toEqual(['fault 600 repeated-frame 1', 'fault 600 repeated-frame 1'])
    expect(dataOf(outcome)).toEqual([...clean.slice(0, 4), clean[2], ...clean.slice(4)])
  })

  test('another version is no frame; another kind is one, and is counted', () => {
    const version = resealed(SECOND, (bytes) => bytes.writeUInt16LE(2, 4))
    const kind = resealed(SECOND, (bytes) => bytes.writeUInt16LE(9, 6))
    const put = (bytes: Buffer): Outcome =>
      read([...frames.slice(0, SECOND), bytes, ...frames.slice(SECOND + 1)])
    expect(faultsOf(put(version))).toEqual([
      'fault 600 unknown-frame 1',
      `fault 600 garbage ${version.length}`,
      'fault 600 sequence-gap 1'
    ])
    expect(faultsOf(put(kind))).toEqual(['fault 600 unknown-frame 1'])
  })

  test('a block whose size word disagrees is corrupt; one of another source is counted', () => {
    const payload = 16
    const size = resealed(SECOND, (bytes) => bytes.writeUInt16LE(5, payload))
    const zero = resealed(SECOND, (bytes) => bytes.writeUInt16LE(0, payload))
    const source = resealed(SECOND, (bytes) => bytes.writeUInt16LE(601, payload + 2))
    const short = encodeFrame(FrameKind.data, SECOND, new Uint8Array(8))
    const put = (bytes: Uint8Array): string[] =>
      read([...frames.slice(0, SECOND), bytes, ...frames.slice(SECOND + 1)]).said.filter(
        (line) => !clean.includes(line)
      )
    expect(put(size)).toEqual(['corrupt 600 slink-size 16'])
    expect(put(zero)).toEqual(['corrupt 600 slink-size 16'])
    expect(put(source)).toEqual(['fault 600 unknown-source 1'])
    expect(put(short)).toEqual(['corrupt 600 slink-size 8'])
  })

  test('records of a wrong length are counted and not used', () => {
    const start = encodeFrame(FrameKind.startOfSpill, START, new Uint8Array(12))
    const end = Buffer.from(fromHex(golden.bridgeToController[END]!.payload!))
    end.writeUInt32LE(0xffff_ffff, 4)
    const outcome = read([
      frames[HELLO]!,
      start,
      ...frames.slice(START + 1, END),
      encodeFrame(FrameKind.endOfSpill, END, end)
    ])
    expect(faultsOf(outcome)).toEqual(['fault 600 length 1', 'fault 600 length 1'])
    expect(dataOf(outcome)).toEqual(clean.filter((line) => !/^(start|end)/.test(line)))
  })

  test('the bits of a block header become status bits', () => {
    const payload = 16
    const marked = resealed(SECOND, (bytes) => {
      bytes[payload + 3]! |= 0x80
      bytes[payload + 9] = 0x01
      bytes[payload + 10] = 3
      bytes[payload + 11] = 0x80
    })
    const all =
      FragmentStatus.slinkError |
      FragmentStatus.errorWords |
      FragmentStatus.tcsError |
      FragmentStatus.firstOfRun
    const outcome = read([...frames.slice(0, SECOND), marked, ...frames.slice(SECOND + 1)])
    expect(outcome.said[3]).toMatch(new RegExp(`^fragment 600 7 2 ${all} `))
  })

  test('a frame within a frame that is damaged is found', () => {
    const inner = encodeFrame(FrameKind.data, FIRST, fromHex(golden.bridgeToController[FIRST]!.payload!))
    const outer = encodeFrame(FrameKind.data, FIRST, inner)
    outer[outer.length - 1]! ^= 1
    const outcome = read([...frames.slice(0, FIRST), outer, ...frames.slice(FIRST + 1)])
    expect(dataOf(outcome)).toEqual(clean)
    expect(outcome.stream.counts.faults.garbage).toBe(outer.length - inner.length)
  })
})

describe('several connections', () => {
  test('a spill that goes on after the connection was lost is marked once', () => {
    const recorder = new Recorder()
    const reader = new SlinkStream({ sources: [600], sink: recorder, onHello: () => undefined })
    for (const frame of frames.slice(0, SECOND)) reader.push(frame)
    reader.finish()
    const again = (index: number, sequence: number): Buffer =>
      resealed(index, (bytes) => bytes.writeUInt32LE(sequence, 12))
    reader.push(again(HELLO, 0))
    reader.push(again(THIRD, 1))
    reader.push(again(END, 2))
    expect(recorder.said.filter(isFault)).toEqual(['fault 600 reconnected 1'])
    reader.finish()
    for (const frame of frames) reader.push(frame)
    expect(recorder.said.filter(isFault)).toEqual(['fault 600 reconnected 1'])
  })
})

test('whatever happens to the bytes, every byte is in a good frame or counted as garbage', () => {
  const damage = fc.oneof(
    fc.record({ do: fc.constant('flip' as const), at: fc.nat(), bit: fc.nat(7) }),
    fc.record({ do: fc.constant('cut' as const), at: fc.nat(), length: fc.nat(200) }),
    fc.record({
      do: fc.constant('insert' as const),
      at: fc.nat(),
      bytes: fc.uint8Array({ maxLength: 60 })
    }),
    fc.record({ do: fc.constant('repeat' as const), at: fc.nat(), length: fc.nat(200) }),
    fc.record({ do: fc.constant('magic' as const), at: fc.nat() })
  )
  fc.assert(
    fc.property(
      fc.array(damage, { maxLength: 6 }),
      fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 20 }),
      (damages, sizes) => {
        let bytes = Buffer.concat([stream, stream.subarray(frames[HELLO]!.length)])
        for (const d of damages) {
          const at = d.at % (bytes.length + 1)
          const [before, rest] = [bytes.subarray(0, at), bytes.subarray(at)]
          if (d.do === 'flip') {
            bytes = Buffer.from(bytes)
            if (at < bytes.length) bytes[at]! ^= 1 << d.bit
          } else if (d.do === 'cut') bytes = Buffer.concat([before, rest.subarray(d.length)])
          else if (d.do === 'insert') bytes = Buffer.concat([before, d.bytes, rest])
          else if (d.do === 'repeat') bytes = Buffer.concat([before, rest.subarray(0, d.length), rest])
          else bytes = Buffer.concat([before, Buffer.from('SLNK'), rest])
        }
        const chunks: Uint8Array[] = []
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const size = sizes[i % sizes.length]!
          chunks.push(bytes.subarray(at, at + size))
          at += size
        }
        const outcome = read(chunks)
        const { counts } = outcome.stream
        expect(counts.bytes).toBe(bytes.length)
        expect(counts.frameBytes + counts.garbageBytes).toBe(bytes.length)
        expect(counts.faults.garbage).toBe(counts.garbageBytes)
        // and chunks make no difference
        expect(outcome.said).toEqual(read([bytes]).said)
      }
    ),
    { numRuns: 300 }
  )
})
