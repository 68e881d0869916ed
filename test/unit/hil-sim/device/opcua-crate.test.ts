/**
 * The simulated OPC UA crate against its manual: names of the nodes as in the golden list, physics by the hand of the
 * clock, a map of somebody else's crate.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../../core/errors.ts'
import type { NodeFace, SimNode } from '../../../../hil-sim/device/face.ts'
import { makeOpcuaCrate } from '../../../../hil-sim/device/opcua-crate/opcua-crate.ts'
import { makeSimBench, type SimBench } from './sim-bench.ts'

const golden = JSON.parse(
  readFileSync(new URL('../../../golden/opcua-crate/sy4527.json', import.meta.url), 'utf8')
) as { crate: string; channel: string; nodes: Record<string, string> }

const channels = [0, 3].map((number) => ({
  number,
  name: `GEM-${number}`,
  node: `CAEN01.Board00.Chan00${number}`,
  limitV: 1000,
  nominalV: 800,
  rampVPerS: 100,
  currentLimitUa: 200,
  provenance: 'A: test'
}))
const crate = (found: 'nominal' | 'off', map: unknown = 'sy4527'): SimBench =>
  makeSimBench(makeOpcuaCrate, 'opcua-crate', {
    map,
    crate: golden.crate,
    channels,
    toleranceV: 2,
    simulatedInitially: found
  })
const node = (bench: SimBench, id: string): SimNode =>
  (bench.device.faces['control'] as NodeFace).nodes.find((one) => one.id === id)!
const read = (bench: SimBench, name: string): unknown => node(bench, `${golden.channel}.${name}`).read().value
const write = (bench: SimBench, name: string, value: number): unknown =>
  node(bench, `${golden.channel}.${name}`).write?.(value)
/** long enough that the server has read its crate again */
const READING_S = 1.1

it('has the nodes of the golden list', () => {
  const ids = (crate('off').device.faces['control'] as NodeFace).nodes.map(
    ({ id, namespace }) => `ns=${namespace ?? 1};s=${id}`
  )
  expect(ids).toEqual(expect.arrayContaining(Object.values(golden.nodes)))
  expect(ids).toHaveLength(2 * 10 + 5)
})

describe('physics', () => {
  it('ramps up and down by RUp and RDWn, and shows it once a second', () => {
    const bench = crate('off')
    expect(write(bench, 'V0Set', 500)).toBe('ok')
    write(bench, 'RDWn', 250)
    write(bench, 'Pw', 1)
    expect(read(bench, 'Status')).toBe(0)
    bench.advance(READING_S)
    expect(read(bench, 'Status')).toBe(3)
    bench.advance(6)
    expect(read(bench, 'Status')).toBe(1)
    expect(read(bench, 'VMon')).toBeCloseTo(500, -0.5)
    write(bench, 'Pw', 0)
    bench.advance(READING_S)
    expect(read(bench, 'Status')).toBe(4)
    bench.advance(2)
    expect(read(bench, 'Status')).toBe(0)
  })

  it('refuses what the board cannot, and lowers the demand to SVMax', () => {
    const bench = crate('off')
    expect(write(bench, 'V0Set', 5000)).toBe('out-of-range')
    expect(write(bench, 'V0Set', -1)).toBe('out-of-range')
    expect(node(bench, `${golden.channel}.VMon`)).not.toHaveProperty('write')
    write(bench, 'V0Set', 900)
    write(bench, 'SVMax', 600)
    bench.advance(READING_S)
    expect(read(bench, 'V0Set')).toBe(600)
  })

  it('trips at the current limit, at once and until ClearAlarm', () => {
    const bench = crate('nominal')
    bench.device.inject?.({ kind: 'overcurrent', channel: 3, forMs: 2000 })
    bench.advance(3 + READING_S)
    expect(read(bench, 'Status')).toBe(1 << 9)
    expect(read(bench, 'Pw')).toBe(0)
    write(bench, 'Pw', 1)
    bench.advance(READING_S)
    expect(read(bench, 'Status')).toBe(1 << 9)
    node(bench, `${golden.crate}.ClearAlarm`).write?.(1)
    bench.advance(READING_S)
    expect(read(bench, 'Status')).toBe(0)
    expect(node(bench, 'CAEN01.Board00.Chan000.Status').read().value).toBe(1)
  })

  it('stays off after the interlock of the board', () => {
    const bench = crate('nominal')
    bench.device.inject?.({ kind: 'interlock', forMs: 2000 })
    bench.advance(READING_S)
    expect(read(bench, 'Status')).toBe(1 << 8)
    bench.advance(5)
    expect(read(bench, 'Status')).toBe(0)
  })
})

describe('server', () => {
  it('gives bad values without its crate, and says so', () => {
    const bench = crate('nominal')
    bench.device.inject?.({ kind: 'crate-lost', forMs: 1000 })
    expect(node(bench, `${golden.channel}.VMon`).read().quality).toBe('bad')
    expect(node(bench, `${golden.crate}.Connected`).read()).toMatchObject({ value: 0, quality: 'good' })
    expect(write(bench, 'Pw', 0)).toBe('refused')
    bench.advance(2)
    expect(node(bench, `${golden.channel}.VMon`).read().quality).toBe('good')
  })

  it('stands still, value and source time, when it is frozen', () => {
    const bench = crate('nominal')
    bench.advance(2)
    const before = node(bench, `${golden.channel}.VMon`).read()
    bench.device.inject?.({ kind: 'frozen' })
    bench.advance(5)
    expect(node(bench, `${golden.channel}.VMon`).read()).toEqual(before)
  })

  it('keeps its state over a restart, and is off when the state cannot be read', () => {
    const bench = crate('nominal')
    const saved: unknown = JSON.parse(JSON.stringify(bench.device.save?.()))
    const again = crate('off')
    again.device.restore?.(saved)
    expect(read(again, 'Status')).toBe(1)
    again.device.restore?.({ channels: [{ drive: 'on' }] })
    again.advance(READING_S)
    expect(read(again, 'Status')).toBe(0)
  })

  it('takes the names, units and bits of another map, and forgets trips when it is switched on', () => {
    const bench = crate('nominal', {
      nodes: {
        demand: 'ns=3;s={node}/set',
        voltage: 'ns=3;s={node}/volts',
        current: 'ns=3;s={node}/milliamps',
        power: 'ns=3;s={node}/on',
        status: 'ns=3;s={node}/word'
      },
      currentUnitUa: 1000,
      statusBits: { 4: 'on', 7: 'internal-trip' }
    })
    const at = (name: string): unknown => node(bench, `${golden.channel}/${name}`).read().value
    bench.advance(READING_S)
    expect(at('word')).toBe(1 << 4)
    expect(at('milliamps')).toBeCloseTo(0.08, 3)
    bench.device.inject?.({ kind: 'trip', channel: 3 })
    bench.advance(READING_S)
    expect(at('word')).toBe(1 << 7)
    node(bench, `${golden.channel}/on`).write?.(1)
    bench.advance(READING_S)
    expect(at('word')).toBe(1 << 4)
  })

  it('cannot serve ids that are no strings', () => {
    const nodes = {
      demand: 'ns=2;i=7',
      voltage: 'ns=2;s=v',
      current: 'ns=2;s=i',
      power: 'ns=2;s=p',
      status: 'ns=2;s=s'
    }
    expect(() => crate('off', { nodes, currentUnitUa: 1, statusBits: {} })).toThrow(
      expect.objectContaining({ code: ErrorCode.configuration })
    )
  })
})
