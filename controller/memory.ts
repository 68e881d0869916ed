/**
 * Everything in one process and in virtual time: the same drivers, slow control and data acquisition, joined
 * to the simulated devices in memory instead of by wires. A seed and a commit repeat a run to the byte.
 * The only file of the controller that knows the simulator.
 */
import type { SignalSummary, SpillSummary } from '../console/api/api.ts'
import type { Experiment } from '../config/schema.ts'
import { isAborted } from '../core/clock.ts'
import { ErrorCode, SpillwayError } from '../core/errors.ts'
import { LineJournal } from '../core/journal.ts'
import { silentLog } from '../core/log.ts'
import { milliseconds, seconds } from '../core/units.ts'
import { VirtualClock } from '../core/virtual-clock.ts'
import type { LinkFactory } from '../drivers/link/link.ts'
import { makeMemoryByteLink } from '../drivers/link/memory-bytes.ts'
import { makeMemoryNodeLink } from '../drivers/link/memory-nodes.ts'
import { makeMemoryRegisterLink } from '../drivers/link/memory-registers.ts'
import { makeMemoryTopicLink } from '../drivers/link/memory-topics.ts'
import type { Face } from '../hil-sim/device/face.ts'
import { Hall } from '../hil-sim/hall.ts'
import { loadScenario, type Scenario } from '../hil-sim/scenario/scenario.ts'
import { Acquisition } from './acquisition.ts'
import { makeDaqDevices, makeSlowDevices } from './devices.ts'
import { makeInlineDataPlane } from './data-plane.ts'
import type { RunEnd, RunRecords, RunStart, RunTotals } from './run/run-book.ts'
import type { RunState } from './run/run-state.ts'
import { deviceSummary, signalsOf } from './slow-control/slow-status.ts'
import type { RawStore } from './readout.ts'

export interface VirtualRun {
  readonly experiment: Experiment
  readonly seed: number
  readonly spills: number
  readonly cycle: 'real' | 'fast'
  /** a situation, or the name of one in hil-sim/scenario */
  readonly scenario?: string | Scenario
  readonly onSpill?: (spill: SpillSummary) => void
  /** where raw data go; absent: nowhere */
  readonly raw?: RawStore
}

export interface VirtualRunResult {
  readonly runs: readonly RunTotals[]
  readonly spills: readonly SpillSummary[]
  readonly state: RunState
  readonly status: string
  /** the whole journal, a line per entry */
  readonly journal: string
  /** of all devices, as they were at the end of the last run */
  readonly signals: readonly SignalSummary[]
  /** what really happened in the hall */
  readonly truth: unknown
}

/** virtual time that a run may take at most, per spill */
const PATIENCE_PER_SPILL = seconds(120)

/** Nothing survives a virtual run but its result, unless somebody asks for more. */
const noRawData: RawStore = {
  open: () => Promise.resolve(''),
  write: () => Promise.resolve(),
  startOfSpill: () => Promise.resolve(),
  endOfSpill: () => Promise.resolve(),
  close: () => Promise.resolve()
}

class MemoryRecords implements RunRecords {
  readonly spills: SpillSummary[] = []
  #runs = 0
  beginRun(_start: RunStart): number {
    return ++this.#runs
  }
  addSpill(_run: number, spill: SpillSummary): void {
    this.spills.push(spill)
  }
  endRun(_run: number, _end: RunEnd): void {
    // the book keeps the totals
  }
}

/** Links straight to the faces of the hall's devices: `memory://<device>/<face>`. */
function memoryLinks(hall: Hall, clock: VirtualClock): LinkFactory {
  const faceAt = <K extends Face['kind']>(url: string, kind: K): Extract<Face, { kind: K }> => {
    const [device, name] = url.replace('memory://', '').split('/')
    const face = hall.devices.find(({ id }) => id === device)?.faces[name ?? '']
    if (face?.kind !== kind)
      throw new SpillwayError(ErrorCode.internal, `${url}: no face of kind ${kind}`, {
        got: face?.kind ?? 'none'
      })
    return face as Extract<Face, { kind: K }>
  }
  return {
    bytes: (url) => makeMemoryByteLink(url, faceAt(url, 'bytes')),
    registers: (url) => makeMemoryRegisterLink(url, faceAt(url, 'registers'), clock),
    topics: (url) => makeMemoryTopicLink(url, faceAt(url, 'topics')),
    nodes: (url) => makeMemoryNodeLink(url, faceAt(url, 'nodes'), clock)
  }
}

