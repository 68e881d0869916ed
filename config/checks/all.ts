import type { LocatedFault } from '../read-file.ts'
import { checkReconstruction, checkSelection, checkTrigger } from './analysis.ts'
import { checkChannels, checkDetectors, checkMagnets, checkModuleLists } from './channels.ts'
import { checkDevices } from './devices.ts'
import type { ExperimentFiles, Faults } from './files.ts'
import { checkExperiment, checkSimulation } from './world.ts'

const CHECKS: readonly ((files: ExperimentFiles) => Faults)[] = [
  checkExperiment,
  checkDetectors,
  checkDevices,
  checkModuleLists,
  checkMagnets,
  checkChannels,
  checkTrigger,
  checkReconstruction,
  checkSelection,
  checkSimulation
]

/** What no single file can know: names, addresses and limits that must agree between the files. */
export function crossCheck(files: ExperimentFiles): LocatedFault[] {
  return CHECKS.flatMap((check) => [...check(files)])
}
