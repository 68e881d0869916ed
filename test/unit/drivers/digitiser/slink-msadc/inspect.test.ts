// What the MSADC inspector reports beyond the reference files, and that no words make it hang or read too far.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { inspectMsadc } from '../../../../../drivers/digitiser/slink-msadc/inspect.ts'
import { payload } from '../payload-fixture.ts'

const header = (
  options: { event?: number; size?: number; key?: number; port?: number; adc?: number } = {}
): number => {
  const { event = 9, size = 1, key = 3, port = 0, adc = 0 } = options
  return ((key << 30) | (port << 27) | (adc << 25) | (size << 12) | event) >>> 0
}

test('an odd number of samples leaves half a word unused', () => {
  const words = [
    header({ size: 4, port: 7, adc: 3 }),
    (1 << 30) | (3 << 16) | (15 << 26) | 6,
    0x40002001,
    0x80fff003
  ]
  const { view, faults } = payload(words)
  expect(inspectMsadc(view)).toEqual({
    kind: 'msadc',
    modules: [{ port: 7, adc: 3, channels: [{ ch: 15, sum: 6, samples: '001002003' }] }]
  })
  expect(faults).toEqual([])
})

test.each([
  ['the same module twice', [header(), header()], ['SADC_MODULE_TWICE']],
  ['the same place on another port', [header(), header({ port: 1 })], []],
  [
    'size 0 and another event: both are said',
    [header({ size: 0, event: 8 })],
    ['SADC_H_ADC_BAD_SIZE', 'SADC_WRONG_EVENT']
  ],
  [
    'a missing module with another size',
    [header({ key: 0, size: 2 }), 0],
    ['SADC_MODULE_MISSING', 'SADC_BAD_H_ADC']
  ],
  [
    'a missing module of another event',
    [header({ key: 0, event: 8 })],
    ['SADC_MODULE_MISSING', 'SADC_WRONG_EVENT']
  ],
  ['a compressed block', [header({ key: 1 })], ['SADC_BAD_H_ADC']]
])('%s', (_, words, expected) => {
  const { view, codes } = payload(words)
  inspectMsadc(view)
  expect(codes()).toEqual(expected)
})

test('what could not be read is kept as words', () => {
  const { view } = payload([header({ size: 2 }), 5, header({ key: 2 }), 0xffff])
  expect(inspectMsadc(view)).toMatchObject({
    modules: [{ rest: ['00000005'] }],
    rest: ['80001009', '0000ffff']
  })
})

test('any words end and read nothing outside the payload', () => {
  const word = fc.oneof(
    fc.integer(),
    fc.nat(20).map((size) => header({ size })),
    fc.nat(40).map((n) => (1 << 30) | (n << 16))
  )
  fc.assert(
    fc.property(fc.array(word, { maxLength: 60 }), (words) => {
      inspectMsadc(payload(words).view)
    })
  )
})
