import { type DataSource, dataSourcesOf } from '../controller/event/source.ts'
import type { Channel, Experiment } from '../config/schema.ts'
import { Rng } from '../core/rng.ts'
import { bytesOf, msadcWords, triggerWords, type WrittenModule } from './slink-writer.ts'

const TICKS_PER_EVENT = 4000
const MODULE_CHANNELS = 16

export interface SpillFixture {
  readonly sources: readonly DataSource[]
  /** fragments[source index][event - 1] */
  readonly fragments: readonly (readonly Uint8Array[])[]
  readonly bytes: number
  readonly waveforms: number
}

/**
 * Fragments of a spill as the boards of this experiment would send them without zero suppression: noise on even
 * and odd pedestals in every channel, and a muon's pulse in one of eight.
 */
export function spillFixture(
  experiment: Experiment,
  spill: number,
  events: number,
  seed: number | string
): SpillFixture {
  const sources = dataSourcesOf(experiment)
  const rng = new Rng(seed)
  let bytes = 0
  let waveforms = 0
  const fragments = sources.map((source) => {
    const channels = experiment.channels.filter((channel) => channel.source === source.id)
    return Array.from({ length: events }, (_, i) => {
      const event = i + 1
      const words =
        source.format === 'trigger'
          ? triggerWords(source.id, spill, event, 1 + rng.integer(3), event * TICKS_PER_EVENT)
          : msadcWords(source.id, spill, event, modulesOf(channels, source.samplesPerEvent, rng))
      if (source.format === 'msadc') waveforms += source.hitsMax
      const block = bytesOf(words)
      bytes += block.length
      return block
    })
  })
  return { sources, fragments, bytes, waveforms }
}

/** Every module that a channel lies in, whole. */
function modulesOf(channels: readonly Channel[], samples: number, rng: Rng): WrittenModule[] {
  const modules = new Map<string, { port: number; adc: number; mip: number[] }>()
  for (const { port, adc, channel, mipCounts } of channels) {
    const key = `${port}/${adc}`
    const module = modules.get(key) ?? { port, adc, mip: Array<number>(MODULE_CHANNELS).fill(0) }
    module.mip[channel] = mipCounts
    modules.set(key, module)
  }
  return [...modules.values()].map(({ port, adc, mip }) => ({
    port,
    adc,
    channels: mip.map((counts, channel) => ({
      channel,
      samples: waveform(samples, channel, rng.chance(1 / 8) ? counts * rng.between(0.7, 2) : 0, rng)
    }))
  }))
}

/** parabola of six samples on the pedestal: shape does not matter here */
function waveform(samples: number, channel: number, counts: number, rng: Rng): number[] {
  const peak = 12 + rng.integer(3)
  return Array.from({ length: samples }, (_, i) => {
    const pulse = Math.max(0, 1 - ((i - peak) / 4) ** 2) * counts
    const pedestal = 50 + channel + (i % 2) * 7
    return Math.min(4095, Math.round(pedestal + pulse) + rng.integer(3) - 1)
  })
}

/** Pushes a whole spill through a builder in the order of the events. */
export function play(
  fixture: SpillFixture,
  spill: number,
  builder: {
    startOfSpill(source: number, spill: number, cycle: number): void
    fragment(source: number, spill: number, event: number, bytes: Uint8Array, status: number): void
    endOfSpill(record: {
      source: number
      spill: number
      eventsSent: number
      wordsSent: number
      busyNs: number
    }): void
  }
): void {
  const { sources, fragments } = fixture
  const events = fragments[0]!.length
  for (const source of sources) builder.startOfSpill(source.id, spill, spill)
  for (let i = 0; i < events; i++)
    for (let s = 0; s < sources.length; s++)
      builder.fragment(sources[s]!.id, spill, i + 1, fragments[s]![i]!, 0)
  for (const source of sources)
    builder.endOfSpill({ source: source.id, spill, eventsSent: events, wordsSent: 0, busyNs: 0 })
}
