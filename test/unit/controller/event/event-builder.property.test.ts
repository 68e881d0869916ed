/**
 * The event builder under random interleavings and random damage. Whatever happens: the first sum holds, blocks
 * hold exactly the bytes that were sent, nothing waits in a ring; and a source that tells the truth about what it
 * sent closes, with exactly the fragments lost that the wire lost.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fragmentBytes, source, SpillBench } from './spill-bench.ts'

const IDS = [600, 601, 700]
type Fate = 'sent' | 'lost' | 'twice' | 'delayed' | 'wrong spill' | 'corrupt' | 'event 0'
interface Step {
  readonly event: number
  readonly fate: Fate
}

const fate = fc.oneof(
  { weight: 40, arbitrary: fc.constant<Fate>('sent') },
  {
    weight: 3,
    arbitrary: fc.constantFrom<Fate>('lost', 'twice', 'delayed', 'wrong spill', 'corrupt', 'event 0')
  }
)

/** What one source puts on the wire: its events in order, but for the delayed ones. */
function wire(fates: readonly Fate[]): Step[] {
  const steps: Step[] = []
  const delayed: { step: Step; due: number }[] = []
  fates.forEach((f, i) => {
    const step = { event: i + 1, fate: f }
    if (f === 'delayed') delayed.push({ step, due: i + 1 + ((i * 7) % 60) })
    else steps.push(step)
    while (delayed.length > 0 && delayed[0]!.due <= i + 1) steps.push(delayed.shift()!.step)
  })
  return [...steps, ...delayed.map((d) => d.step)]
}

function play(bench: SpillBench, id: number, { event, fate: f }: Step): void {
  const spill = bench.builder.spill
  if (f === 'lost') return
  if (f === 'corrupt') bench.builder.corrupt(id, 'slink-size', 20)
  else if (f === 'wrong spill') bench.send(id, event, spill + 1)
  else if (f === 'event 0') bench.send(id, 0)
  else bench.send(id, event)
  if (f === 'twice') bench.send(id, event)
}

