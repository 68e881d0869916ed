/**
 * Runs and spills as they were recorded, in one SQLite file (`runs.sqlite`, WAL: it survives kill -9, and others may
 * read while we write). One process writes; readers may be many.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import type { Condition, SpillSummary } from '../../console/api/api.ts'
import { ErrorCode, sentence, SpillwayError } from '../../core/errors.ts'

export const RUN_DATABASE_FILE = 'runs.sqlite'
const SCHEMA_VERSION = 1
/** ms to wait while another process writes */
const BUSY_MS = 5_000

const SCHEMA = `
  CREATE TABLE run (
    number INTEGER PRIMARY KEY CHECK (number > 0),
    experiment TEXT NOT NULL,
    config_hash TEXT NOT NULL,
    simulated INTEGER NOT NULL,
    seed INTEGER,
    note TEXT NOT NULL,
    started_utc TEXT NOT NULL,
    ended_utc TEXT,
    condition TEXT NOT NULL,
    reason TEXT NOT NULL,
    totals TEXT
  ) STRICT;
  CREATE TABLE configuration (hash TEXT PRIMARY KEY, files TEXT NOT NULL) STRICT;
  CREATE TABLE spill (
    run INTEGER NOT NULL REFERENCES run (number),
    number INTEGER NOT NULL,
    utc TEXT NOT NULL,
    events_built INTEGER NOT NULL,
    events_selected INTEGER NOT NULL,
    muons_on_target REAL,
    closed INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (run, number)
  ) STRICT;
  CREATE TABLE file (
    run INTEGER NOT NULL REFERENCES run (number),
    path TEXT NOT NULL,
    PRIMARY KEY (run, path)
  ) STRICT;
`

/** What is known when a run starts. */
export interface RunBegin {
  readonly experiment: string
  /** hash of all configuration files; `files` are kept once per hash */
  readonly configHash: string
  readonly files: Readonly<Record<string, string>>
  readonly isSimulated: boolean
  readonly seed?: number
  readonly note?: string
  readonly startedUtc: Date
}

/** How a run ended. */
export interface RunFinish {
  readonly endedUtc: Date
  readonly condition: readonly Condition[]
  /** in words; empty for a run that ended as it should */
  readonly reason: string
  readonly totals?: Readonly<Record<string, unknown>>
}

export interface RunRecord {
  readonly number: number
  readonly experiment: string
  readonly configHash: string
  readonly isSimulated: boolean
  readonly seed: number | null
  readonly note: string
  readonly startedUtc: string
  /** null: not finished, or nobody was left to finish it */
  readonly endedUtc: string | null
  readonly condition: readonly Condition[]
  readonly reason: string
  readonly totals: Readonly<Record<string, unknown>> | null
  /** summed over the spills recorded so far */
  readonly spills: number
  readonly eventsBuilt: number
  readonly eventsSelected: number
  readonly muonsOnTarget: number
  /** raw files, in order */
  readonly files: readonly string[]
}

type Row = Record<string, unknown>

const RUN_QUERY = `
  SELECT run.*, count(spill.number) AS spills, coalesce(sum(events_built), 0) AS built,
    coalesce(sum(events_selected), 0) AS selected, coalesce(sum(muons_on_target), 0) AS muons,
    (SELECT json_group_array(path) FROM (SELECT path FROM file WHERE file.run = run.number ORDER BY file.rowid))
      AS files
  FROM run LEFT JOIN spill ON spill.run = run.number`

/** Every method throws SpillwayError: `corrupt` for a damaged file, `refused` when the disk or a lock refuses. */
export class RunDatabase {
  readonly path: string
  readonly #db: DatabaseSync

  private constructor(path: string, db: DatabaseSync) {
    this.path = path
    this.#db = db
  }

