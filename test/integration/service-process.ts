/** A process for the supervisor's tests: does what its words say, one after the other. */
import { failureOf, SpillwayError } from '../../core/errors.ts'

const tell = (message: object): Promise<void> =>
  new Promise((resolve) => process.send?.(message, () => resolve()))

for (const word of process.argv.slice(2)) {
  if (word === 'ready') await tell({ ready: true, words: process.argv.slice(2) })
  if (word === 'fail')
    await tell({
      failed: failureOf(new SpillwayError('usage', 'the port is taken', { hint: 'choose another' }))
    })
  if (word === 'exit') process.exit(3)
  if (word === 'stay') await new Promise((resolve) => process.once('disconnect', resolve))
}
