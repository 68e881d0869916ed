import { join, resolve } from 'node:path'
import type { SpillSummary } from '../../console/api/api.ts'
import { loadExperiment } from '../../config/load.ts'
import type { Experiment } from '../../config/schema.ts'
import { type Clock, SystemClock } from '../../core/clock.ts'
import { ErrorCode, failureOf, SpillwayError } from '../../core/errors.ts'
import { makeLog } from '../log.ts'
import { findSimulator, findSlow, lockFolder, registerSimulator } from '../process-registry.ts'
import { DatabaseRecords } from '../store/database-records.ts'
import { RunDatabase } from '../store/run-database.ts'
import { endProcess, type Message, Service } from '../supervisor.ts'
import { Exit, print, printJson, spillDocument, spillLine, tell } from './output.ts'

export interface RunOptions {
  readonly sim: boolean
  readonly spills: number | undefined
  readonly seed: number
  readonly scenario: string | undefined
  readonly cycle: 'real' | 'fast'
  readonly data: string
  readonly port: number | undefined
  readonly broker: string | undefined
  readonly json: boolean
}

/** How data taking that was asked for on the command line ended; the `daq` process tells it. */
export interface Finished {
  readonly state: string
  readonly status: string
}

/** What ended the supervision. */
type Outcome =
  | { readonly kind: 'finished'; readonly finished: Finished }
  | { readonly kind: 'crashed'; readonly how: string }
  | { readonly kind: 'signal'; readonly signal: string }

/**
 * Starts the simulator (with `--sim`), slow control and data acquisition, in this order, and stops them in the
 * opposite one. With `--spills` it ends after so many spills and says how it went; else it goes on until it is
 * told to end.
 */
export async function runCommand(experimentName: string, options: RunOptions): Promise<number> {
  if (!options.sim && (options.scenario ?? options.broker) !== undefined)
    throw new SpillwayError(ErrorCode.usage, '--scenario and --broker belong to a simulated run', {
      hint: 'add --sim, or leave them out to run on the hardware'
    })
  const experiment = loadExperiment(experimentName)
  const folder = resolve(options.data)
  const release = lockFolder(folder)
  // Whoever reads our output may go away; data taking does not end for that.
  for (const stream of [process.stdout, process.stderr]) {
    stream.removeAllListeners('error')
    stream.on('error', () => undefined)
  }
  try {
    return await supervise(experiment, experimentName, folder, options)
  } finally {
    release()
  }
}

