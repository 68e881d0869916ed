import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { z } from 'zod'
import { loadExperiment } from '../config/load.ts'
import type { Experiment } from '../config/schema.ts'
import { type Clock, SystemClock } from '../core/clock.ts'
import { sentence } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import { milliseconds, type RunNs, seconds, toMilliseconds } from '../core/units.ts'
import { Hall } from './hall.ts'
import { loadScenario } from './scenario/scenario.ts'
import { type Links, serveDevices, type ServedDevices } from './wire/serve-devices.ts'

export interface SimulatorOptions {
  readonly experiment: string
  readonly seed: number
  readonly cycle: 'real' | 'fast'
  readonly scenario?: string
  /** links are written here, and read at the start: a restarted simulator is found at the same places */
  readonly linksFile?: string
  /** what the hardware would remember is kept here */
  readonly stateFile?: string
  /** started again in the middle of things: the beam goes on too, instead of starting from the seed again */
  readonly goesOn?: boolean
  readonly ports: 'fixed' | 'free'
  readonly broker?: string
  readonly log: Log
}

export interface Simulator {
  readonly links: Links
  /** @throws `usage` for a fault that nothing here knows */
  inject(fault: unknown): void
  truth(): unknown
  /** Takes everything off the wires and saves the state; never rejects. */
  stop(): Promise<void>
}

/** Hall time is made up for in steps of this, so that wires and signals are served in between. */
const STEP_MAX = milliseconds(100)
/** A longer pause (a suspended machine) is not made up for: the hall's clock stays behind. */
const CATCH_UP_MAX = seconds(5)
/** Timers are no finer. */
const SLEEP_MIN = milliseconds(1)
const SAVE_EVERY = milliseconds(200)
const STOP_LIMIT = milliseconds(1500)

const linksSchema = z.record(
  z.string(),
  z.partialRecord(z.enum(['control', 'data']), z.string().regex(/^[a-z.+]+:\/\//))
)
const wireFaultSchema = z.looseObject({
  device: z.string(),
  kind: z.string().startsWith('wire-'),
  face: z.string().optional()
})

/** Builds the hall of an experiment, puts it on the wires and lets its time pass as ours does. */
export async function startSimulator(options: SimulatorOptions): Promise<Simulator> {
  const { log, linksFile } = options
  const clock = new SystemClock()
  const experiment = loadExperiment(options.experiment)
  const hallBegan = clock.now()
  const hall = new Hall({
    experiment,
    seed: options.seed,
    cycle: options.cycle,
    start: clock.utc(),
    ...(options.scenario === undefined ? {} : { scenario: loadScenario(options.scenario) })
  })
  const state = keepState(hall, experiment, options, log)
  const temporary = linksFile === undefined ? mkdtempSync(join(tmpdir(), 'spillway-sim-')) : undefined
  const folder = temporary ?? dirname(resolve(linksFile!))
  mkdirSync(folder, { recursive: true })
  const removeTemporary = (): void => {
    if (temporary !== undefined) rmSync(temporary, { recursive: true, force: true })
  }

  let served: ServedDevices
  try {
    served = await serveDevices(hall.devices, {
      configs: experiment.devices,
      ports: options.ports,
      before: linksFile === undefined ? {} : readLinks(linksFile, log),
      folder,
      log,
      ...(options.broker === undefined ? {} : { broker: options.broker })
    })
  } catch (error) {
    removeTemporary()
    throw error
  }
  if (linksFile !== undefined) writeAtomically(linksFile, JSON.stringify(served.links, null, 2))

  const end = new AbortController()
  const pacing = pace(hall, hallBegan, clock, end.signal, state.save, log)
  return {
    links: served.links,
    inject: (fault) => {
      const wireFault = wireFaultSchema.safeParse(fault)
      if (wireFault.success && served.disturb(wireFault.data.device, wireFault.data.face, wireFault.data))
        return
      // the hall checks it
      hall.inject(fault as Parameters<Hall['inject']>[0])
    },
    truth: () => hall.truth(),
    stop: async () => {
      end.abort()
      await pacing
      state.save()
      await clock.within('close the wires', STOP_LIMIT, () => served.close()).catch(() => undefined)
      removeTemporary()
    }
  }
}

/**
 * The hall's time follows the clock's; returns when `signal` aborts.
 * @param began clock time at the hall's instant 0
 */
async function pace(
  hall: Hall,
  began: RunNs,
  clock: Clock,
  signal: AbortSignal,
  save: () => void,
  log: Log
): Promise<void> {
  let last = began
  let owed = 0
  let lastSave = clock.now()
  while (!signal.aborted) {
    const wait = Math.max(owed > 0 ? 0 : SLEEP_MIN, hall.untilNextNs() - owed)
    try {
      await clock.sleep('next step of the hall', wait, signal)
    } catch {
      return // told to end
    }
    const now = clock.now()
    owed += now - last
    last = now
    if (owed > CATCH_UP_MAX) {
      log.warn(
        { lostMs: Math.round(toMilliseconds(owed - CATCH_UP_MAX)) },
        'the hall cannot keep up with the clock'
      )
      owed = CATCH_UP_MAX
    }
    const step = Math.min(owed, STEP_MAX)
    hall.advance(step)
    owed -= step
    if (now - lastSave >= SAVE_EVERY) {
      lastSave = now
      save()
    }
  }
}

const stateSchema = z.object({
  experiment: z.string(),
  hall: z.looseObject({ devices: z.record(z.string(), z.unknown()) })
})

/** Restores what was kept for this experiment, and gives what keeps it again. */
function keepState(
  hall: Hall,
  { name: experiment, devices }: Experiment,
  { stateFile: file, goesOn }: SimulatorOptions,
  log: Log
): { readonly save: () => void } {
  if (file === undefined) return { save: () => undefined }
  const text = tryRead(file)
  if (text !== undefined) {
    try {
      const kept = stateSchema.parse(JSON.parse(text))
      // The crate counts the runs, and each has its own beam: from the first, or a seed would not repeat itself.
      const isKept = (id: string): boolean =>
        goesOn === true || devices.find((device) => device.id === id)?.kind !== 'trigger-crate'
      const states = Object.entries(kept.hall.devices).filter(([id]) => isKept(id))
      if (kept.experiment === experiment) hall.restore({ ...kept.hall, devices: Object.fromEntries(states) })
    } catch (error) {
      log.warn({ file, why: sentence(error) }, 'the kept state cannot be read; the hall starts anew')
    }
  }
  let written = ''
  return {
    save: () => {
      const now = JSON.stringify({ experiment, hall: hall.save() })
      if (now === written) return
      try {
        writeAtomically(file, now)
        written = now
      } catch (error) {
        log.warn({ file, why: sentence(error) }, 'the state cannot be kept')
      }
    }
  }
}

function readLinks(file: string, log: Log): Links {
  const text = tryRead(file)
  if (text === undefined) return {}
  try {
    return linksSchema.parse(JSON.parse(text))
  } catch (error) {
    log.warn({ file, why: sentence(error) }, 'the earlier links cannot be read; new ones are made')
    return {}
  }
}

function tryRead(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined // the first start
  }
}

/** A reader sees the old text or the new one, never half of it. */
function writeAtomically(file: string, text: string): void {
  mkdirSync(dirname(resolve(file)), { recursive: true })
  writeFileSync(`${file}.new`, text)
  renameSync(`${file}.new`, file)
}
