// The DATE reader on files that nobody would write: every word of a header damaged, lengths that lie, other header
// forms, random damage. It must say what is wrong, keep the rest, never throw and never hang.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { constants, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isCode } from '../../../../core/errors.ts'
import { walkDate } from '../../../../controller/store/date-walk.ts'
import {
  decodeBytes,
  decodeFile,
  type DecodedEvent,
  type DecodedFile,
  parseSources
} from '../../../../controller/store/decode.ts'
import {
  equipment36,
  equipmentOld,
  event36,
  eventOld,
  msadcModule,
  multiplexer,
  NUMBERS,
  slink,
  words
} from './date-fixture.ts'

const golden = (name: string): Buffer =>
  readFileSync(join(import.meta.dirname, `../../../golden/date/${name}.date`))
const small = golden('small')
const formats = parseSources('600=msadc,601=msadc,610=apv,620=f1,621=f1')
const good = decodeBytes(small, formats)
/** events of small.date: SOR, SOB, three physics, EOB, EOR */
const STARTS = good.events.map((event) => event.offset)

const codes = (event: DecodedEvent): string[] => event.faults.map((fault) => fault.code)
const numbers = (file: DecodedFile): string[] =>
  file.events.map((event) => `${event.type}:${event.nbInRun}:${event.nbInSpill}`)
/** the event apart from where it is */
const content = (event: DecodedEvent): unknown =>
  JSON.parse(JSON.stringify(event, (key, value: unknown) => (key === 'offset' ? undefined : value)))

function damaged(change: (bytes: Buffer) => void): DecodedFile {
  const bytes = Buffer.from(small)
  change(bytes)
  return decodeBytes(bytes, formats)
}

describe('outer header of the second physics event', () => {
  const at = STARTS[3]!
  const values = [0, 1, 4, 66, 0x44, 0x1000, 0x7fffffff, 0xfffffffc, 0xffffffff, 0xda1e5afe]
  test.each(Array.from({ length: 17 }, (_, i) => i))(
    'word %i may hold anything: the other events stay as they were, and it is not silently good',
    (index) => {
      for (const value of values) {
        const before = small.readUInt32LE(at + 4 * index)
        if (before === value) continue
        const file = damaged((bytes) => bytes.writeUInt32LE(value, at + 4 * index))
        const others = good.events.filter((event) => event.offset !== at).map(content)
        const found = file.events.map(content)
        for (const other of others) expect(found, `value ${value}`).toContainEqual(other)
        const isChecked = index < 8 || index === 13
        const isFaulty =
          file.faults !== undefined || file.events.some((e) => e.type !== 6 && e.faults.length > 0)
        // type 1 to 5, 9 and 10 are events without data; of word 13 only the super-event bit counts
        const isAllowed = (index === 4 && value === 4) || (index === 13 && (value & 0x10) !== 0)
        // version above 0xffff is compared with the sub-events only
        if (isChecked && !isAllowed) expect(isFaulty, `word ${index} value ${value}`).toBe(true)
      }
    }
  )

  test.each([0, 1, 4, 908, 1192, 1200, 0xfffffffc])(
    'size %i: the event is found whole all the same',
    (size) => {
      const file = damaged((bytes) => bytes.writeUInt32LE(size, at))
      expect(codes(file.events[3]!)).toEqual(['EVENT_BAD_SIZE'])
      expect({ ...file.events[3]!, faults: [] }).toEqual(good.events[3])
      expect(file.faults).toBeUndefined()
      expect(numbers(file)).toEqual(numbers(good))
    }
  )

  test('a size that swallows the next event is not believed', () => {
    const file = damaged((bytes) => bytes.writeUInt32LE(STARTS[5]! - at, at))
    expect(codes(file.events[3]!)).toEqual(['EVENT_BAD_SIZE'])
    expect(file.events.slice(4)).toEqual(good.events.slice(4))
  })

  test('a header that is nothing but noise leaves the sub-events, which are put together again', () => {
    const file = damaged((bytes) => bytes.fill(0xa5, at, at + 68))
    expect(file.faults).toMatchObject([{ code: 'FILE_GARBAGE', offset: at, bytes: 68 }])
    const event = file.events[3]!
    expect(codes(event)).toEqual(['EVENT_HEADER_LOST'])
    expect(event.subs).toEqual(good.events[3]!.subs)
    expect(numbers(file)).toEqual(numbers(good))
  })

  test('without the super-event bit the body is equipments, as the reference decoder sees it', () => {
    const file = damaged((bytes) => bytes.writeUInt32LE(0, at + 52))
    expect(codes(file.events[3]!).filter((code) => code === 'EVENT_CORRUPTED2')).toHaveLength(2)
    expect(codes(file.events[3]!).filter((code) => code === 'EVENT_MISSING_SRCID')).toHaveLength(5)
    expect(file.events.slice(4)).toEqual(good.events.slice(4))
  })
})

