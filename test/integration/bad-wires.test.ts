/**
 * Disturbed wires: the bench on real TCP and UDP, simulated devices and controller in one process. Datagrams are
 * lost and doubled, the byte stream is cut in other places, connections are reset; the run goes on with a clean
 * ledger where nothing may be lost, and else does what the role of the device says.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, expect, it } from 'vitest'
import type { SpillSummary } from '../../console/api/api.ts'
import { loadExperiment } from '../../config/load.ts'
import { SystemClock } from '../../core/clock.ts'
import type { DeviceRole } from '../../core/device.ts'
import { LineJournal } from '../../core/journal.ts'
import { silentLog } from '../../core/log.ts'
import { milliseconds, seconds } from '../../core/units.ts'
import { Acquisition } from '../../controller/acquisition.ts'
import { makeInlineDataPlane } from '../../controller/data-plane.ts'
import { makeDaqDevices } from '../../controller/devices.ts'
import type { RawStore } from '../../controller/readout.ts'
import { makeLinkFactory } from '../../drivers/link/factory.ts'
import { type Simulator, startSimulator } from '../../hil-sim/simulator.ts'

const BOARD = 'msadc-bench'
const CRATE = 'trigger-crate'
const clock = new SystemClock()
const bench = loadExperiment('bench')
const nowhere: RawStore = {
  open: () => Promise.resolve(''),
  write: () => Promise.resolve(),
  startOfSpill: () => Promise.resolve(),
  endOfSpill: () => Promise.resolve(),
  close: () => Promise.resolve()
}

const ends: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

interface House {
  readonly simulator: Simulator
  readonly acquisition: Acquisition
  readonly spills: SpillSummary[]
  /** resolves when that many spills are recorded */
  readonly recorded: (count: number) => Promise<void>
  /** resolves in one of these states */
  readonly comesTo: (...states: readonly string[]) => Promise<void>
}

/** The bench on the wires, with spills of 0.3 s and the board in this role. */
async function house(role: DeviceRole = 'essential'): Promise<House> {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-wires-'))
  ends.push(() => {
    rmSync(folder, { recursive: true, force: true })
    return Promise.resolve()
  })
  const simulator = await startSimulator({
    ...{ experiment: 'bench', seed: 5, cycle: 'fast' as const, ports: 'free' as const },
    ...{ linksFile: join(folder, 'links.json'), log: pino({ level: 'silent' }) }
  })
  ends.push(() => simulator.stop())
  const experiment = {
    ...bench,
    spill: { ...bench.spill, lengthMs: 300, pauseMs: 50, drainMs: 1000 },
    devices: bench.devices
      .filter((device) => device.process === 'daq')
      .map((device) => (device.id === BOARD ? { ...device, role } : device))
  }
  const links = makeLinkFactory({ clock, log: silentLog, certificatesFolder: folder })
  const devices = makeDaqDevices(experiment, {
    ...{ clock, links, logOf: () => silentLog, overrides: simulator.links }
  })
  const spills: SpillSummary[] = []
  const records = { beginRun: () => 1, addSpill: () => undefined, endRun: () => undefined }
  let heard = (): void => undefined
  const acquisition = new Acquisition({
    ...{ experiment, clock, devices, records, raw: nowhere, log: silentLog, isSimulated: true },
    ...makeInlineDataPlane(experiment),
    journal: new LineJournal(clock, () => undefined),
    slow: { latest: () => ({ devices: [], signals: [] }), trouble: undefined },
    preflight: () => [],
    onSpill: (spill) => {
      spills.push(spill)
      heard()
    }
  })
  ends.push(() => acquisition.close())
  acquisition.run.onChange(() => heard())
  acquisition.open()
  const until = (what: string, holds: () => boolean): Promise<void> =>
    clock.within(what, seconds(20), async () => {
      while (!holds()) await new Promise<void>((resolve) => (heard = resolve))
    })
  while (acquisition.participants().some((p) => !p.isConnected))
    await clock.sleep('devices', milliseconds(20))
  return {
    ...{ simulator, acquisition, spills },
    recorded: (count) => until(`${count} spills`, () => spills.length >= count),
    comesTo: (...states) => until(states.join(), () => states.includes(acquisition.run.state))
  }
}

