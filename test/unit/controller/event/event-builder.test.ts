/**
 * The event builder, case by case: every fragment ends in exactly one count of the ledger, `lost` comes from the
 * event numbers that were never seen, and the status of an event says what is wrong with it.
 */
import { describe, expect, it } from 'vitest'
import { EventStatus } from '../../../../core/block.ts'
import { FragmentStatus } from '../../../../core/fragment.ts'
import { EVENTS_PER_BLOCK, fragmentBytes, source, SpillBench } from './spill-bench.ts'

const A = 600
const B = 601
const TRIGGER = 700

function opened(sources = [source(A), source(B)], options = {}): SpillBench {
  const bench = new SpillBench(sources, options)
  for (const s of sources) bench.builder.startOfSpill(s.id, 1, 77)
  return bench
}

/** Sends events 1..last of these sources, but for the pairs in `without`. */
function sendAll(
  bench: SpillBench,
  ids: readonly number[],
  last: number,
  without: readonly string[] = []
): void {
  for (let event = 1; event <= last; event++)
    for (const id of ids) if (!without.includes(`${id}:${event}`)) bench.send(id, event)
}

function close(bench: SpillBench, sent: Readonly<Record<number, number>>, expected?: number) {
  for (const [id, count] of Object.entries(sent)) bench.end(Number(id), count)
  return bench.builder.closeSpill(expected)
}

describe('a clean spill', () => {
  it('builds every event, in order, with the bytes that were sent, and closes', () => {
    const bench = opened()
    sendAll(bench, [A, B], 100)
    expect(bench.builder.isSpillComplete()).toBe(false)
    bench.end(A, 100)
    bench.end(B, 100)
    expect(bench.builder.isSpillComplete()).toBe(true)
    const ledger = bench.builder.closeSpill(100)
    expect(ledger).toMatchObject({
      run: 4711,
      spill: 1,
      cycle: 77,
      eventsBuilt: 100,
      eventsPartial: 0,
      closed: true,
      agrees: true,
      reasons: []
    })
    expect(ledger.sources[0]).toEqual({
      source: A,
      device: 'board-600',
      expected: true,
      sent: 100,
      received: 100,
      built: 100,
      partial: 0,
      late: 0,
      duplicate: 0,
      corrupt: 0,
      dropped: 0,
      lost: 0,
      closed: true,
      faults: {}
    })
    expect(bench.rows.map((row) => row.event)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1))
    expect(bench.rows.every((row) => row.status === 0)).toBe(true)
    expect(bench.row(37).fragments.get(B)).toEqual(fragmentBytes(B, 37))
  })

  it('hands a full block on at once, not at the end of the spill', () => {
    const bench = opened()
    sendAll(bench, [A, B], EVENTS_PER_BLOCK)
    expect(bench.rows).toHaveLength(EVENTS_PER_BLOCK)
  })

  it('counts events of the run on over its spills, and from 1 in each', () => {
    const bench = opened()
    const firstInRun: number[] = []
    for (const spill of [1, 2]) {
      bench.builder.startOfSpill(A, spill, 0)
      sendAll(bench, [A, B], 20)
      bench.isHolding = true
      close(bench, { [A]: 20, [B]: 20 })
      firstInRun.push(bench.pool.blocks[bench.held.at(-1)!]!.header[10]!)
      bench.returnBlocks()
    }
    expect(firstInRun).toEqual([17, 37])
  })
})

