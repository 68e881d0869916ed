/** The simulated gateway of spill timing: what it publishes when the machine moves. */
import { expect, it } from 'vitest'
import type { TopicFace } from '../../../../hil-sim/device/face.ts'
import { makeSpillTiming } from '../../../../hil-sim/device/spill-timing/spill-timing.ts'
import { makeSimBench } from './sim-bench.ts'

function gateway() {
  const bench = makeSimBench(makeSpillTiming, 'spill-timing', { prefix: 'na64/test' })
  const face = bench.device.faces['control'] as TopicFace
  const said: { topic: string; payload: unknown; retain: boolean; qos: number }[] = []
  face.attach((topic, payload, retain, qos) => {
    said.push({ topic, payload: payload.startsWith('{') ? JSON.parse(payload) : payload, retain, qos })
  })
  return { ...bench, face, take: () => said.splice(0) }
}
const CYCLE = {
  cycle: 7,
  cycleLengthMs: 14_400,
  extractionMs: 4800,
  nextStart: new Date('2026-07-01T12:00:09.600Z')
}

it('says online with the beam items, and leaves a last will', () => {
  const { face, take } = gateway()
  expect(face.will).toEqual({ topic: 'na64/test/beam/status', payload: 'offline' })
  const said = take()
  expect(said[0]).toEqual({ topic: 'na64/test/beam/status', payload: 'online', retain: true, qos: 1 })
  expect(said.slice(1).map(({ topic }) => topic)).toEqual(
    ['t6-intensity', 't6-symmetry', 'momentum', 'muon-rate-estimate'].map((i) => `na64/test/beam/info/${i}`)
  )
  expect(said[3]).toEqual({
    topic: 'na64/test/beam/info/momentum',
    payload: { v: 160, t: '2026-07-01T12:00:00.000Z', q: 'good', u: 'GeV/c' },
    retain: true,
    qos: 0
  })
})

it('publishes marks with the time of the machine, not retained', () => {
  const { mark, advance, take } = gateway()
  take()
  advance(1.5)
  mark('SOE', 12)
  expect(take()).toEqual([
    {
      topic: 'na64/test/beam/mark',
      payload: { mark: 'SOE', cycle: 12, t: '2026-07-01T12:00:01.500Z' },
      retain: false,
      qos: 1
    }
  ])
})

it('publishes each cycle, retained, and the items with it', () => {
  const { cycle, take } = gateway()
  take()
  cycle(CYCLE)
  const [first, ...items] = take()
  expect(first).toEqual({
    topic: 'na64/test/beam/cycle',
    payload: {
      cycle: 7,
      cycleLengthMs: 14_400,
      extractionMs: 4800,
      nextStart: '2026-07-01T12:00:09.600Z',
      t: '2026-07-01T12:00:00.000Z'
    },
    retain: true,
    qos: 1
  })
  expect(items).toHaveLength(4)
})

it('loses, doubles, shifts and withholds what it is told to', () => {
  const { device, mark, take } = gateway()
  take()
  device.inject?.({ kind: 'lost-mark', mark: 'WWE' })
  device.inject?.({ kind: 'doubled-mark', mark: 'SOE' })
  for (const name of ['WWE', 'WE', 'SOE', 'EOE', 'WWE'] as const) mark(name, 1)
  expect(take().map(({ payload }) => (payload as { mark: string }).mark)).toEqual([
    'WE',
    'SOE',
    'SOE',
    'EOE',
    'WWE'
  ])
  device.inject?.({ kind: 'clock-jump', byMs: -3_600_000, forMs: 1000 })
  mark('WE', 2)
  expect(take()[0]?.payload).toMatchObject({ t: '2026-07-01T11:00:00.000Z' })
  device.inject?.({ kind: 'silent' })
  mark('SOE', 2)
  expect(take()).toEqual([])
})
