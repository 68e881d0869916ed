import { BlockHeader, type EventBlock } from '../../../core/block.ts'
import { assert } from '../../../core/errors.ts'
import { MSADC_PERIOD_NS } from '../../../core/units.ts'
import type { ReconstructionConfig } from '../../../config/schema.ts'
import type { Stage } from '../stage.ts'
import type { Kernels, WaveformParameters } from './parameters.ts'
import { waveformReference } from './waveform-reference.ts'

export const waveformParameters = (config: ReconstructionConfig['waveform']): WaveformParameters => ({
  ...config,
  periodNs: MSADC_PERIOD_NS
})

/** Pedestals, amplitude, time, integral and flags of every hit: by the kernel when there is one, same bits. */
export function makeWaveformStage(parameters: WaveformParameters, kernels?: Kernels): Stage {
  return {
    name: 'waveform',
    version: 1,
    reads: ['samples', 'sampleBegin', 'sampleCount', 'hitStatus'],
    writes: ['hitStatus', 'pedestalEven', 'pedestalOdd', 'amplitude', 'timeNs', 'integral'],
    process:
      kernels === undefined ? (block) => waveformReference(block, parameters) : byKernel(parameters, kernels)
  }
}

function byKernel(parameters: WaveformParameters, kernels: Kernels): (block: EventBlock) => void {
  return (block) => {
    assert(block.buffer === kernels.buffer, 'the block lies outside the memory of the kernels')
    kernels.waveform(
      block.header[BlockHeader.hitCount]!,
      block.samples.byteOffset,
      block.sampleBegin.byteOffset,
      block.sampleCount.byteOffset,
      block.hitStatus.byteOffset,
      block.pedestalEven.byteOffset,
      block.pedestalOdd.byteOffset,
      block.amplitude.byteOffset,
      block.timeNs.byteOffset,
      block.integral.byteOffset,
      parameters.pedestalSamples,
      parameters.pedestalNoiseCounts,
      parameters.thresholdCounts,
      parameters.fraction,
      parameters.saturationCounts,
      parameters.pileUpRiseCounts,
      parameters.periodNs
    )
  }
}
