import type { SpillSummary } from '../../console/api/api.ts'
import type { Experiment } from '../../config/schema.ts'
import { type Condition, inOrder } from '../run/run-state.ts'
import type { RunEnd, RunRecords, RunStart } from '../run/run-book.ts'
import type { RunDatabase } from './run-database.ts'

/** The run book's records in the run database, with the configuration that the runs were taken with. */
export class DatabaseRecords implements RunRecords {
  readonly #database: RunDatabase
  readonly #experiment: Experiment
  readonly #isSimulated: boolean
  readonly #seed: number | undefined

  constructor(database: RunDatabase, experiment: Experiment, isSimulated: boolean, seed: number | undefined) {
    this.#database = database
    this.#experiment = experiment
    this.#isSimulated = isSimulated
    this.#seed = seed
  }

  /** Closes what an earlier process left open: nobody knows any more how those runs would have ended. */
  closeUnfinished(now: Date): number[] {
    return this.#database.unfinishedRuns().map((run) => {
      const spills = this.#database.spills(run.number).flatMap((spill) => spill.condition)
      const simulated: Condition[] = run.isSimulated ? ['simulated'] : []
      this.#database.endRun(run.number, {
        endedUtc: now,
        condition: inOrder(['aborted', ...spills, ...simulated]),
        reason: 'the process that took it died; its finished spills are complete'
      })
      return run.number
    })
  }

  beginRun({ startedUtc, note }: RunStart): number {
    const { name, hash, files } = this.#experiment
    return this.#database.beginRun({
      experiment: name,
      configHash: hash,
      files,
      isSimulated: this.#isSimulated,
      ...(this.#seed === undefined ? {} : { seed: this.#seed }),
      note,
      startedUtc
    })
  }

  addSpill(run: number, spill: SpillSummary): void {
    this.#database.addSpill(run, spill)
  }

  endRun(run: number, { endedUtc, condition, reason, columnHashes }: RunEnd): void {
    this.#database.endRun(run, { endedUtc, condition, reason, totals: { columnHashes } })
  }

  addFile(run: number, path: string): void {
    this.#database.addFile(run, path)
  }

  /** raw files of a run, in order */
  files(run: number): readonly string[] {
    return this.#database.run(run).files
  }
}
