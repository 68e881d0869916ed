/** Times as the shifter reads them, and the phase bar at given instants of the cycle. */
import { describe, expect, it } from 'vitest'
import {
  ageMs,
  clockText,
  durationText,
  phaseView,
  secondsText
} from '../../../../../console/src/logic/time.ts'
import { msAt, snapshotOf, utcAt } from '../fixtures.ts'

describe('durations', () => {
  it.each([
    [-5, '0 s'],
    [999, '0 s'],
    [59_999, '59 s'],
    [65_000, '1 min 05 s'],
    [3_599_999, '59 min 59 s'],
    [8_040_000, '2 h 14 min'],
    [100 * 3_600_000, '4 d 4 h']
  ])('%d ms is %s', (ms, text) => expect(durationText(ms)).toBe(text))

  it.each([
    [0, '0.0 s'],
    [4249, '4.2 s'],
    [9949, '9.9 s'],
    [9951, '10 s'],
    [59_400, '59 s'],
    [61_000, '1 min 01 s']
  ])('a countdown of %d ms is %s', (ms, text) => expect(secondsText(ms)).toBe(text))
})

describe('times of day and ages', () => {
  it('are in UTC, and a dash for what is no time', () => {
    expect(clockText('2026-07-01T03:12:44.500Z')).toBe('03:12:44')
    expect(clockText('yesterday')).toBe('–')
    expect(clockText(null)).toBe('–')
  })
  it('count from the reading; a clock that is ahead gives no negative age', () => {
    expect(ageMs(utcAt(0), msAt(3))).toBe(3000)
    expect(ageMs(utcAt(5), msAt(3))).toBe(0)
    expect(ageMs(null, msAt(3))).toBeUndefined()
    expect(ageMs('?', msAt(3))).toBeUndefined()
  })
})

describe('phase bar', () => {
  const spill = (part: Partial<ReturnType<typeof snapshotOf>['spill']>) => ({
    ...snapshotOf(0).spill,
    ...part
  })

  it('counts the extraction up, from its start, with its length', () => {
    const view = phaseView(spill({ phase: 'extracting', nextStart: null }), msAt(3.6))
    expect(view).toMatchObject({
      word: 'Extracting',
      seconds: '3.6 s',
      caption: 'of 4.8 s extraction',
      position: 0.25
    })
    expect(view.extractionShare).toBeCloseTo(1 / 3)
  })
  it('counts down to the next start between spills', () => {
    expect(phaseView(spill({}), msAt(2.8))).toMatchObject({
      seconds: '7.2 s',
      caption: 'to next extraction',
      position: 0.5
    })
  })
  it('says that an extraction is late, and stays at the end of the bar', () => {
    expect(phaseView(spill({}), msAt(13))).toMatchObject({
      seconds: '3.0 s',
      caption: 'extraction is late',
      position: 1
    })
  })
  it('names what comes by the source of spills', () => {
    expect(phaseView(spill({ source: 'artificial' }), msAt(1)).caption).toBe('to next artificial spill')
  })
  it('shows no place in a cycle that it does not know', () => {
    const view = phaseView(spill({ nextStart: null, cycleLengthMs: null, extractionMs: null }), msAt(4))
    expect(view).toEqual({
      word: 'Between spills',
      seconds: '4.0 s',
      caption: 'since last spill',
      position: undefined,
      extractionShare: undefined
    })
    expect(phaseView(spill({ phase: 'no-beam', nextStart: null }), msAt(90))).toMatchObject({
      seconds: '1 min 30 s',
      position: undefined
    })
  })
})
