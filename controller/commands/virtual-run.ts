import { loadExperiment } from '../../config/load.ts'
import { ErrorCode, SpillwayError } from '../../core/errors.ts'
import { runVirtually } from '../memory.ts'
import { Exit, print, printJson, spillDocument, spillLine, tell } from './output.ts'

export interface VirtualRunOptions {
  readonly clock?: string
  readonly sim?: boolean
  readonly spills?: number
  readonly seed: number
  readonly scenario: string | undefined
  readonly cycle: 'real' | 'fast'
  readonly json: boolean
}

/** `run --sim --clock virtual`: the whole house in one process, without wires, as fast as it goes. */
export async function virtualRunCommand(name: string, options: VirtualRunOptions): Promise<number> {
  if (options.clock !== 'virtual' || options.sim !== true || options.spills === undefined)
    throw new SpillwayError(
      ErrorCode.usage,
      'a run in virtual time needs --sim, --spills and --clock virtual'
    )
  const { seed, cycle, spills, scenario } = options
  const result = await runVirtually({
    experiment: loadExperiment(name),
    seed,
    cycle,
    spills,
    ...(scenario === undefined ? {} : { scenario }),
    onSpill: (spill) => (options.json ? tell : print)(spillLine(spill))
  })
  const last = result.runs.at(-1)
  const isComplete = result.state === 'configured' && result.spills.length >= spills
  if (options.json)
    await printJson({
      experiment: name,
      simulated: true,
      clock: 'virtual',
      seed,
      run: last?.run ?? null,
      condition: last?.condition ?? null,
      state: result.state,
      reason: result.status,
      muonsOnTarget: result.spills.reduce((sum, spill) => sum + (spill.muonsOnTarget ?? 0), 0),
      runs: result.runs,
      spills: result.spills.map(spillDocument)
    })
  else print(`${isComplete ? 'done' : 'NOT COMPLETE'}: ${result.status}`)
  return isComplete ? Exit.done : Exit.failed
}
