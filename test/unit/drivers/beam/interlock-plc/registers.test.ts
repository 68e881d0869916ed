// The PLC's words mean what docs/hardware/plc.md says.
import { describe, expect, it } from 'vitest'
import {
  decodeAnalogue,
  decodeFloat,
  decodeStatus
} from '../../../../../drivers/beam/interlock-plc/registers.ts'

describe('the words of the PLC', () => {
  it('name interlocks that are open, 1 being closed', () => {
    expect(decodeStatus([7, 0, 0b1111, 0])).toEqual({ heartbeat: 7, open: [], faults: [] })
    expect(decodeStatus([7, 0, 0b0101, 0]).open).toEqual(['gas', 'hv-permit'])
    expect(decodeStatus([7, 0, 0, 0]).open).toEqual(['door', 'gas', 'cooling', 'hv-permit'])
  })

  it('name latched faults, the lost controller included', () => {
    expect(decodeStatus([0, 0, 0b1111, 0x8001]).faults).toEqual(['door', 'controller-lost'])
  })

  it('are temperatures below zero and tenths', () => {
    expect(decodeAnalogue([0xffce, 455, 9652, 123, 315])).toEqual({
      hallTemperatureDegC: -5,
      humidityPercent: 45.5,
      pressureHPa: 965.2,
      gasFlowLPerH: 12.3,
      rackTemperatureDegC: 31.5
    })
  })

  it('are a float with the low word first', () => {
    // 7.25 is 0x40e80000, -12.3125 is 0xc1450000, 9.1 is 0x4111999a
    expect(decodeFloat([0x0000, 0x40e8])).toBe(7.25)
    expect(decodeFloat([0x0000, 0xc145])).toBe(-12.3125)
    expect(decodeFloat([0x999a, 0x4111])).toBeCloseTo(9.1, 6)
  })
})
