import type { SpillSummary } from '../console/api/api.ts'
import { type Clock, isAborted } from '../core/clock.ts'
import { BlockHeader, type EventBlock } from '../core/block.ts'
import { ErrorCode, sentence, SpillwayError } from '../core/errors.ts'
import type { FragmentSink } from '../core/fragment.ts'
import type { Journal } from '../core/journal.ts'
import type { Log } from '../core/log.ts'
import { milliseconds, type RunNs, seconds } from '../core/units.ts'
import type { DataLogic } from '../drivers/digitiser/contract/digitiser.ts'
import type { SpillScalers, TriggerCrate } from '../drivers/trigger/contract/trigger-crate.ts'
import type { BlockPool } from './event/block-pool.ts'
import { EventBuilder, type SpillLedger } from './event/event-builder.ts'
import { FragmentFaults } from './event/fragment-faults.ts'
import type { DataSource } from './event/source.ts'
import type { BlockProcessor } from './block-processor.ts'
import type { Monitor } from './monitor/monitor.ts'
import type { RunReadout } from './run/run-control.ts'
import type { Condition } from './run/run-state.ts'
import { RunHash } from './store/run-hash.ts'
import { summarise } from './spill/spill-summary.ts'

/** Where raw data go: files (controller/store), or nowhere in virtual time. Blocks come in order. */
export interface RawStore {
  /** @returns path of the file */
  open(run: number, isSimulated: boolean): Promise<string>
  /** Takes what it needs of the block before it returns; resolves when it can take the next. */
  write(block: EventBlock): Promise<void>
  startOfSpill(spill: number, time: number): Promise<void>
  /** After this the spill survives whatever happens to us. */
  endOfSpill(spill: number, events: number, time: number): Promise<void>
  close(): Promise<void>
}

export interface ReadoutOptions {
  readonly clock: Clock
  readonly journal: Journal
  readonly log: Log
  readonly sources: readonly DataSource[]
  readonly pool: BlockPool
  readonly processor: BlockProcessor
  readonly raw: RawStore
  readonly crate: TriggerCrate
  /** the data face of each source's device */
  readonly dataOf: ReadonlyMap<number, DataLogic>
  readonly monitor: Monitor
  /** trigger line numbers and names, for the summary */
  readonly lines: readonly { readonly line: number; readonly name: string }[]
  /** when extraction ended last; undefined: not yet */
  readonly extractionEnded: () => RunNs | undefined
  readonly drainNs: number
  /** what was odd about the machine's marks since this was asked last */
  readonly timingOddities: () => readonly string[]
  /** a spill without a muon is worth saying */
  readonly isBeamExpected: boolean
  /** conditions that the run has now and that the spill shares */
  readonly runConditions: () => Condition[]
  /** sources without which an event is not complete; an optional board that is away is not waited for */
  readonly expected: () => ReadonlyMap<number, boolean>
  /** The record of a closed spill. */
  readonly onSpill: (spill: SpillSummary) => void
  /** Nothing of the spill is left to do: the next command may come. */
  readonly onClosed: () => void
}

const TICK = milliseconds(20)
/** while a source is held back for the others, and these send nothing for so long, the oldest block is closed */
const STALL = milliseconds(500)
/** nothing is extracted for longer than this: a spill that nobody ends is ended */
const SPILL_LIMIT = seconds(120)
/** a lost source is given this long to come back once all others have ended the spill */
const GRACE_FOR_LOST = milliseconds(200)
const SCALERS_LIMIT = milliseconds(1500)
const STORE_LIMIT = seconds(20)

/**
 * Takes the data of a run: event builder, blocks through reconstruction and selection, raw files, and the
 * account of each spill. A spill closes when every source has said that it ended and everything is in; the
 * clock only bounds the wait.
 */
