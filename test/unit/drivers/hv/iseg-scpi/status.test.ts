// Status and event words of an iseg channel mean what the manual says, bit for bit.
import { describe, expect, it } from 'vitest'
import {
  blockingEvents,
  BLOCKING_EVENTS,
  channelState,
  decodeEvents,
  decodeStatus
} from '../../../../../drivers/hv/iseg-scpi/status.ts'

const bit = (position: number): number => 2 ** position

describe('the channel status word', () => {
  it('is constant voltage, ramping and on for 152, the example of the manual', () => {
    expect(decodeStatus(152)).toEqual(new Set(['constant-voltage', 'ramping', 'on']))
  })

  it.each([
    [0, 'positive'],
    [2, 'input-error'],
    [3, 'on'],
    [4, 'ramping'],
    [5, 'emergency-off'],
    [6, 'constant-current'],
    [7, 'constant-voltage'],
    [8, 'low-current-range'],
    [10, 'current-bounds'],
    [11, 'voltage-bounds'],
    [12, 'external-inhibit'],
    [13, 'current-trip'],
    [14, 'current-limit'],
    [15, 'voltage-limit'],
    [16, 'current-ramp'],
    [17, 'current-ramp-up'],
    [18, 'current-ramp-down'],
    [19, 'voltage-ramp-up'],
    [20, 'voltage-ramp-down'],
    [21, 'voltage-bound-upper'],
    [22, 'voltage-bound-lower']
  ])('bit %i is %s', (position, name) => {
    expect([...decodeStatus(bit(position))]).toEqual([name])
  })

  it.each([1, 9, 23, 31])('bit %i means nothing', (position) => {
    expect(decodeStatus(bit(position)).size).toBe(0)
  })
})

describe('the channel event word', () => {
  it.each([
    [1, 'arc'],
    [3, 'on-to-off'],
    [4, 'end-of-ramp'],
    [9, 'arc-error'],
    [13, 'current-trip'],
    [22, 'voltage-bound-lower']
  ])('bit %i is %s', (position, name) => {
    expect([...decodeEvents(bit(position))]).toEqual([name])
  })

  it('has no event for the polarity', () => {
    expect(decodeEvents(1).size).toBe(0)
  })

  it('blocks the channel by what tells of harm, not by what every ramp does', () => {
    const everything = decodeEvents(0x7fffff)
    expect(blockingEvents(everything)).toEqual([...BLOCKING_EVENTS])
    const ordinary = decodeEvents(bit(3) + bit(4) + bit(6) + bit(7) + bit(19) + bit(20))
    expect(blockingEvents(ordinary)).toEqual([])
  })
})

describe('the state of a channel', () => {
  const state = (status: number, events = 0): string =>
    channelState(decodeStatus(status), decodeEvents(events))

  it('is off, on or ramping in peace', () => {
    expect(state(0)).toBe('off')
    expect(state(bit(3) + bit(7))).toBe('on')
    expect(state(152)).toBe('ramping')
    expect(state(bit(4))).toBe('ramping')
  })

  it('is what switched it off, for as long as that is not cleared', () => {
    expect(state(bit(13))).toBe('tripped')
    expect(state(0, bit(13))).toBe('tripped')
    expect(state(0, bit(12))).toBe('inhibited')
    expect(state(0, bit(5))).toBe('emergency-off')
    expect(state(bit(12))).toBe('inhibited')
  })

  it('is on again when an old event stands beside a channel that is on', () => {
    expect(state(bit(3), bit(13))).toBe('on')
  })
})
