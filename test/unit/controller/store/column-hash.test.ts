// The hash of a column says whether two passes gave the same results: it must not depend on the cut into blocks, and
// must depend on every value.
import { expect, test } from 'vitest'
import type { EventBlock } from '../../../../core/block.ts'
import { ColumnHash } from '../../../../controller/store/column-hash.ts'
import { type FakeEvent, fill } from './block-fixture.ts'

const EVENTS: FakeEvent[] = Array.from({ length: 8 }, (_, i) => ({
  number: i + 1,
  sources: i === 3 ? [] : i === 5 ? [700, 601] : [700, 600, 601]
}))

function hash(...cuts: readonly (readonly FakeEvent[])[]): Record<string, string> {
  const hashes = new ColumnHash()
  for (const events of cuts) if (events.length > 0) hashes.add(fill(1, 1, events[0]!.number, events))
  return hashes.digest()
}
const whole = hash(EVENTS)

test('wherever the events are cut into blocks, the digests are the same', () => {
  for (let cut = 0; cut <= EVENTS.length; cut++)
    expect(hash(EVENTS.slice(0, cut), EVENTS.slice(cut))).toEqual(whole)
  expect(hash(...EVENTS.map((event) => [event]))).toEqual(whole)
})

test('rows that are not used do not count', () => {
  expect(hash(EVENTS.filter((event) => event.sources.length > 0))).toEqual(whole)
})

test('the order of the events counts', () => {
  expect(hash(EVENTS.slice(4), EVENTS.slice(0, 4)).eventNumber).not.toBe(whole['eventNumber'])
})

test('a digest can be taken between blocks', () => {
  const hashes = new ColumnHash()
  hashes.add(fill(1, 1, 1, EVENTS.slice(0, 3)))
  expect(hashes.digest()).toEqual(hash(EVENTS.slice(0, 3)))
  hashes.add(fill(1, 1, 4, EVENTS.slice(3)))
  expect(hashes.digest()).toEqual(whole)
})

// counts steer which hits and samples belong to an event: alone they cannot be changed
const values = Object.keys(whole).filter((name) => name !== 'hitCount' && name !== 'sampleCount')
test.each(values)('one other value in %s changes its digest and no other', (name) => {
  const block = fill(1, 1, 1, EVENTS)
  const column = block[name as keyof EventBlock] as Float32Array
  column[0]! += 1
  const hashes = new ColumnHash()
  hashes.add(block)
  const digest: Record<string, string> = hashes.digest()
  const changed = Object.keys(whole).filter((key) => digest[key] !== whole[key])
  expect(changed).toEqual([name])
})
