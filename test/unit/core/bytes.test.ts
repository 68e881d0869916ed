import { expect, test } from 'vitest'
import { crc32c } from '../../../core/bytes.ts'

test('CRC-32C of the check string is the published value, in one piece or two', () => {
  const text = new TextEncoder().encode('123456789')
  expect(crc32c(text)).toBe(0xe3069283)
  expect(crc32c(text.subarray(4), crc32c(text.subarray(0, 4)))).toBe(0xe3069283)
})
