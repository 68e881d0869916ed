export interface WaveformParameters {
  /** first samples taken as pedestal, half even and half odd; even */
  readonly pedestalSamples: number
  /** difference between the largest and the smallest pedestal sample of one ADC above which the hit is noisy */
  readonly pedestalNoiseCounts: number
  /** amplitude below which the hit is empty and has no time */
  readonly thresholdCounts: number
  readonly fraction: number
  readonly saturationCounts: number
  readonly pileUpRiseCounts: number
  /** sampling period */
  readonly periodNs: number
}

/** Compiled kernels over one memory: they take byte offsets in it. controller/kernels.ts loads them. */
export interface Kernels {
  readonly buffer: ArrayBufferLike
  waveform(
    count: number,
    ...offsetsThenParameters: [
      samples: number,
      sampleBegin: number,
      sampleCount: number,
      hitStatus: number,
      pedestalEven: number,
      pedestalOdd: number,
      amplitude: number,
      timeNs: number,
      integral: number,
      pedestalSamples: number,
      pedestalNoiseCounts: number,
      thresholdCounts: number,
      fraction: number,
      saturationCounts: number,
      pileUpRiseCounts: number,
      periodNs: number
    ]
  ): void
}
