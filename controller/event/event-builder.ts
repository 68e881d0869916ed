import { BLOCK_VERSION, BlockHeader } from '../../core/block.ts'
import { assert } from '../../core/errors.ts'
import type { EndOfSpillRecord, FragmentSink, StreamFault } from '../../core/fragment.ts'
import { limits } from '../../core/limits.ts'
import { SLINK_HEADER_BYTES } from '../../core/slink.ts'
import type { BlockPool } from './block-pool.ts'
import { clearRows, closeRows, type RowCounts } from './event-rows.ts'
import { SourceAccount } from './source-account.ts'
import type { DataSource } from './source.ts'
import { isNotMissed, reasonsOf, type SpillLedger } from './spill-ledger.ts'

export type { SpillLedger } from './spill-ledger.ts'

export interface EventBuilderOptions {
  /** in the order of the fragment table */
  readonly sources: readonly DataSource[]
  readonly pool: BlockPool
  /** How far the fastest source may be ahead of the slowest, in blocks; must leave blocks for the stages behind. */
  readonly openBlocksMax: number
  /** unix seconds, for a spill that is opened by a source */
  readonly unixSeconds: () => number
  /** Block `index` of the pool is complete, or as complete as it gets; strictly in the order of the spill. */
  readonly onBlock: (index: number) => void
  /** The source should send nothing (true), or may go on. What still arrives is taken while there is room. */
  readonly onPressure: (source: number, isPaused: boolean) => void
  /** A source begins `spill` while another one is open: close that one now, or the new one is not taken. */
  readonly onOverrun: (spill: number) => void
}

const NONE = -1
const SPILL_BITS = limits.spillNumberMax
/** Source ids have 10 bits. */
const SOURCE_IDS = 1024
/** A source that is this many blocks ahead has passed a block: what it has not sent by then is lost. */
const PASSED_BLOCKS = 2

/**
 * Puts the fragments of all sources together by (spill, event). Block k of a spill holds the events
 * k * eventsPerBlock + 1 and following; a fragment is copied once, from where the stream has it to the block.
 * A block closes when it is full, or when every source has ended the spill, is gone, or is two blocks further.
 *
 * The spill is a hard barrier: nothing of a spill survives `closeSpill`. Nothing that a source sends makes it
 * throw; every fragment ends in exactly one of the counts of the ledger.
 */
export class EventBuilder implements FragmentSink {
  readonly #options: EventBuilderOptions
  readonly #pool: BlockPool
  readonly #accounts: readonly SourceAccount[]
  readonly #indexOf = new Int16Array(SOURCE_IDS).fill(NONE)
  /** there is a trigger crate among the sources: its count of spills is the one that counts */
  readonly #hasCrate: boolean
  readonly #eventsPerBlock: number
  /** pool index of block k at k % openBlocksMax */
  readonly #slots: Int32Array
  /** fragments of expected sources in the block of a slot */
  readonly #filled: Int32Array
  readonly #reserve: number
  /** number of the oldest block that is not closed, and one more than the newest that was begun */
  #base = 0
  #end = 0
  #full = 0
  #isShort = false
  #isSettling = false
  #isUnsettled = false

  #run = 0
  #eventsBefore = 0
  #lastSpill = 0
  /** numbers of spills that the run has had: 1 */
  readonly #used = new Uint8Array(limits.spillNumberMax + 1)
  #isOpen = false
  #spill = 0
  #cycle = 0
  #time = 0
  #lastEvent = 0
  #unknownSource = 0
  /** the spill was opened by a source, so that every other one should say its start too */
  #areStartsExpected = false
  #taken = 0
  readonly #counts: RowCounts = { complete: 0, partial: 0 }

