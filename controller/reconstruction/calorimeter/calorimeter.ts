import { BlockHeader, type EventBlock, HitStatus, NO_CHANNEL } from '../../../core/block.ts'
import type { Channel, ReconstructionConfig } from '../../../config/schema.ts'
import type { Stage } from '../stage.ts'

/** A hit with one of these is shown, but its energy is not believed. */
const NOT_BELIEVED = HitStatus.unmapped | HitStatus.wrongEvent | HitStatus.channelOrder | HitStatus.empty

/**
 * Energy of every hit, and the named sums of every event. energyGeV = amplitude * gevPerCount, 0 for a hit below
 * cellThresholdMip or one that is not believed. Sums add in f32 in the order of the hits.
 */
export function makeCalorimeterStage(
  config: ReconstructionConfig['calorimeter'],
  channels: readonly Channel[]
): Stage {
  const length = Math.max(0, ...channels.map((c) => c.index + 1))
  const gevPerCount = new Float32Array(length)
  const thresholdCounts = new Float32Array(length)
  for (const c of channels) {
    gevPerCount[c.index] = c.gevPerCount
    thresholdCounts[c.index] = config.cellThresholdMip * c.mipCounts
  }
  const { begin, sumOf } = membership(config, channels, length)

  const process = (block: EventBlock): void => {
    const { header, sums, hitChannel, hitEvent, hitStatus, amplitude, energyGeV } = block
    const hits = header[BlockHeader.hitCount]!
    const events = block.shape.events
    sums.fill(0)
    for (let hit = 0; hit < hits; hit++) {
      const channel = hitChannel[hit]!
      const counts = amplitude[hit]!
      if (
        channel === NO_CHANNEL ||
        channel >= length ||
        (hitStatus[hit]! & NOT_BELIEVED) !== 0 ||
        counts < thresholdCounts[channel]!
      ) {
        energyGeV[hit] = 0
        continue
      }
      energyGeV[hit] = counts * gevPerCount[channel]!
      const energy = energyGeV[hit]!
      const row = hitEvent[hit]!
      for (let i = begin[channel]!; i < begin[channel + 1]!; i++) {
        const at = sumOf[i]! * events + row
        sums[at] = sums[at]! + energy
      }
    }
  }
  return {
    name: 'calorimeter',
    version: 1,
    reads: ['hitChannel', 'hitEvent', 'hitStatus', 'amplitude'],
    writes: ['energyGeV', 'sums'],
    process
  }
}

/** The sums that a channel enters: sumOf[begin[channel] .. begin[channel + 1]). */
function membership(
  config: ReconstructionConfig['calorimeter'],
  channels: readonly Channel[],
  length: number
): { begin: Uint32Array; sumOf: Uint8Array } {
  const lists: number[][] = Array.from({ length }, () => [])
  for (const c of channels)
    config.sums.forEach((sum, k) => {
      if (sum.detector === c.detector && (sum.part === undefined || sum.part === c.part))
        lists[c.index]!.push(k)
    })
  const begin = new Uint32Array(length + 1)
  lists.forEach((list, channel) => (begin[channel + 1] = begin[channel]! + list.length))
  return { begin, sumOf: Uint8Array.from(lists.flat()) }
}
