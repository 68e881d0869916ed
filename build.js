// What npm's `prepare` runs. It never fails for what is not there yet: npx runs it before packages are installed.
import { existsSync } from 'node:fs'

const major = Number(process.versions.node.split('.')[0])
if (!existsSync(new URL('./build.ts', import.meta.url))) {
  // an installed copy: everything was built before it was packed
} else if (!existsSync(new URL('./node_modules/vite', import.meta.url))) {
  console.error(
    'spillway: development packages are not installed; console and kernels are not built (npm ci)'
  )
} else if (major < 24) {
  console.error(
    `spillway: Node 24 is needed to build and this is ${process.version}; run npm ci with install scripts allowed`
  )
} else {
  await import('./build.ts')
}
