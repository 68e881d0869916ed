/** Numbers as the shifter reads them. */
import { describe, expect, it } from 'vitest'
import {
  countText,
  percentText,
  plural,
  unitText,
  valueText
} from '../../../../../console/src/logic/format.ts'

describe('counts', () => {
  it.each([
    [null, '–'],
    [Number.NaN, '–'],
    [0, '0'],
    [999, '999'],
    [21_480, '21\u202f480'],
    [999_999, '999\u202f999'],
    [1e6, '1.000 × 10⁶'],
    [1.98e10, '1.980 × 10¹⁰'],
    [-1234, '-1\u202f234']
  ])('%d is %s', (count, text) => expect(countText(count)).toBe(text))
})

describe('values', () => {
  it.each([
    [null, '–'],
    [true, 'on'],
    [false, 'off'],
    ['closed', 'closed'],
    [160, '160'],
    [1450.2, '1450.2'],
    [112.44, '112.4'],
    [21.419, '21.42'],
    [4.8021, '4.802'],
    [0.0213, '0.0213'],
    [-0.5, '-0.5000'],
    [2.5e-7, '2.50 × 10⁻⁷'],
    [1.5e9, '1.50 × 10⁹'],
    [Number.POSITIVE_INFINITY, '–']
  ])('%j is %s', (value, text) => expect(valueText(value)).toBe(text))

  it.each([
    ['uA', 'µA'],
    ['degC', '°C'],
    ['1e11', '× 10¹¹'],
    ['V', 'V'],
    ['u', 'u']
  ])('unit %s is written %s', (unit, text) => expect(unitText(unit)).toBe(text))
})

it('fractions have one decimal, and numerals agree with their noun', () => {
  expect(percentText(0.98234)).toBe('98.2 %')
  expect(percentText(null)).toBe('–')
  expect(plural(1, 'spill')).toBe('1 spill')
  expect(plural(2000, 'spill')).toBe('2\u202f000 spills')
})