describe('between and around events', () => {
  test.each([1, 3, 4, 68, 500])(
    '%i bytes of garbage are counted and skipped, wherever they are',
    (length) => {
      const garbage = Buffer.alloc(length, 0x5a)
      for (const at of [...STARTS, small.length]) {
        const file = decodeBytes(Buffer.concat([small.subarray(0, at), garbage, small.subarray(at)]), formats)
        expect(numbers(file)).toEqual(numbers(good))
        expect(file.events.map(content)).toEqual(good.events.map(content))
        expect(file.faults).toMatchObject([{ offset: at, bytes: length }])
      }
    }
  )

  test('whatever the length of the file, the complete events are there and the cut is said', () => {
    for (let length = 0; length < small.length; length++) {
      const file = decodeBytes(small.subarray(0, length), formats)
      const complete = good.events.filter((event) => event.offset + event.size <= length)
      expect(file.events.slice(0, complete.length)).toEqual(complete)
      const isWhole = STARTS.includes(length) || length === 0
      expect(file.faults === undefined, `length ${length}`).toBe(isWhole)
    }
  })

  test('an event that comes twice is given twice', () => {
    const again = small.subarray(STARTS[3], STARTS[4])
    const file = decodeBytes(
      Buffer.concat([small.subarray(0, STARTS[4]), again, small.subarray(STARTS[4])]),
      formats
    )
    expect(file.events).toHaveLength(8)
    expect(file.faults).toBeUndefined()
  })

  test('an empty file is no event and no fault', () => {
    expect(decodeBytes(Buffer.alloc(0), formats)).toEqual({ bytes: 0, headLen: 0, version: 0, events: [] })
  })
})

describe('inside an event', () => {
  const event = (...equipments: Buffer[]): DecodedEvent => {
    const sub = event36(NUMBERS, Buffer.concat(equipments), false)
    return decodeBytes(event36(NUMBERS, sub, true), parseSources('600=msadc,601=msadc')).events[0]!
  }
  const module = msadcModule(NUMBERS.eventInSpill, 0, 0, [1, 2, 3, 4])
  const first = equipment36(slink({ source: 600 }, ...module))
  const second = equipment36(slink({ source: 601 }, ...module))

  test('clean', () => expect(codes(event(first, second))).toEqual([]))

  test.each([
    ['a source twice', [first, first, second], ['SOURCE_TWICE']],
    [
      'another spill number',
      [equipment36(slink({ source: 600, spill: 4 }, ...module)), second],
      ['SLINK_WRONG_SPILL']
    ],
    ['an equipment without S-LINK', [equipment36(words(1, 2)), first, second], ['EQUIPMENT_SKIPPED']],
    [
      'an equipment of size 0',
      [first, Buffer.alloc(28), second],
      ['EVENT_CORRUPTED1', 'EVENT_MISSING_SRCID']
    ],
    [
      'an equipment beyond the event',
      [first, words(4000, 64, 1, 0, 0, 0, 4), second],
      ['EVENT_CORRUPTED0', 'EVENT_MISSING_SRCID']
    ],
    ['half an equipment header', [first, second, words(28, 64)], ['EVENT_CORRUPTED0']],
    [
      'a first-of-run block',
      [equipment36(slink({ source: 600, format: 0x80 }, 1, 2)), second],
      ['SLINK_FIRST_OF_RUN']
    ],
    [
      'all TCS bits',
      [equipment36(slink({ source: 600, tcs: 0xf7 }, ...module)), second],
      ['TCS_FIFO', 'TCS_ECC', 'TCS_SYNC', 'TCS_UNDEF']
    ],
    [
      'a source with a format without reader',
      [first, second, equipment36(slink({ source: 33, format: 0x12 }, 7))],
      ['SLINK_UNSUPPORTED', 'EVENT_UNKNOWN_SRCID']
    ]
  ])('%s', (_, equipments, expected) => {
    const found = event(...equipments)
    expect(codes(found)).toEqual(expected)
    const sources = found.subs[0]!.equipments.map(({ slink: s }) => s?.src)
    expect(sources).toContain(600)
  })

  test('a multiplexer whose own size is wrong is read by the size of its equipment', () => {
    const mux = multiplexer(900, slink({ source: 600 }, ...module), slink({ source: 601 }, ...module))
    expect(codes(event(equipment36(mux)))).toEqual([])
    mux.writeUInt16LE(3, 0)
    expect(codes(event(equipment36(mux)))).toEqual(['EVENT_CORRUPTED2'])
  })

  test('a sub-event that lies about its size ends at the next one', () => {
    const a = event36(NUMBERS, first, false)
    const b = event36(NUMBERS, second, false)
    for (const size of [0, 6, 4, 72, 100_000]) {
      a.writeUInt32LE(size, 0)
      const file = decodeBytes(
        event36(NUMBERS, Buffer.concat([a, b]), true),
        parseSources('600=msadc,601=msadc')
      )
      const found = file.events[0]!
      expect(file.events).toHaveLength(1)
      expect(codes(found).length).toBeGreaterThan(0)
      expect(found.subs.flatMap((sub) => sub.equipments).map(({ slink: s }) => s?.src)).toContain(601)
    }
  })

  test('sub-events inside a sub-event are read and reported', () => {
    const inner = event36(NUMBERS, event36(NUMBERS, Buffer.concat([first, second]), false), true)
    const found = decodeBytes(event36(NUMBERS, inner, true), parseSources('600=msadc,601=msadc')).events[0]!
    expect(codes(found)).toEqual(['SUBEVENT_NESTED'])
  })
})