async function supervise(
  experiment: Experiment,
  given: string,
  folder: string,
  options: RunOptions
): Promise<number> {
  const clock = new SystemClock()
  const began = clock.utc()
  const { name } = experiment
  const onTerminal = !options.json && options.spills === undefined
  const log = makeLog('supervisor', folder, false)
  log.info({ child: 'supervisor', pid: process.pid }, 'started')
  const spills: SpillSummary[] = []
  let finish: (outcome: Outcome) => void = () => undefined
  const outcome = new Promise<Outcome>((resolve) => (finish = resolve))

  /** where the console is: a restarted process takes the same place, so that open pages find it again */
  let port = options.port
  const onMessage = (message: Message): void => {
    if (message['ready'] === true) port = Number(new URL(String(message['url'])).port)
    else if (message['kind'] === 'spill') {
      const spill = message['spill'] as SpillSummary
      spills.push(spill)
      if (options.json) tell(spillLine(spill))
      else print(spillLine(spill))
    } else if (message['kind'] === 'finished')
      finish({ kind: 'finished', finished: message['finished'] as Finished })
    else if (message['kind'] === 'say') tell(String(message['text']))
  }
  const died = (what: string, how: string, again: boolean, then = ''): void =>
    tell(
      `${what} died (${how}); it is ${again ? `started again${then}` : 'not started any more: mend it first'}`
    )
  const linksFile = join(folder, 'links.json')
  const errorFile = (process: string): string => join(folder, 'log', `${process}.err`)
  const common = (): string[] => [
    ...['--experiment', given, '--data', folder],
    ...(options.sim ? ['--simulated', '--links-file', linksFile] : []),
    ...(onTerminal ? ['--terminal'] : [])
  ]
  const simulatorWords = [
    ...['--experiment', given, '--seed', String(options.seed), '--cycle', options.cycle, '--ports', 'free'],
    ...['--links-file', linksFile, '--state-file', join(folder, 'simulator-state.json')],
    ...(options.scenario === undefined ? [] : ['--scenario', options.scenario]),
    ...(options.broker === undefined ? [] : ['--broker', options.broker])
  ]
  const simulator = new Service(
    {
      name: 'sim',
      script: 'hil-sim/main',
      errorFile: errorFile('sim'),
      arguments: (isRestart) => [...simulatorWords, ...(isRestart ? ['--goes-on'] : [])],
      renewal: 'SIGUSR2',
      onMessage: (message) => {
        if (message['ready'] === true && simulator.pid !== undefined)
          registerSimulator(folder, simulator.pid, [experiment.hash, ...simulatorWords])
      },
      onCrash: (how, again) => died('the simulator', how, again)
    },
    clock,
    log
  )
  const slow = new Service(
    {
      name: 'slow',
      script: 'controller/slow',
      ...(onTerminal ? {} : { errorFile: errorFile('slow') }),
      arguments: common,
      onCrash: (how, again) => died('slow control', how, again)
    },
    clock,
    log
  )
  const daq = new Service(
    {
      name: 'daq',
      script: 'controller/daq',
      ...(onTerminal ? {} : { errorFile: errorFile('daq') }),
      arguments: (isRestart) => [
        ...common(),
        ...['--seed', String(options.seed)],
        ...(port === undefined ? [] : ['--port', String(port)]),
        ...(options.spills === undefined ? [] : ['--spills', String(options.spills)]),
        // After a crash a person decides when data taking goes on.
        ...(isRestart ? [] : ['--autostart'])
      ],
      onMessage,
      onCrash: (how, again) => {
        if (options.spills !== undefined || !again) finish({ kind: 'crashed', how })
        else died('data acquisition', how, again, ' and closes the run as aborted')
      }
    },
    clock,
    log
  )

  let isAsked = false
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      if (!isAsked) tell(`${signal}: closing the run and stopping all processes`)
      isAsked = true
      finish({ kind: 'signal', signal })
    })

  const stopAll = async (): Promise<void> => {
    await daq.stop()
    await slow.stop()
    await simulator.stop()
  }
  /** @returns whether it is up; not when somebody ends us meanwhile */
  const up = (work: Promise<unknown>): Promise<boolean> =>
    Promise.race([work.then(() => true), outcome.then(() => false)])

  /** Returns when all are up, or when somebody ends us meanwhile. */
  const bringUp = async (): Promise<void> => {
    const isAdopted =
      options.sim && (await adoptSimulator(simulator, clock, folder, [experiment.hash, ...simulatorWords]))
    if (options.sim && !isAdopted && !(await up(simulator.start()))) return
    if (!(await adoptSlow(slow, clock, folder, experiment, options.sim)) && !(await up(slow.start()))) return
    const ready = await Promise.race([daq.start(), outcome])
    if (!('url' in ready)) return
    const notice = `Spillway ${name}${options.sim ? ' (SIMULATED)' : ''}: console on ${String(ready['url'])}`
    if (options.json || options.spills !== undefined) tell(notice)
    else print(notice)
  }

  let end: Outcome
  try {
    await bringUp()
    end = await outcome
  } catch (error) {
    throw notUp(error, folder)
  } finally {
    await stopAll()
  }
  return conclude(end, { experiment, folder, began, spills, options })
}

/** What did not come up, in its own words if it had any. */
function notUp(error: unknown, folder: string): SpillwayError {
  const { code, message, ...details } = failureOf(error)
  const hint = details.hint ?? `the logs are in ${join(folder, 'log')}`
  return new SpillwayError(code, `the controller did not come up: ${message}`, {
    ...details,
    hint,
    cause: error
  })
}

