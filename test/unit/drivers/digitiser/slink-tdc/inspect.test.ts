// The F1 inspector follows the state machine of the collaboration's decoder: the same faults, the same hits kept.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type F1DebugPayload, inspectF1 } from '../../../../../drivers/digitiser/slink-tdc/inspect.ts'
import { payload } from '../payload-fixture.ts'

interface HeaderOptions {
  time?: number
  event?: number
  pll?: number
  overflow?: number
}
const head = (port: number, { time = 100, event = 9, pll = 15, overflow = 0 }: HeaderOptions = {}): number =>
  pll | (port << 4) | (time << 15) | (event << 24) | (overflow << 30)
const hit = (port: number, chip: number, channel: number, time: number, pll = 15): number =>
  (pll | (port << 4) | (time << 8) | (channel << 24) | (chip << 27) | (1 << 31)) >>> 0
const error = (code: number, port = 0, geoId = 0, special = 0): number =>
  ((0xfff << 20) | (geoId << 10) | (port << 6) | (special << 4) | code) >>> 0

const debug = (words: number[], format = 1): { result: F1DebugPayload; codes: string[] } => {
  const { view, codes } = payload(words, { format })
  return { result: inspectF1(view) as F1DebugPayload, codes: codes() }
}
const hits = (result: F1DebugPayload): unknown =>
  result.ports.map((port) => [port.port, port.hits.length, port.discarded?.length ?? 0])

describe('debug mode', () => {
  test('ports with header, hits and trailer', () => {
    const { result, codes } = debug([
      head(2),
      hit(2, 1, 3, 4660),
      hit(2, 7, 7, 65535),
      head(2),
      head(9),
      head(9)
    ])
    expect(codes).toEqual([])
    expect(result).toEqual({
      kind: 'f1debug',
      ports: [
        {
          port: 2,
          trigTime: 100,
          hits: [
            [1, 3, 4660],
            [7, 7, 65535]
          ]
        },
        { port: 9, trigTime: 100, hits: [] }
      ]
    })
  })

  test.each<[string, number[], string[], [number, number, number][]]>([
    [
      'an event number that is too large',
      [head(2, { event: 10 }), hit(2, 0, 0, 1), head(2, { event: 10 })],
      ['TDC_ERR7U', 'TDC_ERR7U'],
      [[2, 0, 1]]
    ],
    [
      'an event number that is too small',
      [head(2, { event: 8 }), hit(2, 0, 0, 1), head(2, { event: 8 })],
      ['TDC_ERR3U', 'TDC_ERR3U'],
      [[2, 0, 1]]
    ],
    [
      'a trailer with another event number: the hits were taken',
      [head(2), hit(2, 0, 0, 1), head(2, { event: 10 })],
      ['TDC_ERR7U'],
      [[2, 1, 0]]
    ],
    [
      'a trigger time that is off by more than 2',
      [head(2), head(2), head(9, { time: 103 }), hit(9, 0, 0, 1), head(9, { time: 103 })],
      ['TDC_WRTIME'],
      [
        [2, 0, 0],
        [9, 0, 1]
      ]
    ],
    [
      'a trigger time that is off by 2',
      [head(2), head(2), head(9, { time: 102 }), hit(9, 0, 0, 1), head(9, { time: 102 })],
      [],
      [
        [2, 0, 0],
        [9, 1, 0]
      ]
    ],
    [
      'data of another port',
      [head(2), hit(3, 0, 0, 1), head(2)],
      ['TDC_WRPORT'],
      [
        [2, 0, 0],
        [3, 0, 1]
      ]
    ],
    ['a trailer of another port', [head(2), hit(2, 0, 0, 1), head(3)], ['TDC_WRPORT_T'], [[2, 1, 0]]],
    [
      'data after the trailer',
      [head(2), head(2), hit(2, 0, 0, 1), head(2)],
      ['TDC_ERR1U'],
      [
        [2, 0, 0],
        [2, 0, 1]
      ]
    ],
    [
      'a header whose PLL is not locked',
      [head(2, { pll: 7 }), hit(2, 0, 0, 1), head(2)],
      ['TDC_WRPLL_H'],
      [[2, 0, 1]]
    ],
    ['a hit whose PLL is not locked', [head(2), hit(2, 0, 0, 1, 7), head(2)], ['TDC_WRPLL'], [[2, 0, 1]]],
    [
      'a trigger buffer overflow',
      [head(2, { overflow: 1 }), hit(2, 0, 0, 1), head(2)],
      ['TDC_TBO'],
      [[2, 0, 1]]
    ],
    ['a port without trailer', [head(2), hit(2, 0, 0, 1)], ['TDC_NO_TRAILER'], [[2, 1, 0]]],
    [
      'error 1 and the header it is about',
      [error(1, 2, 17), head(2), hit(2, 0, 0, 1), head(2)],
      ['TDC_ERR1'],
      [[2, 0, 1]]
    ],
    [
      'error 5, which loses nothing',
      [head(2), hit(2, 0, 0, 1), error(5, 2), head(2)],
      ['TDC_ERR5'],
      [[2, 1, 0]]
    ],
    ['error 3 about a right number', [error(3, 9), head(2), head(2)], ['TDC_ERR3', 'TDC_WRERR'], [[2, 0, 0]]],
    ['special code 2', [error(0, 9, 0, 2), head(2), head(2)], ['TDC_SERR2', 'TDC_NO_TRAILER'], [[2, 0, 0]]],
    [
      'headers left out, as in 127 of 128 events',
      [hit(2, 0, 0, 1), hit(2, 0, 1, 2), hit(4, 0, 0, 1)],
      [],
      [
        [2, 2, 0],
        [4, 1, 0]
      ]
    ]
  ])('%s', (_, words, expected, kept) => {
    const { result, codes } = debug(words)
    expect(codes).toEqual(expected)
    expect(hits(result)).toEqual(kept)
  })

  test('with HOTLink (format bit 6) the PLL bits mean nothing', () => {
    expect(debug([head(2, { pll: 0 }), hit(2, 0, 0, 1, 0), head(2, { pll: 0 })], 0x41).codes).toEqual([])
  })
})

