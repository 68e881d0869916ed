import type { Channel, Detector, Experiment } from '../../config/schema.ts'
import { ErrorCode, SpillwayError } from '../../core/errors.ts'

const DEFAULT_CELL_MM = 40
const DEFAULT_BEAM_RADIUS_MM = 21

/**
 * What a trigger counter sees: every beam muon; halo around its hole; muons bent or scattered out of the
 * beam; muons that stayed in it; or nothing that this world makes.
 */
export type CounterKind = 'beam' | 'halo' | 'deflected' | 'killer' | 'other'

export interface Counter {
  readonly number: number
  readonly name: string
  readonly kind: CounterKind
  /** most probable amplitude, counts; the discriminator has the same scale */
  readonly mipCounts: number
  /** ADC channel that reads it, or -1 */
  readonly channel: number
}

/** One part of a calorimeter or veto: a grid of cells across the beam. */
export interface Grid {
  readonly detector: string
  readonly kin: string
  readonly part: string
  readonly zM: number
  readonly offsetXMm: number
  readonly offsetYMm: number
  readonly cellWidthMm: number
  readonly cellHeightMm: number
  readonly cellsX: number
  readonly cellsY: number
  /** channel index of each cell, x fastest; -1 where none is read */
  readonly channels: Int32Array
  /** a muon through it leaves a minimum-ionising signal */
  readonly showsMuons: boolean
  readonly holeMm: number
}

/** Energy of one process in one grid. */
export interface EnergyShare {
  readonly grid: Grid
  readonly meanGeV: number
}

/** The beam line as the world needs it: counters, cells across the beam, the spectrometer's bend. */
export class BeamLine {
  readonly counters: readonly Counter[]
  readonly grids: readonly Grid[]
  readonly beamMask: number
  readonly haloMask: number
  readonly beamRadiusMm: number
  readonly #magnetZ: number
  readonly #bendTm: number
  readonly #showers: Experiment['simulation']['showers']

  constructor(experiment: Experiment) {
    this.#showers = experiment.simulation.showers
    const detectors = new Map(experiment.detectors.map((detector) => [detector.name, detector]))
    const magnet = experiment.detectors.find((d) => d.role === 'magnet' && d.zM > 0)
    this.#magnetZ = magnet?.zM ?? Number.POSITIVE_INFINITY
    this.counters = experiment.trigger.counters.map((counter): Counter => {
      const channel = experiment.channels.find((c) => c.detector === counter.name)
      return {
        number: counter.number,
        name: counter.name,
        kind: this.#counterKind(detectors.get(counter.name)),
        mipCounts: channel?.mipCounts ?? experiment.simulation.electronics.counterMipCounts,
        channel: channel?.index ?? -1
      }
    })
    const maskOf = (kind: CounterKind): number =>
      this.counters.filter((c) => c.kind === kind).reduce((mask, c) => mask | (1 << c.number), 0)
    this.beamMask = maskOf('beam')
    this.haloMask = maskOf('halo')
    const deflected = this.counters.find((c) => c.kind === 'deflected')
    const side = Math.sign(detectors.get(deflected?.name ?? '')?.offsetXMm ?? 1) || 1
    this.#bendTm = side * Math.abs(magnet?.fieldIntegralTm ?? 0)
    const widths = this.counters
      .filter((c) => c.kind === 'beam')
      .map((c) => detectors.get(c.name)?.widthMm ?? 2 * DEFAULT_BEAM_RADIUS_MM)
    this.beamRadiusMm = Math.min(2 * DEFAULT_BEAM_RADIUS_MM, ...widths) / 2
    const counterNames = new Set(this.counters.map((c) => c.name))
    this.grids = makeGrids(
      experiment.channels.filter((c) => !counterNames.has(c.detector)),
      detectors
    )
  }