  /**
   * Opens the database of a data folder, or makes both.
   * @throws SpillwayError `corrupt` when the file is damaged or from a newer version, `refused` when it cannot be opened
   */
  static open(folder: string): RunDatabase {
    const path = join(folder, RUN_DATABASE_FILE)
    let db: DatabaseSync | undefined
    try {
      mkdirSync(folder, { recursive: true })
      db = new DatabaseSync(path, { timeout: BUSY_MS })
      db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON')
      const check = db.prepare('PRAGMA quick_check(1)').get()!['quick_check']
      if (check !== 'ok') throw damaged(path, String(check))
      prepareSchema(db, path)
      return new RunDatabase(path, db)
    } catch (error) {
      db?.close()
      throw translate(error, path)
    }
  }

  /** @returns number of the new run: one more than any before, from 1 */
  beginRun(begin: RunBegin): number {
    return this.#transaction(() => {
      const number = 1 + this.#number('SELECT coalesce(max(number), 0) AS n FROM run')
      this.#run('INSERT OR IGNORE INTO configuration (hash, files) VALUES (?, ?)', [
        begin.configHash,
        JSON.stringify(begin.files)
      ])
      const { experiment, configHash, note = '', seed = null } = begin
      const values = [number, experiment, configHash, Number(begin.isSimulated), seed, note]
      this.#run(
        `INSERT INTO run (number, experiment, config_hash, simulated, seed, note, started_utc, condition, reason)
         VALUES (?, ?, ?, ?, ?, ?, ?, '[]', '')`,
        [...values, begin.startedUtc.toISOString()]
      )
      return number
    })
  }

  /** Records a spill; again, with the same number, replaces it. */
  addSpill(run: number, spill: SpillSummary): void {
    this.#run(
      `INSERT OR REPLACE INTO spill
         (run, number, utc, events_built, events_selected, muons_on_target, closed, record)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      [
        ...[run, spill.spill, spill.utc, spill.eventsBuilt, spill.eventsSelected],
        ...[spill.muonsOnTarget, Number(spill.closed), JSON.stringify(spill)]
      ]
    )
  }

  /** @throws SpillwayError `not-found` for a run that was never begun */
  endRun(run: number, finish: RunFinish): void {
    const changes = this.#run(
      'UPDATE run SET ended_utc = ?, condition = ?, reason = ?, totals = ? WHERE number = ?',
      [
        finish.endedUtc.toISOString(),
        JSON.stringify(finish.condition),
        finish.reason,
        finish.totals === undefined ? null : JSON.stringify(finish.totals),
        run
      ]
    )
    if (changes === 0) throw noSuchRun(run)
  }

  /** A raw file of the run. */
  addFile(run: number, path: string): void {
    this.#run('INSERT OR IGNORE INTO file (run, path) VALUES (?, ?)', [run, path])
  }

  /** All runs, oldest first. */
  runs(): RunRecord[] {
    return this.#all(`${RUN_QUERY} GROUP BY run.number ORDER BY run.number`, []).map(toRun)
  }

  /** @throws SpillwayError `not-found` */
  run(number: number): RunRecord {
    const [row] = this.#all(`${RUN_QUERY} WHERE run.number = ? GROUP BY run.number`, [number])
    if (row === undefined) throw noSuchRun(number)
    return toRun(row)
  }

  /** Runs that nobody ended: their process was killed, or is still running. */
  unfinishedRuns(): RunRecord[] {
    return this.#all(`${RUN_QUERY} WHERE ended_utc IS NULL GROUP BY run.number ORDER BY run.number`, []).map(
      toRun
    )
  }

  /** Spills of a run in order, as they were recorded. */
  spills(run: number): SpillSummary[] {
    const rows = this.#all('SELECT record FROM spill WHERE run = ? ORDER BY number', [run])
    return rows.map((row) => JSON.parse(row['record'] as string) as SpillSummary)
  }

  /** The configuration files that a run was taken with, by name. */
  configuration(hash: string): Readonly<Record<string, string>> {
    const [row] = this.#all('SELECT files FROM configuration WHERE hash = ?', [hash])
    if (row === undefined)
      throw new SpillwayError(ErrorCode.notFound, `no configuration ${hash} in ${this.path}`)
    return JSON.parse(row['files'] as string) as Record<string, string>
  }

  close(): void {
    this.#db.close()
  }

  #all(sql: string, values: SQLInputValue[]): Row[] {
    return this.#guard(() => this.#db.prepare(sql).all(...values))
  }

  #number(sql: string): number {
    return this.#guard(() => Number(this.#db.prepare(sql).get()!['n']))
  }

  #run(sql: string, values: SQLInputValue[]): number {
    return this.#guard(() => Number(this.#db.prepare(sql).run(...values).changes))
  }

  #transaction<T>(work: () => T): T {
    this.#guard(() => {
      this.#db.exec('BEGIN IMMEDIATE')
    })
    try {
      const result = work()
      this.#guard(() => {
        this.#db.exec('COMMIT')
      })
      return result
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      throw error
    }
  }

  #guard<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      throw translate(error, this.path)
    }
  }
}

function prepareSchema(db: DatabaseSync, path: string): void {
  db.exec('BEGIN IMMEDIATE')
  const version = Number(db.prepare('PRAGMA user_version').get()!['user_version'])
  if (version === 0) db.exec(`${SCHEMA}; PRAGMA user_version = ${SCHEMA_VERSION}`)
  db.exec('COMMIT')
  if (version > SCHEMA_VERSION)
    throw new SpillwayError(ErrorCode.corrupt, `${path} was written by a newer version of spillway`, {
      expected: `schema ${SCHEMA_VERSION}`,
      got: `schema ${version}`,
      hint: 'use that version, or another --data folder'
    })
}

const noSuchRun = (run: number): SpillwayError =>
  new SpillwayError(ErrorCode.notFound, `there is no run ${run}`, { hint: '`spillway runs` lists them' })

function damaged(path: string, what: string, cause?: unknown): SpillwayError {
  return new SpillwayError(ErrorCode.corrupt, `the run database ${path} is damaged: ${what}`, {
    ...(cause === undefined ? {} : { cause }),
    hint: `move it away (keep it: \`sqlite3 ${path} .recover\` saves most of it) and start again; the raw files hold all data`
  })
}

