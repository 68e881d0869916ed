import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  checkStep,
  inOrder,
  isAcquiring,
  permitted,
  type RunState
} from '../../../../controller/run/run-state.ts'
import { RUN_STATES } from '../../../../console/api/api.ts'

// The table of run states: what is left only by a person, and what is always possible.

const steps = (from: RunState): RunState[] =>
  RUN_STATES.filter((to) => {
    try {
      checkStep(from, to)
      return true
    } catch {
      return false
    }
  })

test('safe and fault lead to idle or into another making-safe only', () => {
  expect(steps('safe')).toEqual(['idle', 'making-safe'])
  expect(steps('fault')).toEqual(['idle', 'making-safe'])
})

test('make-safe is possible from every state but from itself', () => {
  for (const state of RUN_STATES)
    if (state !== 'making-safe') expect(steps(state), state).toContain('making-safe')
})

test('running is reached by configuring, arming and starting only', () => {
  const before = (state: RunState): RunState[] => RUN_STATES.filter((from) => steps(from).includes(state))
  expect(before('running')).toEqual(['starting'])
  expect(before('starting')).toEqual(['armed'])
  expect(before('armed')).toEqual(['arming'])
  expect(before('arming')).toEqual(['configured'])
})

test('a command that is not permitted says why; make-safe is permitted wherever data could flow', () => {
  for (const state of RUN_STATES) {
    const commands = permitted(state)
    for (const answer of Object.values(commands))
      if (answer !== true) expect(answer.length).toBeGreaterThan(5)
    if (isAcquiring(state)) expect(commands['make-safe']).toBe(true)
  }
  expect(permitted('safe').start).toContain('recover')
})

test('condition bits print in one order, once', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('simulated', 'degraded', 'aborted', 'tainted' as const)), (list) => {
      const ordered = inOrder(list as Parameters<typeof inOrder>[0])
      expect(new Set(ordered)).toEqual(new Set(list))
      expect(ordered).toEqual(inOrder([...ordered].reverse()))
    })
  )
})