describe('header forms', () => {
  const module = msadcModule(NUMBERS.eventInSpill, 2, 1, [10, 20, 30])
  const sources = parseSources('600=msadc')
  const channels = [{ ch: 0, sum: 60, samples: '00a01401e' }]

  test.each([0, 4, 12])('a 3.6 header with %i more bytes', (extra) => {
    const body = equipment36(slink({ source: 600 }, ...module), 7)
    const file = decodeBytes(event36(NUMBERS, event36(NUMBERS, body, false, extra), true, extra), sources)
    expect(file).toMatchObject({ headLen: 68 + extra, version: 0x0003000b })
    expect(file.events[0]!.subs[0]!.equipments[0]).toMatchObject({
      id: 7,
      slink: { payload: { modules: [{ port: 2, adc: 1, channels }] } }
    })
    expect(file.events[0]!.faults).toEqual([])
  })

  test('the old header, with sub-events', () => {
    const body = equipmentOld(slink({ source: 600 }, ...module), 7)
    const file = decodeBytes(eventOld(NUMBERS, eventOld(NUMBERS, body, false), true), sources)
    expect(file).toMatchObject({ headLen: 80 })
    expect(file.events[0]).toMatchObject({
      ...{ type: 7, run: 5, spill: 3, nbInRun: 40, nbInSpill: 9, trigger: 0x80000001, time: 1_700_000_000 },
      subs: [{ equipments: [{ type: 64, id: 7, slink: { payload: { modules: [{ channels }] } } }] }],
      faults: []
    })
  })

  test('a top-level event of equipments', () => {
    const body = equipment36(slink({ source: 600 }, ...module))
    const event = decodeBytes(event36(NUMBERS, body, false), sources).events[0]!
    expect(event.equipments).toMatchObject([{ slink: { src: 600 } }])
    expect(event.faults).toEqual([])
  })

  test.each([
    [0x20007, 'EVENT_SWAPPED'],
    [77, 'EVENT_UNKNOWN']
  ])('type %i is not unpacked', (type, code) => {
    const body = equipment36(slink({ source: 600 }, ...module))
    expect(codes(decodeBytes(event36({ ...NUMBERS, type }, body, false), sources).events[0]!)).toEqual([code])
  })
})

