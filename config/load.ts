/** Reads an experiment: eight YAML files of one folder -> one checked, resolved `Experiment`. */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, isAbsolute, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { z } from 'zod'
import { ErrorCode, SpillwayError } from '../core/errors.ts'
import { crossCheck } from './checks/all.ts'
import type { ExperimentFiles } from './checks/files.ts'
import { hintFor, nearest } from './nearest.ts'
import { check, type ConfigFile, type LocatedFault, readConfigText, toFault } from './read-file.ts'
import { resolveChannels } from './resolve.ts'
import {
  type DeviceKind,
  deviceSettings,
  type Experiment,
  experimentFileSchemas,
  type ExperimentFileName
} from './schema.ts'

/** Where experiments live: beside this file, in the sources and in what is built from them. */
const HOME = fileURLToPath(new URL('.', import.meta.url))

/** No configuration comes near; a larger file is a mistake of another kind. */
const FILE_BYTES_MAX = 1 << 20

const FILE_NAMES = Object.keys(experimentFileSchemas) as ExperimentFileName[]

/** Names of the experiments that come with the program. */
export function listExperiments(): readonly string[] {
  return readdirSync(HOME, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(HOME, entry.name, 'experiment.yaml')))
    .map((entry) => entry.name)
    .sort()
}

/**
 * Loads the experiment of that name, or of that folder when the word is a path. Nothing but these files is
 * read and nothing is written. Fails with `not-found` when there is no such experiment, and with
 * `configuration`, whose `details.faults` has every fault of all files with file, line and column, when there
 * is one and it is wrong.
 */
export function loadExperiment(nameOrFolder: string): Experiment {
  const folder = findFolder(nameOrFolder)
  const faults: LocatedFault[] = strayFiles(folder)
  const texts: Record<string, string> = {}
  for (const file of FILE_NAMES) {
    const text = readText(folder, file, faults)
    if (text !== undefined) texts[`${file}.yaml`] = text
  }
  return resolveExperiment(basename(folder), texts, faults)
}

/**
 * The experiment whose files had these texts: how a run is replayed with the configuration that it was taken
 * with. Fails with `configuration` as `loadExperiment` does.
 *
 * @param texts file name -> text, as in `Experiment.files`
 */
export function experimentFromTexts(name: string, texts: Readonly<Record<string, string>>): Experiment {
  const missing = FILE_NAMES.map((file) => `${file}.yaml`).filter((file) => !Object.hasOwn(texts, file))
  return resolveExperiment(
    name,
    texts,
    missing.map((file) => ({ at: { file, line: 1, column: 1 }, what: 'the file is missing' }))
  )
}

function resolveExperiment(
  name: string,
  texts: Readonly<Record<string, string>>,
  found: readonly LocatedFault[]
): Experiment {
  const faults = [...found]
  const files: Partial<Record<ExperimentFileName, ConfigFile<unknown>>> = {}
  for (const file of FILE_NAMES) {
    const text = texts[`${file}.yaml`]
    if (text === undefined) continue
    files[file] = readConfigText<unknown>(`${file}.yaml`, text, experimentFileSchemas[file])
    faults.push(...files[file].faults)
  }
  const read = files as ExperimentFiles
  faults.push(...checkSettings(read), ...crossCheck(read))
  if (faults.length > 0) throw configurationError(name, faults)

  const { experiment, detectors, devices, channels, trigger, reconstruction, selection, simulation } = read
  return {
    name,
    hash: hashOf(texts),
    ...experiment!.data!,
    detectors: detectors!.data!.detectors,
    devices: devices!.data!.devices,
    channels: resolveChannels(channels!.data!.channels, detectors!.data!.detectors),
    trigger: trigger!.data!,
    reconstruction: reconstruction!.data!,
    selection: selection!.data!,
    simulation: simulation!.data!,
    files: texts
  }
}

