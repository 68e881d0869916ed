import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { loadExperiment } from '../../config/load.ts'
import { Exit } from './output.ts'

export interface SimOptions {
  readonly seed: number
  readonly scenario: string | undefined
  readonly cycle: 'real' | 'fast'
  readonly ports: 'fixed' | 'free'
  readonly data: string
  readonly json: boolean
}

/** Runs the simulator process in the foreground; it prints its URLs and ends with Ctrl-C. */
export async function simCommand(experiment: string, options: SimOptions): Promise<number> {
  loadExperiment(experiment) // faults of the configuration are told here, in one place
  const folder = resolve(options.data)
  mkdirSync(folder, { recursive: true })
  const extension = import.meta.filename.endsWith('.ts') ? 'ts' : 'js'
  const child = spawn(
    process.execPath,
    [
      fileURLToPath(new URL(`../../hil-sim/main.${extension}`, import.meta.url)),
      ...['--experiment', experiment, '--seed', String(options.seed), '--cycle', options.cycle],
      ...['--ports', options.ports, '--state-file', join(folder, 'simulator-state.json')],
      ...['--links-file', join(folder, 'links.json')],
      ...(options.scenario === undefined ? [] : ['--scenario', options.scenario])
    ],
    { stdio: 'inherit' }
  )
  process.on('SIGINT', () => undefined) // the terminal sends it to the simulator as well
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal))
  return new Promise((done) => {
    child.on('error', () => done(Exit.failed))
    child.on('exit', (code) => done(code ?? Exit.done))
  })
}
