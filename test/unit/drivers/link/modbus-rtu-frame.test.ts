// A reply of Modbus RTU is found in what came since the request, wherever it stands, and nothing that is cut, damaged or
// somebody else's is taken for it.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { findRtuReply, hasGoodCrc } from '../../../../drivers/link/modbus-rtu-frame.ts'
import { bytesOf, transcript } from '../../../golden/beam/transcript.ts'

const replies = transcript('modbus-rtu.txt').map(({ question, answer }) => {
  const request = bytesOf(question)
  return { reply: bytesOf(answer), unit: request[0]!, code: request[1]! }
})

describe.each(replies)('the reply to function $code', ({ reply, unit, code }) => {
  it('is found when its last byte is there, and not before', () => {
    for (let length = 0; length < reply.length; length++)
      expect(findRtuReply(reply.subarray(0, length), unit, code)).toHaveProperty('why')
    expect(findRtuReply(reply, unit, code)).toEqual({ frame: reply })
  })

  it('is found between garbage, and once when it comes twice', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20 }), fc.uint8Array({ maxLength: 20 }), (before, after) => {
        fc.pre(!before.includes(unit))
        expect(findRtuReply(Uint8Array.of(...before, ...reply, ...after), unit, code)).toEqual({
          frame: reply
        })
      })
    )
    expect(findRtuReply(Uint8Array.of(...reply, ...reply), unit, code)).toEqual({ frame: reply })
    expect(findRtuReply(Uint8Array.of(unit, ...reply), unit, code)).toEqual({ frame: reply })
  })

  it('is none with any bit wrong, for any other unit and any other function', () => {
    for (let bit = 0; bit < 8 * reply.length; bit++) {
      const damaged = reply.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte))
      expect(findRtuReply(damaged, unit, code)).toHaveProperty('why')
    }
    expect(findRtuReply(reply, unit + 1, code)).toMatchObject({ strangeUnit: unit })
    expect(findRtuReply(reply, unit, code === 3 ? 4 : 3)).toHaveProperty('why')
  })
})

it('never throws and never runs past the end', () => {
  const code = fc.constantFrom(1, 2, 3, 4, 5, 6, 15, 16, 43)
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      fc.integer({ min: 0, max: 255 }),
      code,
      (bytes, unit, fn) => {
        const found = findRtuReply(bytes, unit, fn)
        if ('frame' in found) expect(hasGoodCrc(found.frame)).toBe(true)
        const mine = findRtuReply(Uint8Array.of(unit, fn, ...bytes), unit, fn)
        if ('frame' in mine) expect(hasGoodCrc(mine.frame)).toBe(true)
      }
    )
  )
})
