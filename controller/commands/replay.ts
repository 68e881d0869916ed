import { existsSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { experimentFromTexts, loadExperiment } from '../../config/load.ts'
import type { Experiment } from '../../config/schema.ts'
import { ErrorCode, SpillwayError } from '../../core/errors.ts'
import { replayFile } from '../replay.ts'
import { RUN_DATABASE_FILE, RunDatabase } from '../store/run-database.ts'
import { Exit, print, printJson, tell } from './output.ts'

export interface ReplayOptions {
  readonly experiment: string | undefined
  readonly data: string
  readonly json: boolean
}

/** `replay`: each file with the configuration that its run was taken with, unless another one is named. */
export async function replayCommand(files: readonly string[], options: ReplayOptions): Promise<number> {
  const results = files.map((file) => {
    if (!existsSync(file))
      throw new SpillwayError(ErrorCode.notFound, `no file ${file}`, { hint: 'raw files are in <data>/raw' })
    const experiment =
      options.experiment === undefined ? experimentOf(file, options.data) : loadExperiment(options.experiment)
    const result = replayFile(file, experiment, (spill) => {
      const line =
        `run ${spill.run} spill ${spill.number}: ${spill.built} events, ${spill.selected} selected` +
        (spill.isClosed ? '' : ', CUT OFF: the file has no end of this spill')
      if (options.json) tell(line)
      else print(line)
    })
    return { ...result, experiment: experiment.name, configHash: experiment.hash }
  })
  if (options.json) {
    const only = results.length === 1 ? results[0]! : undefined
    await printJson({ ...(only ?? {}), files: results })
  } else
    for (const result of results) {
      for (const fault of result.faults) print(`${result.file}: ${JSON.stringify(fault)}`)
      print(
        `${result.file}: run ${result.run ?? '?'}, ${result.spills.length} spills, ${result.faults.length} faults`
      )
    }
  return Exit.done
}

/** The frozen configuration of the run that a raw file belongs to. */
function experimentOf(file: string, data: string): Experiment {
  for (const folder of [join(dirname(file), '..'), data]) {
    if (!existsSync(join(folder, RUN_DATABASE_FILE))) continue
    const database = RunDatabase.open(folder)
    try {
      const record = database
        .runs()
        .find((run) => run.files.some((path) => basename(path) === basename(file)))
      if (record !== undefined)
        return experimentFromTexts(record.experiment, database.configuration(record.configHash))
    } finally {
      database.close()
    }
  }
  throw new SpillwayError(ErrorCode.notFound, `no run database knows ${file}`, {
    hint: 'name the configuration with --experiment, or the data folder of the run with --data'
  })
}
