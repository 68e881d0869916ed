/** The simulated PLC against its register manual, by the hand of the clock. */
import { describe, expect, it } from 'vitest'
import type { RegisterFace } from '../../../../hil-sim/device/face.ts'
import { makeInterlockPlc } from '../../../../hil-sim/device/interlock-plc/interlock-plc.ts'
import { makeSimBench } from './sim-bench.ts'

function plc() {
  const bench = makeSimBench(makeInterlockPlc, 'interlock-plc', { unit: 1 })
  const face = bench.device.faces['control'] as RegisterFace
  const word = (address: number): number => {
    const values = face.read('holding', address, 1)
    expect(values, `register ${address}`).toHaveLength(1)
    return (values as number[])[0]!
  }
  /** lets time pass while the controller's heart beats */
  const live = (seconds: number): void => {
    for (let i = 0; i < seconds; i++) {
      face.write('holding', 1, [(word(1) + 1) & 0xffff])
      bench.advance(1)
    }
  }
  return { ...bench, face, word, live }
}

describe('registers', () => {
  it('answers exactly the registers of the manual', () => {
    const { face } = plc()
    const there = Array.from({ length: 40 }, (_, address) => address).filter(
      (address) => typeof face.read('holding', address, 1) !== 'string'
    )
    expect(there).toEqual([0, 1, 2, 3, 4, 10, 11, 12, 13, 14, 20, 21])
    expect(face.read('holding', 0, 5)).toHaveLength(5)
    expect(face.read('holding', 0, 6)).toBe('illegal-address')
    expect(face.read('input', 0, 1)).toBe('illegal-function')
  })

  it('takes writes to 1 and 4 only', () => {
    const { face, word } = plc()
    expect(face.write('holding', 1, [7])).toBeUndefined()
    expect(face.write('holding', 4, [0])).toBeUndefined()
    for (const address of [0, 2, 3, 5, 10])
      expect(face.write('holding', address, [1])).toBe('illegal-address')
    expect(face.write('holding', 1, [8, 9])).toBe('illegal-address')
    expect(word(1)).toBe(7) // a refused request changes nothing
  })

  it('beats twice a second, and not while it is stuck', () => {
    const { device, advance, word } = plc()
    advance(3)
    expect(word(0)).toBe(6)
    device.inject?.({ kind: 'heartbeat-stuck', forMs: 2000 })
    advance(2)
    expect(word(0)).toBe(6)
    advance(1)
    expect(word(0)).toBe(8)
  })
})

describe('interlocks', () => {
  it('closes all four when all is well', () => {
    const { word } = plc()
    expect(word(2)).toBe(0b1111)
    expect(word(3)).toBe(0)
  })

  it.each([
    ['door', 0b0110, 0b1001],
    ['gas', 0b0101, 0b1010],
    ['cooling', 0b0011, 0b1100],
    ['key', 0b0111, 0b1000]
  ])(
    'an open %s opens the HV permit, and both are latched until a reset after it closed',
    (loop, open, latched) => {
      const { device, face, word, live } = plc()
      device.inject?.({ kind: 'interlock', loop, forMs: 3000 })
      expect(word(2)).toBe(open)
      expect(word(3)).toBe(latched)
      face.write('holding', 4, [1])
      expect(word(3)).toBe(latched) // the cause is still there
      live(4)
      expect(word(2)).toBe(0b1111)
      expect(word(3)).toBe(latched)
      face.write('holding', 4, [1])
      expect(word(3)).toBe(latched) // no edge: the command was 1 already
      face.write('holding', 4, [0])
      face.write('holding', 4, [1])
      expect(word(3)).toBe(0)
    }
  )

  it('latches the loss of the controller after 10 s without a change of its heartbeat', () => {
    const { advance, word, live, face } = plc()
    live(20)
    expect(word(3)).toBe(0)
    advance(8.9)
    face.write('holding', 1, [word(1)]) // written, but not changed
    advance(0)
    expect(word(3)).toBe(0)
    advance(0.6)
    expect(word(3)).toBe(0x8000)
    face.write('holding', 4, [1])
    expect(word(3)).toBe(0x8000)
    live(1)
    face.write('holding', 4, [0])
    face.write('holding', 4, [1])
    expect(word(3)).toBe(0)
  })
})

describe('environment', () => {
  it('wanders slowly about sensible values', () => {
    const { live, word } = plc()
    const before = word(10)
    live(600)
    expect(Math.abs(word(10) - before)).toBeLessThan(20) // 2 degrees in ten minutes
    expect(word(10)).toBeGreaterThan(180)
    expect(word(10)).toBeLessThan(270)
    expect(word(12)).toBeGreaterThan(9300)
    expect(word(12)).toBeLessThan(10100)
  })

  it('gives the dew point as a float with the low word first', () => {
    const { face, device } = plc()
    const [low, high] = face.read('holding', 20, 2) as [number, number]
    const data = new DataView(new ArrayBuffer(4))
    data.setUint16(0, high)
    data.setUint16(2, low)
    const truth = device.truth() as Record<string, number>
    expect(data.getFloat32(0)).toBeCloseTo(truth['dew-point']!, 4)
    expect(truth['dew-point']).toBeLessThan(truth['hall-temperature']!)
  })

  it('shows a broken sensor as the manual of such inputs does, and a wrong one as told', () => {
    const { device, word } = plc()
    device.inject?.({ kind: 'sensor', name: 'hall-temperature' })
    expect(word(10)).toBe(0x8000)
    device.inject?.({ kind: 'sensor', name: 'hall-temperature', value: -5.2 })
    expect(word(10)).toBe(0x10000 - 52)
    expect(word(11)).toBeGreaterThan(200)
  })

  it('loses its gas flow and warms its racks while those loops are open', () => {
    const { device, live, word } = plc()
    const rack = word(14)
    device.inject?.({ kind: 'interlock', loop: 'gas' })
    device.inject?.({ kind: 'interlock', loop: 'cooling' })
    live(60)
    expect(word(13)).toBeLessThan(5)
    expect(word(14)).toBeGreaterThan(rack + 20)
  })
})

it('keeps latched faults over a restart of the simulator', () => {
  const first = plc()
  first.device.inject?.({ kind: 'interlock', loop: 'door' })
  const second = plc()
  second.device.restore?.(JSON.parse(JSON.stringify(first.device.save?.())))
  expect(second.word(3)).toBe(0b1001)
  expect(second.word(2)).toBe(0b1111)
})
