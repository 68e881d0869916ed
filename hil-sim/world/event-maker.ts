import type { Experiment } from '../../config/schema.ts'
import { MSADC_PERIOD_NS } from '../../core/units.ts'
import { type BeamLine, cellAt, type EnergyShare, type Grid } from './beam-line.ts'
import { Chance } from './chance.ts'
import { crossing, type MuonClass } from './coincidence.ts'
import { Deposits } from './deposits.ts'
import { landauAmplitude, landauEfficiency } from './landau.ts'
import type { Trigger } from './spill-stream.ts'

/** pulses that peak so long before the window still reach into it, and so long after its end begin in it */
const TAIL_SAMPLES = 24
const RISE_SAMPLES = 8

/** Turns one trigger into pulses on channels: the muon, what it did, and others that came near it in time. */
export class EventMaker {
  readonly deposits: Deposits
  readonly #line: BeamLine
  readonly #classes: readonly MuonClass[]
  readonly #shares: readonly (readonly EnergyShare[])[]
  readonly #experiment: Experiment
  readonly #chance = new Chance()
  readonly #gevPerCount: Float32Array
  readonly #mipCounts: Float32Array
  readonly #pulserFactor: Float32Array
  readonly #pulserLines: number
  readonly #haloFraction: number
  readonly #firstOfKind: readonly boolean[]
  #thresholds: readonly number[] = []
  #xMm = 0
  #yMm = 0