  constructor(options: EventBuilderOptions) {
    const { sources, pool, openBlocksMax } = options
    assert(openBlocksMax >= PASSED_BLOCKS + 2, `open blocks: ${openBlocksMax}`)
    assert(pool.count >= openBlocksMax + 2, `pool of ${pool.count} blocks for ${openBlocksMax} open ones`)
    assert(pool.layout.shape.sources === sources.length, 'the pool was made for other sources')
    this.#options = options
    this.#pool = pool
    this.#eventsPerBlock = pool.layout.shape.events
    this.#slots = new Int32Array(openBlocksMax).fill(NONE)
    this.#filled = new Int32Array(openBlocksMax)
    this.#reserve = Math.max(1, Math.min(pool.count >> 2, pool.count - openBlocksMax - 1))
    this.#accounts = sources.map((source) => new SourceAccount(source))
    this.#hasCrate = sources.some(({ format }) => format === 'trigger')
    sources.forEach((source, index) => {
      assert(source.id >= 0 && source.id < SOURCE_IDS, `source id ${source.id}`)
      assert(this.#indexOf[source.id] === NONE, `source ${source.id} twice`)
      this.#indexOf[source.id] = index
    })
  }

  get isSpillOpen(): boolean {
    return this.#isOpen
  }

  /** number of the open spill, or of the last one */
  get spill(): number {
    return this.#spill
  }

  /** events in closed blocks of the open spill (or of the last one) */
  get events(): number {
    return this.#counts.complete + this.#counts.partial
  }

  /** fragments that ever came into a block: it stands still when nobody sends what is waited for */
  get taken(): number {
    return this.#taken
  }

  /** first event of the oldest block that is not closed */
  get oldestOpenEvent(): number {
    return this.#base * this.#eventsPerBlock + 1
  }

  /** Spills and events count from 1 again. Between two spills. */
  beginRun(run: number): void {
    assert(!this.#isOpen, `run ${run} begins in spill ${this.#spill}`)
    this.#run = run
    this.#eventsBefore = 0
    this.#lastSpill = 0
    this.#used.fill(0)
    for (const account of this.#accounts) account.beginRun()
  }

  /**
   * Whether events need this source. Without it they are complete, and nothing waits for it. Acts on the whole
   * of the open spill; meant for between spills.
   */
  expect(source: number, isExpected: boolean): void {
    const account = this.#account(source)
    if (account === undefined) return
    assert(!this.#isOpen, `source ${source} changed its part in spill ${this.#spill}`)
    account.isExpected = isExpected
  }

  /** For a caller that knows of the spill before its data; else the first source that begins it does this. */
  openSpill(spill: number, cycle: number, unixSeconds: number): void {
    assert(this.#run > 0, 'a spill outside a run')
    if (this.#isOpen && spill === this.#spill) return
    assert(!this.#isOpen, `spill ${spill} opened in spill ${this.#spill}`)
    this.#isOpen = true
    this.#used[spill] = 1
    this.#areStartsExpected = false
    this.#spill = spill
    this.#cycle = cycle
    this.#time = unixSeconds
    this.#base = 0
    this.#end = 0
    this.#lastEvent = 0
    this.#unknownSource = 0
    this.#counts.complete = 0
    this.#counts.partial = 0
    let expected = 0
    for (const account of this.#accounts) {
      account.open()
      account.hasStarted = account.refusedStart === spill
      if (account.isExpected) expected++
    }
    this.#full = expected * this.#eventsPerBlock
    this.#checkPressure()
  }

  startOfSpill(source: number, spill: number, cycle: number): void {
    const account = this.#account(source)
    if (account === undefined) return
    if (this.#isOpen && spill === this.#spill) {
      account.hasStarted = true
      return
    }
    const isPossible = spill >= 1 && spill <= limits.spillNumberMax && this.#used[spill] === 0
    if (this.#run === 0 || !isPossible || !this.#mayBegin(account, spill)) {
      account.refusedStart = spill
      account.countFault('spill-number', 1)
      return
    }
    if (this.#isOpen) this.#options.onOverrun(spill)
    if (this.#isOpen) account.countFault('overrun', 1)
    else {
      this.openSpill(spill, cycle, this.#options.unixSeconds())
      this.#areStartsExpected = true
      account.hasStarted = true
    }
  }

  /**
   * The trigger crate counts the spills. Others, whose word may come earlier on their own wires, are believed
   * when they begin the next one, and the present one has ended for somebody: a board that miscounts, or sees a
   * start that is none, ends the spill of nobody else. A crate that has miscounted may come back to its count.
   */
  #mayBegin(account: SourceAccount, spill: number): boolean {
    if (account.source.format === 'trigger') return true
    if (!this.#hasCrate) return spill > this.#lastSpill
    if (!this.#isOpen) return spill === this.#lastSpill + 1
    return spill === this.#spill + 1 && this.#accounts.some(({ record }) => record !== undefined)
  }

  fragment(source: number, spill: number, event: number, bytes: Uint8Array, status: number): void {
    const index = source >= 0 && source < SOURCE_IDS ? this.#indexOf[source]! : NONE
    if (index === NONE) {
      this.#unknownSource++
      return
    }
    const account = this.#accounts[index]!
    if (!this.#isOpen) {
      account.countFault(spill === (this.#lastSpill & SPILL_BITS) ? 'after-close' : 'no-spill', 1)
      return
    }
    account.received++
    if (spill !== (this.#spill & SPILL_BITS)) {
      account.drop('wrong-spill')
      return
    }
    if (!(event >= 1 && event <= limits.eventInSpillMax)) {
      account.drop('event-number')
      return
    }
    const block = this.#blockOf(event)
    const isOvertaken = block <= account.front - PASSED_BLOCKS
    const hasMoved = account.advance(block)
    if (account.isBehindLast(event, this.#eventsPerBlock) && !isOvertaken && !account.hasSeen(event))
      account.countFault('out-of-order', 1)
    const isFull = this.#place(index, event, bytes, status, isOvertaken)
    if (hasMoved || isFull) this.#settle()
  }

  corrupt(source: number, fault: StreamFault, _bytes: number): void {
    const account = this.#account(source)
    if (account === undefined) return
    account.countFault(fault, 1)
    if (!this.#isOpen) return
    account.received++
    account.corrupt++
  }

  endOfSpill(record: EndOfSpillRecord): void {
    const account = this.#account(record.source)
    if (account === undefined) return
    if (!this.#isOpen || record.spill !== this.#spill)
      account.countFault(record.spill === this.#lastSpill ? 'after-close' : 'record-spill', 1)
    else if (account.record !== undefined) account.countFault('record-twice', 1)
    else {
      account.record = record
      this.#settle()
    }
  }

  fault(source: number, fault: StreamFault, count: number): void {
    this.#account(source)?.countFault(fault, count)
  }

  connection(source: number, isOpen: boolean): void {
    const account = this.#account(source)
    if (account === undefined || account.isConnected === isOpen) return
    account.isConnected = isOpen
    if (account.isPaused) {
      // what was asked of the old connection says nothing about the new one
      account.isPaused = false
      this.#options.onPressure(source, false)
    }
    this.#settle()
  }

  /** Every expected source has sent its end-of-spill record, and all blocks are closed. */
  isSpillComplete(): boolean {
    return this.#hasEnded(false)
  }

  /** The same but for sources whose connection is lost: whether only those are missing. */
  isSpillCompleteButForLost(): boolean {
    return this.#hasEnded(true)
  }

  /** The caller's deadline: closes the oldest block as it is. False when there is none. */
  giveUpOldest(): boolean {
    if (!this.#isOpen || this.#base >= this.#end) return false
    this.#closeOldest()
    this.#settle()
    return true
  }

  /** A block is back in the pool. */
  blockReturned(): void {
    this.#settle()
  }

  /**
   * Ends the spill, whatever is missing: closes what is open and the books.
   * @param expectedEvents triggers that the crate accepted in this spill
   */
  closeSpill(expectedEvents: number | null = null): SpillLedger {
    assert(this.#isOpen, 'no spill to close')
    this.#closeAll()
    this.#isOpen = false
    this.#lastSpill = this.#spill
    this.#eventsBefore += this.#lastEvent
    if (this.#areStartsExpected)
      for (const account of this.#accounts)
        if (!account.hasStarted && account.received > 0) account.countFault('no-start', 1)
    const sources = this.#accounts.map((account) => account.close())
    this.#checkPressure()
    return {
      run: this.#run,
      spill: this.#spill,
      cycle: this.#cycle,
      time: this.#time,
      eventsBuilt: this.#counts.complete,
      eventsPartial: this.#counts.partial,
      eventsExpected: expectedEvents,
      closed: sources.every((source) => source.closed || isNotMissed(source)),
      agrees:
        expectedEvents !== null &&
        sources.every((source) => source.sent === expectedEvents || isNotMissed(source)),
      sources,
      unknownSource: this.#unknownSource,
      reasons: reasonsOf(sources, expectedEvents, this.#unknownSource)
    }
  }

  #hasEnded(withoutLost: boolean): boolean {
    if (!this.#isOpen) return false
    let ended = 0
    for (const account of this.#accounts) {
      if (account.stash.count > 0) return false
      if (account.record !== undefined) ended++
      else if (account.isExpected && (account.isConnected || !withoutLost)) return false
    }
    return ended > 0 && this.#base >= this.#end
  }

  #account(source: number): SourceAccount | undefined {
    return this.#accounts[this.#indexOf[source] ?? NONE]
  }

  #blockOf(event: number): number {
    return Math.floor((event - 1) / this.#eventsPerBlock)
  }

  /**
   * Puts a fragment where it belongs, or into the stash of its source when that is not to be had yet.
   * @param isOvertaken its source has passed the block: late, whether the others keep it open or not, so that
   *   the same data give the same counts however the sources interleave
   * @returns whether the oldest block is full now
   */
  #place(index: number, event: number, bytes: Uint8Array, status: number, isOvertaken: boolean): boolean {
    const account = this.#accounts[index]!
    if (account.hasSeen(event)) {
      account.duplicate++
      return false
    }
    const blockNumber = this.#blockOf(event)
    if (blockNumber < this.#base || isOvertaken) {
      account.markSeen(event)
      account.late++
      return false
    }
    if (bytes.length > account.source.maximumBlockBytes) {
      account.drop('too-large')
      return false
    }
    if (bytes.length < SLINK_HEADER_BYTES) {
      account.drop('too-small')
      return false
    }
    if (!this.#hasPlace(blockNumber)) {
      const isBeyond = blockNumber >= this.#base + this.#slots.length
      if ((isBeyond && !account.isSteady) || !account.stash.tryPut(event, status, bytes))
        account.drop(isBeyond ? 'beyond-window' : 'no-block')
      return false
    }
    return this.#store(index, blockNumber, event, bytes, status)
  }

  /** Inside the window, and with a block that is begun, now if need be. */
  #hasPlace(blockNumber: number): boolean {
    if (blockNumber >= this.#base + this.#slots.length) return false
    const slot = blockNumber % this.#slots.length
    return this.#slots[slot] !== NONE || this.#begin(slot, blockNumber)
  }

  #store(index: number, blockNumber: number, event: number, bytes: Uint8Array, status: number): boolean {
    const account = this.#accounts[index]!
    const slot = blockNumber % this.#slots.length
    const block = this.#pool.blocks[this.#slots[slot]!]!
    const offset = block.header[BlockHeader.rawBytes]!
    const padded = (bytes.length + 3) & ~3
    if (offset + padded > block.raw.length) {
      account.drop('no-room')
      return false
    }
    this.#taken++
    account.markSeen(event)
    block.raw.set(bytes, offset)
    block.header[BlockHeader.rawBytes] = offset + padded
    const at = (event - 1 - blockNumber * this.#eventsPerBlock) * this.#accounts.length + index
    block.fragmentOffset[at] = offset
    block.fragmentBytes[at] = bytes.length
    block.fragmentStatus[at] = status
    return account.isExpected && ++this.#filled[slot]! === this.#full && blockNumber === this.#base
  }

  #begin(slot: number, blockNumber: number): boolean {
    const taken = this.#pool.tryTake()
    if (taken === undefined) return false
    clearRows(this.#pool.blocks[taken]!, blockNumber * this.#eventsPerBlock + 1)
    this.#slots[slot] = taken
    this.#filled[slot] = 0
    if (blockNumber >= this.#end) this.#end = blockNumber + 1
    return true
  }

  /** After anything that may let blocks close. What happens in its callbacks is settled in the same loop. */
  #settle(): void {
    this.#isUnsettled = true
    if (this.#isSettling) return
    this.#isSettling = true
    try {
      while (this.#isUnsettled) {
        this.#isUnsettled = false
        if (this.#isOpen) this.#closeReady()
        this.#checkPressure()
      }
    } finally {
      this.#isSettling = false
    }
  }

  #closeReady(): void {
    this.#emptyStashes()
    while (this.#base < this.#end && this.#isReady()) {
      this.#closeOldest()
      this.#emptyStashes()
    }
  }

  /** Moves what waits to its blocks, as far as there is a place by now. */
  #emptyStashes(): void {
    for (let index = 0; index < this.#accounts.length; index++) {
      const { stash } = this.#accounts[index]!
      if (stash.count === 0) continue
      stash.offer((event, status, bytes) => {
        const block = this.#blockOf(event)
        if (block >= this.#base && !this.#hasPlace(block)) return false
        this.#place(index, event, bytes, status, false)
        return true
      })
    }
  }

  /** Closes what is open and what waits. What finds no block even now is dropped. */
  #closeAll(): void {
    for (;;) {
      while (this.#base < this.#end) {
        this.#closeOldest()
        this.#emptyStashes()
      }
      const waiting = this.#accounts.filter((account) => account.stash.count > 0)
      if (waiting.length === 0) return
      this.#base = this.#end = Math.min(...waiting.map((account) => this.#blockOf(account.stash.firstEvent)))
      this.#emptyStashes()
      if (this.#base < this.#end) continue
      for (const account of waiting)
        account.stash.offer(() => {
          account.drop('no-block')
          return true
        })
      return
    }
  }

  #isReady(): boolean {
    if (this.#full === 0) return false
    if (this.#slots[this.#base % this.#slots.length] === NONE && this.#isAwaited(this.#base)) return false
    if (this.#filled[this.#base % this.#slots.length] === this.#full) return true
    for (const account of this.#accounts) {
      if (!account.isExpected || !account.isConnected || account.record !== undefined) continue
      if (account.front < this.#base + PASSED_BLOCKS) return false
    }
    return true
  }

  /** Whether fragments of a block that could not be begun wait for it. */
  #isAwaited(block: number): boolean {
    return this.#accounts.some((a) => a.stash.count > 0 && this.#blockOf(a.stash.firstEvent) === block)
  }

  /** The state is whole again before the callback: it may give blocks back, or let a source go on, at once. */
  #closeOldest(): void {
    const slot = this.#base % this.#slots.length
    const index = this.#slots[slot]!
    this.#base++
    this.#slots[slot] = NONE
    this.#filled[slot] = 0
    // no fragment of a whole block arrived: there is nothing to hand on
    if (index === NONE) return
    const block = this.#pool.blocks[index]!
    const { header } = block
    const rows = closeRows(block, this.#accounts, this.#counts)
    const first = header[BlockHeader.firstEvent]!
    header[BlockHeader.version] = BLOCK_VERSION
    header[BlockHeader.run] = this.#run
    header[BlockHeader.spill] = this.#spill
    header[BlockHeader.eventCount] = rows
    header[BlockHeader.time] = this.#time
    header[BlockHeader.firstEventInRun] = this.#eventsBefore + first
    header[BlockHeader.stage] = 1
    this.#lastEvent = first + rows - 1
    this.#options.onBlock(index)
  }

  /**
   * Stops whoever is too far ahead of the oldest open block, and, when free blocks run out, whoever would
   * begin new ones: a source that is behind can always fill blocks that are begun, so nothing waits in a ring.
   */
  #checkPressure(): void {
    const free = this.#pool.freeCount
    if (free < this.#reserve) this.#isShort = true
    else if (free > this.#reserve) this.#isShort = false
    const window = this.#slots.length
    const stop = Math.max(window >> 1, PASSED_BLOCKS + 1)
    // whoever has not passed the oldest block must be able to, or it would stay open for ever
    const goOn = Math.max(window >> 2, PASSED_BLOCKS)
    for (const account of this.#accounts) {
      let isPaused = this.#isShort
      if (this.#isOpen) {
        const lead = account.front - this.#base
        isPaused &&= this.#slots[(account.front + 1) % window] === NONE
        isPaused ||= lead >= (account.isPaused ? goOn : stop)
      }
      if (isPaused === account.isPaused) continue
      account.isPaused = isPaused
      this.#options.onPressure(account.source.id, isPaused)
    }
  }
}
