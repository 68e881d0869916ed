/** What no single file can know: names, addresses and limits that must agree between the files. */
import type { z } from 'zod'
import type { ConfigFile, LocatedFault } from './read-file.ts'
import type { experimentFileSchemas, ExperimentFileName } from './schema.ts'

/** The files of an experiment that could be read. */
export type ExperimentFiles = {
  readonly [K in ExperimentFileName]?: ConfigFile<z.infer<(typeof experimentFileSchemas)[K]>>
}

export function crossCheck(_files: ExperimentFiles): LocatedFault[] {
  return []
}
