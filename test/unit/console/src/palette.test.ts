/** Contrast of every pair of colours that the pages use, in light and dark, by the formula of WCAG 2.2. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const css = readFileSync(new URL('../../../../console/src/palette.css', import.meta.url), 'utf8')
const [light = '', dark = ''] = css.split('@media (prefers-color-scheme: dark)')
const colours = (text: string): Map<string, string> =>
  new Map([...text.matchAll(/--([\w-]+): (#[\da-f]{6});/g)].map((m) => [m[1]!, m[2]!]))

function luminance(hex: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const c = parseInt(hex.slice(at, at + 2), 16) / 255
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}
function contrast(a: string, b: string): number {
  const [high = 0, low = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x)
  return (high + 0.05) / (low + 0.05)
}

const TEXTS = [
  ['ink', 'ground'],
  ['ink', 'panel'],
  ['ink', 'raised'],
  ['muted', 'panel'],
  ['muted', 'ground'],
  ['amber', 'panel'],
  ['red', 'panel'],
  ['blue', 'panel'],
  ['violet-ink', 'panel'],
  ['on-violet', 'violet'],
  ['on-red', 'red-fill'],
  ['on-fill', 'amber-fill'],
  ['on-fill', 'cyan-fill']
] as const
const MARKS = [
  ['edge', 'panel'],
  ['edge', 'raised'],
  ['fill', 'panel'],
  ['amber', 'panel'],
  ['blue', 'panel'],
  ['blue', 'raised'],
  ['ink', 'line'],
  ['violet', 'ground']
] as const

describe.each([
  ['light', colours(light)],
  ['dark', colours(dark)]
])('%s palette', (_, palette) => {
  const pair = (a: string, b: string): number => contrast(palette.get(a)!, palette.get(b)!)

  it('is complete', () => {
    expect([...palette.keys()]).toEqual([...colours(light).keys()])
    expect(palette.size).toBeGreaterThan(15)
  })
  it.each(TEXTS)('text %s on %s has 4.5 : 1', (text, ground) => {
    expect(pair(text, ground)).toBeGreaterThanOrEqual(4.5)
  })
  it.each(MARKS)('mark %s on %s has 3 : 1', (mark, ground) => {
    expect(pair(mark, ground)).toBeGreaterThanOrEqual(3)
  })
})

it('the formula gives the values of the standard', () => {
  expect(contrast('#000000', '#ffffff')).toBeCloseTo(21)
  expect(contrast('#777777', '#ffffff')).toBeCloseTo(4.48, 2)
})

it('no colour is written outside the palette', () => {
  const style = readFileSync(new URL('../../../../console/src/style.css', import.meta.url), 'utf8')
  expect(style.match(/#[\da-f]{3,8}\b/gi) ?? []).toEqual([])
  const used = [...style.matchAll(/var\(--([\w-]+)\)/g)].map((m) => m[1]!)
  expect(used.filter((name) => !colours(light).has(name))).toEqual([])
})