function findFolder(nameOrFolder: string): string {
  const isPath = isAbsolute(nameOrFolder) || /[\\/]/.test(nameOrFolder) || nameOrFolder.startsWith('.')
  const folder = isPath ? resolve(nameOrFolder) : join(HOME, nameOrFolder)
  if (nameOrFolder !== '' && isFolder(folder) && (isPath || isExperiment(folder))) return folder
  const known = listExperiments()
  const best = nearest(nameOrFolder, known)
  throw new SpillwayError(ErrorCode.notFound, `there is no experiment '${nameOrFolder}'`, {
    expected: isPath ? 'a folder with experiment.yaml and its companions' : `one of ${known.join(', ')}`,
    hint: best === undefined ? 'or the path of a folder' : `did you mean '${best}'?`
  })
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
const isExperiment = (folder: string): boolean => existsSync(join(folder, 'experiment.yaml'))

/** A misspelt file name would otherwise look like a missing file and an ignored one. */
function strayFiles(folder: string): LocatedFault[] {
  const known = FILE_NAMES.map((name) => `${name}.yaml`)
  return readdirSync(folder)
    .filter((name) => /\.ya?ml$/.test(name) && !known.includes(name))
    .sort()
    .map((name) => ({
      at: { file: name, line: 1, column: 1 },
      what: 'no file of an experiment has this name',
      hint: hintFor(name, known, 'files')
    }))
}

function readText(folder: string, file: ExperimentFileName, faults: LocatedFault[]): string | undefined {
  const at = { file: `${file}.yaml`, line: 1, column: 1 }
  const path = join(folder, at.file)
  const size = statSync(path, { throwIfNoEntry: false })?.size
  if (size === undefined) {
    faults.push({ at, what: 'the file is missing', hint: `see config/bench/${at.file} for a small one` })
    return undefined
  }
  if (size > FILE_BYTES_MAX) {
    faults.push({ at, what: `the file has ${size} bytes, more than ${FILE_BYTES_MAX}` })
    return undefined
  }
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    faults.push({ at, what: `the file cannot be read: ${(error as Error).message}` })
    return undefined
  }
}

/**
 * Settings of each device against the schema of its kind, whatever else is wrong in the file; defaults are
 * filled in.
 */
function checkSettings({ devices: file }: ExperimentFiles): LocatedFault[] {
  const raw = (file?.raw as { devices?: unknown } | null | undefined)?.devices
  if (file === undefined || !Array.isArray(raw)) return []
  return raw.flatMap((device: { kind?: unknown; settings?: unknown } | null, index) => {
    const kind = device?.kind
    if (typeof kind !== 'string' || !Object.hasOwn(deviceSettings, kind)) return []
    const settings = device?.settings ?? {}
    // Settings that are no block of keys are reported with the file.
    if (typeof settings !== 'object' || Array.isArray(settings)) return []
    const schema: z.ZodType<Record<string, unknown>> = deviceSettings[kind as DeviceKind]
    const checked = check(schema, settings, file.where, ['devices', index, 'settings'])
    const target = file.data?.devices[index]
    if (target !== undefined && checked.data !== undefined) target.settings = checked.data
    return checked.faults
  })
}

function configurationError(name: string, located: readonly LocatedFault[]): SpillwayError {
  const order: string[] = FILE_NAMES.map((file) => `${file}.yaml`)
  const faults = [...located]
    .sort(
      (a, b) =>
        order.indexOf(a.at.file) - order.indexOf(b.at.file) ||
        a.at.line - b.at.line ||
        a.at.column - b.at.column
    )
    .map(toFault)
  const many = faults.length === 1 ? '1 fault' : `${faults.length} faults`
  return new SpillwayError(ErrorCode.configuration, `configuration of '${name}': ${many}`, {
    faults,
    hint: 'nothing was started; correct the files and try again'
  })
}

/** SHA-256 over names and texts in name order. */
function hashOf(texts: Readonly<Record<string, string>>): string {
  const hash = createHash('sha256')
  for (const file of Object.keys(texts).sort()) hash.update(`${file}\0${texts[file]!}\0`)
  return hash.digest('hex')
}