test('an APV source that leaves out an ADC is noticed from the rest of the file', () => {
  const adcs = (event: number, ...ids: number[]): Buffer =>
    event36(
      { ...NUMBERS, eventInSpill: event },
      equipment36(slink({ source: 610, event }, ...ids.flatMap((id) => [2 | (id << 16), 5]))),
      false
    )
  const bytes = Buffer.concat([adcs(1, 3, 4), adcs(2, 3), adcs(3, 3, 4)])
  const { events } = decodeBytes(bytes, parseSources('610=apv'))
  expect(events.map(({ faults }) => faults.map(({ code, source, adc }) => [code, source, adc]))).toEqual([
    [],
    [['APV_MISS_ADC', 610, 4]],
    []
  ])
})

describe('compressed files', () => {
  const frame = (bytes: Uint8Array): Buffer =>
    zstdCompressSync(bytes, { params: { [constants.ZSTD_c_checksumFlag]: 1 } })
  const cut = STARTS[3]! + 100
  const frames = [
    frame(small.subarray(0, cut)),
    frame(small.subarray(cut, cut + 1000)),
    frame(small.subarray(cut + 1000))
  ]
  const skippable = Buffer.concat([words(0x184d2a5e, 5), Buffer.from('hello')])

  test('frames may cut events, and skippable ones are skipped', () => {
    const bytes = Buffer.concat([skippable, frames[0]!, skippable, frames[1]!, frames[2]!, skippable])
    expect(decodeBytes(bytes, formats)).toEqual(good)
  })

  test('whatever the cut, complete frames are read and the cut is said', () => {
    const whole = Buffer.concat([frame(small.subarray(0, STARTS[3])), frame(small.subarray(STARTS[3]))])
    const first = frame(small.subarray(0, STARTS[3])).length
    for (let length = first + 1; length < whole.length; length += 7) {
      const file = decodeBytes(whole.subarray(0, length), formats)
      expect(file.events).toEqual(good.events.slice(0, 3))
      expect(file.faults).toMatchObject([{ code: 'FRAME_TRUNCATED', offset: first, bytes: length - first }])
    }
  })

  test('a damaged frame and garbage between frames cost themselves', () => {
    const parts = [0, 3, 4, 7].map((from, i, all) =>
      frame(small.subarray(STARTS[from] ?? small.length, STARTS[all[i + 1] ?? 7]))
    )
    parts[1]![parts[1]!.length - 1]! ^= 1
    const file = decodeBytes(
      Buffer.concat([parts[0]!, Buffer.from('rubbish!'), parts[1]!, parts[2]!]),
      formats
    )
    expect(file.faults!.map((fault) => fault.code)).toEqual(['FRAME_GARBAGE', 'FRAME_DAMAGED'])
    expect(file.events.map(content)).toEqual([0, 1, 2, 4, 5, 6].map((i) => content(good.events[i]!)))
  })
})

