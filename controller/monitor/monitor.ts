import { BlockHeader, type EventBlock, HitStatus } from '../../core/block.ts'
import { MSADC_PERIOD_NS } from '../../core/units.ts'
import type { Experiment } from '../../config/schema.ts'
import { dataSourcesOf } from '../event/source.ts'
import { type CutCount, CutFlow } from '../selection/selection.ts'
import { Histogram, type HistogramRecord } from './histogram.ts'

/** DATE event type of events that a trigger line made */
const PHYSICS_EVENT = 7
const FULL_SCALE_COUNTS = 4096
const BINS = 200
/** window in which minimum-ionising particles are seen, times the largest upper limit of the cut on the sum */
const CLOSE_UP = 2

/**
 * What people look at while data come: energy sums of clean physics events over the whole range and close to the
 * window of their cut, amplitude and time of all pulses, and the cut flow of the spill. Filled block by block;
 * histograms add up until `clear`.
 */
export class Monitor {
  readonly #sums: readonly (readonly Histogram[])[]
  readonly #amplitude: Histogram
  readonly #time: Histogram
  readonly #flow: CutFlow
  #lastFlow: readonly CutCount[] = []

  constructor(experiment: Pick<Experiment, 'mode' | 'reconstruction' | 'selection' | 'devices'>) {
    const beamGeV = experiment.mode.momentumGeV
    this.#sums = experiment.reconstruction.calorimeter.sums.map(({ name }) => {
      const top = Math.max(
        0,
        ...experiment.selection.cuts.flatMap((cut) => (cut.sum === name ? [cut.highGeV ?? 0] : []))
      )
      const full = beamGeV > 0 ? beamGeV * 1.25 : 10
      const axis = { title: `energy in ${name}`, unit: 'GeV', low: 0, bins: BINS }
      const histograms = [new Histogram({ ...axis, name: `energy/${name}`, high: full })]
      if (top > 0)
        histograms.push(
          new Histogram({
            ...axis,
            name: `energy/${name}/close-up`,
            title: `energy in ${name}, around the cut`,
            high: CLOSE_UP * top
          })
        )
      return histograms
    })
    const samples = Math.max(1, ...dataSourcesOf(experiment).map((source) => source.samplesPerEvent))
    this.#amplitude = new Histogram({
      name: 'pulse/amplitude',
      title: 'amplitude of pulses',
      unit: 'counts',
      low: 0,
      high: FULL_SCALE_COUNTS,
      bins: 256
    })
    this.#time = new Histogram({
      name: 'pulse/time',
      title: 'time of pulses in the window',
      unit: 'ns',
      low: 0,
      high: samples * MSADC_PERIOD_NS,
      bins: BINS
    })
    this.#flow = new CutFlow(experiment.selection)
  }

  /** Takes a block that went through the pipeline; keeps nothing of it. */
  fill(block: EventBlock): void {
    const rows = block.header[BlockHeader.eventCount]!
    for (let row = 0; row < rows; row++) {
      if (block.eventStatus[row] !== 0 || block.eventType[row] !== PHYSICS_EVENT) continue
      for (let k = 0; k < this.#sums.length; k++) {
        const energy = block.sums[k * block.shape.events + row]!
        for (const histogram of this.#sums[k]!) histogram.fill(energy)
      }
    }
    const hits = block.header[BlockHeader.hitCount]!
    for (let hit = 0; hit < hits; hit++) {
      if ((block.hitStatus[hit]! & HitStatus.empty) !== 0) continue
      this.#amplitude.fill(block.amplitude[hit]!)
      this.#time.fill(block.timeNs[hit]!)
    }
    this.#flow.add(block)
  }

  /** The cut flow of the next spill begins at 0. */
  endOfSpill(): void {
    this.#lastFlow = this.#flow.counts()
    this.#flow.clear()
  }

  /** of the last spill that ended */
  cutFlow(): readonly CutCount[] {
    return this.#lastFlow
  }

  histograms(): HistogramRecord[] {
    return [...this.#sums.flat(), this.#amplitude, this.#time].map((histogram) => histogram.toJSON())
  }

  clear(): void {
    for (const histogram of [...this.#sums.flat(), this.#amplitude, this.#time]) histogram.clear()
  }
}
