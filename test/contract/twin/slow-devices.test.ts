/**
 * The drivers of the slow devices against their twins over the real wires: serial line, Modbus, MQTT. Both ends were
 * written from docs/hardware alone; here they meet.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SystemClock } from '../../../core/clock.ts'
import { ErrorCode } from '../../../core/errors.ts'
import { silentLog } from '../../../core/log.ts'
import { milliseconds, seconds } from '../../../core/units.ts'
import { ModbusInterlockPlc } from '../../../drivers/beam/interlock-plc/interlock-plc.ts'
import type { TimingMark } from '../../../drivers/beam/contract/beam-instrument.ts'
import { MqttSpillTiming } from '../../../drivers/beam/spill-timing/spill-timing.ts'
import { IsegScpi } from '../../../drivers/hv/iseg-scpi/iseg-scpi.ts'
import { makeLinkFactory } from '../../../drivers/link/factory.ts'
import type { ByteFace, RegisterFace, TopicFace } from '../../../hil-sim/device/face.ts'
import { makeInterlockPlc } from '../../../hil-sim/device/interlock-plc/interlock-plc.ts'
import { makeIsegScpi } from '../../../hil-sim/device/iseg-scpi/iseg-scpi.ts'
import { makeSpillTiming } from '../../../hil-sim/device/spill-timing/spill-timing.ts'
import { serveModbus } from '../../../hil-sim/wire/modbus-tcp.ts'
import { serveTopics } from '../../../hil-sim/wire/mqtt.ts'
import { servePty } from '../../../hil-sim/wire/pty.ts'
import type { Wire } from '../../../hil-sim/wire/wire.ts'
import { makeSimBench, type SimBench } from '../../unit/hil-sim/device/sim-bench.ts'

const clock = new SystemClock()
const never = new AbortController().signal
const TWIN_SPEED = 1

let folder = ''
let wire: Wire
let driver: { disconnect(): Promise<void> }
let end: AbortController
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'spillway-twin-'))
  end = new AbortController()
})
afterEach(async () => {
  end.abort()
  await driver.disconnect()
  await wire.close()
  rmSync(folder, { recursive: true, force: true })
})

const deps = () => ({
  clock,
  log: silentLog,
  links: makeLinkFactory({ clock, log: silentLog, certificatesFolder: folder })
})

/** Lets the twin's time pass until the test ends. */
function run(bench: SimBench): void {
  const step = milliseconds(10)
  const turn = async (): Promise<void> => {
    for (;;) {
      await clock.sleep('twin', step, end.signal)
      bench.advance((TWIN_SPEED * step) / 1e9, 0.1)
    }
  }
  turn().catch(() => undefined)
}

describe('iseg supply on a serial line', () => {
  const channel = { number: 0, name: 'matrix', limitV: 1000, rampVPerS: 1000, currentLimitUa: 500 }
  let bench: SimBench
  let supply: IsegScpi
  beforeEach(async () => {
    bench = makeSimBench(makeIsegScpi, 'iseg-scpi', {
      channels: [{ ...channel, nominalV: 900, provenance: 'A: test' }],
      toleranceV: 3,
      simulatedInitially: 'off'
    })
    wire = await servePty(bench.device.faces['control'] as ByteFace, { path: join(folder, 'line') })
    run(bench)
    supply = new IsegScpi(
      { id: 'hv', role: 'required', url: wire.url, channels: [channel], toleranceV: 3 },
      deps()
    )
    driver = supply
  })

  it('is identified, read, energised and ramped off', async () => {
    expect(await supply.connect(never)).toMatchObject({
      maker: 'iseg Spezialelektronik GmbH',
      serial: 'SIM-device'
    })
    const matrix = supply.channels[0]!
    await supply.poll(never)
    expect(matrix.state.latest()?.value).toBe('off')
    await matrix.demand.set(800, never)
    const reached = await matrix.energise({ by: 'test' }, never)
    expect(Math.abs(reached.value - 800)).toBeLessThan(3)
    await matrix.rampOff(never)
    await supply.poll(never)
    expect(matrix.state.latest()?.value).toBe('off')
  })

  it('does not come back after a trip before it is cleared', async () => {
    await supply.connect(never)
    const matrix = supply.channels[0]!
    await matrix.demand.set(100, never)
    await matrix.energise({ by: 'test' }, never)
    bench.device.inject?.({ kind: 'trip' })
    await supply.poll(never)
    expect(matrix.state.latest()?.value).toBe('tripped')
    await expect(matrix.energise({ by: 'test' }, never)).rejects.toThrow()
    await matrix.clearTrip({ by: 'test' }, never)
    await matrix.energise({ by: 'test' }, never)
    await supply.poll(never)
    expect(matrix.state.latest()?.value).toBe('on')
  })

  it('is missed when it falls silent', async () => {
    await supply.connect(never)
    bench.device.inject?.({ kind: 'silent' })
    await expect(supply.poll(never)).rejects.toMatchObject({ code: ErrorCode.timeout })
  })
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
