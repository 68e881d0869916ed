import { type Clock, isAborted } from '../../core/clock.ts'
import { isCode, sentence, ErrorCode } from '../../core/errors.ts'
import type { Journal } from '../../core/journal.ts'
import { type DurationNs, milliseconds, type RunNs } from '../../core/units.ts'
import type { SpillTiming, TimingMark } from '../../drivers/beam/contract/beam-instrument.ts'

export type SpillPhase = 'no-beam' | 'between' | 'warned' | 'extracting' | 'draining'

/** What can be wrong with the machine's marks. */
export type TimingOddity =
  | 'start-without-warning'
  | 'missing-warning'
  | 'doubled-start'
  | 'missing-start'
  | 'missing-end'
  | 'stray-end'

export interface SpillSequencerOptions {
  readonly cyclesWithoutWarning: number
  /** cycle length assumed until the machine has announced one */
  readonly cycleLengthMs: number
  /** extraction assumed until the machine has announced one */
  readonly extractionMs: number
}

/** What starts and ends spills when the machine does not: artificial spills and continuous slices. */
export interface LocalSpills {
  readonly lengthMs: number
  readonly pauseMs: number
  start(signal: AbortSignal): Promise<void>
  end(signal: AbortSignal): Promise<void>
}

const COMMAND_LIMIT = milliseconds(2000)
/** kept for the record of one spill */
const ODDITIES_OF_SPILL_MAX = 20
/** pause before a local spill is tried again after its command failed */
const RETRY_AFTER = milliseconds(1000)

/**
 * Knows where in the cycle we are. Its phases come from the machine's marks (SPS) or from a local clock
 * (artificial spills, continuous slices). Marks may be lost or doubled: a spill without a warning is still a
 * spill, a missing end is supplied by the clock, and every such oddity is counted.
 */
export class SpillSequencer {
  readonly #clock: Clock
  readonly #journal: Journal
  readonly #options: SpillSequencerOptions
  readonly #listeners = new Set<(phase: SpillPhase) => void>()
  readonly #stop = new AbortController()
  #phase: SpillPhase = 'no-beam'
  #since: RunNs
  #sinceUtc: Date
  #timing: SpillTiming | undefined
  #lastMark: RunNs
  #draining: Promise<void> = Promise.resolve()
  #drained: (() => void) | undefined
  /** no mark was heard yet: we may have come in the middle of a cycle, and what we missed is nothing odd */
  #isNew = true
  /** warnings that came since the last start of extraction */
  readonly #warnings = new Set<'WWE' | 'WE'>()
  /** of the cycle before the first start we may have heard a part only */
  #hasSeenStart = false
  /** the data of the extraction are complete, and only its end mark has not come yet */
  #isDrained = false
  /** oddities of the marks since the start, by kind */
  readonly oddities: Record<TimingOddity, number> = {
    'start-without-warning': 0,
    'missing-warning': 0,
    'doubled-start': 0,
    'missing-start': 0,
    'missing-end': 0,
    'stray-end': 0
  }
  #oddOfSpill: TimingOddity[] = []

  constructor(clock: Clock, journal: Journal, options: SpillSequencerOptions) {
    this.#clock = clock
    this.#journal = journal
    this.#options = options
    this.#since = clock.now()
    this.#sinceUtc = clock.utc()
    this.#lastMark = clock.now()
  }

  get phase(): SpillPhase {
    return this.#phase
  }

  /** ns in the present phase */
  get inPhase(): DurationNs {
    return this.#clock.now() - this.#since
  }

  get sinceUtc(): Date {
    return this.#sinceUtc
  }

  get nextStart(): Date | undefined {
    return this.#timing?.latestCycle()?.nextStart
  }

  get extractionMs(): number {
    return this.#timing?.latestCycle()?.extractionMs ?? this.#options.extractionMs
  }

  get cycleLengthMs(): number {
    return this.#timing?.latestCycle()?.cycleLengthMs ?? this.#options.cycleLengthMs
  }

