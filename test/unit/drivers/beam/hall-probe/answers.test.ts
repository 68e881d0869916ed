// The teslameter's lines are read whatever way its bytes arrive, and nothing else is taken for an answer.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  parseComplaint,
  parseField,
  parseMode,
  parseRange,
  parseTemperature
} from '../../../../../drivers/beam/hall-probe/answers.ts'
import { LineFramer } from '../../../../../drivers/beam/hall-probe/line-framer.ts'

const latin1 = (text: string): Uint8Array => Buffer.from(text, 'latin1')
function linesOf(...chunks: Uint8Array[]): { lines: string[]; garbage: number } {
  const framer = new LineFramer()
  const lines: string[] = []
  for (const chunk of chunks) framer.push(chunk, (line) => lines.push(line))
  return { lines, garbage: framer.garbageBytes }
}

describe('lines', () => {
  const stream = latin1(' 1.38912T\r\n 23.5C\r 2\n\r DC\n')
  const expected = [' 1.38912T', ' 23.5C', ' 2', ' DC']

  it('are the same at every split, and one byte at a time', () => {
    for (let at = 0; at <= stream.length; at++)
      expect(linesOf(stream.subarray(0, at), stream.subarray(at))).toEqual({ lines: expected, garbage: 0 })
    expect(linesOf(...Array.from(stream, (byte) => Uint8Array.of(byte)))).toEqual({
      lines: expected,
      garbage: 0
    })
  })

  it('begin again after garbage, which is counted', () => {
    const { lines, garbage } = linesOf(Uint8Array.of(0, 255, 126), latin1('\r\n'), stream)
    expect(lines).toEqual(expected)
    expect(garbage).toBe(3)
    const long = linesOf(latin1('x'.repeat(500)), latin1('\r'), stream)
    expect(long).toEqual({ lines: expected, garbage: 500 })
  })

  it('need their end: a truncated one is none', () => {
    for (let at = 0; at < 9; at++) expect(linesOf(stream.subarray(0, at)).lines).toEqual([])
  })

  it('survive any bytes in any pieces, and the good line behind them is read', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 8 }), (chunks) => {
        const { lines } = linesOf(...chunks, latin1('\r 0.5T\r'))
        expect(lines.at(-1)).toBe(' 0.5T')
      })
    )
  })
})

describe('answers', () => {
  it('are numbers with or without unit', () => {
    expect(parseField(' 1.38912T', 'G')).toBe(1.38912)
    expect(parseField(' -13.5kG', 'T')).toBeCloseTo(-1.35, 12)
    expect(parseField(' 500.0', 'G')).toBeCloseTo(0.05, 12)
    expect(parseField(' -3.4E-02', 'T')).toBe(-0.034)
    expect(parseTemperature(' 23.5')).toBe(23.5)
  })

  it.each([' 23.5C', '', ' ', ' T', ' 1.2.3T', ' 1,5T', ' 1.5TT', ' 1e999T', ' NaN', ' 0x10', 'F', ' DC'])(
    'of field are none of these: "%s"',
    (line) => {
      expect(parseField(line, 'T')).toBeUndefined()
    }
  )

  it('do not pass for one another', () => {
    expect(parseTemperature(' 1.4T')).toBeUndefined()
    expect(parseRange(' 4')).toBeUndefined()
    expect(parseRange(' 1.4T')).toBeUndefined()
    expect(parseMode(' 23.5C')).toBeUndefined()
    expect(parseMode(' DX')).toBeUndefined()
    expect(parseComplaint(' OVER')).toBeUndefined()
    expect(parseComplaint(' OVER RANGE X')).toBeUndefined()
  })

  it('of any text never throw, and are finite', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), (line) => {
        for (const value of [parseField(line, 'T'), parseTemperature(line), parseRange(line)])
          expect(value === undefined || Number.isFinite(value)).toBe(true)
        parseMode(line)
        parseComplaint(line)
      })
    )
  })
})