/** Takes over a hall of an earlier supervisor that was started with the same words; ends another one. */
async function adoptSimulator(
  simulator: Service,
  clock: Clock,
  folder: string,
  words: readonly string[]
): Promise<boolean> {
  const found = findSimulator(folder)
  if (found === undefined) return false
  if (found.words.join('\n') === words.join('\n')) {
    tell(`the simulated hall is still running (process ${found.pid}); adopted`)
    simulator.adopt(found.pid)
    return true
  }
  tell(`another simulated hall was left running here (process ${found.pid}); it is ended`)
  await endProcess(clock, found.pid)
  return false
}

/**
 * Takes over slow control that outlived its supervisor. That of a simulated hall is ended when it belongs to another
 * configuration; that of hardware is never touched.
 */
async function adoptSlow(
  slow: Service,
  clock: Clock,
  folder: string,
  experiment: Experiment,
  isSimulated: boolean
): Promise<boolean> {
  const found = await findSlow(clock, folder)
  if (found === undefined) return false
  const isSame = found.simulated === isSimulated && found.experiment === experiment.name
  const isUnchanged = isSame && found.configHash === experiment.hash
  if (found.simulated && !isUnchanged) {
    tell(`slow control of another simulated hall was left running here (process ${found.pid}); it is ended`)
    await endProcess(clock, found.pid)
    return false
  }
  if (!isSame)
    throw new SpillwayError(
      ErrorCode.notPermitted,
      `slow control of ${found.experiment} on its hardware is still running here (process ${found.pid})`,
      { hint: `choose another --data folder, or end it: kill ${found.pid} (moves no high voltage)` }
    )
  tell(`slow control is still running (process ${found.pid}); adopted`)
  if (!isUnchanged)
    tell(
      `  it keeps the configuration that it was started with; kill ${found.pid} and it starts with the new one`
    )
  slow.adopt(found.pid)
  return true
}

interface Taken {
  readonly experiment: Experiment
  readonly folder: string
  readonly began: Date
  readonly spills: readonly SpillSummary[]
  readonly options: RunOptions
}

/** Says how it went, from what is recorded. */
async function conclude(outcome: Outcome, taken: Taken): Promise<number> {
  const { spills, options, folder } = taken
  const runs = recordedRuns(taken)
  const last = runs.at(-1)
  const state = outcome.kind === 'finished' ? outcome.finished.state : null
  const isComplete = spills.length >= (options.spills ?? 0) && state === 'configured'
  const reason = reasonOf(outcome)
  if (options.json)
    await printJson({
      experiment: taken.experiment.name,
      simulated: options.sim,
      seed: options.sim ? options.seed : null,
      data: folder,
      run: last?.run ?? null,
      condition: last?.condition ?? null,
      state,
      reason,
      muonsOnTarget: spills.reduce((sum, spill) => sum + (spill.muonsOnTarget ?? 0), 0),
      runs,
      columnHashes: last?.columnHashes ?? null,
      files: runs.flatMap((run) => run.files),
      spills: spills.map(spillDocument)
    })
  else if (options.spills !== undefined) print(`${isComplete ? 'done' : 'NOT COMPLETE'}: ${reason}`)
  else if (outcome.kind === 'crashed') tell(reason)
  if (outcome.kind === 'signal' && options.spills === undefined) return Exit.done
  return isComplete ? Exit.done : Exit.failed
}

function reasonOf(outcome: Outcome): string {
  if (outcome.kind === 'finished') return outcome.finished.status
  return outcome.kind === 'crashed' ? `data acquisition died: ${outcome.how}` : outcome.signal
}

/** The runs that were begun since; one that nobody is left to close is closed here. */
function recordedRuns({ experiment, folder, began, options }: Taken) {
  const database = RunDatabase.open(folder)
  try {
    new DatabaseRecords(database, experiment, options.sim, options.seed).closeUnfinished(
      new SystemClock().utc()
    )
    return database
      .runs()
      .filter((run) => run.startedUtc >= began.toISOString())
      .map((run) => ({
        run: run.number,
        condition: run.condition,
        reason: run.reason,
        spills: run.spills,
        muonsOnTarget: run.muonsOnTarget,
        eventsBuilt: run.eventsBuilt,
        eventsSelected: run.eventsSelected,
        columnHashes: run.totals?.['columnHashes'] ?? {},
        files: run.files
      }))
  } finally {
    database.close()
  }
}
