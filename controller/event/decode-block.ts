import { BlockHeader, type EventBlock, EventStatus, HitStatus, NO_CHANNEL } from '../../core/block.ts'
import {
  DecodeFault,
  type Decoder,
  type FormatName,
  MSADC_MAP_LENGTH,
  msadcAddress
} from '../../core/decoder.ts'
import type { Channel } from '../../config/schema.ts'
import type { DataSource } from './source.ts'

/** The one table from format to decoder: the online pass and replay use the same. */
export type DecoderTable = Readonly<Record<FormatName, Decoder>>

/** Index of the channel by address, for one source. */
export function channelMap(source: number, channels: readonly Channel[]): Uint16Array {
  const map = new Uint16Array(MSADC_MAP_LENGTH).fill(NO_CHANNEL)
  for (const c of channels) if (c.source === source) map[msadcAddress(c.port, c.adc, c.channel)] = c.index
  return map
}

/** Decodes every fragment of a block that the builder closed: fills hits, samples and trigger columns. */
export function makeDecodeBlock(
  sources: readonly DataSource[],
  channels: readonly Channel[],
  decoders: DecoderTable
): (block: EventBlock) => void {
  const decoderOf = sources.map((source) => decoders[source.format])
  const mapOf = sources.map((source) => channelMap(source.id, channels))
  const samplesOf = sources.map((source) => source.samplesPerEvent)
  return (block) => {
    const { header, fragmentBytes } = block
    const rows = header[BlockHeader.eventCount]!
    header[BlockHeader.hitCount] = 0
    header[BlockHeader.sampleCount] = 0
    header[BlockHeader.overflow] = 0
    for (let row = 0; row < rows; row++) {
      const firstHit = header[BlockHeader.hitCount]!
      block.hitBegin[row] = firstHit
      for (let s = 0; s < sources.length; s++) {
        const at = row * sources.length + s
        if (fragmentBytes[at] === 0) continue
        const hit = header[BlockHeader.hitCount]!
        let faults = decoderOf[s]!(block, row, s, mapOf[s]!)
        if (samplesOf[s]! > 0) faults |= checkSampleCounts(block, hit, samplesOf[s]!)
        block.fragmentFaults[at] = faults
        if (faults !== 0) block.eventStatus[row]! |= EventStatus.decodeFault
      }
      block.hitCount[row] = header[BlockHeader.hitCount]! - firstHit
    }
  }
}

/** Flags hits from `hit` on that do not have as many samples as configured. */
function checkSampleCounts(block: EventBlock, hit: number, samples: number): number {
  let faults = 0
  for (let h = hit; h < block.header[BlockHeader.hitCount]!; h++) {
    if (block.sampleCount[h] === samples) continue
    block.hitStatus[h]! |= HitStatus.sampleCount
    faults = DecodeFault.sampleCount
  }
  return faults
}