describe('event builder', () => {
  it('closes its sums for every interleaving, loss, copy, delay and damage', () => {
    const spill = fc.record({
      fates: fc
        .integer({ min: 0, max: 130 })
        .chain((events) =>
          fc.tuple(...IDS.map(() => fc.array(fate, { minLength: events, maxLength: events })))
        ),
      order: fc.infiniteStream(fc.nat(IDS.length - 1)),
      record: fc.tuple(...IDS.map(() => fc.boolean()))
    })
    fc.assert(
      fc.property(fc.array(spill, { minLength: 1, maxLength: 2 }), (spills) => {
        const bench = new SpillBench(IDS.map((id) => source(id)))
        spills.forEach(({ fates, order, record }, i) => {
          for (const id of IDS) bench.builder.startOfSpill(id, i + 1, i)
          bench.rows.length = 0
          bench.firstEvents.length = 0
          const queues = fates.map((f) => wire(f))
          while (queues.some((queue) => queue.length > 0)) {
            const ready = IDS.map((_, s) => s).filter(
              (s) => queues[s]!.length > 0 && !bench.paused.has(IDS[s]!)
            )
            // somebody must be able to go on, or only those are left who wait for a source that has ended silently
            if (ready.length === 0) expect(bench.builder.giveUpOldest()).toBe(true)
            else {
              const s = ready[order.next().value! % ready.length]!
              play(bench, IDS[s]!, queues[s]!.shift()!)
              if (queues[s]!.length === 0 && record[s]!) bench.end(IDS[s]!, fates[s]!.length)
            }
          }
          fates.forEach((f, s) => {
            if (f.length === 0 && record[s]!) bench.end(IDS[s]!, 0)
          })
          const ledger = bench.builder.closeSpill()

          expect(bench.firstEvents).toEqual([...bench.firstEvents].sort((a, b) => a - b))
          for (const row of bench.rows)
            for (const [id, bytes] of row.fragments) expect(bytes).toEqual(fragmentBytes(id, row.event))
          expect(bench.pool.freeCount).toBe(bench.pool.count)
          ledger.sources.forEach((s, index) => {
            const count = (f: Fate): number => fates[index]!.filter((x) => x === f).length
            const stored = bench.rows.filter((row) => row.fragments.has(s.source)).length
            expect(s.built + s.partial).toBe(stored)
            expect(s.received).toBe(s.built + s.partial + s.late + s.duplicate + s.corrupt + s.dropped)
            expect(s.duplicate).toBe(count('twice'))
            expect(s.corrupt).toBe(count('corrupt'))
            expect(s.dropped).toBe(count('wrong spill') + count('event 0'))
            if (record[index]!) {
              expect(s).toMatchObject({ sent: fates[index]!.length, lost: count('lost'), closed: true })
            } else expect(s).toMatchObject({ sent: null, lost: null, closed: false })
          })
          expect(ledger.eventsBuilt + ledger.eventsPartial).toBe(bench.rows.length)
        })
      }),
      { numRuns: 150 }
    )
  })

  it('gives the same ledger and the same events for the same data, however the sources interleave', () => {
    const fates = fc
      .integer({ min: 0, max: 130 })
      .chain((events) => fc.tuple(...IDS.map(() => fc.array(fate, { minLength: events, maxLength: events }))))
    const order = fc.infiniteStream(fc.nat(IDS.length - 1))
    const once = (f: readonly Fate[][], interleaving: Iterator<number>) => {
      const bench = new SpillBench(IDS.map((id) => source(id, { distrustAfterGap: id === 601 })))
      for (const id of IDS) bench.builder.startOfSpill(id, 1, 0)
      const queues = f.map((x) => wire(x))
      const isEnded = IDS.map(() => false)
      while (isEnded.includes(false)) {
        const ready = IDS.map((_, s) => s).filter((s) => !isEnded[s]! && !bench.paused.has(IDS[s]!))
        expect(ready.length).toBeGreaterThan(0)
        const s = ready[(interleaving.next().value as number) % ready.length]!
        const step = queues[s]!.shift()
        if (step !== undefined) play(bench, IDS[s]!, step)
        else {
          bench.end(IDS[s]!, f[s]!.length)
          isEnded[s] = true
        }
      }
      expect(bench.builder.isSpillComplete()).toBe(true)
      return { ledger: bench.builder.closeSpill(), rows: bench.rows }
    }
    fc.assert(
      fc.property(fates, order, order, (f, one, other) => {
        expect(once(f, one)).toEqual(once(f, other))
      }),
      { numRuns: 100 }
    )
  })

  it('survives any calls in any order, and its first sum always holds', () => {
    const call = fc.record({
      what: fc.constantFrom('start', 'fragment', 'corrupt', 'end', 'fault', 'connection', 'give up', 'close'),
      source: fc.constantFrom(...IDS, 5, 5000, -3),
      spill: fc.nat(4),
      event: fc.oneof(fc.nat(200), fc.integer()),
      bytes: fc.nat(90)
    })
    fc.assert(
      fc.property(fc.array(call, { maxLength: 300 }), (calls) => {
        const bench = new SpillBench(IDS.map((id) => source(id, { distrustAfterGap: true })))
        const { builder } = bench
        const closeAndCheck = (): void => {
          for (const s of builder.closeSpill().sources)
            expect(s.received).toBe(s.built + s.partial + s.late + s.duplicate + s.corrupt + s.dropped)
        }
        for (const c of calls) {
          if (c.what === 'start') builder.startOfSpill(c.source, c.spill, 0)
          else if (c.what === 'fragment')
            builder.fragment(c.source, c.spill, c.event, new Uint8Array(c.bytes), 0)
          else if (c.what === 'corrupt') builder.corrupt(c.source, 'length', c.bytes)
          else if (c.what === 'end') bench.end(c.source, c.event, c.spill)
          else if (c.what === 'fault') builder.fault(c.source, 'garbage', c.bytes)
          else if (c.what === 'connection') builder.connection(c.source, c.event % 2 === 0)
          else if (c.what === 'give up') builder.giveUpOldest()
          else if (builder.isSpillOpen && c.event % 5 === 0) closeAndCheck()
        }
        if (builder.isSpillOpen) closeAndCheck()
        expect(bench.pool.freeCount).toBe(bench.pool.count)
      }),
      { numRuns: 200 }
    )
  })
})
