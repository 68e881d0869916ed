// What comes from a CAEN chain: the framer gets every reply out of any stream however it is cut, begins anew at each #
// and counts what it drops; replies are read as the documents have them, and nothing else is taken for one.
import { readdirSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { requestLine } from '../../../../../drivers/hv/caen-n1470/caen-port.ts'
import {
  formatValue,
  parseModel,
  parseNumbers,
  parseReply,
  parseText,
  parseWords
} from '../../../../../drivers/hv/caen-n1470/reply.ts'
import { ReplyFramer } from '../../../../../drivers/hv/caen-n1470/reply-framer.ts'
import { decodeStatus } from '../../../../../drivers/hv/caen-n1470/status.ts'
import { readTranscript } from '../../../../golden/transcript.ts'

function frame(chunks: readonly (string | Uint8Array)[]): { replies: string[]; garbageBytes: number } {
  const framer = new ReplyFramer()
  const replies: string[] = []
  for (const chunk of chunks)
    framer.push(Buffer.from(chunk as string, 'latin1'), (line) => replies.push(line))
  return { replies, garbageBytes: framer.garbageBytes }
}

const REPLIES = ['#BD:00,CMD:OK', '#BD:07,CMD:OK,VAL:1100.0;0000.0;0000.0;0000.0', '#BD:31,LOC:ERR']
const STREAM = REPLIES.map((reply) => `${reply}\r\n`).join('')
/** bytes that can be no part of a reply, and no beginning of one */
const garbage = fc.uint8Array({ maxLength: 40 }).map((bytes) => bytes.filter((byte) => byte !== 0x23))

describe('framing', () => {
  it('gives the same replies at every split point and byte by byte', () => {
    for (let at = 0; at <= STREAM.length; at++)
      expect(frame([STREAM.slice(0, at), STREAM.slice(at)])).toEqual({ replies: REPLIES, garbageBytes: 0 })
    expect(frame(STREAM.split(/(?=[^])/))).toEqual({ replies: REPLIES, garbageBytes: 0 })
  })

  it('reads through garbage before, between and after, and counts it', () => {
    fc.assert(
      fc.property(garbage, garbage, garbage, (before, between, after) => {
        const [first, second] = REPLIES.map((reply) => Buffer.from(`${reply}\r\n`, 'latin1'))
        const { replies, garbageBytes } = frame([before, first!, between, second!, after])
        expect(replies).toEqual(REPLIES.slice(0, 2))
        const flow = [...before, ...between, ...after].filter((byte) => byte === 0x11 || byte === 0x13)
        expect(garbageBytes).toBe(before.length + between.length + after.length - flow.length)
      })
    )
  })

  it('begins anew at each #: a reply that was cut off does not swallow the next', () => {
    const whole = REPLIES[1]!
    for (let cut = 1; cut < whole.length; cut++)
      expect(frame([`${whole.slice(0, cut)}${whole}\r\n`])).toEqual({ replies: [whole], garbageBytes: cut })
  })

  it('gives repeated replies as often as they came', () => {
    expect(frame([STREAM, STREAM]).replies).toEqual([...REPLIES, ...REPLIES])
  })

  it('drops endless and unprintable replies, and takes the next', () => {
    expect(frame([`#BD:00,${'9'.repeat(10_000)}\r\n`, STREAM]).replies).toEqual(REPLIES)
    expect(frame(['#BD:00,C\x00MD:OK\r\n', STREAM]).replies).toEqual(REPLIES)
    expect(frame(['#BD:00,CMD:OK\n', STREAM]).replies).toEqual(REPLIES)
  })

  it('takes no notice of flow control', () => {
    expect(frame(['\x13#BD:00,\x11CMD:OK\r\n\x13\x11'])).toEqual({
      replies: ['#BD:00,CMD:OK'],
      garbageBytes: 0
    })
  })

  it('survives any bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 }), (chunks) => {
        const { replies } = frame([...chunks, Buffer.from(`#${STREAM}`)])
        expect(replies.slice(-REPLIES.length)).toEqual(REPLIES)
      })
    )
  })
})