describe('the ledger', () => {
  it('shows a lost fragment as lost and its event as partial', () => {
    const bench = opened()
    sendAll(bench, [A, B], 50, [`${B}:7`])
    const ledger = close(bench, { [A]: 50, [B]: 50 }, 50)
    expect(ledger.closed).toBe(true)
    expect(ledger.eventsPartial).toBe(1)
    expect(ledger.sources[1]).toMatchObject({ received: 49, built: 49, lost: 1 })
    expect(ledger.sources[0]).toMatchObject({ received: 50, built: 49, partial: 1, lost: 0 })
    expect(bench.row(7).status).toBe(EventStatus.partial)
    expect(ledger.reasons).toEqual(['source 601 (board-601): 1 of 50 fragments lost'])
  })

  it('is not closed, and sent is null, without an end-of-spill record', () => {
    const bench = opened()
    sendAll(bench, [A, B], 10)
    const ledger = close(bench, { [A]: 10 })
    expect(ledger.closed).toBe(false)
    expect(ledger.sources[1]).toMatchObject({ sent: null, lost: null, closed: false, received: 10 })
  })

  it('is not closed when a source sends more events than it says', () => {
    const bench = opened()
    sendAll(bench, [A, B], 10)
    const ledger = close(bench, { [A]: 10, [B]: 8 })
    expect(ledger.sources[1]).toMatchObject({ sent: 8, received: 10, lost: 0, closed: false })
    expect(ledger.sources[1]!.faults['beyond-sent']).toBe(2)
  })

  it('counts a source that comes twice as duplicate, and keeps the first', () => {
    const bench = opened()
    bench.send(A, 1)
    bench.send(A, 1, 1, fragmentBytes(A, 1, 99))
    sendAll(bench, [B], 1)
    const ledger = close(bench, { [A]: 1, [B]: 1 })
    expect(ledger.sources[0]).toMatchObject({ received: 2, built: 1, duplicate: 1, lost: 0, closed: true })
    expect(bench.row(1).fragments.get(A)).toEqual(fragmentBytes(A, 1))
  })

  it('counts a copy of an event that was handed on long ago as duplicate, not as late', () => {
    const bench = opened()
    sendAll(bench, [A, B], 3 * EVENTS_PER_BLOCK)
    bench.send(A, 2)
    const ledger = close(bench, { [A]: 48, [B]: 48 })
    expect(ledger.sources[0]).toMatchObject({ late: 0, duplicate: 1, closed: true })
  })

  it('counts a fragment whose block is closed as late, and nothing as lost', () => {
    const bench = opened()
    sendAll(bench, [A, B], 3 * EVENTS_PER_BLOCK, [`${A}:2`])
    bench.send(A, 2)
    const ledger = close(bench, { [A]: 48, [B]: 48 })
    expect(ledger.sources[0]).toMatchObject({ received: 48, built: 47, late: 1, lost: 0, closed: true })
    expect(ledger.eventsPartial).toBe(1)
  })

  it('takes a fragment that is held back by less than a block', () => {
    const bench = opened()
    sendAll(bench, [A, B], EVENTS_PER_BLOCK, [`${A}:2`])
    bench.send(A, EVENTS_PER_BLOCK + 1)
    bench.send(A, 2)
    sendAll(bench, [B], EVENTS_PER_BLOCK + 1)
    const ledger = close(bench, { [A]: 17, [B]: 17 })
    expect(ledger.sources[0]).toMatchObject({ built: 17, late: 0, closed: true })
    expect(ledger.sources[0]!.faults).toEqual({ 'out-of-order': 1 })
  })

  it('types what it cannot take: event 0, beyond 20 bits, too large, too small, unknown source', () => {
    const bench = opened()
    sendAll(bench, [A, B], 10, [`${A}:1`, `${A}:2`, `${A}:3`, `${A}:4`])
    bench.send(A, 0)
    bench.send(A, 2 ** 20)
    bench.send(A, 3, 1, new Uint8Array(200))
    bench.send(A, 4, 1, new Uint8Array(8))
    bench.send(777, 1)
    bench.builder.fragment(-1, 1, 1, fragmentBytes(1, 1), 0)
    const ledger = close(bench, { [A]: 10, [B]: 10 })
    expect(ledger.sources[0]).toMatchObject({ received: 10, built: 6, dropped: 4, lost: 0, closed: true })
    expect(ledger.sources[0]!.faults).toEqual({
      ...{ 'event-number': 2, 'too-large': 1, 'too-small': 1 },
      'out-of-order': 1 // 3 comes after 10
    })
    expect(ledger.unknownSource).toBe(2)
  })

  it.each([
    ['beyond what was sent', 30],
    ['beyond the window', 5000]
  ])('counts an event number that is wrong, %s, and closes', (_, wrong) => {
    const bench = opened()
    sendAll(bench, [A, B], 5)
    sendAll(bench, [A], 6)
    bench.send(B, wrong)
    for (let event = 7; event <= 20; event++) for (const id of [A, B]) bench.send(id, event)
    const ledger = close(bench, { [A]: 20, [B]: 20 })
    expect(ledger.sources[1]).toMatchObject({ received: 20, lost: 0, closed: true })
    expect(Object.values(ledger.sources[1]!.faults)).toEqual([1])
  })

  it('closes when a fragment bears the number of another event: one duplicate, one lost', () => {
    const bench = opened()
    sendAll(bench, [A, B], 20, [`${B}:6`])
    bench.send(B, 9)
    const ledger = close(bench, { [A]: 20, [B]: 20 })
    expect(ledger.sources[1]).toMatchObject({ received: 20, duplicate: 1, lost: 1, closed: true })
  })

  it('closes with a fragment whose spill number is damaged, and with one that belongs to another spill', () => {
    const bench = opened()
    sendAll(bench, [A, B], 20, [`${B}:6`])
    bench.send(B, 6, 3)
    bench.send(A, 18, 3)
    const ledger = close(bench, { [A]: 20, [B]: 20 })
    expect(ledger.sources[1]).toMatchObject({ received: 20, dropped: 1, lost: 0, closed: true })
    expect(ledger.sources[1]!.faults).toEqual({ 'wrong-spill': 1 })
    expect(ledger.sources[0]).toMatchObject({ received: 20, dropped: 0, lost: 0, closed: true })
    expect(ledger.sources[0]!.faults).toEqual({ 'other-spill': 1 })
  })

  it('counts corrupt blocks as received, and damage of the stream by kind', () => {
    const bench = opened()
    sendAll(bench, [A, B], 20, [`${B}:6`, `${B}:7`])
    bench.builder.corrupt(B, 'slink-size', 40)
    bench.builder.fault(B, 'garbage', 13)
    bench.builder.fault(B, 'checksum', 1)
    const ledger = close(bench, { [A]: 20, [B]: 20 })
    expect(ledger.sources[1]).toMatchObject({ received: 19, built: 18, corrupt: 1, lost: 1, closed: true })
    expect(ledger.sources[1]!.faults).toEqual({ 'slink-size': 1, garbage: 13, checksum: 1 })
  })

  it('says so when the trigger crate counted other events than a source sent', () => {
    const bench = opened()
    sendAll(bench, [A, B], 10)
    const ledger = close(bench, { [A]: 10, [B]: 10 }, 11)
    expect(ledger).toMatchObject({ closed: true, agrees: false, eventsExpected: 11 })
    expect(ledger.reasons).toHaveLength(2)
  })

  it('counts what comes between two spills, without taking it', () => {
    const bench = opened()
    sendAll(bench, [A, B], 5)
    close(bench, { [A]: 5, [B]: 5 })
    bench.send(A, 5)
    bench.end(A, 5)
    bench.send(A, 1, 2)
    bench.builder.startOfSpill(A, 2, 0)
    bench.builder.startOfSpill(B, 2, 0)
    sendAll(bench, [A, B], 5)
    const ledger = close(bench, { [A]: 5, [B]: 5 })
    expect(ledger.sources[0]).toMatchObject({ received: 5, closed: true })
    expect(ledger.sources[0]!.faults).toEqual({ 'after-close': 2, 'no-spill': 1 })
  })

  it('keeps the first end-of-spill record, and counts others', () => {
    const bench = opened()
    sendAll(bench, [A, B], 5)
    bench.end(A, 5)
    bench.end(A, 6)
    bench.end(A, 7, 9)
    const ledger = close(bench, { [B]: 5 })
    expect(ledger.sources[0]).toMatchObject({ sent: 5, closed: true })
    expect(ledger.sources[0]!.faults).toEqual({ 'record-twice': 1, 'record-spill': 1 })
  })

  it('names a source that sends without its start of spill, unless the spill was opened by the caller', () => {
    const bench = new SpillBench([source(A), source(B)])
    bench.builder.startOfSpill(A, 1, 0)
    sendAll(bench, [A, B], 5)
    expect(close(bench, { [A]: 5, [B]: 5 }).sources.map((s) => s.faults)).toEqual([{}, { 'no-start': 1 }])
    bench.builder.openSpill(2, 0, 0)
    sendAll(bench, [A, B], 5)
    expect(close(bench, { [A]: 5, [B]: 5 }).sources.map((s) => s.faults)).toEqual([{}, {}])
  })

  it('begins every spill with empty books', () => {
    const bench = opened()
    sendAll(bench, [A, B], 40, [`${A}:3`])
    bench.send(A, 5)
    close(bench, { [A]: 40, [B]: 40 })
    for (const id of [A, B]) bench.builder.startOfSpill(id, 2, 0)
    sendAll(bench, [A, B], 7)
    const ledger = close(bench, { [A]: 7, [B]: 7 })
    for (const s of ledger.sources)
      expect(s).toMatchObject({ received: 7, built: 7, duplicate: 0, lost: 0, closed: true, faults: {} })
  })
})

