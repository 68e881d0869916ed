import { join, resolve } from 'node:path'
import type { SpillSummary } from '../../console/api/api.ts'
import { loadExperiment } from '../../config/load.ts'
import { SystemClock } from '../../core/clock.ts'
import { ErrorCode, sentence, SpillwayError } from '../../core/errors.ts'
import { makeLog } from '../log.ts'
import type { RunTotals } from '../run/run-book.ts'
import {
  endAdopted,
  findSimulator,
  findSlow,
  keepSimulator,
  lockFolder,
  type Message,
  Service,
  writeJson
} from '../supervisor.ts'
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

/** How a run that was started by the command line ended; the `daq` process tells it. */
export interface Finished {
  readonly runs: readonly (RunTotals & { readonly files: readonly string[] })[]
  readonly state: string
  readonly status: string
}

/**
 * Starts the simulator (with `--sim`), slow control and data acquisition, in this order, and stops them in the
 * opposite one. With `--spills` it ends after so many spills and says how it went; else it goes on until it is
 * told to end.
 */
export async function runCommand(experimentName: string, options: RunOptions): Promise<number> {
  const experiment = loadExperiment(experimentName)
  const folder = resolve(options.data)
  const release = lockFolder(folder)
  try {
    return await supervise(experiment.name, experimentName, folder, options)
  } finally {
    release()
  }
}

async function supervise(name: string, given: string, folder: string, options: RunOptions): Promise<number> {
  const clock = new SystemClock()
  const onTerminal = !options.json && options.spills === undefined
  const log = makeLog('supervisor', folder, false)
  const spills: SpillSummary[] = []
  let finish: (outcome: Finished | { crashed: string } | { signal: string }) => void = () => undefined
  const finished = new Promise<Finished | { crashed: string } | { signal: string }>((r) => (finish = r))

  /** where the console is: a restarted process takes the same place, so that open pages find it again */
  let port = options.port
  const onMessage = (message: Message): void => {
    if (message['ready'] === true) port = Number(new URL(String(message['url'])).port)
    else if (message['kind'] === 'spill') {
      const spill = message['spill'] as SpillSummary
      spills.push(spill)
      if (options.json) tell(spillLine(spill))
      else print(spillLine(spill))
    } else if (message['kind'] === 'finished') finish(message['finished'] as Finished)
    else if (message['kind'] === 'say') tell(String(message['text']))
  }
  const linksFile = join(folder, 'links.json')
  const errorFile = (process: string): string => join(folder, 'log', `${process}.err`)
  const common = (): string[] => [
    ...['--experiment', given, '--data', folder],
    ...(options.sim ? ['--simulated', '--links-file', linksFile] : []),
    ...(onTerminal ? ['--terminal'] : [])
  ]
  const simulator = new Service(
    {
      name: 'sim',
      script: 'hil-sim/main',
      errorFile: errorFile('sim'),
      arguments: () => [
        ...[
          '--experiment',
          given,
          '--seed',
          String(options.seed),
          '--cycle',
          options.cycle,
          '--ports',
          'free'
        ],
        ...['--links-file', linksFile, '--state-file', join(folder, 'simulator-state.json')],
        ...(options.scenario === undefined ? [] : ['--scenario', options.scenario]),
        ...(options.broker === undefined ? [] : ['--broker', options.broker])
      ],
      onMessage: (message) => {
        if (message['ready'] === true) writeJson(join(folder, 'simulator.json'), { pid: simulator.pid })
      },
      onCrash: (how, again) => tell(`the simulator died (${how})${again ? '; it is started again' : ''}`)
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
      onCrash: (how, again) => tell(`slow control died (${how})${again ? '; it is started again' : ''}`)
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
        tell(
          `data acquisition died (${how})${again ? '; it is started again and closes the run as aborted' : ''}`
        )
        if (options.spills !== undefined) finish({ crashed: how })
      }
    },
    clock,
    log
  )

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      tell(`${signal}: closing the run and stopping all processes`)
      finish({ signal })
    })

  const ending = new AbortController()
  let adoptedSimulator: number | undefined
  let adoptedSlow: number | undefined
  const stopAll = async (): Promise<void> => {
    ending.abort()
    await daq.stop()
    if (adoptedSlow === undefined) await slow.stop()
    else await endAdopted(clock, adoptedSlow)
    if (adoptedSimulator === undefined) await simulator.stop()
    else await endAdopted(clock, adoptedSimulator)
  }
  const up = async (work: Promise<unknown>): Promise<boolean> => {
    const winner = await Promise.race([work.then(() => true), finished.then(() => false)])
    return winner
  }

  try {
    if (options.sim) {
      adoptedSimulator = findSimulator(folder)
      if (adoptedSimulator !== undefined) {
        tell(`found the simulated hall still running (process ${adoptedSimulator})`)
        void keepSimulator(clock, adoptedSimulator, ending.signal)
      } else if (!(await up(simulator.start()))) return Exit.done
    }
    const found = await findSlow(clock, folder, name)
    if (found !== undefined) {
      adoptedSlow = found.pid
      tell(`slow control is still running (process ${found.pid}); adopted`)
    } else if (!(await up(slow.start()))) return Exit.done
    const ready = await Promise.race([daq.start(), finished])
    if ('url' in ready) {
      const url = String(ready['url'])
      const notice = `Spillway ${name}${options.sim ? ' (SIMULATED)' : ''}: console on ${url}`
      if (options.json || options.spills !== undefined) tell(notice)
      else print(notice)
    }
    const outcome = await finished
    await stopAll()
    return await conclude(outcome, name, folder, spills, options)
  } catch (error) {
    await stopAll()
    throw new SpillwayError(ErrorCode.disconnected, `the controller did not come up: ${sentence(error)}`, {
      hint: `the logs are in ${join(folder, 'log')}`,
      cause: error
    })
  } finally {
    await stopAll()
  }
}

async function conclude(
  outcome: Finished | { crashed: string } | { signal: string },
  experiment: string,
  folder: string,
  spills: readonly SpillSummary[],
  options: RunOptions
): Promise<number> {
  const runs = 'runs' in outcome ? outcome.runs : []
  const last = runs.at(-1)
  const isComplete =
    'runs' in outcome && spills.length >= (options.spills ?? 0) && outcome.state === 'configured'
  const reason =
    'runs' in outcome
      ? outcome.status
      : 'crashed' in outcome
        ? `data acquisition died: ${outcome.crashed}`
        : outcome.signal
  if (options.json)
    await printJson({
      experiment,
      simulated: options.sim,
      seed: options.sim ? options.seed : null,
      data: folder,
      run: last?.run ?? spills.at(-1)?.run ?? null,
      condition: last?.condition ?? null,
      state: 'state' in outcome ? outcome.state : null,
      reason,
      muonsOnTarget: spills.reduce((sum, spill) => sum + (spill.muonsOnTarget ?? 0), 0),
      runs: runs.map((run) => ({ ...run })),
      columnHashes: last?.columnHashes ?? null,
      files: runs.flatMap((run) => run.files),
      spills: spills.map(spillDocument)
    })
  else if (options.spills !== undefined) print(`${isComplete ? 'done' : 'NOT COMPLETE'}: ${reason}`)
  if ('signal' in outcome) return options.spills === undefined ? Exit.done : Exit.failed
  return isComplete ? Exit.done : Exit.failed
}