  /** @param chance fixes what belongs to the set-up, not to an event */
  constructor(experiment: Experiment, line: BeamLine, classes: readonly MuonClass[], chance: Chance) {
    const { channels, simulation, trigger } = experiment
    this.#experiment = experiment
    this.#line = line
    this.#classes = classes
    this.#shares = simulation.interactions.map((i) => line.shares(i.meanGeV, experiment.detectors))
    this.deposits = new Deposits(channels.length)
    this.#gevPerCount = Float32Array.from(channels, (c) => c.gevPerCount)
    this.#mipCounts = Float32Array.from(channels, (c) => c.mipCounts)
    this.#pulserFactor = Float32Array.from(
      channels,
      () => 1 + simulation.electronics.pulserChannelSpread * chance.normal()
    )
    const calibration = trigger.lines.filter((l) => l.use === 'calibration')
    // a set-up without beam and without a calibration line has its pulser on every trigger
    const isPulsedAlways = experiment.mode.beamSpecies === 'none' && calibration.length === 0
    this.#pulserLines = isPulsedAlways ? 0xffff : calibration.reduce((mask, l) => mask | (1 << l.line), 0)
    const { haloFraction } = simulation.beam
    this.#haloFraction = haloFraction / (1 + haloFraction)
    this.#firstOfKind = line.counters.map(
      (c, i) => line.counters.findIndex((other) => other.kind === c.kind) === i
    )
  }

  /** Discriminator thresholds by counter number: a counter that fired was above, one that did not below. */
  setThresholds(thresholds: readonly number[]): void {
    this.#thresholds = thresholds
  }

  /**
   * Fills `deposits`. The same seed and trigger give the same pulses.
   * @param samples length of the longest window of any board
   */
  make(trigger: Readonly<Trigger>, spillSeed: number, samples: number): void {
    const chance = this.#chance
    chance.reseed(spillSeed, trigger.number)
    this.deposits.clear()
    if ((trigger.mask & this.#pulserLines) !== 0) this.#pulser()
    const muon = this.#classes[trigger.muonClass]
    if (muon !== undefined) {
      const { minimumGeV, maximumGeV } = this.#experiment.simulation.deflection
      const momentum = muon.isDeflected
        ? minimumGeV + chance.uniform() * (maximumGeV - minimumGeV)
        : this.#experiment.mode.momentumGeV
      this.#place(muon)
      this.#counters(muon, trigger.fired)
      this.#ionise(momentum, 0)
      if (muon.process >= 0) this.#interact(this.#shares[muon.process]!, momentum)
    }
    this.#pileUp(trigger.muonsPerNs, samples)
  }

  #pulser(): void {
    const { pulserCounts, pulserShotSpread } = this.#experiment.simulation.electronics
    const shot = pulserCounts * (1 + pulserShotSpread * this.#chance.normal())
    for (const grid of this.#line.grids)
      for (const channel of grid.channels)
        if (channel >= 0) this.deposits.add(channel, shot * this.#pulserFactor[channel]!, this.#jitter())
  }

  #jitter(): number {
    return this.#experiment.simulation.electronics.jitterNs * this.#chance.normal()
  }

  /** where across the beam the muon flies, before the spectrometer bends it */
  #place(muon: { readonly isHalo: boolean }): void {
    const chance = this.#chance
    const radius = this.#line.beamRadiusMm
    const { spotSigmaXMm, spotSigmaYMm, haloReach } = this.#experiment.simulation.beam
    if (muon.isHalo) {
      const r = radius * (1 + (haloReach - 1) * chance.uniform())
      const phi = 2 * Math.PI * chance.uniform()
      this.#xMm = r * Math.cos(phi)
      this.#yMm = r * Math.sin(phi)
      return
    }
    // muons of the beam are those through the beam counters; 20 tries leave the centre for absurd spots
    for (let i = 0; i < 20; i++) {
      this.#xMm = spotSigmaXMm * chance.normal()
      this.#yMm = spotSigmaYMm * chance.normal()
      if (this.#xMm * this.#xMm + this.#yMm * this.#yMm < radius * radius) return
    }
    this.#xMm = 0
    this.#yMm = 0
  }

  #counters(muon: MuonClass, fired: number): void {
    const chance = this.#chance
    const width = this.#experiment.simulation.electronics.landauWidth
    this.#line.counters.forEach((counter, i) => {
      const isFired = (fired & (1 << counter.number)) !== 0
      const efficiency = landauEfficiency((this.#thresholds[counter.number] ?? 0) / counter.mipCounts, width)
      const crossed = crossing(muon, counter.kind, this.#firstOfKind[i]!)
      const crossedUnseen = (crossed * (1 - efficiency)) / Math.max(1e-12, 1 - crossed * efficiency)
      const u = chance.uniform()
      const isThere = isFired || chance.uniform() < crossedUnseen
      if (!isThere) return
      const quantile = isFired ? 1 - efficiency * (1 - u) : u * (1 - efficiency)
      this.deposits.add(counter.channel, counter.mipCounts * landauAmplitude(quantile, width), this.#jitter())
    })
  }

  /** minimum-ionising signals along the muon's way */
  #ionise(momentumGeV: number, timeNs: number): void {
    const chance = this.#chance
    const width = this.#experiment.simulation.electronics.landauWidth
    for (const grid of this.#line.grids) {
      if (!grid.showsMuons) continue
      const x = this.#xMm + this.#line.bendMm(grid.zM, momentumGeV)
      if (grid.holeMm > 0 && Math.hypot(x - grid.offsetXMm, this.#yMm - grid.offsetYMm) < grid.holeMm / 2)
        continue
      const cell = cellAt(grid, x, this.#yMm)
      if (cell < 0) continue
      const channel = grid.channels[cell]!
      if (channel < 0) continue
      const amplitude = this.#mipCounts[channel]! * landauAmplitude(chance.uniform(), width)
      this.deposits.add(channel, amplitude, timeNs + this.#jitter())
    }
  }

  #interact(shares: readonly EnergyShare[], momentumGeV: number): void {
    for (const { grid, meanGeV } of shares) {
      const x = this.#xMm + this.#line.bendMm(grid.zM, momentumGeV)
      const struck = cellAt(grid, x, this.#yMm)
      // what goes wide of the hole of a veto strikes any of its cells
      const isBeside = grid.holeMm > 0 || !grid.showsMuons || struck < 0
      const cell = isBeside ? Math.floor(this.#chance.uniform() * grid.channels.length) : struck
      this.#shower(grid, cell, meanGeV * this.#chance.exponential())
    }
  }

  #shower(grid: Grid, cell: number, energyGeV: number): void {
    const x0 = cell % grid.cellsX
    const y0 = (cell - x0) / grid.cellsX
    const { coreShare, sideShare, cornerShare } = this.#experiment.simulation.showers
    for (let dy = -1; dy <= 1; dy++)
      for (let dx = -1; dx <= 1; dx++) {
        const x = x0 + dx
        const y = y0 + dy
        if (x < 0 || y < 0 || x >= grid.cellsX || y >= grid.cellsY) continue
        const share = dx === 0 && dy === 0 ? coreShare : dx === 0 || dy === 0 ? sideShare : cornerShare
        const channel = grid.channels[y * grid.cellsX + x]!
        if (channel >= 0)
          this.deposits.add(channel, (share * energyGeV) / this.#gevPerCount[channel]!, this.#jitter())
      }
  }

  /** other muons whose pulses reach into the window */
  #pileUp(muonsPerNs: number, samples: number): void {
    if (muonsPerNs <= 0) return
    const chance = this.#chance
    const { pulseAtSample, landauWidth } = this.#experiment.simulation.electronics
    const first = -(pulseAtSample + TAIL_SAMPLES) * MSADC_PERIOD_NS
    const last = (samples - pulseAtSample + RISE_SAMPLES) * MSADC_PERIOD_NS
    const others = chance.poisson(muonsPerNs * (last - first))
    for (let i = 0; i < others; i++) {
      const timeNs = first + chance.uniform() * (last - first)
      const isHalo = chance.uniform() < this.#haloFraction
      this.#place({ isHalo })
      this.#ionise(this.#experiment.mode.momentumGeV, timeNs)
      for (const counter of this.#line.counters)
        if (counter.kind === (isHalo ? 'halo' : 'beam'))
          this.deposits.add(
            counter.channel,
            counter.mipCounts * landauAmplitude(chance.uniform(), landauWidth),
            timeNs + this.#jitter()
          )
    }
  }
}
