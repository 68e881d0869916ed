// Messages of the timing gateway are taken as the manual writes them, and nothing else is; no payload makes the
// parser throw. Marks pass once, in the order of a cycle.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { SpillMark } from '../../../../../drivers/beam/contract/beam-instrument.ts'
import { MarkOrder } from '../../../../../drivers/beam/spill-timing/mark-order.ts'
import { parseCycle, parseInfo, parseMark } from '../../../../../drivers/beam/spill-timing/messages.ts'

const T = '2026-07-01T12:00:00.000Z'
const json = JSON.stringify

describe('messages of the manual', () => {
  it('are read', () => {
    expect(parseMark(json({ mark: 'SOE', cycle: 123, t: T }))).toEqual({
      mark: 'SOE',
      cycle: 123,
      utc: new Date(T)
    })
    const cycle = { cycle: 123, cycleLengthMs: 14400, extractionMs: 4800, nextStart: T, t: T }
    expect(parseCycle(json(cycle))).toEqual({
      cycle: 123,
      cycleLengthMs: 14400,
      extractionMs: 4800,
      nextStart: new Date(T)
    })
    expect(parseCycle(json({ ...cycle, nextStart: null }))?.nextStart).toBeUndefined()
    expect(parseInfo(json({ v: 30.1, t: T, q: 'suspect', u: '1e11' }))).toEqual({
      value: 30.1,
      utc: new Date(T),
      quality: 'suspect',
      unit: '1e11'
    })
  })

  it('may have further fields', () => {
    expect(parseMark(json({ mark: 'WE', cycle: 1, t: T, source: 'CTR' }))?.mark).toBe('WE')
  })
})

describe('messages that are not of the manual', () => {
  const mark = { mark: 'SOE', cycle: 1, t: T }
  it.each([
    ['', ''],
    ['no JSON', '{"mark":"SOE"'],
    ['a list', '[]'],
    ['null', 'null'],
    ['an unknown mark', json({ ...mark, mark: 'XXX' })],
    ['a cycle as text', json({ ...mark, cycle: '1' })],
    ['a cycle that is no whole number', json({ ...mark, cycle: 1.5 })],
    ['a negative cycle', json({ ...mark, cycle: -1 })],
    ['a cycle beyond exact numbers', '{"mark":"SOE","cycle":1e300,"t":"2026-07-01T12:00:00Z"}'],
    ['a time without a zone', json({ ...mark, t: '2026-07-01T12:00:00' })],
    ['a time that is none', json({ ...mark, t: '2026-13-41T12:00:00Z' })],
    ['a time as a number', json({ ...mark, t: 1 })],
    ['endless', json({ ...mark, x: 'y'.repeat(5000) })]
  ])('are no mark: %s', (_what, payload) => {
    expect(parseMark(payload)).toBeUndefined()
  })

  it.each([
    ['extraction longer than the cycle', { cycle: 1, cycleLengthMs: 4000, extractionMs: 4800 }],
    ['a cycle of no length', { cycle: 1, cycleLengthMs: 0, extractionMs: 0 }],
    ['a cycle of an hour', { cycle: 1, cycleLengthMs: 3_600_000, extractionMs: 0 }],
    ['a next start that is no time', { cycle: 1, cycleLengthMs: 9, extractionMs: 1, nextStart: 'soon' }]
  ])('are no cycle: %s', (_what, fields) => {
    expect(parseCycle(json(fields))).toBeUndefined()
  })

  it.each([
    ['text for a value', { v: '1', t: T, q: 'good' }],
    ['no value', { v: null, t: T, q: 'good' }],
    ['an unknown quality', { v: 1, t: T, q: 'fine' }],
    ['a unit that is a number', { v: 1, t: T, q: 'good', u: 5 }]
  ])('are no information: %s', (_what, fields) => {
    expect(parseInfo(json(fields))).toBeUndefined()
  })

  it('never throw, whatever they are', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (payload) => {
        for (const parse of [parseMark, parseCycle, parseInfo]) expect(() => parse(payload)).not.toThrow()
      })
    )
  })
})

describe('the order of marks', () => {
  const at = (mark: SpillMark, cycle: number, second: number) => ({
    mark,
    cycle,
    utc: new Date(Date.UTC(2026, 6, 1, 12, 0, second))
  })

  it('is that of the cycle; a mark that comes twice or late is no news', () => {
    const order = new MarkOrder()
    expect(order.check(at('WWE', 1, 0))).toBe('new')
    expect(order.check(at('WE', 1, 1))).toBe('new')
    expect(order.check(at('SOE', 1, 2))).toBe('new')
    expect(order.check(at('SOE', 1, 2))).toBe('duplicate')
    expect(order.check(at('WWE', 1, 0))).toBe('late')
    expect(order.check(at('EOE', 1, 6))).toBe('new')
    expect(order.check(at('WWE', 2, 14))).toBe('new')
    expect(order.check(at('EOE', 1, 6))).toBe('late')
  })

  it('lets a cycle begin with whatever mark came first', () => {
    const order = new MarkOrder()
    expect(order.check(at('EOE', 1, 0))).toBe('new')
    expect(order.check(at('SOE', 2, 14))).toBe('new')
  })

  it('goes on when a new gateway counts cycles from the beginning', () => {
    const order = new MarkOrder()
    order.check(at('EOE', 5000, 0))
    expect(order.check(at('WWE', 1, 14))).toBe('new')
    expect(order.check(at('WE', 1, 15))).toBe('new')
  })
})
