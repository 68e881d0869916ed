/** The trigger block decoder: mask, time and type of the event; what it cannot read leaves the event without them. */
import { describe, expect, it } from 'vitest'
import { bytesOf, slinkWords, triggerWords } from '../../../../bench/slink-writer.ts'
import { EventStatus, makeBlock } from '../../../../core/block.ts'
import { decodeFaultNames } from '../../../../core/decoder.ts'
import { decodeTrigger } from '../../../../drivers/trigger/trigger-crate/decode.ts'

function decode(words: readonly number[]) {
  const block = makeBlock({ events: 1, sources: 1, rawBytes: 256, hits: 0, samples: 0, sums: 0 })
  const bytes = bytesOf(words)
  block.raw.set(bytes)
  block.fragmentBytes[0] = bytes.length
  const faults = decodeFaultNames(decodeTrigger(block, 0, 0, new Uint16Array()))
  return {
    faults,
    mask: block.triggerMask[0],
    ticks: block.timeTicks[0],
    type: block.eventType[0],
    status: block.eventStatus[0]
  }
}

const sound = triggerWords(700, 3, 9, 0x8000_0005, 186_624_000, 8)

describe('trigger block', () => {
  it('gives mask, time and type', () => {
    expect(decode(sound)).toEqual({ faults: [], mask: 0x8000_0005, ticks: 186_624_000, type: 8, status: 0 })
  })

  it('leaves the event without a trigger when it is cut off anywhere', () => {
    for (let words = 0; words < sound.length; words++)
      expect(decode(sound.slice(0, words))).toMatchObject({
        faults: ['size'],
        mask: 0,
        status: EventStatus.noTrigger
      })
  })

  it('refuses another format, and types a size that disagrees and an event type that does not exist', () => {
    expect(decode(slinkWords(700, 3, 9, [1, 2, 3, 7]))).toMatchObject({
      faults: ['format'],
      status: EventStatus.noTrigger
    })
    expect(decode([...sound, 0])).toMatchObject({ faults: ['size'], mask: 0x8000_0005, status: 0 })
    expect(decode(triggerWords(700, 3, 9, 1, 2, 5))).toMatchObject({ faults: ['format'], mask: 1 })
  })
})
