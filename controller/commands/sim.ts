import { join, resolve } from 'node:path'
import { loadExperiment } from '../../config/load.ts'
import { SystemClock } from '../../core/clock.ts'
import { makeLog } from '../log.ts'
import { Service } from '../supervisor.ts'
import { Exit, print, printJson, tell } from './output.ts'

export interface SimOptions {
  readonly seed: number
  readonly scenario: string | undefined
  readonly cycle: 'real' | 'fast'
  readonly ports: 'fixed' | 'free'
  readonly data: string
  readonly json: boolean
}

/** The simulated devices alone: says where they are, and goes on until it is told to end. */
export async function simCommand(given: string, options: SimOptions): Promise<number> {
  const experiment = loadExperiment(given) // faults of the configuration are told here, in one place
  const folder = resolve(options.data)
  const { seed, cycle, ports, scenario } = options
  const simulator = new Service(
    {
      name: 'sim',
      script: 'hil-sim/main',
      errorFile: join(folder, 'log', 'sim.err'),
      arguments: (isRestart) => [
        ...['--experiment', given, '--seed', String(seed), '--cycle', cycle, '--ports', ports],
        ...['--state-file', join(folder, 'simulator-state.json'), '--links-file', join(folder, 'links.json')],
        ...(scenario === undefined ? [] : ['--scenario', scenario]),
        ...(isRestart ? ['--goes-on'] : [])
      ],
      onCrash: (how, again) => {
        tell(`the simulator died (${how})${again ? '; it is started again' : ''}`)
        if (!again) end(Exit.failed)
      }
    },
    new SystemClock(),
    makeLog('supervisor', folder, false)
  )
  let end: (code: number) => void = () => undefined
  const ended = new Promise<number>((resolve) => (end = resolve))
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => end(Exit.done))
  try {
    const ready = await Promise.race([simulator.start(), ended])
    if (typeof ready === 'number') return ready
    const links = ready['links'] as Record<string, Record<string, string>>
    if (options.json) await printJson({ experiment: experiment.name, seed, cycle, pid: simulator.pid, links })
    else
      for (const [device, faces] of Object.entries(links))
        for (const [face, url] of Object.entries(faces)) print(`${device} ${face} ${url}`)
    tell(`the simulated hall of ${experiment.name} is up; Ctrl-C ends it`)
    return await ended
  } finally {
    await simulator.stop()
  }
}
