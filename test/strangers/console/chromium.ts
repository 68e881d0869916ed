import { findStrangers, program } from '../programs.ts'

/** Names under which distributions install it. */
const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome']

/** Flags of a browser that runs as root, without a GPU, and calls nobody. */
export const CHROMIUM_FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking']

/** Path of the first Chromium; without one the reason is printed and the caller skips by name. */
export function findChromium(tests: string): string | undefined {
  return findStrangers(tests, { chromium: program('chromium', NAMES) })?.chromium
}
