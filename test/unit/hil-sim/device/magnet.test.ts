/** The simulated magnet against its node manual, by the hand of the clock. */
import { expect, it } from 'vitest'
import type { NodeFace } from '../../../../hil-sim/device/face.ts'
import { makeMagnet } from '../../../../hil-sim/device/magnet/magnet.ts'
import { makeSimBench } from './sim-bench.ts'

function magnet(nominalA = -2500) {
  const bench = makeSimBench(makeMagnet, 'magnet', {
    magnetName: 'MS2',
    nominalA,
    nominalTm: 4,
    provenance: 'A: test'
  })
  const { nodes } = bench.device.faces['control'] as NodeFace
  const read = (name: string) => nodes.find(({ id }) => id === `Magnet.MS2.${name}`)!.read()
  return { ...bench, nodes, read, value: (name: string): unknown => read(name).value }
}

it('has the nodes of the manual, all read-only', () => {
  const nodes = magnet().nodes
  expect(nodes.map(({ id, type }) => `${id} ${type}`)).toEqual([
    ...['Maker', 'Model', 'Serial', 'Firmware'].map((name) => `Magnet.MS2.${name} String`),
    'Magnet.MS2.CurrentSet Double',
    'Magnet.MS2.CurrentActual Double',
    'Magnet.MS2.Polarity Int32',
    'Magnet.MS2.FieldIntegral Double',
    'Magnet.MS2.Temperature Double',
    'Magnet.MS2.Status Int32'
  ])
  expect(nodes.every((node) => !('write' in node))).toBe(true)
})

it('stands at its nominal current, with a small ripple and fresh source times', () => {
  const { advance, value, read } = magnet()
  const currents = Array.from({ length: 50 }, () => {
    advance(0.1)
    return value('CurrentActual') as number
  })
  expect(new Set(currents).size).toBeGreaterThan(40)
  for (const current of currents) expect(Math.abs(current + 2500)).toBeLessThan(0.5)
  expect(value('Polarity')).toBe(-1)
  expect(value('Status')).toBe(1)
  expect(value('FieldIntegral')).toBeCloseTo(4, 2)
  const before = read('CurrentActual').sourceTime.getTime()
  advance(1)
  expect(read('CurrentActual').sourceTime.getTime() - before).toBe(1000)
})

it('ramps down when it is switched off, and back', () => {
  const { device, advance, value } = magnet()
  device.inject?.({ kind: 'off', forMs: 60_000 })
  advance(10)
  expect(value('Status')).toBe(2)
  expect(value('CurrentActual')).toBeCloseTo(-2000, 0)
  advance(45)
  expect(value('Status')).toBe(0)
  expect(value('Polarity')).toBe(0)
  expect(Math.abs(value('CurrentActual') as number)).toBeLessThan(0.1)
  advance(60)
  expect(value('Status')).toBe(1)
  expect(value('CurrentActual')).toBeCloseTo(-2500, 0)
})

it('stands still when frozen: the same value with the same source time', () => {
  const { device, advance, read } = magnet()
  advance(1)
  device.inject?.({ kind: 'frozen', forMs: 5000 })
  const before = read('CurrentActual')
  advance(4)
  expect(read('CurrentActual')).toEqual(before)
  advance(2)
  expect(read('CurrentActual').sourceTime).not.toEqual(before.sourceTime)
})

it('calls its numbers bad while the converter is in fault', () => {
  const { device, advance, read, value } = magnet()
  device.inject?.({ kind: 'fault' })
  advance(1)
  expect(value('Status')).toBe(3)
  expect(read('CurrentActual').quality).toBe('bad')
  expect(read('Status').quality).toBe('good')
})

it('does not move because the simulator was restarted', () => {
  const first = magnet()
  first.device.inject?.({ kind: 'ramping', toA: -1000 })
  first.advance(60)
  const second = magnet()
  second.device.restore?.(JSON.parse(JSON.stringify(first.device.save?.())))
  expect(second.value('CurrentActual')).toBeCloseTo(-1000, 0)
})
