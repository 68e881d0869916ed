// The APV inspector: layout as in the reference files, the same faults and the same hits kept as by the
// collaboration's decoder.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ApvPayload, inspectApv } from '../../../../../drivers/digitiser/slink-apv/inspect.ts'
import { payload, type Reported } from '../payload-fixture.ts'

const TAG = 1234
const adc = (id: number, format: number, body: number[], tag = TAG): number[] => [
  (2 + body.length) | (id << 16),
  (tag | (format << 24)) >>> 0,
  ...body
]
const gray = (column: number): number => (column + 32) ^ ((column + 32) >> 1)
const frames = (good: number, column: number): number =>
  [0, 9, 18].reduce((word, at) => word | ((good | (gray(column) << 1)) << at), 0)
const chip = (
  number: number,
  data: number[],
  options: { event?: number; size?: number; good?: number; column?: number } = {}
): number[] => [
  ((options.size ?? 2 + data.length) | ((options.event ?? 9) << 16) | (number << 28)) >>> 0,
  frames(options.good ?? 1, options.column ?? 7),
  ...data
]
const sparse = (channel: number, a: number, b: number, c: number): number =>
  ((channel << 25) | (c << 16) | (b << 8) | a) >>> 0
const common = (a: number, b: number, c: number): number => ((2 << 30) | (c << 20) | (b << 10) | a) >>> 0

function inspect(
  words: number[],
  isDistrusted = false
): { result: ApvPayload; faults: Reported[]; codes: string[] } {
  const { view, faults, codes } = payload(words, { isDistrusted })
  const result = inspectApv(view, { first: undefined, hasFailed: false })
  return { result, faults, codes: codes() }
}
const kept = (result: ApvPayload): unknown =>
  result.adcs.flatMap((a) => a.apvs.map((c) => [c.data.length, c.discarded?.length ?? 0]))

test('sparse with common mode, and latch-all', () => {
  const { result, codes } = inspect([
    ...adc(3, 0x0b, chip(5, [sparse(127, 1, 2, 511), common(10, 20, 1023)])),
    ...adc(4, 0x01, chip(1, [1 | (2 << 10) | (3 << 20), 4]))
  ])
  expect(codes).toEqual([])
  const shared = { good: [1, 1, 1], column: 7, gray: [gray(7), gray(7), gray(7)] }
  expect(result.adcs).toEqual([
    {
      id: 3,
      format: 0x0b,
      timeTag: TAG,
      apvs: [{ chip: 5, ...shared, commonMode: [10, 20, 1023], data: [[127, 1, 2, 511]] }]
    },
    {
      id: 4,
      format: 0x01,
      timeTag: TAG,
      apvs: [
        {
          chip: 1,
          ...shared,
          data: [
            [0, 1, 2, 3],
            [1, 4, 0, 0]
          ]
        }
      ]
    }
  ])
})

test.each([0, 191])('column %i', (column) => {
  const { result, codes } = inspect(adc(3, 3, chip(0, [], { column })))
  expect(result.adcs[0]!.apvs[0]!.column).toBe(column)
  expect(codes).toEqual([])
})

describe('damage', () => {
  const good = chip(0, [sparse(1, 1, 1, 1)])
  test.each<[string, number[], string[], [number, number][]]>([
    ['an ADC block beyond the source', [...adc(3, 3, good), 9 | (4 << 16), 0], ['APV_ADC_OUT'], [[0, 1]]],
    ['an ADC block of size 0', [...adc(3, 3, good), 4 << 16, 0], ['APV_ADC_OUT'], [[0, 1]]],
    ['one word left', [...adc(3, 3, good), 2], ['APV_ADC_OUT'], [[0, 1]]],
    [
      'an APV block beyond its ADC',
      adc(3, 3, [...good, ...chip(1, [], { size: 50 })]),
      ['APV_APV_OUT'],
      [[0, 1]]
    ],
    ['an APV block of size 0', adc(3, 3, [...good, ...chip(1, [], { size: 0 })]), ['APV_APV_OUT'], [[0, 1]]],
    [
      'another event number: what came before is kept',
      adc(3, 3, [...good, ...chip(1, [1], { event: 8 })]),
      ['APV_H_WR_EV'],
      [[1, 0]]
    ],
    [
      'a frame that is not good, per hit',
      adc(3, 3, chip(0, [1, 2, 3], { good: 0 })),
      ['APV_H_S_E', 'APV_H_S_E', 'APV_H_S_E'],
      [[0, 3]]
    ],
    ['a frame that is not good, without hits', adc(3, 3, chip(0, [], { good: 0 })), ['APV_H_S_E'], [[0, 0]]],
    [
      'other time tags',
      [...adc(3, 3, good), ...adc(4, 3, good, 5), ...adc(5, 3, good, 6)],
      ['APV_LOCAL_TIMETAG_FAILED', 'APV_LAST_TRIGGER_TICKS_FAILED', 'APV_LOCAL_TIMETAG_FAILED'],
      [
        [1, 0],
        [1, 0],
        [1, 0]
      ]
    ],
    ['single-frame readout', adc(3, 2, good), ['APV_SINGLE_FRAME'], []],
    ['skipped data', adc(3, 0x23, []), ['APV_DATA_SKIPPED'], []],
    ['a column that does not exist', adc(3, 3, chip(0, [], { column: -32 })), ['APV_BAD_ADDRESS'], [[0, 0]]],
    ['no common-mode word', adc(3, 0x0b, chip(0, [7])), ['APV_BAD_COMMON_MODE'], [[0, 0]]]
  ])('%s', (_, words, expected, hits) => {
    const { result, codes } = inspect(words)
    expect(codes).toEqual(expected)
    expect(kept(result)).toEqual(hits)
  })

  test('a source that lost synchronisation keeps its hits as discarded', () => {
    expect(kept(inspect(adc(3, 3, good), true).result)).toEqual([[0, 1]])
  })

  test('words that cannot be read are kept', () => {
    expect(inspect([...adc(3, 3, good), 9 | (4 << 16), 0xabc]).result.rest).toEqual(['00040009', '00000abc'])
  })
})

test('any words end and read nothing outside the payload', () => {
  const word = fc.oneof(
    fc.integer(),
    fc.nat(12).map((size) => size | (9 << 16)),
    fc.constant(0x0b000000)
  )
  fc.assert(
    fc.property(fc.array(word, { maxLength: 40 }), (words) => {
      inspect(words)
    })
  )
})
