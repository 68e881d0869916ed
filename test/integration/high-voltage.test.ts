// Chains of CAEN boards and crates behind OPC UA in a whole experiment: found by the slow-control process in the hall in
// virtual time, and served on the wires under the URLs that drivers open.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { loadExperiment } from '../../config/load.ts'
import { runVirtually } from '../../controller/memory.ts'
import { SystemClock } from '../../core/clock.ts'
import { silentLog } from '../../core/log.ts'
import { CaenN1470 } from '../../drivers/hv/caen-n1470/caen-n1470.ts'
import { makeLinkFactory } from '../../drivers/link/factory.ts'
import type { SettingsOf } from '../../config/schema.ts'
import { milliseconds } from '../../core/units.ts'
import { Hall } from '../../hil-sim/hall.ts'
import { serveDevices } from '../../hil-sim/wire/serve-devices.ts'
import { folderWith } from '../unit/config/folder.ts'
import { CAEN_CHAIN, CRATE, withSupplies } from '../unit/config/high-voltage-devices.ts'

test('slow control reads both supplies in the hall, through a board that goes silent', async () => {
  const experiment = loadExperiment(folderWith(withSupplies(CAEN_CHAIN, CRATE)))
  const { signals, state, status } = await runVirtually({
    experiment,
    seed: 3,
    cycle: 'fast',
    spills: 10,
    scenario: {
      about: 'a board of the chain goes silent',
      beam: {},
      faults: [{ device: 'hv-mm', kind: 'absent', at: { spill: 6, event: 1 }, count: 1, with: { board: 7 } }]
    }
  })
  expect(state, status).toBe('configured')
  const signal = (path: string) => signals.find((one) => one.path === path)
  expect(signal('hv-mm/bd0/ch1/voltage')).toMatchObject({ quality: 'good' })
  expect(Number(signal('hv-mm/bd0/ch1/voltage')?.value)).toBeCloseTo(480, -0.5)
  expect(signal('hv-mm/bd7/answers')?.value).toBe(false)
  expect(signal('hv-mm/bd7/ch2/voltage')?.quality).toBe('stale')
  expect(signal('hv-crate/ch0/state')).toMatchObject({ value: 'on', quality: 'good' })
  expect(Number(signal('hv-crate/ch0/voltage')?.value)).toBeCloseTo(3800, -0.5)
})

test('the simulator serves a chain on a serial line whose URL says that it has flow control', async () => {
  const experiment = loadExperiment(folderWith(withSupplies(CAEN_CHAIN)))
  const config = experiment.devices.find(({ id }) => id === 'hv-mm')!
  const folder = mkdtempSync(join(tmpdir(), 'hv-served-'))
  const hall = new Hall({ experiment, seed: 1, cycle: 'fast', start: new Date() })
  const served = await serveDevices(hall.devices, {
    configs: [config],
    ports: 'free',
    before: {},
    folder,
    log: silentLog
  })
  const url = served.links['hv-mm']!.control!
  expect(url).toMatch(/^serial:\/\/.*hv-mm\.tty\?baudRate=9600&xonxoff=true$/)
  const clock = new SystemClock()
  const end = new AbortController()
  const pace = async (): Promise<void> => {
    for (;;) {
      await clock.sleep('hall', milliseconds(10), end.signal)
      hall.devices.find(({ id }) => id === 'hv-mm')!.advance(40e6)
    }
  }
  pace().catch(() => undefined)
  const { boards, toleranceV } = config.settings as SettingsOf<'caen-n1470'>
  const supply = new CaenN1470(
    { id: 'hv-mm', role: 'optional', url, boards, toleranceV },
    { clock, log: silentLog, links: makeLinkFactory({ clock, log: silentLog, certificatesFolder: folder }) }
  )
  onTestFinished(async () => {
    end.abort()
    await supply.disconnect()
    await served.close()
    rmSync(folder, { recursive: true, force: true })
  })
  await supply.connect(new AbortController().signal)
  expect(supply.channels.map(({ state }) => state.latest()?.value)).toEqual(['on', 'on', 'on'])
})
