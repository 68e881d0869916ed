import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Names under which distributions install it. */
const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome']

/** Flags of a browser that runs as root, without a GPU, and calls nobody. */
export const CHROMIUM_FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking']

/** Path of the first Chromium in PATH; without one the reason is printed and the caller skips by name. */
export function findChromium(tests: string): string | undefined {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter))
    for (const name of NAMES) {
      const path = join(folder, name)
      try {
        accessSync(path, constants.X_OK)
        return path
      } catch {
        // not here: the next one
      }
    }
  console.log(`not run: ${tests} (needs chromium)`)
  return undefined
}