/** Takes `spills` spills in virtual time and tells what came of it. */
export async function runVirtually(options: VirtualRun): Promise<VirtualRunResult> {
  const { experiment, seed, cycle } = options
  const scenario = typeof options.scenario === 'string' ? loadScenario(options.scenario) : options.scenario
  const clock = new VirtualClock()
  const lines: string[] = []
  const journal = new LineJournal(clock, (line) => lines.push(line))
  const hall = new Hall({
    experiment,
    seed,
    cycle,
    start: clock.utc(),
    ...(scenario === undefined ? {} : { scenario })
  })
  const overrides = Object.fromEntries(
    experiment.devices.map(({ id, links }) => [
      id,
      Object.fromEntries(Object.keys(links).map((face) => [face, `memory://${id}/${face}`]))
    ])
  )
  const dependencies = { clock, links: memoryLinks(hall, clock), logOf: () => silentLog, overrides }
  const devices = makeDaqDevices(experiment, dependencies)
  const slow = makeSlowDevices(experiment, dependencies)
  const plane = makeInlineDataPlane(experiment)
  const records = new MemoryRecords()
  const acquisition = new Acquisition({
    experiment,
    clock,
    journal,
    log: silentLog,
    devices,
    slow: {
      latest: () => ({
        devices: slow.keepers.map(deviceSummary),
        signals: signalsOf(slow.keepers.map((keeper) => keeper.device))
      }),
      trouble: undefined
    },
    sources: plane.sources,
    pool: plane.pool,
    processor: plane.processor,
    raw: options.raw ?? noRawData,
    records,
    monitor: plane.monitor,
    isSimulated: true,
    preflight: () => [],
    ...(options.onSpill === undefined ? {} : { onSpill: options.onSpill })
  })
  for (const keeper of slow.keepers) {
    keeper.device.onState(() => acquisition.devicesChanged())
    keeper.start()
  }
  const ending = new AbortController()
  void pace(hall, clock, ending.signal)
  acquisition.open()

  const whole = async (): Promise<void> => {
    while (acquisition.participants().some((p) => p.role !== 'optional' && !p.isConnected))
      await clock.sleep('wait for devices', milliseconds(100))
    await acquisition.run.start({ spills: options.spills })
    await ended(acquisition)
  }
  let signals: readonly SignalSummary[]
  try {
    await clock.resolve(whole(), PATIENCE_PER_SPILL * (options.spills + 1))
    signals = acquisition.fields().signals
  } finally {
    ending.abort()
    await clock.resolve(
      Promise.allSettled([acquisition.close(), ...slow.keepers.map((keeper) => keeper.stop())])
    )
  }
  const { state, status } = acquisition.run
  return {
    runs: [...acquisition.book.closed],
    spills: records.spills,
    state,
    status,
    journal: lines.join(''),
    signals,
    truth: hall.truth()
  }
}

/** The hall lives in the same virtual time. */
async function pace(hall: Hall, clock: VirtualClock, signal: AbortSignal): Promise<void> {
  while (!isAborted(signal)) {
    const step = hall.untilNextNs()
    await clock.sleep('hall', step, signal).catch(() => undefined)
    if (!isAborted(signal)) hall.advance(step)
  }
}

function ended(acquisition: Acquisition): Promise<void> {
  return new Promise((resolve) => {
    const unsubscribe = acquisition.run.onChange(() => {
      const { state } = acquisition.run
      if (state !== 'configured' && state !== 'safe' && state !== 'fault') return
      unsubscribe()
      resolve()
    })
  })
}
