/**
 * Where the tests of this folder find the programs that nobody here wrote. A missing one is told by name, and its
 * tests are skipped; with SPILLWAY_STRANGERS=required (.ci/run) they fail instead.
 */
import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { describe, expect, it } from 'vitest'

/** A program, or a module of Debian's Python. */
export interface Stranger {
  /** the Debian package that brings it */
  readonly needs: string
  /** path of the program, or of the Python that has the module */
  find(): string | undefined
}

type Wanted<Name extends string> = Readonly<Record<Name, Stranger>>
type Paths<Name extends string> = Readonly<Record<Name, string>>

/** Debian puts servers where the PATH of a person need not look. */
const FOLDERS = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin']

/** The Python that Debian's packages belong to: another one, first in the PATH, would not see them. */
const PYTHON = '/usr/bin/python3'

/** @param names under which it may be installed; absent: that of the package */
export function program(needs: string, names: readonly string[] = [needs]): Stranger {
  const paths = FOLDERS.flatMap((folder) => names.map((name) => join(folder, name)))
  return { needs, find: () => paths.find(isExecutable) }
}

/** @param modules to import, of the Debian package `needs`; none: the standard library is enough */
export function python(needs = 'python3', ...modules: readonly string[]): Stranger {
  const imports = ['sys', ...modules].join(', ')
  const find = (): string | undefined =>
    isExecutable(PYTHON) && spawnSync(PYTHON, ['-I', '-c', `import ${imports}`]).status === 0
      ? PYTHON
      : undefined
  return { needs, find }
}

/**
 * Paths of all, or undefined: then the caller leaves its tests out. Called while tests are collected, because where
 * the strangers are required a missing one becomes a test that fails.
 */
export function findStrangers<Name extends string>(
  tests: string,
  wanted: Wanted<Name>
): Paths<Name> | undefined {
  const strangers: [string, Stranger][] = Object.entries(wanted)
  const found = strangers.map(([name, stranger]) => [name, stranger.find()] as const)
  const missing = strangers.filter((_, i) => found[i]![1] === undefined).map(([, { needs }]) => needs)
  if (missing.length === 0) return Object.fromEntries(found) as Paths<Name>
  const reason = `needs ${missing.join(', ')}`
  console.log(`not run: ${tests} (${reason})`)
  if (process.env['SPILLWAY_STRANGERS'] === 'required')
    it(`${tests}: the programs are there`, () => expect.fail(`${reason}, and SPILLWAY_STRANGERS=required`))
  return undefined
}

/** `describe` for tests that need strangers; `suite` is given their paths. */
export function describeWith<Name extends string>(
  tests: string,
  wanted: Wanted<Name>,
  suite: (paths: Paths<Name>) => void
): void {
  const paths = findStrangers(tests, wanted)
  if (paths === undefined) describe.skip(tests, () => it('was not run', () => undefined))
  else describe(tests, () => suite(paths))
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    // not here, or not for us
    return false
  }
}
