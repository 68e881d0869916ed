import type { Clock } from './clock.ts'

/**
 * What happened, in order: one line of JSON per entry. Under the virtual clock the lines of a run are the
 * same to the byte for the same seed and commit, so entries hold nothing that depends on the machine.
 */
export interface Journal {
  write(what: string, fields?: Readonly<Record<string, unknown>>): void
}

export interface JournalEntry {
  /** ns since the start of the clock */
  readonly at: number
  readonly utc: string
  readonly what: string
  readonly [field: string]: unknown
}

/** Hands each entry as a line (with newline) to `append`. */
export class LineJournal implements Journal {
  readonly #clock: Clock
  readonly #append: (line: string) => void

  constructor(clock: Clock, append: (line: string) => void) {
    this.#clock = clock
    this.#append = append
  }

  write(what: string, fields: Readonly<Record<string, unknown>> = {}): void {
    const entry: JournalEntry = {
      at: Math.round(this.#clock.now()),
      utc: this.#clock.utc().toISOString(),
      what,
      ...fields
    }
    this.#append(`${JSON.stringify(entry)}\n`)
  }
}
