/** Event blocks with made-up content, for tests of the store. */
import {
  BlockHeader,
  type BlockShape,
  type EventBlock,
  EventStatus,
  makeBlock
} from '../../../../core/block.ts'
import { msadcModule, slink } from './date-fixture.ts'

export const SOURCES = [700, 600, 601]
export const SHAPE: BlockShape = { events: 8, sources: 3, rawBytes: 1 << 15, hits: 64, samples: 512, sums: 2 }

export interface FakeEvent {
  number: number
  /** sources that sent */
  sources: readonly number[]
  trigger?: number
  type?: number
  status?: number
  /** fragment status of the last source */
  fragmentStatus?: number
}

const trigger = (event: FakeEvent, spill: number): Buffer =>
  slink(
    { source: 700, event: event.number, spill: spill & 0x7ff, format: 0x30 },
    ...[event.trigger ?? 1, 100 * event.number, 10, event.type ?? 7]
  )
const samplesOf = (event: number, source: number): number[] => [event, source & 0xff, (event * 37) & 0xfff, 5]

export function fragment(event: FakeEvent, source: number, spill: number): Buffer {
  if (source === 700) return trigger(event, spill)
  const module = msadcModule(event.number, 0, source & 3, samplesOf(event.number, source))
  return slink({ source, event: event.number, spill: spill & 0x7ff }, ...module)
}

/** A block with these events, hits and results filled with values that depend on the event alone. */
export function fill(
  run: number,
  spill: number,
  firstInRun: number,
  events: readonly FakeEvent[]
): EventBlock {
  const block = makeBlock(SHAPE)
  const { header } = block
  header[BlockHeader.run] = run
  header[BlockHeader.spill] = spill
  header[BlockHeader.firstEvent] = events[0]?.number ?? 0
  header[BlockHeader.firstEventInRun] = firstInRun
  header[BlockHeader.time] = 1_700_000_000
  header[BlockHeader.eventCount] = events.length
  let raw = 0
  let hit = 0
  let sample = 0
  events.forEach((event, row) => {
    block.eventNumber[row] = event.number
    block.eventStatus[row] = (event.status ?? 0) | (event.sources.length === 0 ? EventStatus.absent : 0)
    block.hitBegin[row] = hit
    if (event.sources.length === 0) return
    block.triggerMask[row] = event.trigger ?? 1
    block.eventType[row] = event.type ?? 7
    block.timeTicks[row] = 100 * event.number
    block.selected[row] = event.number & 1
    for (let k = 0; k < SHAPE.sums; k++) block.sums[k * SHAPE.events + row] = event.number + k / 4
    for (const source of event.sources) {
      const bytes = fragment(event, source, spill)
      const at = row * SOURCES.length + SOURCES.indexOf(source)
      block.fragmentOffset[at] = raw
      block.fragmentBytes[at] = bytes.length
      block.fragmentStatus[at] = source === event.sources.at(-1) ? (event.fragmentStatus ?? 0) : 0
      block.raw.set(bytes, raw)
      raw += bytes.length
      if (source === 700) continue
      const samples = samplesOf(event.number, source)
      block.hitChannel[hit] = source
      block.hitEvent[hit] = row
      block.sampleBegin[hit] = sample
      block.sampleCount[hit] = samples.length
      block.amplitude[hit] = event.number + source / 1024
      block.samples.set(samples, sample)
      sample += 8
      hit++
    }
    block.hitCount[row] = hit - block.hitBegin[row]
  })
  header[BlockHeader.hitCount] = hit
  header[BlockHeader.sampleCount] = sample
  header[BlockHeader.rawBytes] = raw
  return block
}
