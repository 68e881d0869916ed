// Lines are cut out of whatever comes from the wire: whole at every split, none out of garbage, none lost after it.
// Answers are taken only when they have the shape that the request asks for.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  channelList,
  parseDone,
  parseIdentification,
  parseValues,
  parseWords
} from '../../../../../drivers/hv/iseg-scpi/answers.ts'
import { LineFramer } from '../../../../../drivers/hv/iseg-scpi/line-framer.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1')

function linesOf(chunks: readonly Uint8Array[], framer = new LineFramer()): string[] {
  const lines: string[] = []
  for (const chunk of chunks) framer.push(chunk, (line) => lines.push(line))
  return lines
}

const STREAM = '2.20000E3V,1.5E0V\r\n152,0\r\n1\r\n'
const LINES = ['2.20000E3V,1.5E0V', '152,0', '1']

describe('lines', () => {
  it('are the same at every split point', () => {
    for (let at = 0; at <= STREAM.length; at++)
      expect(linesOf([bytes(STREAM.slice(0, at)), bytes(STREAM.slice(at))])).toEqual(LINES)
  })

  it('are the same one byte at a time', () => {
    expect(linesOf(Array.from(bytes(STREAM), (byte) => Uint8Array.of(byte)))).toEqual(LINES)
  })

  it('are the same at any set of split points', () => {
    const cuts = fc.array(fc.nat(STREAM.length), { maxLength: 6 })
    fc.assert(
      fc.property(cuts, (at) => {
        const points = [0, ...at.sort((a, b) => a - b), STREAM.length]
        const chunks = points.slice(1).map((end, index) => bytes(STREAM.slice(points[index], end)))
        expect(linesOf(chunks)).toEqual(LINES)
      })
    )
  })

  it('are left out and counted when they hold what no answer holds', () => {
    const framer = new LineFramer()
    expect(linesOf([bytes('\x00\xff152\r\n'), bytes('153\r\n')], framer)).toEqual(['153'])
    expect(framer.garbageBytes).toBe(7)
  })

  it('do not end at a line feed alone: a damaged 152 must not become 15', () => {
    const framer = new LineFramer()
    expect(linesOf([bytes('15\n2\r\n')], framer)).toEqual(['2'])
    expect(framer.garbageBytes).toBe(3)
  })

  it('are bounded: an endless one is dropped up to its end and the next is whole', () => {
    const framer = new LineFramer()
    const endless = 'x'.repeat(5000)
    expect(linesOf([bytes(endless), bytes(`${endless}\r\n1\r\n`)], framer)).toEqual(['1'])
    expect(framer.garbageBytes).toBeGreaterThanOrEqual(10_000)
  })

  it('never appear out of bytes without a line end, whatever they are, and never throw', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }), (chunks) => {
        const framer = new LineFramer()
        const lines = linesOf(chunks, framer)
        expect(lines.length).toBeLessThanOrEqual(chunks.flatMap((c) => [...c]).filter((b) => b === 10).length)
        framer.reset()
        expect(linesOf([bytes('1\r\n')], framer)).toEqual(['1'])
      })
    )
  })
})

describe('answers', () => {
  it('of the manual are read', () => {
    expect(parseValues('2.20000E3V', 'V', 1)).toEqual([2200])
    expect(parseValues('-1.00000E-6A,0.00000E0A', 'A', 2)).toEqual([-1e-6, 0])
    expect(parseWords('152,0', 2)).toEqual([152, 0])
    expect(parseDone('1')).toBe(true)
    expect(parseIdentification('iseg Spezialelektronik GmbH,NR042060r4050000200,8200002,1.12')).toEqual({
      maker: 'iseg Spezialelektronik GmbH',
      model: 'NR042060r4050000200',
      serial: '8200002',
      firmware: '1.12'
    })
  })

  it.each([
    ['current for voltage', parseValues('1.0E-6A', 'V', 1)],
    ['too few channels', parseValues('1.0E3V', 'V', 2)],
    ['too many channels', parseWords('1,2,3', 2)],
    ['a cut-off number', parseValues('2.2', 'V', 1)],
    ['an empty line', parseValues('', 'V', 1)],
    ['a word beyond 32 bits', parseWords('4294967296', 1)],
    ['a negative word', parseWords('-1', 1)],
    ['a number that is none', parseValues('E3V', 'V', 1)],
    ['another count of done', parseDone('11')],
    ['four voltages as identification', parseIdentification('1V,2V,3V,4V')]
  ])('are refused: %s', (_what, answer) => {
    expect(answer).toBeUndefined()
  })

  it('are asked for by channel list', () => {
    expect(channelList([0])).toBe('(@0)')
    expect(channelList([0, 2, 5])).toBe('(@0,2,5)')
  })
})
