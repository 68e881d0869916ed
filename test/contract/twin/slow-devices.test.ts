/**
 * The drivers of the slow devices against their twins over the real wires: Modbus, MQTT. Both ends were written from
 * docs/hardware alone; here they meet. (High voltage: test/contract/hv.)
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { SystemClock } from '../../../core/clock.ts'
import { silentLog } from '../../../core/log.ts'
import { seconds } from '../../../core/units.ts'
import { ModbusInterlockPlc } from '../../../drivers/beam/interlock-plc/interlock-plc.ts'
import type { TimingMark } from '../../../drivers/beam/contract/beam-instrument.ts'
import { MqttSpillTiming } from '../../../drivers/beam/spill-timing/spill-timing.ts'
import { makeLinkFactory } from '../../../drivers/link/factory.ts'
import type { RegisterFace, TopicFace } from '../../../hil-sim/device/face.ts'
import { makeInterlockPlc } from '../../../hil-sim/device/interlock-plc/interlock-plc.ts'
import { makeSpillTiming } from '../../../hil-sim/device/spill-timing/spill-timing.ts'
import { serveModbus } from '../../../hil-sim/wire/modbus-tcp.ts'
import { serveTopics } from '../../../hil-sim/wire/mqtt.ts'
import type { Wire } from '../../../hil-sim/wire/wire.ts'
import { makeSimBench } from '../../unit/hil-sim/device/sim-bench.ts'

const clock = new SystemClock()
const never = new AbortController().signal

let folder = ''
let wire: Wire
let driver: { disconnect(): Promise<void> }
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'spillway-twin-'))
})
afterEach(async () => {
  await driver.disconnect()
  await wire.close()
  rmSync(folder, { recursive: true, force: true })
})

const deps = () => ({
  clock,
  log: silentLog,
  links: makeLinkFactory({ clock, log: silentLog, certificatesFolder: folder })
})

it('the PLC over Modbus: environment, an open door, its heartbeat', async () => {
  const bench = makeSimBench(makeInterlockPlc, 'interlock-plc', { unit: 1 })
  wire = await serveModbus(bench.device.faces['control'] as RegisterFace, { unit: 1 })
  const plc = new ModbusInterlockPlc({ id: 'plc', role: 'required', url: wire.url }, deps())
  driver = plc
  expect(await plc.connect(never)).toMatchObject({ maker: 'Spillway', firmware: '1.0' })
  await plc.poll(never)
  expect(plc.openInterlocks()).toEqual([])
  const truth = bench.device.truth() as Record<string, number>
  const dewPoint = plc.signals.find(({ path }) => /dew/i.test(path))
  expect(dewPoint?.latest()?.value).toBeCloseTo(truth['dew-point']!, 3)
  bench.device.inject?.({ kind: 'interlock', loop: 'door' })
  bench.advance(0.5)
  await plc.poll(never)
  expect(plc.openInterlocks()).toHaveLength(2)
})

it('spill timing over MQTT: identity, marks in their order, the cycle', async () => {
  const bench = makeSimBench(makeSpillTiming, 'spill-timing', { prefix: 'na64/test' })
  wire = await serveTopics([bench.device.faces['control'] as TopicFace])
  const timing = new MqttSpillTiming(
    { id: 'timing', role: 'required', url: wire.url, prefix: 'na64/test' },
    deps()
  )
  driver = timing
  await timing.connect(never)
  const marks: TimingMark[] = []
  const all = new Promise<void>((resolve) => {
    timing.onMark((mark) => {
      marks.push(mark)
      if (mark.mark === 'EOE') resolve()
    })
  })
  bench.cycle({
    cycle: 7,
    cycleLengthMs: 14_400,
    extractionMs: 4800,
    nextStart: new Date('2026-07-01T12:00:09.600Z')
  })
  for (const mark of ['WWE', 'WE', 'SOE', 'EOE'] as const) {
    bench.advance(1)
    bench.mark(mark, 7)
  }
  await clock.within('marks', seconds(5), () => all)
  expect(marks.map(({ mark, cycle }) => `${mark} ${cycle}`)).toEqual(['WWE 7', 'WE 7', 'SOE 7', 'EOE 7'])
  expect(marks[2]?.utc).toEqual(new Date('2026-07-01T12:00:03.000Z'))
  expect(timing.latestCycle()).toMatchObject({ cycle: 7, extractionMs: 4800 })
})
