// What the writer writes is read by the reader that the reference files judge, and has their layout word by word.
import { expect, test } from 'vitest'
import { FragmentStatus } from '../../../../core/fragment.ts'
import { DateWriter } from '../../../../controller/store/date-writer.ts'
import { decodeBytes, parseSources } from '../../../../controller/store/decode.ts'
import { WordBuffer } from '../../../../controller/store/word-buffer.ts'
import { type FakeEvent, fill, fragment, SOURCES } from './block-fixture.ts'

const EVENTS: FakeEvent[] = [
  { number: 1, sources: [700, 600, 601] },
  { number: 2, sources: [] },
  { number: 3, sources: [700, 601], trigger: 0x80000001 },
  { number: 4, sources: [700, 600, 601], type: 8, fragmentStatus: FragmentStatus.afterGap },
  { number: 5, sources: [600], type: 0 }
]
const FORMATS = parseSources('700=trigger,600=msadc,601=msadc')

function write(): WordBuffer {
  const out = new WordBuffer(16)
  const writer = new DateWriter(4711)
  writer.startOfRun(100, out)
  writer.startOfSpill(3, 101, out)
  expect(writer.appendBlock(fill(4711, 3, 41, EVENTS), SOURCES, out)).toBe(4)
  writer.endOfSpill(3, 102, out)
  writer.endOfRun(103, out)
  return out
}

test('rows become events; what is absent is left out; types, triggers and numbers are those of the columns', () => {
  const { events, faults, headLen, version } = decodeBytes(write().bytes, FORMATS)
  expect({ faults, headLen, version }).toEqual({ faults: undefined, headLen: 68, version: 0x00030006 })
  const brief = events.map((e) => [
    e.type,
    e.run,
    e.spill,
    e.nbInRun,
    e.nbInSpill,
    e.trigger,
    e.time,
    e.attr[0]
  ])
  expect(brief).toEqual([
    [1, 4711, 0, 0, 0, 0, 100, 0],
    [5, 4711, 3, 0, 0, 0, 101, 0],
    [7, 4711, 3, 41, 1, 1, 1_700_000_000, 0],
    [7, 4711, 3, 43, 3, 0x80000001, 1_700_000_000, 0],
    [8, 4711, 3, 44, 4, 1, 1_700_000_000, 0x68000000],
    [7, 4711, 3, 45, 5, 1, 1_700_000_000, 0],
    [6, 4711, 3, 45, 0, 0, 102, 0],
    [2, 4711, 0, 45, 0, 0, 103, 0]
  ])
  const missing = events.map((e) => e.faults.map(({ code, source }) => `${code} ${source ?? ''}`))
  const all = [700, 600, 601].map((source) => `EVENT_MISSING_SRCID ${source}`)
  expect(missing).toEqual([[], [], [], [all[1]], [], [all[0], all[2]], all, []])
})

test('fragments are in the file untouched, each in an equipment of its own', () => {
  const bytes = Buffer.from(write().bytes)
  for (const event of EVENTS)
    for (const source of event.sources) expect(bytes.includes(fragment(event, source, 3))).toBe(true)
})

test('the words of an event are those of the reference files', () => {
  const { words } = write()
  const at = 2 * 17
  const equipments = [4 + 3, 3 + 4, 3 + 4].map((payload) => 7 + payload)
  const sub = 17 + equipments.reduce((sum, n) => sum + n, 0)
  const common = [0xda1e5afe, 68, 0x00030006, 7, 4711, 41, 0x00300001, 2, 0, 0, 0, 0]
  expect([...words.subarray(at, at + 17)]).toEqual([
    4 * (17 + sub),
    ...common,
    0x10,
    0xffffffff,
    1,
    1_700_000_000
  ])
  expect([...words.subarray(at + 17, at + 34)]).toEqual([4 * sub, ...common, 0, 1, 1, 1_700_000_000])
  expect([...words.subarray(at + 34, at + 41)]).toEqual([28 + 28, 64, 1, 0, 0, 0, 4])
})

test('writing the same block again and again makes the buffer grow once', () => {
  const out = new WordBuffer(16)
  const writer = new DateWriter(1)
  const block = fill(1, 1, 1, EVENTS)
  writer.appendBlock(block, SOURCES, out)
  const { words } = out
  const first = [...out.bytes]
  for (let i = 0; i < 3; i++) {
    out.clear()
    writer.appendBlock(block, SOURCES, out)
    expect(out.words).toBe(words)
    expect([...out.bytes]).toEqual(first)
  }
})

test.each([
  ['spill 4096', 4096, 1, 1],
  ['event 2^20', 1, 1 << 20, 1],
  ['a negative event number in the run', 1, 1, -10]
])('%s does not fit and is refused before anything is written', (_, spill, number, firstInRun) => {
  const out = new WordBuffer()
  const block = fill(1, spill, firstInRun, [
    { number: 1, sources: [600] },
    { number, sources: [600] }
  ])
  expect(() => new DateWriter(1).appendBlock(block, SOURCES, out)).toThrow(/does not fit/)
  expect(out.length).toBe(0)
})

test('a run number that does not fit is refused', () => {
  expect(() => new DateWriter(2 ** 32)).toThrow(/run number/)
})

test('the end of a spill holds an empty block of every source, so that no decoder misses one', () => {
  const out = new WordBuffer()
  const writer = new DateWriter(9)
  writer.startOfSpill(3, 100, out)
  const empty = [
    { source: 600, format: 0, words: 0 },
    { source: 700, format: 0x30, words: 4 }
  ]
  writer.endOfSpill(3, 101, out, empty)
  const { events } = decodeBytes(out.bytes, parseSources('600=msadc,700=trigger'))
  expect(events.map((event) => [event.type, event.spill, event.nbInSpill])).toEqual([
    [5, 3, 0],
    [6, 3, 1]
  ])
  expect(events[1]!.faults).toEqual([])
  expect(events[1]!.subs[0]!.equipments.map(({ slink }) => slink?.src)).toEqual([600, 700])
})
