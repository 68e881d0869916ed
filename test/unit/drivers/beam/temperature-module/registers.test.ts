// Registers become temperatures by the settings alone: scale, sign, all four orders of a float, words that mean no
// sensor; and no register is read that nobody asked for.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  decodeFloat,
  decodeTemperature,
  readBlocks,
  type TemperatureChannel
} from '../../../../../drivers/beam/temperature-module/registers.ts'
import { makeTemperatureModule } from '../../../../../hil-sim/device/temperature-module/temperature-module.ts'
import type { RegisterFace } from '../../../../../hil-sim/device/face.ts'
import { makeSimBench } from '../../../hil-sim/device/sim-bench.ts'

const channel = (changes: Partial<TemperatureChannel>): TemperatureChannel => ({
  name: 'one',
  table: 'holding',
  register: 0,
  format: 'uint16',
  wordOrder: 'ABCD',
  degCPerCount: 1,
  offsetDegC: 0,
  brokenWords: [],
  ...changes
})

describe('a float in two registers', () => {
  // 23.5 is 41 BC 00 00; -40.1 is C2 20 66 66 (IEEE 754)
  it.each([
    ['ABCD', [0xc220, 0x6666]],
    ['CDAB', [0x6666, 0xc220]],
    ['BADC', [0x20c2, 0x6666]],
    ['DCBA', [0x6666, 0x20c2]]
  ] as const)('in order %s', (order, [first, second]) => {
    expect(decodeFloat(first, second, order)).toBeCloseTo(-40.1, 5)
    expect(decodeTemperature(channel({ format: 'float32', wordOrder: order }), [first, second])).toBeCloseTo(
      -40.1,
      5
    )
  })

  it('that is no number is no sensor', () => {
    for (const words of [
      [0x7fc0, 0],
      [0x7f80, 0],
      [0xff80, 0]
    ])
      expect(decodeTemperature(channel({ format: 'float32' }), words)).toBeUndefined()
  })

  it('comes back from the twin in every order', () => {
    for (const wordOrder of ['ABCD', 'CDAB', 'BADC', 'DCBA'] as const) {
      const one = channel({ format: 'float32', wordOrder })
      const settings = { channels: [{ ...one, description: 'x', simulatedDegC: 31, provenance: 'A: test' }] }
      const { device } = makeSimBench(makeTemperatureModule, 'temperature-module', settings)
      const words = (device.faces['control'] as RegisterFace).read('holding', 0, 2) as number[]
      const truth = device.truth() as { degC: Record<string, number> }
      expect(decodeTemperature(one, words)).toBeCloseTo(truth.degC['one']!, 4)
    }
  })
})

describe('counts', () => {
  it('are scaled, and signed where they are', () => {
    const adam = channel({ degCPerCount: 200 / 65535, offsetDegC: -50 })
    expect(decodeTemperature(adam, [0])).toBe(-50)
    expect(decodeTemperature(adam, [0xffff])).toBeCloseTo(150, 9)
    expect(decodeTemperature(adam, [26874])).toBeCloseTo(32.25, 0)
    expect(decodeTemperature(channel({ format: 'int16', degCPerCount: 0.1 }), [0xff9c])).toBeCloseTo(-10, 9)
  })

  it('that mean no sensor give none', () => {
    const one = channel({ brokenWords: [0x8000, 0x7fff] })
    expect(decodeTemperature(one, [0x8000])).toBeUndefined()
    expect(decodeTemperature(one, [0x7ffe])).toBe(0x7ffe)
  })
})

describe('requests', () => {
  it('take neighbours together and leave out what is between', () => {
    const blocks = readBlocks([
      channel({ name: 'c', register: 2 }),
      channel({ name: 'a', register: 0 }),
      channel({ name: 'b', register: 1 }),
      channel({ name: 'f', register: 10, format: 'float32' }),
      channel({ name: 'i', register: 3, table: 'input' })
    ])
    expect(blocks.map(({ table, register, count }) => [table, register, count])).toEqual([
      ['holding', 0, 3],
      ['holding', 10, 2],
      ['input', 3, 1]
    ])
  })

  it('read every channel once, nothing else, and at most 125 registers', () => {
    const any = fc.record({
      register: fc.integer({ min: 0, max: 400 }),
      isFloat: fc.boolean(),
      isInput: fc.boolean()
    })
    fc.assert(
      fc.property(fc.array(any, { minLength: 1, maxLength: 64 }), (given) => {
        const channels = given.map(({ register, isFloat, isInput }, i) =>
          channel({
            name: `c${i}`,
            register,
            format: isFloat ? 'float32' : 'uint16',
            table: isInput ? 'input' : 'holding'
          })
        )
        const asked = (one: { table: string; register: number; count: number }): string[] =>
          Array.from({ length: one.count }, (_, i) => `${one.table} ${one.register + i}`)
        const blocks = readBlocks(channels)
        const wanted = new Set(
          channels.flatMap(({ table, register, format }) =>
            asked({ table, register, count: format === 'float32' ? 2 : 1 })
          )
        )
        expect(new Set(blocks.flatMap(asked))).toEqual(wanted)
        expect(blocks.flatMap((block) => block.channels)).toHaveLength(channels.length)
        for (const block of blocks) {
          expect(block.count).toBeLessThanOrEqual(125)
          for (const one of block.channels) {
            expect(one.register).toBeGreaterThanOrEqual(block.register)
            expect(one.register).toBeLessThan(block.register + block.count)
          }
        }
      })
    )
  })
})
