/**
 * Every `npx spillway ...` that the README and the documents tell people to type is parsed by the program's own
 * command line (its work left out): known commands, known options, values that they take, experiments that exist.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { listExperiments } from '../../../config/load.ts'
import { makeProgram } from '../../../controller/commands/program.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const documents = [
  'README.md',
  ...readdirSync(`${root}docs`, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`)
    .sort()
]

interface Line {
  readonly file: string
  readonly words: string[]
}

/** `npx spillway a; npx spillway b  # remark`, in a line of its own or between backquotes */
function commandsIn(file: string): Line[] {
  const text = readFileSync(root + file, 'utf8')
  return [...text.matchAll(/npx spillway\b([^`\n;]*)/g)].map(([, rest]) => ({
    file,
    words: rest!
      .replace(/\s#.*$/, '')
      .trim()
      .split(/\s+/)
      .filter((word) => word !== '')
  }))
}

/** Parses as the program does and gives the command's name and arguments; throws what the user would read. */
function dryRun(words: readonly string[]): { command: string; given: unknown[] } | undefined {
  let heard: { command: string; given: unknown[] } | undefined
  const program = makeProgram(false, () => undefined).configureOutput({ outputError: () => undefined })
  for (const command of program.commands) {
    command.configureOutput({ outputError: () => undefined, writeErr: () => undefined })
    command.action((...given: unknown[]) => {
      heard = { command: command.name(), given: given.slice(0, -2) }
    })
  }
  program.parse(words, { from: 'user' })
  return heard
}

const lines = documents.flatMap(commandsIn)

test('the documents name commands in the README and in those of operators, bench and physicists', () => {
  const files = new Set(lines.map(({ file }) => file))
  for (const file of [
    'README.md',
    'docs/operator/README.md',
    'docs/bench/README.md',
    'docs/physics/README.md'
  ])
    expect(files).toContain(file)
  expect(lines.length).toBeGreaterThan(12)
})

// `npx spillway` alone is the program's name
for (const { file, words } of lines.filter((line) => line.words.length > 0))
  test(`${file}: spillway ${words.join(' ')}`, () => {
    const heard = dryRun(words)
    expect(heard, 'no command is run').toBeDefined()
    const [first] = heard!.given
    if (['run', 'sim', 'check'].includes(heard!.command) && !String(first).startsWith('<'))
      expect(listExperiments()).toContain(first)
  })

test('the README has a line for every command', () => {
  const shown = new Set(lines.filter(({ file }) => file === 'README.md').map(({ words }) => words[0]))
  const known = makeProgram(false, () => undefined).commands.map((command) => command.name())
  expect([...shown].sort()).toEqual(known.sort())
})

test('a line with a wrong option, command or value would be found', () => {
  expect(() => dryRun(['run', 'bench', '--spils', '3'])).toThrow("unknown option '--spils'")
  expect(() => dryRun(['runn', 'bench'])).toThrow("unknown command 'runn'")
  expect(() => dryRun(['run', 'bench', '--spills', 'x'])).toThrow('a whole number from 1')
  expect(() => dryRun(['spills', 'first'])).toThrow('a whole number from 1')
  expect(() => dryRun(['ledger'])).toThrow('missing required argument')
})
