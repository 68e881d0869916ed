/** A command stands where the server's words put it: nothing is done before the run state says so. */
import { describe, expect, it } from 'vitest'
import type { Command, RunState } from '../../../../../console/api/api.ts'
import {
  commandLabel,
  type CommandProgress,
  followCommand,
  parseSpills,
  refusal,
  sentCommand
} from '../../../../../console/src/logic/command-progress.ts'

const START: Command = { name: 'start' }

function accepted(command: Command, from: RunState): CommandProgress {
  return { ...sentCommand(command, 'x', from, 0), phase: 'accepted' }
}
/** Phase after each of the states, seen in order. */
function phases(progress: CommandProgress, states: readonly RunState[]): string[] {
  let current = progress
  return states.map((state) => {
    current = followCommand(current, { state, status: `now ${state}` }, 1)
    return current.phase
  })
}

describe('a started run', () => {
  it('is done at running, not before', () => {
    const way: RunState[] = ['idle', 'configuring', 'configured', 'arming', 'armed', 'starting', 'running']
    expect(phases(accepted(START, 'idle'), way)).toEqual([...Array<string>(6).fill('accepted'), 'done'])
  })
  it('is done when the steps between were too quick to be seen', () => {
    expect(phases(accepted(START, 'idle'), ['idle', 'running'])).toEqual(['accepted', 'done'])
  })
  it.each<RunState[]>([
    ['configuring', 'idle'],
    ['arming', 'configured'],
    ['arming', 'making-safe'],
    ['starting', 'safe'],
    ['configuring', 'fault']
  ])('has failed when %s is followed by %s, in the words of the status', (up, down) => {
    const moved = followCommand(accepted(START, 'idle'), { state: up, status: '' }, 1)
    expect(followCommand(moved, { state: down, status: 'threshold differs' }, 2)).toMatchObject({
      phase: 'failed',
      why: 'threshold differs'
    })
  })
  it('is not called done or failed before the server accepted it', () => {
    const sent = sentCommand(START, 'x', 'idle', 0)
    expect(phases(sent, ['configuring', 'running'])).toEqual(['sent', 'sent'])
    // the answer comes after the states: then the next look decides
    const late = { ...followCommand(sent, { state: 'running', status: '' }, 1), phase: 'accepted' as const }
    expect(phases(late, ['running'])).toEqual(['done'])
  })
})

describe('other commands', () => {
  it('stop is done when the run is closed and failed in Safe', () => {
    expect(phases(accepted({ name: 'stop' }, 'running'), ['running', 'stopping', 'configured'])).toEqual([
      'accepted',
      'accepted',
      'done'
    ])
    expect(phases(accepted({ name: 'stop' }, 'running'), ['stopping', 'safe'])).toEqual([
      'accepted',
      'failed'
    ])
  })
  it('make-safe is done in Safe and failed in Fault', () => {
    const command: Command = { name: 'make-safe', reason: '' }
    expect(phases(accepted(command, 'running'), ['making-safe', 'safe'])).toEqual(['accepted', 'done'])
    expect(phases(accepted(command, 'running'), ['making-safe', 'fault'])).toEqual(['accepted', 'failed'])
    expect(phases(accepted(command, 'fault'), ['fault'])).toEqual(['accepted'])
  })
  it('recover is done when Safe or Fault is left and failed when it comes again', () => {
    expect(phases(accepted({ name: 'recover' }, 'safe'), ['safe', 'idle'])).toEqual(['accepted', 'done'])
    expect(phases(accepted({ name: 'recover' }, 'fault'), ['making-safe', 'fault'])).toEqual([
      'accepted',
      'failed'
    ])
  })
  it('a settled command stays as it is', () => {
    const done = { ...accepted(START, 'idle'), phase: 'done' as const }
    expect(followCommand(done, { state: 'fault', status: '' }, 9)).toBe(done)
  })
})

describe('permission', () => {
  it('is off with the reason of the server', () => {
    expect(refusal('start', [{ name: 'start', permitted: false, why: 'a run is going' }], true)).toBe(
      'a run is going'
    )
    expect(refusal('start', [{ name: 'start', permitted: true }], true)).toBeUndefined()
    expect(refusal('start', [], true)).toBe('this controller does not offer it')
  })
  it('is never withheld from making safe, except without connection', () => {
    expect(refusal('make-safe', [{ name: 'make-safe', permitted: false }], true)).toBeUndefined()
    expect(refusal('make-safe', [], false)).toContain('no connection')
  })
})

it('buttons name the action', () => {
  expect(commandLabel('stop', 4711)).toBe('Stop run 4711')
  expect(commandLabel('stop', null)).toBe('Stop run')
})

it.each([
  ['', {}],
  [' 12 ', { spills: 12 }],
  ['0', 'fault'],
  ['1e3', 'fault'],
  ['-4', 'fault'],
  ['2.5', 'fault'],
  ['100001', 'fault'],
  ['ten', 'fault']
])('a number of spills typed as %j gives %j', (text, expected) => {
  const parsed = parseSpills(text)
  if (expected === 'fault') expect(parsed).toHaveProperty('fault')
  else expect(parsed).toEqual(expected)
})
