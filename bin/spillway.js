#!/usr/bin/env node
// Plain JavaScript that any Node since 20 can read: finds Node 24, then hands over to the command line.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'

const here = (path) => new URL(path, import.meta.url)
const inRepository = existsSync(here('../controller/cli.ts'))
const isInstalled = !inRepository || existsSync(here('../node_modules/commander'))

if (!isInstalled) {
  console.error(
    'spillway: its packages are not installed yet; run `npm ci` in the repository, then try again'
  )
  process.exit(2)
}
if (Number(process.versions.node.split('.')[0]) >= 24) {
  await import(here(inRepository ? '../controller/cli.ts' : '../dist/controller/cli.js').href)
} else {
  // The npm package `node`, ours or beside an installed copy.
  const pinned = [here('../node_modules/node/bin/node'), here('../../node/bin/node')].find((url) =>
    existsSync(url)
  )
  if (pinned === undefined) {
    console.error(
      `spillway needs Node 24 or newer and this is ${process.version}: ` +
        (inRepository
          ? 'run `npm ci` with install scripts allowed (it brings Node 24), or install Node 24'
          : 'run `npm install node@24` beside it, or install Node 24')
    )
    process.exit(2)
  }
  const child = spawn(fileURLToPath(pinned), process.argv.slice(1), { stdio: 'inherit' })
  // A terminal sends its Ctrl-C to the child as well, who hears it twice then; somebody's `kill -INT` it would not hear.
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => child.kill(name))
  child.on('error', (error) => {
    console.error(`spillway: could not start ${fileURLToPath(pinned)}: ${error.message}`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)))
}
