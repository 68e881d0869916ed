/** What the page knows from numbered messages: in order, doubled, out of order, with gaps, across a restart. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { LiveMessage, Snapshot } from '../../../../../console/api/api.ts'
import {
  EMPTY_VIEW,
  type LiveView,
  parseMessage,
  receive,
  receiveFetched,
  WAITING_MAX
} from '../../../../../console/src/logic/live.ts'
import { snapshotOf, utcAt } from '../fixtures.ts'

type Change = Extract<LiveMessage, { kind: 'change' }>

/** The server's history: change n says `title` n. */
const titled = (n: number, title = `t${n}`): Snapshot => ({ ...snapshotOf(n), title })
const change = (n: number): Change => ({ kind: 'change', n, utc: utcAt(n), change: { title: `t${n}` } })
const at = (n: number): LiveView => receive(EMPTY_VIEW, { kind: 'snapshot', snapshot: titled(n) }).view

describe('live view', () => {
  it('applies the change that follows, whole fields, and its number and time', () => {
    const { view, ask } = receive(at(7), change(8))
    expect(ask).toBe(false)
    expect(view.snapshot).toEqual({ ...titled(8), utc: utcAt(8) })
  })

  it('leaves out a change that the snapshot already contains', () => {
    const before = at(7)
    expect(receive(before, change(7)).view.snapshot).toBe(before.snapshot)
    expect(receive(before, change(3))).toMatchObject({ ask: false })
  })

  it('asks at a gap, keeps what came behind it, and applies that to the answer', () => {
    const gap = receive(at(7), change(9))
    expect(gap.ask).toBe(true)
    expect(gap.view.snapshot?.n).toBe(7)
    const more = receive(gap.view, change(10))
    expect(more.ask).toBe(true)
    const healed = receiveFetched(more.view, titled(8))
    expect(healed.ask).toBe(false)
    expect(healed.view.snapshot).toMatchObject({ n: 10, title: 't10' })
    expect(healed.view.waiting).toEqual([])
  })

  it('asks again when the answer was too old to close the gap', () => {
    const gap = receive(at(7), change(12))
    const still = receiveFetched(gap.view, titled(9))
    expect(still).toMatchObject({ ask: true })
    expect(still.view.snapshot?.n).toBe(9)
  })

  it('does not go back for an answer that was overtaken on its way', () => {
    const { view } = receive(at(7), change(8))
    const old = receiveFetched(view, { ...titled(6), utc: utcAt(6) })
    expect(old.view.snapshot?.n).toBe(8)
    expect(old.ask).toBe(false)
  })

  it('takes a restarted server at its word, although it counts from the beginning', () => {
    expect(receive(at(700), { kind: 'snapshot', snapshot: titled(1) }).view.snapshot?.n).toBe(1)
    const fetched = receiveFetched(at(700), { ...titled(2), utc: utcAt(800) })
    expect(fetched.view.snapshot?.n).toBe(2)
  })

  it('asks when a change comes before any snapshot, and loses none of it', () => {
    const early = receive(EMPTY_VIEW, change(5))
    expect(early.ask).toBe(true)
    expect(receiveFetched(early.view, titled(4)).view.snapshot?.title).toBe('t5')
  })

  it('keeps at most a bounded number of changes behind a gap', () => {
    let view = at(0)
    for (let n = 2; n < 2 + 3 * WAITING_MAX; n++) view = receive(view, change(n)).view
    expect(view.waiting.length).toBe(WAITING_MAX)
    expect(view.waiting.at(-1)?.n).toBe(1 + 3 * WAITING_MAX)
  })

  it('ends at the newest state for any order, doubling and loss, when one snapshot is fetched at the end', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.array(fc.integer({ min: 1, max: 20 }), { maxLength: 40 }),
        (last, order) => {
          let view = at(0)
          for (const n of order.filter((n) => n <= last)) {
            const before = view.snapshot?.n ?? 0
            view = receive(view, change(n)).view
            // never backwards, and the fields always belong to the number
            expect(view.snapshot!.n).toBeGreaterThanOrEqual(before)
            expect(view.snapshot!.title).toBe(`t${view.snapshot!.n}`)
          }
          const { view: end, ask } = receiveFetched(view, titled(last))
          expect(ask).toBe(false)
          expect(end.snapshot).toMatchObject({ n: last, title: `t${last}` })
          expect(end.waiting).toEqual([])
        }
      )
    )
  })
})

describe('a text of the wire', () => {
  it('is a message when it looks like one of ours', () => {
    expect(parseMessage(JSON.stringify(change(3)))).toEqual(change(3))
    expect(parseMessage(JSON.stringify({ kind: 'snapshot', snapshot: titled(3) }))).toBeDefined()
  })

  it.each([
    '',
    'null',
    '3',
    '"x"',
    '{}',
    '{"kind":"snapshot"}',
    '{"kind":"change","n":"4"}',
    '{"kind":"new"}',
    '<html>'
  ])('is nothing when it is %j', (text) => expect(parseMessage(text)).toBeUndefined())

  it('never throws', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => void parseMessage(text)))
  })
})