describe('sparsified mode', () => {
  const word = (geoId: number, chip: number, channel: number, time: number): number =>
    ((geoId << 22) | (chip << 19) | (channel << 16) | time) >>> 0

  test('hits', () => {
    const { view, faults } = payload([word(300, 4, 2, 5611), word(17, 0, 0, 1)], { format: 3 })
    expect(inspectF1(view)).toEqual({
      kind: 'f1sparse',
      hits: [
        [300, 4, 2, 5611],
        [17, 0, 0, 1]
      ]
    })
    expect(faults).toEqual([])
  })

  test('an error word takes the next word with it, and its geoID out of use', () => {
    const { view, faults } = payload(
      [word(17, 1, 1, 1), error(2, 3, 17), word(17, 2, 2, 2), word(17, 3, 3, 3)],
      { format: 3 }
    )
    expect(inspectF1(view)).toEqual({ kind: 'f1sparse', hits: [[17, 1, 1, 1]], discarded: [[17, 3, 3, 3]] })
    expect(faults).toEqual([{ code: 'TDC_ERR2', index: 1, port: 3, geoId: 17, got: 2 }])
  })

  test('an error word at the end', () => {
    const { view, codes } = payload([error(4)], { format: 3 })
    expect(inspectF1(view)).toMatchObject({ hits: [] })
    expect(codes()).toEqual(['TDC_ERR4'])
  })
})

test('any words end and read nothing outside the payload', () => {
  const word = fc.oneof(
    fc.integer(),
    fc.nat(15).map((code) => error(code, code, code)),
    fc.nat(15).map((p) => head(p))
  )
  fc.assert(
    fc.property(fc.array(word, { maxLength: 40 }), fc.nat(255), (words, format) => {
      inspectF1(payload(words, { format }).view)
    })
  )
})
