import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { loadExperiment } from '../../../config/load.ts'
import { experimentFileSchemas } from '../../../config/schema.ts'
import { ErrorCode, type Fault, isCode } from '../../../core/errors.ts'

/** One change of a file: text to find, text to put there. `null` instead of a list removes the file. */
export type Edits = Readonly<
  Record<string, readonly (readonly [find: string, put: string])[] | string | null>
>

export const FILES = Object.keys(experimentFileSchemas).map((name) => `${name}.yaml`)

const textOf = (experiment: string, file: string): string =>
  readFileSync(new URL(`../../../config/${experiment}/${file}`, import.meta.url), 'utf8')

/** A temporary folder with the files of `experiment`, edited; a text instead of edits replaces a file. */
export function folderWith(edits: Edits, experiment = 'bench'): string {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-config-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  for (const file of new Set([...FILES, ...Object.keys(edits)])) {
    const edit = edits[file]
    if (edit === null) continue
    writeFileSync(join(folder, file), typeof edit === 'string' ? edit : edited(experiment, file, edit ?? []))
  }
  return folder
}

function edited(experiment: string, file: string, edits: readonly (readonly [string, string])[]): string {
  let text = textOf(experiment, file)
  for (const [find, put] of edits) {
    if (!text.includes(find)) throw new RangeError(`${file} of ${experiment} no longer has '${find}'`)
    text = text.replace(find, () => put)
  }
  return text
}

/** Line and column, from 1, of the first `word` in a file of the folder. */
export function placeOf(folder: string, file: string, word: string): string {
  const text = readFileSync(join(folder, file), 'utf8')
  const before = text.slice(0, text.indexOf(word)).split('\n')
  return `${file}:${before.length}:${before.at(-1)!.length + 1}`
}

/** Faults that loading the folder gives; none when it loads. */
export function faultsIn(folder: string): readonly Fault[] {
  try {
    loadExperiment(folder)
    return []
  } catch (error) {
    if (!isCode(error, ErrorCode.configuration)) throw error
    return error.details.faults ?? []
  }
}

export const faultsWith = (edits: Edits, experiment?: string): readonly Fault[] =>
  faultsIn(folderWith(edits, experiment))
