// Pulses are read from datagrams or dropped, and whatever the network does to their order and number is counted under its
// own name, while marks reach the listener at most once and never backwards.
import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import {
  parsePulse,
  type Pulse,
  subscribeRequest
} from '../../../../../drivers/beam/spill-pulses/datagrams.ts'
import { PulseSequence } from '../../../../../drivers/beam/spill-pulses/pulse-sequence.ts'
import { bytesOf, transcript } from '../../../../golden/beam/transcript.ts'

const MARKS = ['WWE', 'WE', 'SOE', 'EOE'] as const
const SECOND = 1_000_000_000n

describe('datagrams', () => {
  const good = bytesOf(transcript('spill-pulses.txt')[1]!.answer)

  it('cut off, too long, or of another protocol are none', () => {
    for (let length = 0; length < good.length; length++)
      expect(parsePulse(good.subarray(0, length))).toBeUndefined()
    expect(parsePulse(Uint8Array.of(...good, 0))).toBeUndefined()
    expect(parsePulse(Uint8Array.of(...good, ...good))).toBeUndefined()
    for (const at of [0, 1, 2, 3, 4])
      expect(parsePulse(good.map((byte, i) => (i === at ? byte ^ 1 : byte)))).toBeUndefined()
    for (const mark of [5, 6, 255])
      expect(parsePulse(good.map((byte, i) => (i === 5 ? mark : byte)))).toBeUndefined()
    expect(parsePulse(subscribeRequest())).toBeUndefined()
  })

  it('of any bytes never throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        parsePulse(bytes)
        parsePulse(Uint8Array.of(...good.subarray(0, 6), ...bytes))
      })
    )
  })
})

describe('the sequence of pulses', () => {
  let sequence: PulseSequence
  beforeEach(() => {
    sequence = new PulseSequence()
  })
  /** the pulse of mark `n`, counted from 0, where each pulse before it was sent once */
  const pulse = (n: number, changes: Partial<Pulse> = {}): Pulse => ({
    mark: MARKS[n % 4]!,
    counter: n + 1,
    cycle: 1 + (n >> 2),
    ns: BigInt(n) * SECOND,
    ...changes
  })
  const alive = (n: number, changes: Partial<Pulse> = {}): Pulse => ({
    mark: 'alive',
    counter: n + 1,
    cycle: 1 + (n >> 2),
    ns: BigInt(n) * SECOND + SECOND / 2n,
    ...changes
  })
  const none = { lost: 0, duplicate: 0, swapped: 0, restarts: 0, missing: 0, doubled: 0, late: 0 }
  const counts = (changes: Partial<typeof none> = {}) => ({ ...none, ...changes })

  it('in order is all news', () => {
    for (let n = 0; n < 12; n++) {
      expect(sequence.take(pulse(n))).toBe(true)
      expect(sequence.take(alive(n))).toBe(false)
    }
    expect(sequence.counts).toEqual(counts())
  })

  it('counts a lost pulse by the next one, and by the next alive', () => {
    sequence.take(pulse(0))
    sequence.take(pulse(2))
    expect(sequence.counts).toEqual(counts({ lost: 1, missing: 1 }))
    sequence.take(alive(3))
    expect(sequence.counts).toEqual(counts({ lost: 2, missing: 1 }))
    sequence.take(pulse(4))
    expect(sequence.counts).toEqual(counts({ lost: 2, missing: 2 }))
  })

  it('drops a datagram that came twice, at once or late', () => {
    for (const n of [0, 0, 1, 2, 1]) sequence.take(pulse(n))
    expect(sequence.counts).toEqual(counts({ duplicate: 2 }))
  })

  it('drops the second pulse of one mark', () => {
    expect(sequence.take(pulse(0))).toBe(true)
    expect(sequence.take(pulse(0, { counter: 2, ns: 1000n }))).toBe(false)
    expect(sequence.take(pulse(1, { counter: 3 }))).toBe(true)
    expect(sequence.counts).toEqual(counts({ doubled: 1 }))
  })

  it('counts a mark that the receiver never saw, with no gap in the counter', () => {
    sequence.take(pulse(0))
    expect(sequence.take(pulse(2, { counter: 2 }))).toBe(true)
    expect(sequence.counts).toEqual(counts({ missing: 1 }))
  })

  it('does not call a pulse lost that others overtook, and does not go back to its mark', () => {
    sequence.take(pulse(0))
    expect(sequence.take(pulse(2))).toBe(true)
    expect(sequence.take(pulse(1))).toBe(false)
    expect(sequence.counts).toEqual(counts({ swapped: 1, missing: 1, late: 1 }))
    sequence.take(alive(3))
    expect(sequence.take(pulse(3))).toBe(true)
    expect(sequence.counts).toEqual(counts({ swapped: 2, missing: 1, late: 1 }))
  })

  it('knows a daemon that began anew, by its time', () => {
    sequence.take(pulse(9))
    expect(sequence.take(pulse(10, { counter: 1 }))).toBe(true)
    expect(sequence.take(pulse(11, { counter: 2 }))).toBe(true)
    expect(sequence.counts).toEqual(counts({ restarts: 1 }))
  })

  it('counts over the end of 32 bits', () => {
    sequence.take(pulse(0, { counter: 0xffff_ffff }))
    sequence.take(pulse(1, { counter: 0 }))
    sequence.take(pulse(3, { counter: 2 }))
    expect(sequence.counts).toEqual(counts({ lost: 1, missing: 1 }))
  })

  it('goes on when the numbers of cycles begin anew, and counts nothing for it', () => {
    sequence.take(pulse(400))
    expect(sequence.take(pulse(401, { cycle: 1 }))).toBe(true)
    expect(sequence.take(pulse(402, { cycle: 1_000_000 }))).toBe(true)
    expect(sequence.counts).toEqual(counts())
  })

  it('does not count what was missed while nobody listened', () => {
    sequence.take(pulse(0))
    sequence.reset()
    expect(sequence.take(pulse(40))).toBe(true)
    expect(sequence.counts).toEqual(counts())
  })

  it('passes each mark at most once and forwards only, whatever arrives', () => {
    const arrival = fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 60 })
    fc.assert(
      fc.property(arrival, (order) => {
        const fresh = new PulseSequence()
        const passed = order.filter((n) => fresh.take(pulse(n)))
        expect(passed).toEqual([...new Set(passed)].sort((a, b) => a - b))
        for (const count of Object.values(fresh.counts)) expect(count).toBeGreaterThanOrEqual(0)
      })
    )
  })

  it('counts exactly what was dropped of a stream in order', () => {
    fc.assert(
      fc.property(fc.subarray(Array.from({ length: 38 }, (_, i) => i + 1)), (kept) => {
        const fresh = new PulseSequence()
        for (const n of [0, ...kept, 39]) fresh.take(pulse(n))
        expect(fresh.counts).toEqual(counts({ lost: 38 - kept.length, missing: 38 - kept.length }))
      })
    )
  })
})
