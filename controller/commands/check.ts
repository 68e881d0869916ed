import { describeExperiment, printExperiment } from '../../config/describe.ts'
import { loadExperiment } from '../../config/load.ts'
import { Exit, print, printJson } from './output.ts'

/** `check`: all faults at once, or the configuration resolved. */
export async function checkCommand(name: string, asJson: boolean): Promise<number> {
  const experiment = loadExperiment(name)
  if (asJson) await printJson(describeExperiment(experiment))
  else print(printExperiment(experiment))
  return Exit.done
}