/** Both sums hold, nothing is missing, nothing is odd. */
function expectClean(spills: readonly SpillSummary[]): void {
  for (const spill of spills) {
    expect(spill.condition, spill.reasons.join('; ')).toEqual(['simulated'])
    expect(spill.closed).toBe(true)
    expect(spill.eventsBuilt).toBeGreaterThan(50)
    for (const source of spill.sources)
      expect(source).toMatchObject({
        sent: spill.eventsBuilt,
        received: spill.eventsBuilt,
        lost: 0,
        faults: {}
      })
  }
}

it.each([
  ['wire-drop-request', 1],
  ['wire-drop-reply', 2],
  ['wire-duplicate-request', 5],
  ['wire-duplicate-reply', 5]
])('%s on both control links: no setting, no spill and no scaler is lost', async (kind, count) => {
  const { simulator, acquisition, recorded, spills, comesTo } = await house()
  const strike = (device = CRATE): void => simulator.inject({ device, face: 'control', kind, count })
  strike(BOARD)
  strike()
  await acquisition.run.start({ spills: 3 })
  for (let done = 1; done <= 3; done++) {
    strike()
    await recorded(done)
  }
  await comesTo('configured')
  expect(spills.map(({ spill }) => spill)).toEqual([1, 2, 3])
  expectClean(spills)
  expect(spills.every((spill) => spill.triggers !== null)).toBe(true)
})

it('a stream cut into pieces of any size, or joined, is the same stream', async () => {
  const { simulator, acquisition, recorded, spills } = await house()
  for (const [i, bytes] of [19, 20, 21, 97, 1001].entries()) {
    for (const device of [BOARD, CRATE])
      simulator.inject({ device, face: 'data', kind: 'wire-split', bytes, count: 5 })
    if (i === 0) await acquisition.run.start({ spills: 6 })
    await recorded(i + 1)
  }
  for (const device of [BOARD, CRATE]) simulator.inject({ device, face: 'data', kind: 'wire-join', count: 5 })
  await recorded(6)
  expectClean(spills)
})

it.each([
  ['optional', 'running'],
  ['required', 'configured'],
  ['essential', 'safe']
] as const)('a reset of the data connection of an %s board leaves the run %s', async (role, state) => {
  const { simulator, acquisition, recorded, spills, comesTo } = await house(role)
  await acquisition.run.start({})
  await recorded(1)
  simulator.inject({ device: BOARD, face: 'data', kind: 'wire-reset' })
  if (role === 'optional') {
    await recorded(2)
    // it comes back by itself: within some spills events are whole again
    while (spills.at(-1)!.eventsPartial > 0 || !spills.at(-1)!.sources[0]!.expected)
      await recorded(spills.length + 1)
    expect(acquisition.run.condition).toContain('degraded')
    await acquisition.run.stop('enough')
  } else {
    await comesTo(state)
    expect(acquisition.run.status).toContain(`${BOARD} is gone`)
  }
  for (const source of spills.flatMap((spill) => spill.sources)) {
    expect(source.received).toBe(
      source.built + source.partial + source.late + source.duplicate + source.corrupt + source.dropped
    )
    if (source.closed) expect(source.sent).toBe(source.received - source.duplicate + source.lost!)
  }
  expectClean(spills.slice(0, 1))
})

it('a control link that answers nothing is a device that is gone, named', async () => {
  const { simulator, acquisition, recorded, comesTo } = await house()
  await acquisition.run.start({})
  await recorded(1)
  simulator.inject({ device: BOARD, face: 'control', kind: 'wire-drop-reply', count: 1000 })
  await comesTo('safe', 'fault')
  expect(acquisition.run.status).toContain(`${BOARD} is gone`)
  expect(acquisition.run.status).toContain('no answer')
})
