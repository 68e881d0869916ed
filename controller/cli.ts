/** The command line: words in, exit code out. */
import { CommanderError } from 'commander'
import { ErrorCode } from '../core/errors.ts'
import { Exit, printJson } from './commands/output.ts'
import { makeProgram } from './commands/program.ts'

const asJson = process.argv.includes('--json')
let exitCode: number = Exit.done

// A reader that has seen enough (`| head`) is no failure of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) =>
  process.exit(error.code === 'EPIPE' ? Exit.done : Exit.failed)
)

try {
  await makeProgram(asJson, (code) => (exitCode = code)).parseAsync()
} catch (error) {
  if (!(error instanceof CommanderError)) throw error
  exitCode = error.exitCode === 0 ? Exit.done : Exit.usage
  if (asJson && exitCode !== Exit.done)
    await printJson({
      error: { code: ErrorCode.usage, message: error.message.replace(/^error: /, '') }
    })
}
process.exitCode = exitCode
