import { expect, test } from 'vitest'
import { RunBook } from '../../../../controller/run/run-book.ts'
import { type Participant, RunControl } from '../../../../controller/run/run-control.ts'
import { ErrorCode, SpillwayError } from '../../../../core/errors.ts'
import { silentLog } from '../../../../core/log.ts'
import { VirtualClock } from '../../../../core/virtual-clock.ts'
import type { SpillSummary } from '../../../../console/api/api.ts'
import type { Digitiser, SettingDifference } from '../../../../drivers/digitiser/contract/digitiser.ts'
import type { TriggerCrate } from '../../../../drivers/trigger/contract/trigger-crate.ts'

// Run control against far ends that write down what they are told: order of commands, what is refused, and what
// the loss of a device does by its role.

function setUp(
  options: {
    differences?: SettingDifference[]
    preflight?: string[]
    crateFails?: boolean
    spillsPerRun?: number
    /** times that the crate says it still runs */
    earlierSpill?: number
  } = {}
) {
  const clock = new VirtualClock()
  const told: string[] = []
  const say = (what: string): Promise<void> => Promise.resolve(void told.push(what))
  const crate = {
    id: 'crate',
    apply: () => Promise.resolve([]),
    enable: (run: number) => say(`enable ${run}`),
    disable: () => say('disable'),
    isRunning: () => Promise.resolve((options.earlierSpill ?? 0) > 0 && --options.earlierSpill! >= 0),
    inhibit: () =>
      options.crateFails === true
        ? Promise.reject(new SpillwayError(ErrorCode.refused, 'no'))
        : say('inhibit')
  } as unknown as TriggerCrate
  const board = {
    id: 'board',
    trigger: { apply: () => Promise.resolve(options.differences ?? []) },
    acquire: { arm: () => say('arm'), disarm: () => say('disarm') },
    makeSafe: () => say('board safe')
  } as unknown as Digitiser
  const participants: Participant[] = [
    { id: 'crate', role: 'essential', isConnected: true, trouble: '' },
    { id: 'board', role: 'required', isConnected: true, trouble: '' },
    { id: 'magnet', role: 'optional', isConnected: true, trouble: '' }
  ]
  let runs = 0
  const ended: string[][] = []
  const book = new RunBook(clock, {
    beginRun: () => ++runs,
    addSpill: () => undefined,
    endRun: (_run, end) => void ended.push([...end.condition])
  })
  const control = new RunControl({
    clock,
    journal: { write: () => undefined },
    log: silentLog,
    book,
    readout: {
      beginRun: (run) => say(`open files ${run}`),
      settle: () => say('settle'),
      abandonSpill: (condition) => say(`abandon ${condition}`),
      endRun: () => say('close files').then(() => ({}))
    },
    crate,
    triggerSettings: { thresholds: [], lines: [], deadTimeNs: 0 },
    digitisers: [{ device: board, settings: {} as never }],
    participants: () => participants,
    preflight: () => options.preflight ?? [],
    spillSource: 'sps',
    spillsPerRun: options.spillsPerRun ?? 200,
    isSimulated: true
  })
  const states: string[] = []
  control.onChange(() => {
    if (states.at(-1) !== control.state) states.push(control.state)
  })
  const lose = (id: string): void => {
    const index = participants.findIndex((p) => p.id === id)
    participants[index] = { ...participants[index]!, isConnected: false, trouble: 'cable' }
    control.deviceChanged(participants[index])
  }
  return { clock, control, book, told, states, ended, lose }
}

const spill = {
  condition: [],
  muonsOnTarget: 1,
  eventsBuilt: 1,
  eventsSelected: 0
} as unknown as SpillSummary

test('starts and stops through every state in order, files before triggers', async () => {
  const { clock, control, told, states, ended } = setUp()
  await clock.resolve(control.start())
  await clock.resolve(control.stop('enough'))
  expect(states).toEqual([
    ...['configuring', 'configured', 'arming', 'armed', 'starting', 'running'],
    ...['stopping', 'disarming', 'configured']
  ])
  expect(told).toEqual([
    ...['disable', 'disarm', 'arm', 'open files 1', 'enable 1'],
    ...['disable', 'settle', 'close files', 'disarm']
  ])
  expect(ended).toEqual([['simulated']])
})

test('a setting that reads back differently is named and nothing is armed', async () => {
  const { clock, control, told } = setUp({
    differences: [{ setting: 'threshold 0/1/3', wanted: 5000, got: 904 }]
  })
  await expect(clock.resolve(control.start())).rejects.toMatchObject({
    code: ErrorCode.readback,
    message: expect.stringContaining('board threshold 0/1/3: wrote 5000, reads 904') as string
  })
  expect(control.state).toBe('idle')
  expect(told).not.toContain('arm')
})

test('what an earlier process left running is ended, and its spill waited for, before settings are written', async () => {
  const { clock, control, told } = setUp({ earlierSpill: 3 })
  await clock.resolve(control.start())
  expect(clock.now()).toBe(3 * 200e6)
  expect(told.slice(0, 3)).toEqual(['disable', 'disarm', 'arm'])
})

test('an absent device and a failed preflight keep it from arming, in words', async () => {
  const absent = setUp()
  absent.lose('board')
  await expect(absent.clock.resolve(absent.control.start())).rejects.toThrow('board (cable)')
  const full = setUp({ preflight: ['1 GB free'] })
  await expect(full.clock.resolve(full.control.start())).rejects.toThrow('1 GB free')
  expect(full.told).not.toContain('arm')
  expect(full.control.state).toBe('idle')
})

test('losing an optional device degrades the run, a required one stops it, an essential one makes safe', async () => {
  const optional = setUp()
  await optional.clock.resolve(optional.control.start())
  optional.lose('magnet')
  expect(optional.control.state).toBe('running')
  expect(optional.control.condition).toEqual(['degraded', 'simulated'])

  const required = setUp()
  await required.clock.resolve(required.control.start())
  required.lose('board')
  await required.clock.advance(1e9)
  expect(required.control.state).toBe('configured')
  expect(required.ended).toEqual([['interrupted', 'simulated']])

  const essential = setUp()
  await essential.clock.resolve(essential.control.start())
  essential.lose('crate')
  await essential.clock.advance(1e9)
  expect(essential.control.state).toBe('safe')
  expect(essential.told.slice(-4)).toEqual(['inhibit', 'abandon aborted', 'close files', 'board safe'])
  expect(essential.ended).toEqual([['aborted', 'simulated']])
  await expect(essential.clock.resolve(essential.control.start())).rejects.toThrow('recover')
  essential.control.recover()
  expect(essential.control.state).toBe('idle')
})

test('a device that is there and refuses to be made safe is a fault', async () => {
  const { clock, control } = setUp({ crateFails: true })
  await clock.resolve(control.start())
  await clock.resolve(control.makeSafe('by hand'))
  expect(control.state).toBe('fault')
  expect(control.status).toContain('inhibit triggers')
})

test('stops after the spills that were asked for, and rolls over on the way', async () => {
  const { clock, control, book, told } = setUp({ spillsPerRun: 2 })
  await clock.resolve(control.start({ spills: 3 }))
  for (let i = 0; i < 3; i++) {
    book.addSpill(spill)
    await clock.resolve(control.spillClosed())
  }
  expect(control.state).toBe('configured')
  expect(book.closed.map((run) => run.spills)).toEqual([2, 1])
  expect(told.filter((t) => t.startsWith('enable'))).toEqual(['enable 1', 'enable 2'])
})