describe('the status of an event', () => {
  it('says after-gap for the rest of the spill, only for sources with that policy, and heals with the next', () => {
    const bench = opened([source(A, { distrustAfterGap: true }), source(B)])
    sendAll(bench, [A, B], 40, [`${A}:20`, `${B}:3`])
    close(bench, { [A]: 40, [B]: 40 })
    const after = bench.rows
      .filter((row) => (row.status & EventStatus.afterGap) !== 0)
      .map((row) => row.event)
    expect(after).toEqual(Array.from({ length: 20 }, (_, i) => i + 21))
    expect(bench.row(20).status).toBe(EventStatus.partial)
    bench.rows.length = 0
    bench.builder.startOfSpill(A, 2, 0)
    sendAll(bench, [A, B], 5)
    close(bench, { [A]: 5, [B]: 5 })
    expect(bench.rows.every((row) => row.status === 0)).toBe(true)
  })

  it('knows a gap of a whole block that nobody sent', () => {
    const bench = opened([source(A, { distrustAfterGap: true }), source(B)])
    sendAll(bench, [A, B], EVENTS_PER_BLOCK)
    for (let event = 2 * EVENTS_PER_BLOCK + 1; event <= 40; event++)
      for (const id of [A, B]) bench.send(id, event)
    const ledger = close(bench, { [A]: 40, [B]: 40 })
    expect(bench.row(33).status).toBe(EventStatus.afterGap)
    expect(ledger.sources.map((s) => s.lost)).toEqual([16, 16])
  })

  it('names a missing trigger block and an error of the link', () => {
    const bench = opened([source(A), source(TRIGGER)])
    sendAll(bench, [A, TRIGGER], 5, [`${TRIGGER}:2`, `${A}:3`])
    bench.builder.fragment(A, 1, 3, fragmentBytes(A, 3), FragmentStatus.tcsError)
    close(bench, { [A]: 5, [TRIGGER]: 5 })
    expect(bench.row(2).status).toBe(EventStatus.partial | EventStatus.noTrigger)
    expect(bench.row(3).status).toBe(EventStatus.linkError)
  })

  it('does not miss a source that is not expected', () => {
    const bench = new SpillBench([source(A), source(B)])
    bench.builder.expect(B, false)
    bench.builder.startOfSpill(A, 1, 0)
    sendAll(bench, [A], 20)
    bench.end(A, 20)
    expect(bench.builder.isSpillComplete()).toBe(true)
    const ledger = bench.builder.closeSpill()
    expect(ledger.eventsBuilt).toBe(20)
    expect(bench.rows.every((row) => row.status === 0)).toBe(true)
  })
})