describe('random damage', () => {
  const sources = ['small', 'unknown-source', 'apv-frame-bad', 'bad-sample-count'].map(golden)
  const change = fc.oneof(
    fc.record({ kind: fc.constant('set' as const), at: fc.nat(), value: fc.nat(255) }),
    fc.record({ kind: fc.constant('word' as const), at: fc.nat(), value: fc.integer() }),
    fc.record({ kind: fc.constant('cut' as const), at: fc.nat(), value: fc.nat(300) }),
    fc.record({ kind: fc.constant('insert' as const), at: fc.nat(), value: fc.nat(90) }),
    fc.record({ kind: fc.constant('repeat' as const), at: fc.nat(), value: fc.nat(1500) })
  )
  const apply = (bytes: Buffer, { kind, at, value }: { kind: string; at: number; value: number }): Buffer => {
    const p = at % (bytes.length + 1)
    const after = bytes.subarray(p)
    const before = bytes.subarray(0, p)
    switch (kind) {
      case 'set':
        if (p < bytes.length) bytes[p] = value
        return bytes
      case 'word':
        if (4 * (p >> 2) + 4 <= bytes.length) bytes.writeInt32LE(value, 4 * (p >> 2))
        return bytes
      case 'cut':
        return Buffer.concat([before, after.subarray(value)])
      case 'insert':
        return Buffer.concat([before, Buffer.alloc(value, at & 0xff), after])
      default:
        return Buffer.concat([before, after.subarray(0, value), after])
    }
  }

  test('never throws, always ends, and accounts for every byte once', () => {
    fc.assert(
      fc.property(fc.nat(3), fc.array(change, { minLength: 1, maxLength: 12 }), (which, changes) => {
        let bytes: Buffer = Buffer.from(sources[which]!)
        for (const one of changes) bytes = apply(bytes, one)
        decodeBytes(bytes, formats)
        let at = 0
        for (const item of walkDate(bytes)) {
          if (item.kind === 'event') {
            expect(item.event.offset).toBe(at)
            expect(item.event.end).toBeGreaterThan(at)
            at = item.event.end
          } else if (item.fault.code !== 'FILE_TRUNCATED' || item.fault.offset < bytes.length) {
            expect(item.fault.offset).toBe(at)
            at += item.fault.bytes
          }
        }
        expect(at).toBe(bytes.length)
      }),
      { numRuns: 1500 }
    )
  })

  test('a stream that comes in pieces gives the same events, wherever it is split', () => {
    const collect = (pieces: readonly Buffer[]): string[] => {
      const found: string[] = []
      let rest = Buffer.alloc(0)
      let base = 0
      pieces.forEach((piece, i) => {
        rest = Buffer.concat([rest, piece])
        const walk = walkDate(rest, i === pieces.length - 1)
        let step = walk.next()
        for (; step.done !== true; step = walk.next()) {
          const item = step.value
          const at = item.kind === 'event' ? [item.event.offset, item.event.end] : [item.fault.offset]
          found.push(`${item.kind} ${at.map((p) => p + base).join(' ')}`)
        }
        base += step.value
        rest = rest.subarray(step.value)
      })
      return found
    }
    for (const bytes of [small, golden('bad-magic'), golden('truncated'), golden('subevent-header')]) {
      const whole = collect([bytes])
      for (let cut = 0; cut <= bytes.length; cut += 3)
        expect(collect([bytes.subarray(0, cut), bytes.subarray(cut)]), `cut ${cut}`).toEqual(whole)
    }
    const bytewise = Array.from(small, (_, i) => small.subarray(i, i + 1))
    expect(collect(bytewise)).toEqual(collect([small]))
  })

  test('4 MB of magic words and lying sizes take less than 5 s', () => {
    const bytes = Buffer.alloc(4 << 20)
    for (let at = 0; at < bytes.length; at += 4)
      bytes.writeUInt32LE(at % 8 === 4 ? 0xda1e5afe : 68 + (at % 512), at)
    const many = Buffer.concat(
      Array.from({ length: 1000 }, (_, i) => {
        const copy = Buffer.from(small.subarray(STARTS[2], STARTS[3]))
        copy.writeUInt32LE(i % 3 === 0 ? 0 : 0xfffffffc, 0)
        return copy
      })
    )
    const start = performance.now()
    decodeBytes(bytes, formats)
    decodeBytes(many, formats)
    expect(performance.now() - start).toBeLessThan(5000)
  })
})

describe('files and words of the command line', () => {
  test('a file that is not there is told so', () => {
    let caught: unknown
    try {
      decodeFile('/no/such.date', formats)
    } catch (error) {
      caught = error
    }
    expect(isCode(caught, 'not-found')).toBe(true)
  })

  test('a file that would not fit into memory is refused', () => {
    const folder = mkdtempSync(join(tmpdir(), 'decode-'))
    try {
      writeFileSync(join(folder, 'a.date'), small)
      expect(() => decodeFile(join(folder, 'a.date'), formats, 1000)).toThrow(/more than 1000/)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('sources are numbers with a format', () => {
    expect([...parseSources(' 600=msadc, 610=apv,620=f1,700=trigger,5=scaler')]).toEqual([
      [600, 'msadc'],
      [610, 'apv'],
      [620, 'f1'],
      [700, 'trigger'],
      [5, 'scaler']
    ])
  })

  test.each([
    '',
    '600',
    '600=',
    '=msadc',
    '600=adc',
    '900=msadc',
    '600=msadc,600=apv',
    '600=msadc,,',
    '-1=f1'
  ])('"%s" is refused as a usage error', (text) => {
    let caught: unknown
    try {
      parseSources(text)
    } catch (error) {
      caught = error
    }
    expect(isCode(caught, 'usage')).toBe(true)
  })
})