export class Readout implements RunReadout {
  readonly #o: ReadoutOptions
  readonly builder: EventBuilder
  /** where the data faces of the devices deliver */
  readonly sink: FragmentSink
  /** selected events by spill */
  readonly #selected = new Map<number, number>()
  /** what is wrong inside fragments, by spill: blocks of two spills may be on their way at once */
  readonly #faults = new Map<number, FragmentFaults>()
  readonly #inStore = new Set<Promise<void>>()
  /** by spill that began while the one before was still being closed: what the store must wait for */
  readonly #gates = new Map<number, Promise<void>>()
  #hash = new RunHash()
  #storeFailure: SpillwayError | undefined
  #watching: Promise<void> | undefined
  #stop = new AbortController()
  #openSince: RunNs | undefined
  #waitedSince: RunNs | undefined
  /** extraction of the open spill */
  #endedAt: RunNs | undefined
  #spillTime = 0
  #lastProgress: RunNs = 0
  #lastTaken = 0
  #paused = new Set<number>()
  #forced: { condition: Condition; reason: string } | undefined
  #closing: Promise<void> | undefined
  #spillsOpened = 0
  /** raw files of the run that is open */
  file: string | undefined

  constructor(options: ReadoutOptions) {
    this.#o = options
    this.builder = new EventBuilder({
      sources: options.sources,
      pool: options.pool,
      openBlocksMax: Math.floor(options.pool.count / 2),
      unixSeconds: () => Math.floor(options.clock.utc().getTime() / 1000),
      onBlock: (index) => {
        this.#lastProgress = options.clock.now()
        options.processor.submit(index)
      },
      onPressure: (source, isPaused) => this.#pressure(source, isPaused),
      onOverrun: () => this.#overrun()
    })
    const builder = this.builder
    this.sink = {
      startOfSpill: (source, spill, cycle) => {
        builder.startOfSpill(source, spill, cycle)
        if (builder.isSpillOpen && this.#openSince === undefined) this.#spillOpened(builder.spill)
      },
      fragment: builder.fragment.bind(builder),
      corrupt: builder.corrupt.bind(builder),
      endOfSpill: builder.endOfSpill.bind(builder),
      fault: builder.fault.bind(builder),
      connection: builder.connection.bind(builder)
    }
    options.processor.onDone((index) => this.#blockDone(index))
  }

  /** events of the open spill so far */
  get eventsOfSpill(): number {
    return this.builder.isSpillOpen ? this.builder.events : 0
  }

  /** spills that ever began to bring data */
  get spillsOpened(): number {
    return this.#spillsOpened
  }

  /** a spill is open, or being closed */
  get isBusy(): boolean {
    return this.builder.isSpillOpen || this.#closing !== undefined
  }

  /** number of the open spill */
  get spill(): number | undefined {
    return this.builder.isSpillOpen ? this.builder.spill : undefined
  }

  async beginRun(run: number, isSimulated: boolean): Promise<void> {
    this.#selected.clear()
    this.#faults.clear()
    this.#gates.clear()
    this.#hash = new RunHash()
    this.#storeFailure = undefined
    this.file = await this.#o.raw.open(run, isSimulated)
    this.builder.beginRun(run)
    this.#expect()
    this.#stop = new AbortController()
    this.#watching ??= this.#watch(this.#stop.signal)
  }

  async settle(): Promise<void> {
    while (this.builder.isSpillOpen || this.#closing !== undefined) {
      await this.#o.clock.sleep('wait for the end of the spill', TICK)
      if (this.#watching === undefined) return
    }
  }

  async abandonSpill(condition: Condition, reason: string): Promise<void> {
    if (this.builder.isSpillOpen) {
      this.#forced = { condition, reason }
      await this.#close()
    }
    await this.#closing
  }

  async endRun(): Promise<Readonly<Record<string, string>>> {
    this.#stop.abort()
    await this.#watching
    this.#watching = undefined
    await this.#stored()
    await this.#o.raw.close()
    if (this.#storeFailure !== undefined) throw this.#storeFailure
    return this.#hash.digest()
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#o
    while (!isAborted(signal)) {
      await clock.sleep('readout', TICK, signal).catch(() => undefined)
      if (isAborted(signal) || !this.builder.isSpillOpen) continue
      if (this.builder.taken !== this.#lastTaken) {
        this.#lastTaken = this.builder.taken
        this.#lastProgress = clock.now()
      }
      if (this.#paused.size > 0 && clock.now() - this.#lastProgress > STALL) {
        this.#lastProgress = clock.now()
        this.builder.giveUpOldest()
      }
      if (this.builder.isSpillComplete() || this.#onlyLostAreMissing() || this.#isOverdue()) {
        try {
          await this.#close()
        } catch (error) {
          log.error({ why: sentence(error) }, 'closing a spill failed')
        }
      }
    }
  }

  /** A source that is gone may come back and end its spill, but nobody waits long for it. */
  #onlyLostAreMissing(): boolean {
    const now = this.#o.clock.now()
    if (!this.builder.isSpillCompleteButForLost()) this.#waitedSince = undefined
    else this.#waitedSince ??= now
    return this.#waitedSince !== undefined && now - this.#waitedSince > GRACE_FOR_LOST
  }

  #isOverdue(): boolean {
    if (this.#openSince === undefined) return false
    const now = this.#o.clock.now()
    const ended = this.#o.extractionEnded()
    // the first end that the spill sees is its own, whatever the machine does then
    if (ended !== undefined && ended > this.#openSince) this.#endedAt ??= ended
    if (this.#endedAt !== undefined && now - this.#endedAt > this.#o.drainNs) return true
    return now - this.#openSince > SPILL_LIMIT
  }

  #spillOpened(spill: number): void {
    const { clock, journal } = this.#o
    this.#spillsOpened++
    this.#openSince = this.#lastProgress = clock.now()
    this.#spillTime = Math.floor(clock.utc().getTime() / 1000)
    journal.write('spill-open', { spill })
    if (this.#closing !== undefined)
      this.#gates.set(
        spill,
        this.#closing.catch(() => undefined)
      )
    const time = this.#spillTime
    this.#toStore(spill, () => this.#o.raw.startOfSpill(spill, time))
  }

  #pressure(source: number, isPaused: boolean): void {
    const data = this.#o.dataOf.get(source)
    if (isPaused) {
      this.#paused.add(source)
      data?.pause()
    } else {
      this.#paused.delete(source)
      data?.resume()
    }
  }

  #blockDone(index: number): void {
    const block = this.#o.pool.blocks[index]!
    const spill = block.header[BlockHeader.spill]!
    this.#selected.set(spill, (this.#selected.get(spill) ?? 0) + countSelected(block))
    let faults = this.#faults.get(spill)
    if (faults === undefined) this.#faults.set(spill, (faults = new FragmentFaults(this.#o.sources.length)))
    faults.add(block)
    this.#hash.add(block)
    this.#o.monitor.fill(block)
    this.#toStore(spill, () =>
      this.#o.raw.write(block).finally(() => {
        this.#o.pool.giveBack(index)
        this.builder.blockReturned()
      })
    )
  }

  /** A file holds one spill after the other: nothing of a spill is written before the end of the last one. */
  #toStore(spill: number, work: () => Promise<void>): void {
    const gate = this.#gates.get(spill)
    if (gate === undefined) this.#keep(work())
    else void gate.then(() => this.#keep(work()))
  }

  /** A promise of the store that nobody awaits at once; its failure ends the run with the next spill. */
  #keep(work: Promise<void>): void {
    const kept = work.catch((error: unknown) => {
      this.#storeFailure ??=
        error instanceof SpillwayError
          ? error
          : new SpillwayError(ErrorCode.internal, sentence(error), { cause: error })
      this.#o.log.error({ why: sentence(error) }, 'raw data could not be written')
    })
    this.#inStore.add(kept)
    void kept.finally(() => this.#inStore.delete(kept))
  }

  async #stored(): Promise<void> {
    await this.#o.clock.within('write raw data', STORE_LIMIT, async () => {
      while (this.#inStore.size > 0) await Promise.all(this.#inStore)
    })
  }

  #close(): Promise<void> {
    return this.#closing ?? this.#track(this.#closeSpill())
  }

  /** Closing is what goes on now; a spill that overruns a closing one takes its place, and waits for it. */
  #track(work: Promise<void>): Promise<void> {
    const closing = work.finally(() => {
      if (this.#closing !== closing) return
      this.#closing = undefined
      this.#expect()
      this.#o.onClosed()
    })
    this.#closing = closing
    return closing
  }

  /** Between spills: which sources an event needs from now on. */
  #expect(): void {
    if (this.builder.isSpillOpen) return
    for (const [source, isExpected] of this.#o.expected()) this.builder.expect(source, isExpected)
  }

  async #closeSpill(): Promise<void> {
    const { spill } = this
    if (spill === undefined) return
    const isOverdue = !this.builder.isSpillComplete() && this.#forced === undefined
    const scalers = this.#forced === undefined ? await this.#scalers(spill) : undefined
    if (this.spill !== spill) return // an overrun has closed it meanwhile
    await this.#finish(this.#closeBooks(scalers?.accepted), scalers, isOverdue)
  }

  /** From here on the builder is free for the next spill. */
  #closeBooks(accepted?: number): SpillLedger {
    this.#openSince = this.#waitedSince = this.#endedAt = undefined
    return this.builder.closeSpill(accepted)
  }

  /** A source begins the next spill: the present one ends here and now. */
  #overrun(): void {
    const before = this.#closing ?? Promise.resolve()
    const ledger = this.#closeBooks()
    this.#expect()
    this.#o.journal.write('spill-overrun', { spill: ledger.spill })
    const work = before
      .then(() => this.#scalers(ledger.spill))
      .then((scalers) => this.#finish(ledger, scalers, true))
      .catch((error: unknown) => this.#o.log.error({ why: sentence(error) }, 'closing a spill failed'))
    void this.#track(work)
  }

  async #finish(ledger: SpillLedger, scalers: SpillScalers | undefined, isOverdue: boolean): Promise<void> {
    const { clock, processor, raw, monitor } = this.#o
    const forced = this.#forced
    this.#forced = undefined
    await clock.within('finish the blocks', STORE_LIMIT, () => processor.drain())
    const selected = this.#selected.get(ledger.spill) ?? 0
    const faults = this.#faults.get(ledger.spill)
    this.#selected.delete(ledger.spill)
    this.#faults.delete(ledger.spill)
    this.#gates.delete(ledger.spill)
    this.#keep(raw.endOfSpill(ledger.spill, ledger.eventsBuilt + ledger.eventsPartial, ledger.time))
    await this.#stored()
    const summary = summarise({
      utc: clock.utc(),
      ledger,
      fragmentFaults: this.#o.sources.map((_, index) => faults?.of(index) ?? {}),
      notReconstructed: faults?.notReconstructed ?? 0,
      scalers,
      selected,
      columnHash: this.#hash.endSpill(ledger.spill),
      lines: this.#o.lines,
      isOverdue,
      timingOddities: this.#o.timingOddities(),
      isBeamExpected: this.#o.isBeamExpected,
      forced,
      inherited: this.#o.runConditions(),
      storeFailure: this.#storeFailure?.describe()
    })
    monitor.endOfSpill()
    this.#o.journal.write('spill-closed', { ...summary })
    this.#o.onSpill(summary)
  }

  async #scalers(spill: number): Promise<SpillScalers | undefined> {
    const { clock, crate, log } = this.#o
    const until = clock.now() + SCALERS_LIMIT
    for (;;) {
      try {
        return await clock.within('read scalers', SCALERS_LIMIT, (s) => crate.scalers(spill, s))
      } catch (error) {
        if (clock.now() > until) {
          log.warn({ spill, why: sentence(error) }, 'scalers of the spill were not read')
          return undefined
        }
        await clock.sleep('scalers again', milliseconds(100))
      }
    }
  }
}

function countSelected(block: EventBlock): number {
  const rows = block.header[BlockHeader.eventCount]!
  let count = 0
  for (let row = 0; row < rows; row++) count += block.selected[row]!
  return count
}
