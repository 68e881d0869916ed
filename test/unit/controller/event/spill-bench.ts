import { BlockHeader, type BlockShape, EventStatus } from '../../../../core/block.ts'
import { BlockPool, poolBytes } from '../../../../controller/event/block-pool.ts'
import { EventBuilder, type EventBuilderOptions } from '../../../../controller/event/event-builder.ts'
import type { DataSource } from '../../../../controller/event/source.ts'

export const EVENTS_PER_BLOCK = 16
const MAXIMUM_BYTES = 64

export function source(id: number, options: Partial<DataSource> = {}): DataSource {
  return {
    id,
    device: `board-${id}`,
    format: id === 700 ? 'trigger' : 'msadc',
    maximumBlockBytes: MAXIMUM_BYTES,
    distrustAfterGap: false,
    hitsMax: 1,
    samplesPerEvent: 8,
    ...options
  }
}

/** Bytes that say whose they are; at least an S-LINK header long. */
export function fragmentBytes(id: number, event: number, extra = 0): Uint8Array {
  const bytes = new Uint8Array(12 + (event % 3) * 4)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, id, true)
  view.setUint32(4, event, true)
  view.setUint32(8, extra, true)
  return bytes
}

export interface Row {
  readonly event: number
  readonly status: number
  /** by source id */
  readonly fragments: ReadonlyMap<number, Uint8Array>
}

/** An event builder on small blocks; keeps what it hands on, and gives the blocks back at once unless held. */
export class SpillBench {
  readonly pool: BlockPool
  readonly builder: EventBuilder
  readonly rows: Row[] = []
  readonly firstEvents: number[] = []
  readonly paused = new Set<number>()
  readonly held: number[] = []
  isHolding = false
  overruns: number[] = []

  constructor(
    sources: readonly DataSource[],
    options: { blocks?: number; openBlocksMax?: number; onOverrun?: (spill: number) => void } = {}
  ) {
    const shape: BlockShape = {
      events: EVENTS_PER_BLOCK,
      sources: sources.length,
      rawBytes: EVENTS_PER_BLOCK * sources.length * MAXIMUM_BYTES,
      hits: EVENTS_PER_BLOCK,
      samples: EVENTS_PER_BLOCK * 8,
      sums: 1
    }
    const count = options.blocks ?? 12
    const buffer = new SharedArrayBuffer(poolBytes(shape, count))
    this.pool = new BlockPool({ buffer, base: 0, count, shape })
    const builderOptions: EventBuilderOptions = {
      sources,
      pool: this.pool,
      openBlocksMax: options.openBlocksMax ?? 6,
      unixSeconds: () => 1_663_200_000,
      onBlock: (index) => this.#take(index, sources),
      onPressure: (id, isPaused) => {
        if (isPaused) this.paused.add(id)
        else this.paused.delete(id)
      },
      onOverrun: (spill) => {
        this.overruns.push(spill)
        options.onOverrun?.(spill)
      }
    }
    this.builder = new EventBuilder(builderOptions)
    this.builder.beginRun(4711)
  }

  send(id: number, event: number, spill = this.builder.spill, bytes = fragmentBytes(id, event)): void {
    this.builder.fragment(id, spill, event, bytes, 0)
  }

  end(id: number, eventsSent: number, spill = this.builder.spill): void {
    this.builder.endOfSpill({ source: id, spill, eventsSent, wordsSent: 0, busyNs: 0 })
  }

  returnBlocks(): void {
    for (const index of this.held.splice(0)) {
      this.pool.giveBack(index)
      this.builder.blockReturned()
    }
  }

  row(event: number): Row {
    return this.rows.find((row) => row.event === event)!
  }

  #take(index: number, sources: readonly DataSource[]): void {
    const block = this.pool.blocks[index]!
    const { header } = block
    this.firstEvents.push(header[BlockHeader.firstEvent]!)
    for (let row = 0; row < header[BlockHeader.eventCount]!; row++) {
      const fragments = new Map<number, Uint8Array>()
      sources.forEach((s, i) => {
        const at = row * sources.length + i
        const from = block.fragmentOffset[at]!
        if (block.fragmentBytes[at]! > 0)
          fragments.set(s.id, block.raw.slice(from, from + block.fragmentBytes[at]!))
      })
      const status = block.eventStatus[row]!
      if ((status & EventStatus.absent) === 0)
        this.rows.push({ event: block.eventNumber[row]!, status, fragments })
    }
    this.held.push(index)
    if (!this.isHolding) this.returnBlocks()
  }
}
