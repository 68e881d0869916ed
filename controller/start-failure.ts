import { inspect } from 'node:util'
import { failureOf } from '../core/errors.ts'

/**
 * From here on, whatever this process does not catch ends it; the supervisor is told why in words that it can
 * show. Before anything else of a process.
 */
export function endOnFailure(): void {
  process.on('uncaughtException', (error) => {
    process.exitCode = 1
    try {
      process.stderr.write(`${inspect(error)}\n`)
    } catch {
      // the terminal is gone
    }
    if (!process.connected || process.send === undefined) process.exit(1)
    process.send({ failed: failureOf(error) }, undefined, undefined, () => process.exit(1))
  })
}
