import { BlockHeader, type EventBlock } from '../../core/block.ts'
import type {
  Channel,
  Experiment,
  ReconstructionConfig,
  SelectionConfig,
  TriggerConfig
} from '../../config/schema.ts'
import { type DecoderTable, makeDecodeBlock } from '../event/decode-block.ts'
import { type DataSource, dataSourcesOf } from '../event/source.ts'
import { makeSelection } from '../selection/selection.ts'
import { makeCalorimeterStage } from './calorimeter/calorimeter.ts'
import type { Kernels } from './waveform/parameters.ts'
import { makeWaveformStage, waveformParameters } from './waveform/waveform.ts'

/** All that decides what comes out of a block. Plain data: goes to workers as it is. */
export interface PipelineConfig {
  readonly sources: readonly DataSource[]
  readonly channels: readonly Channel[]
  readonly reconstruction: ReconstructionConfig
  readonly selection: SelectionConfig
  readonly lines: TriggerConfig['lines']
}

export const pipelineConfigOf = (
  experiment: Pick<Experiment, 'devices' | 'channels' | 'reconstruction' | 'selection' | 'trigger'>
): PipelineConfig => ({
  sources: dataSourcesOf(experiment),
  channels: experiment.channels,
  reconstruction: experiment.reconstruction,
  selection: experiment.selection,
  lines: experiment.trigger.lines
})

/**
 * From a block that the builder closed to one that is ready to be written: decoding, waveforms, calorimeters,
 * selection. The same for the online pass, replay and any number of workers, with kernels or without.
 */
export function makePipeline(
  config: PipelineConfig,
  decoders: DecoderTable,
  kernels?: Kernels
): (block: EventBlock) => void {
  const { calorimeter, waveform } = config.reconstruction
  const decode = makeDecodeBlock(config.sources, config.channels, decoders)
  const stages = [
    makeWaveformStage(waveformParameters(waveform), kernels),
    makeCalorimeterStage(calorimeter, config.channels)
  ]
  const select = makeSelection({
    selection: config.selection,
    lines: config.lines,
    sums: calorimeter.sums.map((sum) => sum.name)
  })
  return (block) => {
    decode(block)
    for (const stage of stages) stage.process(block)
    select(block)
    block.header[BlockHeader.stage] = 2
  }
}