  onPhase(listener: (phase: SpillPhase) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Follows the machine's marks until `close`. */
  followMachine(timing: SpillTiming): void {
    this.#timing = timing
    const unsubscribe = timing.onMark((mark) => this.#onMark(mark))
    this.#stop.signal.addEventListener('abort', unsubscribe)
    void this.#watchMarks()
  }

  /**
   * Makes spills by the clock while `isWanted` says so, until `close`. The next one begins only after the
   * data of the last were taken (`drained`), so continuous slices follow each other without a gap of ours.
   */
  makeSpills(local: LocalSpills, isWanted: () => boolean): void {
    void this.#localLoop(local, isWanted)
  }

  /**
   * The data of the last spill are complete, or given up, and no other spill is open: draining is over, as soon
   * as extraction is.
   */
  drained(): void {
    if (this.#phase === 'draining') this.#rest()
    else if (this.#phase === 'extracting') this.#isDrained = true
    this.#drained?.()
  }

  /** What was odd since this was asked last: for the record of the spill that closes. */
  takeOddities(): readonly TimingOddity[] {
    const odd = this.#oddOfSpill
    this.#oddOfSpill = []
    return odd
  }

  close(): void {
    this.#stop.abort()
    this.#drained?.()
  }

  #onMark({ mark, cycle }: TimingMark): void {
    const silence = this.#clock.now() - this.#lastMark
    this.#lastMark = this.#clock.now()
    const isFirst = this.#isNew
    this.#isNew = false
    switch (mark) {
      case 'WWE':
      case 'WE':
        this.#warnings.add(mark)
        // the next extraction is announced: the one before is over, whether anybody said so or not
        if (this.#phase === 'extracting') this.#missingEnd(cycle)
        if (this.#phase === 'no-beam' || this.#phase === 'between') this.#enter('warned', cycle)
        return
      case 'SOE':
        if (this.#phase === 'extracting') {
          if (silence < milliseconds(this.extractionMs)) {
            this.#odd('doubled-start', cycle)
            return
          }
          this.#missingEnd(cycle)
        }
        if (this.#warnings.size === 0 && !isFirst) this.#odd('start-without-warning', cycle)
        else if (this.#warnings.size === 1 && this.#hasSeenStart) this.#odd('missing-warning', cycle)
        this.#warnings.clear()
        this.#hasSeenStart = true
        this.#isDrained = false
        this.#enter('extracting', cycle)
        return
      case 'EOE':
        if (this.#phase === 'extracting') this.#endOfExtraction(cycle)
        else if (this.#phase === 'warned') {
          this.#odd('missing-start', cycle)
          this.#warnings.clear()
          this.#enter('draining', cycle)
        } else if (!isFirst) this.#odd('stray-end', cycle)
    }
  }

  #endOfExtraction(cycle?: number): void {
    this.#enter('draining', cycle)
    if (this.#isDrained) this.#rest()
  }

  #missingEnd(cycle?: number): void {
    this.#odd('missing-end', cycle)
    this.#endOfExtraction(cycle)
  }

  /** Nothing is left of the last extraction. */
  #rest(): void {
    this.#enter(this.#warnings.size > 0 ? 'warned' : 'between')
  }

  /**
   * Supplies what the machine did not say. A missing end is supplied when the next start would be due, not when
   * extraction should end: until the next warning the crate keeps its gate open, and its data still come.
   */
  async #watchMarks(): Promise<void> {
    const signal = this.#stop.signal
    while (!isAborted(signal)) {
      await this.#pause('watch marks', milliseconds(250))
      const cycle = milliseconds(this.cycleLengthMs)
      if (this.#phase === 'extracting' && this.inPhase > cycle) this.#missingEnd()
      if (this.#phase === 'warned' && this.inPhase > cycle) {
        this.#warnings.clear()
        this.#enter('between')
      }
      const isSilent = this.#clock.now() - this.#lastMark > cycle * this.#options.cyclesWithoutWarning
      if (this.#phase === 'between' && isSilent) this.#enter('no-beam')
    }
  }

  async #localLoop(local: LocalSpills, isWanted: () => boolean): Promise<void> {
    const signal = this.#stop.signal
    while (!isAborted(signal)) {
      if (!isWanted()) {
        await this.#pause('wait for a run', milliseconds(50))
        continue
      }
      try {
        await this.#clock.within('start artificial spill', COMMAND_LIMIT, (s) => local.start(s), signal)
        this.#enter('extracting')
        this.#draining = new Promise((resolve) => (this.#drained = resolve))
        await this.#clock.sleep('artificial spill', milliseconds(local.lengthMs), signal)
        await this.#clock.within('end artificial spill', COMMAND_LIMIT, (s) => local.end(s), signal)
        this.#enter('draining')
        await this.#draining
        if (local.pauseMs > 0) await this.#pause('pause between spills', milliseconds(local.pauseMs))
      } catch (error) {
        if (isCode(error, ErrorCode.aborted) && isAborted(signal)) return
        this.#journal.write('artificial-spill-failed', { why: sentence(error) })
        if (this.#phase === 'extracting') this.#enter('draining')
        await this.#pause('after a failed spill', RETRY_AFTER)
      }
    }
  }

  #enter(phase: SpillPhase, cycle?: number): void {
    if (phase === this.#phase) return
    this.#phase = phase
    this.#since = this.#clock.now()
    this.#sinceUtc = this.#clock.utc()
    this.#journal.write('spill-phase', cycle === undefined ? { phase } : { phase, cycle })
    for (const listener of this.#listeners) listener(phase)
  }

  #odd(kind: TimingOddity, cycle: number | undefined): void {
    this.oddities[kind]++
    if (this.#oddOfSpill.length < ODDITIES_OF_SPILL_MAX) this.#oddOfSpill.push(kind)
    this.#journal.write('timing-oddity', { kind, cycle })
  }

  async #pause(name: string, duration: DurationNs): Promise<void> {
    try {
      await this.#clock.sleep(name, duration, this.#stop.signal)
    } catch (error) {
      if (!isCode(error, ErrorCode.aborted)) throw error
    }
  }
}