describe('replies', () => {
  it('reads every reply of the golden transcripts, and writes their requests where they are in our form', () => {
    const golden = new URL('../../../../golden/caen-n1470/', import.meta.url)
    let replies = 0
    let requests = 0
    for (const file of readdirSync(golden).filter((name) => name.endsWith('.txt')))
      for (const { kind, text } of readTranscript(new URL(file, golden))) {
        if (kind === 'hear' && !text.startsWith('/')) {
          const parsed = parseReply(text)
          expect(parsed, text).toBeDefined()
          expect(parsed!.board).toBe(Number(text.slice(4, 6)))
          const [, error] = /,([A-Z]+):ERR$/.exec(text) ?? []
          expect(parsed!.error).toBe(error)
          replies++
        }
        const ours = /^\$BD:(\d\d),CMD:(MON|SET)(?:,CH:(\d))?,PAR:([A-Z]+)(?:,VAL:(.+))?$/.exec(text)
        if (kind !== 'say' || ours === null) continue
        const [, board, command, channel, parameter, value] = ours
        const place = { board: Number(board), ...(channel === undefined ? {} : { channel: Number(channel) }) }
        expect(requestLine(place, command as 'MON' | 'SET', parameter!, value)).toBe(text)
        requests++
      }
    expect(replies).toBeGreaterThan(40)
    expect(requests).toBeGreaterThan(40)
  })

  it('takes nothing else for a reply', () => {
    for (const line of [
      '#CMD:OK,VAL:1',
      '#BD:00,CMD:ER',
      '#BD:00,FOO:ERR',
      '#BD:000,CMD:OK',
      '#BD:00,CMD:OK,VAL',
      '$BD:00,CMD:MON,PAR:BDNAME',
      ''
    ])
      expect(parseReply(line), line).toBeUndefined()
  })

  it('reads padded numbers as decimal, as many as there are channels', () => {
    expect(parseNumbers('02048', 1)).toEqual([2048])
    expect(parseNumbers('1100.0;0000.0', 2)).toEqual([1100, 0])
    for (const value of ['1100.0', '1;2;3', 'RAMP;KILL', '1e3;1', '-1;1', ';', '0x10;1'])
      expect(parseNumbers(value, 2), value).toBeUndefined()
  })

  it('tells names of models from all other values', () => {
    for (const name of ['N1470', 'DT1470ET', 'NDT1471H', 'N1570']) expect(parseModel(name)).toBe(name)
    for (const value of ['0135.0', '02048', 'RAMP', 'KILL', 'REMOTE', 'YES', '+', '-', 'HIGH', ''])
      expect(parseModel(value), value).toBeUndefined()
    expect(parseText('00012')).toBe('00012')
    expect(parseText('a;b')).toBeUndefined()
    expect(parseWords('RAMP;KILL', ['RAMP', 'KILL'], 2)).toEqual(['RAMP', 'KILL'])
    expect(parseWords('RAMP;OFF', ['RAMP', 'KILL'], 2)).toBeUndefined()
  })

  it('never makes a value larger when it cuts it to the decimals of the board', () => {
    expect(formatValue(0.1 * 3, 1)).toBe('0.3')
    expect(formatValue(1500.09, 1)).toBe('1500.0')
    expect(formatValue(99.999, 0)).toBe('99')
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 8000, noNaN: true }),
        fc.integer({ min: 0, max: 3 }),
        (value, n) => {
          const written = Number(formatValue(value, n))
          expect(written).toBeLessThanOrEqual(value + 1e-5)
          expect(value - written).toBeLessThan(10 ** -n)
        }
      )
    )
  })
})

describe('status', () => {
  it.each([
    [0, 'off', [], []],
    [1, 'on', [], []],
    [3, 'ramping', [], []],
    [4, 'ramping', [], []],
    [9, 'on', [], []],
    [65, 'on', [], []],
    [128, 'tripped', ['trip'], []],
    [132, 'tripped', ['trip'], []],
    [1 << 8, 'tripped', ['over-power'], []],
    [1 << 10, 'inhibited', [], ['disabled']],
    [1 << 11, 'emergency-off', [], ['kill']],
    [1 << 12, 'inhibited', [], ['interlock']],
    [(1 << 12) | 128, 'tripped', ['trip'], ['interlock']]
  ])('word %i is %s', (word, state, blocking, inhibits) => {
    expect(decodeStatus(word)).toMatchObject({ state, blocking, inhibits })
  })
})
