import type { Experiment } from '../../config/schema.ts'
import type { Rng } from '../../core/rng.ts'
import { BeamLine } from './beam-line.ts'
import { Chance } from './chance.ts'
import { makePatterns, type MuonClass, muonClasses } from './coincidence.ts'
import type { Deposits } from './deposits.ts'
import { Electronics } from './electronics.ts'
import { EventMaker } from './event-maker.ts'
import { type LineSettings, SpillStream, type Trigger } from './spill-stream.ts'

/** What a scenario may change about the beam. */
export interface BeamOverrides {
  readonly muonsPerSpill?: number | undefined
  readonly intensitySpread?: number | undefined
  readonly ripple?: number | undefined
}

export interface SpillRequest {
  /** how often a run was enabled since the start of the simulation */
  readonly ordinal: number
  /** number in the run */
  readonly spill: number
  readonly thresholds: readonly number[]
  readonly lines: readonly LineSettings[]
  readonly deadTimeNs: number
  /** length of the extraction that brings muons; 0: no beam */
  readonly beamNs: number
}

export interface OpenSpill {
  readonly stream: SpillStream
  /** fixes the signals of the spill's events */
  readonly seed: number
}

/**
 * Particles and detectors. Everything about spill n of run k comes from `rng.split('run k/spill n')`, never
 * from wall time, so the same seed gives the same spill whatever the timing and whoever reads it.
 */
export class World {
  readonly electronics: Electronics
  readonly classes: readonly MuonClass[]
  readonly #experiment: Experiment
  readonly #rng: Rng
  readonly #line: BeamLine
  readonly #maker: EventMaker
  readonly #beam: Experiment['simulation']['beam']
  readonly #samples: number

  constructor(experiment: Experiment, rng: Rng, overrides: BeamOverrides = {}) {
    this.#experiment = experiment
    this.#rng = rng
    const { beam } = experiment.simulation
    this.#beam = {
      ...beam,
      muonsPerSpill: overrides.muonsPerSpill ?? beam.muonsPerSpill,
      intensitySpread: overrides.intensitySpread ?? beam.intensitySpread,
      ripple: overrides.ripple ?? beam.ripple
    }
    this.classes = muonClasses(experiment.simulation)
    this.#line = new BeamLine(experiment)
    this.electronics = new Electronics(experiment, rng.split('electronics'))
    this.#maker = new EventMaker(experiment, this.#line, this.classes, new Chance(rng.split('pulser')))
    this.#samples = Math.max(
      32,
      ...experiment.devices
        .filter((device) => device.kind === 'slink-msadc')
        .map((device) => Number(device.settings.samplesPerEvent))
    )
  }

  /** pulses of the event that `makeEvent` made last */
  get deposits(): Deposits {
    return this.#maker.deposits
  }

  openSpill(request: SpillRequest): OpenSpill {
    const { experiment, beam } = { experiment: this.#experiment, beam: this.#beam }
    const rng = this.#rng.split(`run ${request.ordinal}/spill ${request.spill}`)
    const hasBeam = experiment.mode.beamSpecies !== 'none' && request.beamNs > 0
    const factor = Math.max(0, rng.split('intensity').normal(1, beam.intensitySpread))
    const muons = beam.muonsPerSpill * (1 + beam.haloFraction) * factor
    this.#maker.setThresholds(request.thresholds)
    const { landauWidth } = experiment.simulation.electronics
    const stream = new SpillStream(
      {
        muons: hasBeam ? muons : 0,
        ripple: beam.ripple,
        rippleSecondHarmonic: beam.rippleSecondHarmonic,
        beamNs: request.beamNs,
        patterns: makePatterns(this.#line, this.classes, request.thresholds, landauWidth),
        beamMask: this.#line.beamMask,
        haloMask: this.#line.haloMask,
        lines: request.lines,
        deadTimeNs: request.deadTimeNs
      },
      rng
    )
    return { stream, seed: rng.split('events').integer(0x1_0000_0000) }
  }

  /** Fills `deposits` with what the detectors see around the trigger. */
  makeEvent(trigger: Readonly<Trigger>, seed: number): void {
    this.#maker.make(trigger, seed, this.#samples)
  }

  /** what a trigger really was, for the truth */
  processOf(trigger: Readonly<Trigger>): string {
    return this.classes[trigger.muonClass]?.name ?? 'random'
  }
}