/** SQLITE_CORRUPT, SQLITE_NOTADB */
const DAMAGE_CODES = new Set([11, 26])
/** SQLITE_CONSTRAINT_FOREIGNKEY */
const NO_SUCH_RUN = 787

function translate(error: unknown, path: string): SpillwayError {
  if (error instanceof SpillwayError) return error
  const code = (error as { errcode?: number }).errcode
  if (code !== undefined && DAMAGE_CODES.has(code & 0xff)) return damaged(path, sentence(error), error)
  if (code === NO_SUCH_RUN)
    return new SpillwayError(ErrorCode.notFound, 'there is no such run', { cause: error })
  return new SpillwayError(ErrorCode.refused, `run database ${path}: ${sentence(error)}`, {
    cause: error,
    hint: 'check that the folder can be written, that the disk has room, and that no other spillway uses it'
  })
}

function toRun(row: Row): RunRecord {
  const text = (name: string): string => row[name] as string
  return {
    number: row['number'] as number,
    experiment: text('experiment'),
    configHash: text('config_hash'),
    isSimulated: row['simulated'] === 1,
    seed: row['seed'] as number | null,
    note: text('note'),
    startedUtc: text('started_utc'),
    endedUtc: row['ended_utc'] as string | null,
    condition: JSON.parse(text('condition')) as Condition[],
    reason: text('reason'),
    totals: row['totals'] === null ? null : (JSON.parse(text('totals')) as Record<string, unknown>),
    spills: row['spills'] as number,
    eventsBuilt: row['built'] as number,
    eventsSelected: row['selected'] as number,
    muonsOnTarget: row['muons'] as number,
    files: JSON.parse(text('files')) as string[]
  }
}
