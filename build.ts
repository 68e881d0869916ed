/** Builds what cannot run as it is: the hot kernels (AssemblyScript) and the console (Vite). */
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

mkdirSync(here('./kernels/build'), { recursive: true })
const asc = spawnSync(
  process.execPath,
  [
    here('./node_modules/assemblyscript/bin/asc.js'),
    'kernels/index.ts',
    ...['-o', 'kernels/build/kernels.wasm', '-O3', '--runtime', 'stub', '--enable', 'simd,threads'],
    ...['--importMemory', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '16384']
  ],
  { cwd: here('.'), stdio: 'inherit' }
)
if (asc.status !== 0) process.exit(asc.status ?? 1)

await build({
  configFile: false,
  root: here('./console'),
  base: './',
  logLevel: 'warn',
  build: { outDir: 'dist', emptyOutDir: true }
})