  /** Sideways displacement in mm, at `zM`, of a muon that the spectrometer bends. */
  bendMm(zM: number, momentumGeV: number): number {
    if (zM <= this.#magnetZ || momentumGeV <= 0) return 0
    return ((0.299792458 * this.#bendTm) / momentumGeV) * (zM - this.#magnetZ) * 1e3
  }

  /**
   * Resolves what a process of simulation.yaml says (detector name or kin -> mean energy) to grids.
   * @throws `configuration` for a name that is no detector and no kin
   */
  shares(meanGeV: Readonly<Record<string, number>>, detectors: readonly Detector[]): EnergyShare[] {
    return Object.entries(meanGeV).flatMap(([name, energy]) => {
      if (!detectors.some((d) => d.name === name || d.kin === name))
        throw new SpillwayError(
          ErrorCode.configuration,
          `simulation.yaml: an interaction leaves energy in ${name}, which is no detector`,
          { expected: 'name or kin of a detector' }
        )
      const byName = this.grids.filter((grid) => grid.detector === name)
      const grids = byName.length > 0 ? byName : this.grids.filter((grid) => grid.kin === name)
      let depth = 1
      const weights = grids.map((grid) => {
        if (grid.part === 'preshower') return this.#showers.preshowerShare
        const weight = depth
        depth *= this.#showers.sectionRatio
        return weight
      })
      const sum = weights.reduce((a, b) => a + b, 0)
      return grids.map((grid, i) => ({ grid, meanGeV: (energy * weights[i]!) / sum }))
    })
  }

  #counterKind(detector: Detector | undefined): CounterKind {
    switch (detector?.kin) {
      case 'S':
        return (detector.offsetXMm ?? 0) !== 0 || detector.zM > this.#magnetZ ? 'deflected' : 'beam'
      case 'V':
        return 'halo'
      case 'BK':
        return 'killer'
      default:
        return 'other'
    }
  }
}

/** Cell of a grid at a place across the beam, or -1 outside. */
export function cellAt(grid: Grid, xMm: number, yMm: number): number {
  const x = Math.floor((xMm - grid.offsetXMm) / grid.cellWidthMm + grid.cellsX / 2)
  const y = Math.floor((yMm - grid.offsetYMm) / grid.cellHeightMm + grid.cellsY / 2)
  return x < 0 || y < 0 || x >= grid.cellsX || y >= grid.cellsY ? -1 : y * grid.cellsX + x
}

function makeGrids(channels: readonly Channel[], detectors: ReadonlyMap<string, Detector>): Grid[] {
  const groups = Map.groupBy(channels, (channel) => `${channel.detector}/${channel.part}`)
  const grids = [...groups.values()].map((group): Grid => {
    const { detector: name, kin, part } = group[0]!
    const detector = detectors.get(name)
    const cellsX = Math.max(...group.map((c) => c.xIndex)) + 1
    const cellsY = Math.max(...group.map((c) => c.yIndex)) + 1
    const cells = new Int32Array(cellsX * cellsY).fill(-1)
    for (const c of group) cells[c.yIndex * cellsX + c.xIndex] = c.index
    const size = (cell: number | undefined, whole: number | undefined, count: number): number =>
      cell ?? (whole === undefined ? DEFAULT_CELL_MM : whole / count)
    return {
      detector: name,
      kin,
      part,
      zM: detector?.zM ?? 0,
      offsetXMm: detector?.offsetXMm ?? 0,
      offsetYMm: detector?.offsetYMm ?? 0,
      cellWidthMm: size(detector?.cellWidthMm, detector?.widthMm, cellsX),
      cellHeightMm: size(detector?.cellHeightMm, detector?.heightMm, cellsY),
      cellsX,
      cellsY,
      channels: cells,
      // a veto with a hole sees what passes beside the hole; one without is taken as blind to the beam
      showsMuons: detector?.role !== 'veto' || detector.holeMm !== undefined,
      holeMm: detector?.holeMm ?? 0
    }
  })
  return grids.sort((a, b) => a.zM - b.zM)
}