describe('waiting and holding back', () => {
  it('holds back a source that runs ahead, and lets it go on when the others have come', () => {
    const bench = opened()
    sendAll(bench, [A], 4 * EVENTS_PER_BLOCK)
    expect([...bench.paused]).toEqual([A])
    sendAll(bench, [B], 4 * EVENTS_PER_BLOCK)
    expect([...bench.paused]).toEqual([])
    expect(bench.rows).toHaveLength(64)
  })

  it('does not wait for a source whose connection is lost', () => {
    const bench = opened()
    sendAll(bench, [A, B], 5)
    sendAll(bench, [A], 40)
    expect(bench.firstEvents).toEqual([])
    bench.builder.connection(B, false)
    expect(bench.firstEvents).toEqual([1])
    expect(bench.builder.isSpillComplete()).toBe(false)
  })

  it('closes the oldest block when the caller gives up, and no more than there is', () => {
    const bench = opened()
    sendAll(bench, [A], 20)
    expect(bench.builder.giveUpOldest()).toBe(true)
    expect(bench.firstEvents).toEqual([1])
    expect(bench.builder.giveUpOldest()).toBe(true)
    expect(bench.builder.giveUpOldest()).toBe(false)
    bench.send(B, 1)
    const ledger = close(bench, { [A]: 20, [B]: 20 })
    expect(ledger.sources[1]).toMatchObject({ late: 1, lost: 19, closed: true })
  })

  it('holds everybody back while the blocks are away, and keeps what comes none the less', () => {
    const bench = opened(undefined, { blocks: 8 })
    bench.isHolding = true
    sendAll(bench, [A, B], 8 * EVENTS_PER_BLOCK + 4)
    expect([...bench.paused].sort()).toEqual([A, B])
    bench.returnBlocks()
    expect(bench.paused.size).toBe(0)
    const ledger = close(bench, { [A]: 132, [B]: 132 })
    expect(ledger.sources[0]).toMatchObject({ received: 132, built: 132, closed: true })
  })

  it('counts what finds no block until the end of the spill', () => {
    const bench = opened(undefined, { blocks: 8 })
    bench.isHolding = true
    sendAll(bench, [A, B], 8 * EVENTS_PER_BLOCK + 4)
    bench.end(A, 132)
    bench.end(B, 132)
    expect(bench.builder.isSpillComplete()).toBe(false)
    const ledger = bench.builder.closeSpill()
    expect(ledger.sources[0]).toMatchObject({ received: 132, built: 128, dropped: 4, lost: 0, closed: true })
    expect(ledger.sources[0]!.faults).toEqual({ 'no-block': 4 })
  })

  it('loses nothing of a source that delivers far more than the window after it was held back', () => {
    const bench = opened()
    const last = 40 * EVENTS_PER_BLOCK
    sendAll(bench, [A], last)
    bench.end(A, last)
    expect([...bench.paused]).toEqual([A])
    bench.send(A, 5)
    sendAll(bench, [B], last)
    bench.end(B, last)
    expect(bench.builder.isSpillComplete()).toBe(true)
    const ledger = bench.builder.closeSpill(last)
    expect(ledger).toMatchObject({ eventsBuilt: last, closed: true })
    expect(ledger.sources[0]).toMatchObject({ built: last, duplicate: 1, dropped: 0 })
    expect(bench.row(last).fragments.get(A)).toEqual(fragmentBytes(A, last))
  })

  it('builds what waits also when the spill ends without the other source', () => {
    const bench = opened()
    const last = 40 * EVENTS_PER_BLOCK
    sendAll(bench, [A], last)
    const ledger = close(bench, { [A]: last })
    expect(ledger.sources[0]).toMatchObject({ partial: last, lost: 0, closed: true })
    expect(bench.rows.map((row) => row.event)).toEqual(Array.from({ length: last }, (_, i) => i + 1))
  })

  it('keeps 60 blocks of a source that sent all at once, when the other ends with nothing', () => {
    const bench = opened(undefined, { blocks: 40, openBlocksMax: 20 })
    const last = 60 * EVENTS_PER_BLOCK
    sendAll(bench, [A], last)
    bench.end(A, last)
    bench.end(B, 0)
    expect(bench.builder.isSpillComplete()).toBe(true)
    const ledger = bench.builder.closeSpill(last)
    expect(ledger).toMatchObject({ eventsBuilt: 0, eventsPartial: last, closed: true, agrees: false })
    expect(ledger.sources[0]).toMatchObject({ partial: last, dropped: 0, lost: 0, closed: true })
    expect(ledger.sources[1]).toMatchObject({ sent: 0, received: 0, lost: 0, closed: true })
    expect(bench.rows).toHaveLength(last)
    expect([...bench.paused]).toEqual([])
  })

  it('closes a spill in which nobody has an event', () => {
    const bench = opened()
    bench.end(A, 0)
    bench.end(B, 0)
    expect(bench.builder.isSpillComplete()).toBe(true)
    expect(bench.builder.closeSpill(0)).toMatchObject({ eventsBuilt: 0, closed: true, agrees: true })
    expect(bench.rows).toEqual([])
  })

  it.each([
    ['of one source', [B]],
    ['of all sources', [A, B]]
  ])('keeps event numbers near 2^20 %s, and drops what wraps to 0', (_, far) => {
    const bench = opened()
    const top = 2 ** 20 - 1
    const number = (id: number, i: number): number => (far.includes(id) ? (top - 10 + i) & top : i)
    for (let i = 1; i <= 20; i++) for (const id of [A, B]) bench.send(id, number(id, i))
    const ledger = close(bench, { [A]: 20, [B]: 20 })
    for (const source of ledger.sources) {
      const sum = source.built + source.partial + source.late + source.duplicate + source.dropped
      expect(source.received).toBe(20)
      expect(sum).toBe(20)
      expect(source.closed).toBe(true)
    }
    expect(ledger.sources[1]!.faults['event-number']).toBe(1)
    expect(bench.rows.some((row) => row.event === top)).toBe(true)
    expect(bench.pool.freeCount).toBe(bench.pool.count)
  })

  it('takes spill 2047, whose number is all ones in S-LINK, and no spill beyond', () => {
    const bench = new SpillBench([source(A)])
    bench.builder.startOfSpill(A, 2047, 0)
    sendAll(bench, [A], 3)
    expect(close(bench, { [A]: 3 })).toMatchObject({ spill: 2047, eventsBuilt: 3, closed: true })
    bench.builder.startOfSpill(A, 2048, 0)
    expect(bench.builder.isSpillOpen).toBe(false)
  })

  it('asks the caller to close a spill into which the next one begins', () => {
    const reports: number[] = []
    const bench: SpillBench = opened(undefined, {
      onOverrun: () => reports.push(bench.builder.closeSpill().spill)
    })
    sendAll(bench, [A, B], 5)
    bench.builder.startOfSpill(A, 2, 0)
    expect(reports).toEqual([1])
    expect(bench.builder.spill).toBe(2)
    expect(bench.builder.isSpillOpen).toBe(true)
  })

  it('does not end a spill, nor begin a far one, because one board says so', () => {
    const overruns: number[] = []
    const sources = [source(A), source(TRIGGER, { format: 'trigger' })]
    const bench: SpillBench = opened(sources, {
      onOverrun: () => overruns.push(bench.builder.closeSpill().spill)
    })
    sendAll(bench, [A, TRIGGER], 5)
    bench.builder.startOfSpill(A, 2, 0)
    bench.builder.startOfSpill(A, 900, 0)
    expect(bench.builder.spill).toBe(1)
    const ledger = close(bench, { [A]: 5, [TRIGGER]: 5 })
    expect(ledger).toMatchObject({ eventsBuilt: 5, closed: true })
    expect(ledger.sources[0]!.faults).toEqual({ 'spill-number': 2 })
    bench.builder.startOfSpill(A, 900, 0)
    expect(bench.builder.isSpillOpen).toBe(false)
    bench.builder.startOfSpill(A, 2, 0)
    expect(bench.builder.spill).toBe(2)
    expect(overruns).toEqual([])
  })

  it('takes the word of a board when the spill has ended for somebody, and of the crate always', () => {
    const overruns: number[] = []
    const sources = [source(A), source(B), source(TRIGGER, { format: 'trigger' })]
    const bench: SpillBench = opened(sources, {
      onOverrun: () => overruns.push(bench.builder.closeSpill().spill)
    })
    bench.end(A, 0)
    bench.builder.startOfSpill(A, 2, 0)
    expect(bench.builder.spill).toBe(2)
    bench.builder.startOfSpill(TRIGGER, 7, 0)
    expect(bench.builder.spill).toBe(7)
    expect(overruns).toEqual([1, 2])
    bench.builder.closeSpill()
    bench.builder.startOfSpill(TRIGGER, 2, 0)
    expect(bench.builder.isSpillOpen).toBe(false)
    bench.builder.startOfSpill(A, 3, 0)
    expect(bench.builder.isSpillOpen).toBe(false)
    bench.builder.startOfSpill(TRIGGER, 3, 0)
    expect(bench.builder.spill).toBe(3)
    sendAll(bench, [A, TRIGGER], 1)
    expect(bench.builder.closeSpill().sources[0]!.faults).toEqual({ 'spill-number': 1 })
  })

  it('does not open a spill a second time for a source that comes after its end', () => {
    const bench = opened()
    close(bench, { [A]: 0, [B]: 0 })
    bench.builder.startOfSpill(B, 1, 0)
    expect(bench.builder.isSpillOpen).toBe(false)
  })
})
