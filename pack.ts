/** What `npm pack` adds to the sources' build: JavaScript, configuration, kernels and console under dist/. */
import { spawnSync } from 'node:child_process'
import { cpSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

rmSync(here('./dist'), { recursive: true, force: true })
const tsc = spawnSync(
  process.execPath,
  [here('./node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json'],
  {
    cwd: here('.'),
    stdio: 'inherit'
  }
)
if (tsc.status !== 0) process.exit(tsc.status ?? 1)
const isData = (path: string): boolean => !/\.tsx?$/.test(path)
cpSync(here('./config'), here('./dist/config'), { recursive: true, filter: isData })
cpSync(here('./hil-sim/scenario'), here('./dist/hil-sim/scenario'), { recursive: true, filter: isData })
cpSync(here('./kernels/build'), here('./dist/kernels/build'), { recursive: true })
cpSync(here('./console/dist'), here('./dist/console/dist'), { recursive: true })
