// The registers of the two readout devices keep the rules of their manuals: what may be written when, what is cut
// to its bits, and which addresses do not exist.
import { beforeEach, describe, expect, it } from 'vitest'
import type { RegisterFace } from '../../../hil-sim/device/face.ts'
import { Hall } from '../../../hil-sim/hall.ts'
import { arm, busOf, makeExperiment } from './hall-experiment.ts'

let hall: Hall
let board: RegisterFace
let crate: RegisterFace
beforeEach(() => {
  hall = new Hall({ experiment: makeExperiment(), seed: 1, cycle: 'fast', start: new Date(0) })
  board = busOf(hall.devices[0]!)
  crate = busOf(hall.devices[2]!)
})
const readBack = (face: RegisterFace, address: number, value: number): number => {
  expect(face.write('bus', address, [value])).toBeUndefined()
  return (face.read('bus', address, 1) as number[])[0]!
}

describe('registers of the MSADC board', () => {
  it('identify it and its modules', () => {
    expect(board.read('bus', 0, 1)).toEqual([0x4d534144])
    expect(board.read('bus', 2, 1)).toEqual([600])
    expect(board.read('bus', 7, 3)).toEqual([2, 0, 1])
    expect(board.read('bus', 3, 1)).toEqual([3])
  })

  it('take values in their range and cut others, so that they do not read back', () => {
    expect(readBack(board, 5, 319)).toBe(319)
    expect(readBack(board, 5, 320)).not.toBe(320)
    expect(readBack(board, 6, 16)).toBe(16)
    expect(readBack(board, 6, 17)).not.toBe(17)
    expect(readBack(board, 6, 66)).not.toBe(66)
    expect(readBack(board, 0x11f, 4095)).toBe(4095)
    expect(readBack(board, 0x11f, 4096)).toBe(0)
  })

  it('ignore settings while armed, until the spill after disarming is over', () => {
    board.write('bus', 5, [100])
    board.write('bus', 4, [1])
    expect(readBack(board, 5, 7)).toBe(100)
    expect(readBack(board, 6, 64)).toBe(32)
    expect(readBack(board, 0x100, 9)).toBe(0)
    expect(readBack(board, 4, 3)).toBe(1)
    expect((board.read('bus', 3, 1) as number[])[0]! & 4).toBe(4)
    arm(hall.devices, makeExperiment())
    hall.advance(150e6)
    board.write('bus', 4, [0])
    expect((board.read('bus', 3, 1) as number[])[0]! & 4).toBe(4)
    hall.advance(150e6)
    expect((board.read('bus', 3, 1) as number[])[0]! & 4).toBe(0)
    expect(readBack(board, 5, 7)).toBe(7)
    expect(board.read('bus', 0x701, 1)).toEqual([1])
    expect((board.read('bus', 0x700, 1) as number[])[0]).toBe(hall.truth().spills[0]!.counts.accepted)
  })

  it('answer a bus error for what does not exist, is read-only, or is no bus', () => {
    expect(board.read('bus', 0x0050, 1)).toBe('illegal-address')
    expect(board.read('bus', 0x0006, 0x40)).toBe('illegal-address')
    expect(board.write('bus', 0, [1])).toBe('illegal-address')
    expect(board.write('bus', 0x700, [1])).toBe('illegal-address')
    expect(board.read('holding', 0, 1)).toBe('illegal-function')
  })
})

describe('registers of the trigger crate', () => {
  it('identify it', () => {
    expect(crate.read('bus', 0, 3)).toEqual([0x54435243, 0x10000, 700])
    expect(crate.read('bus', 0x10, 2)).toEqual([5, 3])
  })

  it('cut values to their bits', () => {
    expect(readBack(crate, 0x20, 0x1fff)).toBe(0xfff)
    expect(readBack(crate, 0x4f, 0x1000001)).toBe(1)
    expect(readBack(crate, 0x60, 0x1ffff)).toBe(0xffff)
    expect(readBack(crate, 7, 0x1000000)).toBe(0)
  })

  it('reset the spill number with the run number, but not in a spill', () => {
    arm(hall.devices, makeExperiment())
    hall.advance(150e6)
    expect(crate.read('bus', 6, 1)).toEqual([1])
    expect((crate.read('bus', 3, 1) as number[])[0]! & 6).toBe(6)
    expect(crate.write('bus', 5, [8])).toBe('illegal-value')
    hall.advance(150e6)
    expect(readBack(crate, 5, 8)).toBe(8)
    expect(crate.read('bus', 6, 1)).toEqual([0])
  })

  it('let settings written in a spill act in the next one', () => {
    arm(hall.devices, makeExperiment())
    hall.advance(150e6)
    crate.write('bus', 0x41, [0])
    crate.write('bus', 0x20, [0xfff])
    hall.advance(600e6)
    const [first, second] = hall.truth().spills
    expect(first!.counts.lines[1]!.prescaled).toBeGreaterThan(10)
    expect(second!.counts.lines[1]!.prescaled).toBe(0)
    expect(second!.counts.beam).toBe(0)
  })

  it('finish the current spill after run enable is taken away', () => {
    arm(hall.devices, makeExperiment())
    hall.advance(150e6)
    crate.write('bus', 4, [0])
    expect((crate.read('bus', 3, 1) as number[])[0]! & 2).toBe(2)
    hall.advance(900e6)
    expect(hall.truth().spills).toHaveLength(1)
    expect(hall.truth().spills[0]!.counts.lengthNs).toBe(200e6)
    expect((crate.read('bus', 3, 1) as number[])[0]! & 2).toBe(0)
  })

  it('stop triggers at once when inhibited', () => {
    arm(hall.devices, makeExperiment())
    hall.advance(200e6)
    crate.write('bus', 4, [3])
    expect((crate.read('bus', 3, 1) as number[])[0]! & 16).toBe(16)
    hall.advance(100e6)
    const { counts } = hall.truth().spills[0]!
    expect(counts.beamLive / counts.beam).toBeCloseTo(0.5, 1)
    expect(counts.liveNs).toBeLessThan(101e6)
  })

  it('refuse artificial spills unless run and local are enabled', () => {
    expect(crate.write('bus', 8, [1])).toBe('illegal-value')
    crate.write('bus', 4, [1])
    expect(crate.write('bus', 8, [1])).toBe('illegal-value')
    crate.write('bus', 4, [5])
    expect(crate.write('bus', 8, [1])).toBeUndefined()
    expect(crate.read('bus', 8, 1)).toBe('illegal-address')
  })

  it('latch the scalers of the finished spill', () => {
    arm(hall.devices, makeExperiment())
    hall.advance(320e6)
    const { counts } = hall.truth().spills[0]!
    expect(crate.read('bus', 0x100, 6)).toEqual([
      1,
      counts.accepted,
      counts.beam,
      counts.beamLive,
      200_000,
      Math.round(counts.liveNs / 1e3)
    ])
    expect(crate.read('bus', 0x110, 5)).toEqual(counts.counters.slice(0, 5))
    for (const [first, key] of [
      [0x130, 'attempts'],
      [0x150, 'prescaled'],
      [0x170, 'accepted']
    ] as const)
      expect(crate.read('bus', first, 3)).toEqual(counts.lines.slice(0, 3).map((l) => l[key]))
  })
})
