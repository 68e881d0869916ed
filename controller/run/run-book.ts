import type { Clock } from '../../core/clock.ts'
import type { SpillSummary } from '../../console/api/api.ts'
import type { Condition } from './run-state.ts'

/** What the book hands to the run database. */
export interface RunStart {
  readonly startedUtc: Date
  readonly note: string
}
export interface RunEnd {
  readonly endedUtc: Date
  readonly condition: readonly Condition[]
  readonly reason: string
  readonly columnHashes: Readonly<Record<string, string>>
}

/** Where runs are remembered; controller/store/run-database.ts, or memory in virtual time. */
export interface RunRecords {
  /** @returns the number of the new run, unique in this store */
  beginRun(start: RunStart): number
  addSpill(run: number, spill: SpillSummary): void
  endRun(run: number, end: RunEnd): void
}

export interface RunTotals {
  readonly run: number
  readonly condition: Condition[]
  readonly reason: string
  readonly spills: number
  readonly muonsOnTarget: number
  readonly eventsBuilt: number
  readonly eventsSelected: number
  /** of the result columns; empty while the run is open */
  readonly columnHashes: Readonly<Record<string, string>>
}

/** spills kept for the page */
const RECENT = 20

/** The book of the runs since the last start command: counts, totals, and the record of each spill. */
export class RunBook {
  readonly #clock: Clock
  readonly #records: RunRecords
  #run: number | undefined
  #note = ''
  #spillsBefore = 0
  #spills: SpillSummary[] = []
  #recent: SpillSummary[] = []
  readonly #closed: RunTotals[] = []

  constructor(clock: Clock, records: RunRecords) {
    this.#clock = clock
    this.#records = records
  }

  /** number of the open run */
  get run(): number | undefined {
    return this.#run
  }
  get spillsOfRun(): number {
    return this.#spills.length
  }
  /** spills since `begin`, over roll-overs */
  get spillsOfAllRuns(): number {
    return this.#spillsBefore + this.#spills.length
  }
  /** newest last */
  get recent(): readonly SpillSummary[] {
    return this.#recent
  }
  /** runs closed since `begin` */
  get closed(): readonly RunTotals[] {
    return this.#closed
  }

  begin(note = ''): void {
    this.#note = note
    this.#spillsBefore = 0
    this.#closed.length = 0
  }

  openRun(): number {
    this.#spills = []
    this.#run = this.#records.beginRun({ startedUtc: this.#clock.utc(), note: this.#note })
    return this.#run
  }

  addSpill(spill: SpillSummary): void {
    if (this.#run === undefined) return
    this.#spills.push(spill)
    this.#recent = [...this.#recent, spill].slice(-RECENT)
    this.#records.addSpill(this.#run, spill)
  }

  /** Conditions that one spill is enough to give to the run. */
  conditionOfSpills(): Condition[] {
    return [...new Set(this.#spills.flatMap((spill) => spill.condition))]
  }

  totals(
    condition: Condition[],
    reason: string,
    columnHashes: Readonly<Record<string, string>> = {}
  ): RunTotals {
    const sum = (of: (spill: SpillSummary) => number | null): number =>
      this.#spills.reduce((total, spill) => total + (of(spill) ?? 0), 0)
    return {
      run: this.#run ?? 0,
      condition,
      reason,
      spills: this.#spills.length,
      muonsOnTarget: sum((spill) => spill.muonsOnTarget),
      eventsBuilt: sum((spill) => spill.eventsBuilt),
      eventsSelected: sum((spill) => spill.eventsSelected),
      columnHashes
    }
  }

  closeRun(
    condition: Condition[],
    reason: string,
    columnHashes: Readonly<Record<string, string>> = {}
  ): void {
    if (this.#run === undefined) return
    this.#records.endRun(this.#run, { endedUtc: this.#clock.utc(), condition, reason, columnHashes })
    this.#closed.push(this.totals(condition, reason, columnHashes))
    this.#spillsBefore += this.#spills.length
    this.#spills = []
    this.#run = undefined
  }
}
