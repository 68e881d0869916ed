/** The one table of run states: complete, told apart without colour, and the same in the operator's manual. */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { RUN_STATES } from '../../../../console/api/api.ts'
import { RUN_LOOKS } from '../../../../console/api/run-looks.ts'

it('every state has a look, and no two that stand still share a shape', () => {
  expect(Object.keys(RUN_LOOKS)).toEqual([...RUN_STATES])
  const still = Object.values(RUN_LOOKS).filter((look) => !look.isMoving)
  expect(new Set(still.map((look) => look.shape)).size).toBe(still.length)
})

it('only Fault is red, only Safe is amber, and both say what to do', () => {
  const tinted = (tint: string): string[] => RUN_STATES.filter((state) => RUN_LOOKS[state].tint === tint)
  expect(tinted('red')).toEqual(['fault'])
  expect(tinted('amber')).toEqual(['safe'])
  expect(RUN_LOOKS.fault.action).not.toBe('')
  expect(RUN_LOOKS.safe.action).not.toBe('')
})

it.each(RUN_STATES)('the manual explains %s in the words of the page', (state) => {
  const manual = readFileSync(new URL('../../../../docs/operator/console.md', import.meta.url), 'utf8')
  const { word, meaning, action } = RUN_LOOKS[state]
  expect(manual).toContain(`| ${word} | ${meaning} | ${action === '' ? 'nothing' : action} |`)
})
