import type { DeviceKind, Experiment } from '../config/schema.ts'
import { ErrorCode, SpillwayError } from '../core/errors.ts'
import { Rng } from '../core/rng.ts'
import { makeCaenN1470 } from './device/caen-n1470/caen-n1470.ts'
import type { SimDevice } from './device/face.ts'
import { makeHallProbe } from './device/hall-probe/hall-probe.ts'
import { makeInterlockPlc } from './device/interlock-plc/interlock-plc.ts'
import { makeIsegScpi } from './device/iseg-scpi/iseg-scpi.ts'
import { makeMagnet } from './device/magnet/magnet.ts'
import { makeMsadc } from './device/msadc/msadc.ts'
import { makeOpcuaCrate } from './device/opcua-crate/opcua-crate.ts'
import { makeSpillPulses } from './device/spill-pulses/spill-pulses.ts'
import { makeSpillTiming } from './device/spill-timing/spill-timing.ts'
import { makeTemperatureModule } from './device/temperature-module/temperature-module.ts'
import { type CrateTruth, makeTriggerCrate, type SpillTruth } from './device/trigger-crate/trigger-crate.ts'
import { type Fault, type FaultInput, faultSchema } from './fault/fault.ts'
import type { HallContext, MakeHallDevice } from './hall-context.ts'
import type { Scenario } from './scenario/scenario.ts'
import { type CycleMode, SpsMachine } from './world/machine.ts'
import { TriggerBus } from './world/trigger-bus.ts'
import { World } from './world/world.ts'

const MAKERS: Readonly<Record<DeviceKind, MakeHallDevice>> = {
  'slink-msadc': makeMsadc,
  'trigger-crate': makeTriggerCrate,
  'iseg-scpi': makeIsegScpi,
  'caen-n1470': makeCaenN1470,
  'opcua-crate': makeOpcuaCrate,
  'interlock-plc': makeInterlockPlc,
  'spill-timing': makeSpillTiming,
  magnet: makeMagnet,
  'hall-probe': makeHallProbe,
  'temperature-module': makeTemperatureModule,
  'spill-pulses': makeSpillPulses
}
/** Devices that know about spills and time their own faults. */
const ON_THE_BUS: readonly DeviceKind[] = ['slink-msadc', 'trigger-crate']

const STEP_IN_SPILL_NS = 10e6
const STEP_BETWEEN_NS = 100e6

export interface HallOptions {
  readonly experiment: Experiment
  readonly seed: number
  readonly cycle: CycleMode
  readonly scenario?: Scenario
  /** wall time in the hall when it is made */
  readonly start: Date
}

export interface HallTruth {
  readonly cycle: number
  readonly spills: readonly SpillTruth[]
  readonly devices: Readonly<Record<string, unknown>>
  /** faults that their device did not know when their time had come */
  readonly unknownFaults: readonly Fault[]
}

/**
 * The simulated hall: accelerator, particles, detectors and every device of the experiment, driven by
 * `advance`. What comes out depends on the seed and on what is asked of the devices, not on how time is cut.
 */
export class Hall {
  readonly devices: readonly SimDevice[]
  readonly #kinds: readonly DeviceKind[]
  readonly #startMs: number
  readonly #machine: SpsMachine
  readonly #bus = new TriggerBus()
  #faults: { readonly device: SimDevice; readonly fault: Fault }[] = []
  readonly #unknownFaults: Fault[] = []
  #nowNs = 0
  /** part of a nanosecond that `advance` was asked for and is still owed */
  #owedNs = 0

  constructor({ experiment, seed, cycle, scenario, start }: HallOptions) {
    this.#startMs = start.getTime()
    this.#machine = new SpsMachine({
      cycle: experiment.simulation.cycle,
      mode: cycle,
      utcAt: (ns) => new Date(this.#startMs + ns / 1e6),
      nextSpill: () => this.#bus.nextSpill()
    })
    const rng = new Rng(seed)
    const base = {
      experiment,
      machine: this.#machine,
      world: new World(experiment, rng, scenario?.beam),
      bus: this.#bus,
      utc: () => this.utc(),
      truthOf: (id: string) => this.devices.find((device) => device.id === id)?.truth(),
      utcNs: () => BigInt(this.#startMs) * 1_000_000n + BigInt(this.#nowNs)
    }
    this.#kinds = experiment.devices.map(({ kind }) => kind)
    this.devices = experiment.devices.map((config) => {
      const context: HallContext = { ...base, rng: rng.split(`device ${config.id}`) }
      return MAKERS[config.kind](config, context)
    })
    this.#bus.join({
      startOfSpill: (spill) => this.#strike(spill),
      trigger: () => undefined,
      endOfSpill: () => undefined,
      flush: () => undefined
    })
    for (const fault of scenario?.faults ?? []) this.inject(fault)
    this.#machine.advance(0)
  }

  /** time in the hall */
  utc(): Date {
    return new Date(this.#startMs + this.#nowNs / 1e6)
  }

  /** `dtNs` nanoseconds pass: marks and triggers in between come at their own times. */
  advance(dtNs: number): void {
    const wanted = dtNs + this.#owedNs
    const total = Math.floor(wanted)
    this.#owedNs = wanted - total
    let left = total
    while (left > 0) {
      const step = Math.min(left, this.#machine.untilNextNs(), this.#bus.untilNextNs())
      left -= step
      this.#nowNs += step
      // heartbeats before data before marks: the same order however time is cut
      this.devices.forEach((device, i) => {
        if (ON_THE_BUS.includes(this.#kinds[i]!)) device.advance(step)
      })
      this.#bus.run(step)
      this.#machine.advance(step)
    }
    this.devices.forEach((device, i) => {
      if (!ON_THE_BUS.includes(this.#kinds[i]!)) device.advance(total)
    })
    this.#bus.flush()
  }

  /** A step of time in which nothing is missed; at least 1 ns. */
  untilNextNs(): number {
    const inSpill = Number.isFinite(this.#bus.untilNextNs()) || this.#machine.isExtracting
    const step = inSpill ? STEP_IN_SPILL_NS : STEP_BETWEEN_NS
    return Math.max(1, Math.min(step, this.#machine.untilNextNs()))
  }

  /**
   * Something will go wrong. Faults of other devices than those of the readout strike when the spill
   * `at.spill` begins, or at once with spill 0.
   * @throws `usage` when the fault is malformed, or its device is not there or does not know it
   */
  inject(input: FaultInput): void {
    const result = faultSchema.safeParse(input)
    if (!result.success)
      throw new SpillwayError(
        ErrorCode.usage,
        `fault: ${result.error.issues.map((i) => i.message).join('; ')}`
      )
    const fault = result.data
    const refused = (expected: string): SpillwayError =>
      new SpillwayError(ErrorCode.usage, `fault ${fault.kind}: nothing to strike`, {
        expected,
        got: fault.device ?? 'the machine'
      })
    if (fault.device === undefined) {
      if (!this.#machine.inject(fault)) throw refused('a fault of the machine, or a device')
      return
    }
    const index = this.#find(fault.device)
    const device = this.devices[index]
    if (device === undefined) throw refused(`one of ${this.devices.map(({ id }) => id).join(', ')}`)
    if (fault.at.spill === 0 || ON_THE_BUS.includes(this.#kinds[index]!)) {
      if (!this.#passOn(device, fault)) throw refused(`a fault that a ${device.kind} knows`)
    } else this.#faults.push({ device, fault })
  }

  /** What really happened; never on the wire. */
  truth(): HallTruth {
    const crate = this.devices[this.#kinds.indexOf('trigger-crate')]
    return {
      cycle: this.#machine.cycle,
      spills: (crate?.truth() as CrateTruth | undefined)?.spills ?? [],
      devices: Object.fromEntries(this.devices.map((device) => [device.id, device.truth()])),
      unknownFaults: this.#unknownFaults
    }
  }

  /** State that a restart of the simulator must not lose, as JSON can hold it. */
  save(): unknown {
    return {
      machine: this.#machine.save(),
      devices: Object.fromEntries(this.devices.map((device) => [device.id, device.save?.() ?? null]))
    }
  }

  /** Takes back what `save` gave; what it does not know is left as it is. Before the first `advance`. */
  restore(saved: unknown): void {
    const { machine, devices } = saved as { machine?: unknown; devices?: Record<string, unknown> }
    this.#machine.restore(machine)
    for (const device of this.devices) {
      const state = devices?.[device.id]
      if (state !== undefined && state !== null) device.restore?.(state)
    }
  }

  /** Devices on the bus find place and count in the fault; to others it is its kind and parameters. */
  #passOn(device: SimDevice, fault: Fault): boolean {
    const isOnTheBus = ON_THE_BUS.includes(this.#kinds[this.devices.indexOf(device)]!)
    const told = isOnTheBus ? fault : { ...fault.with, kind: fault.kind, count: fault.count }
    return device.inject?.(told) ?? false
  }

  /** index of the device that a fault names by id or by kind and index; -1: none */
  #find(name: string): number {
    const [kind, nth] = name.split(':')
    if (nth === undefined) return this.devices.findIndex(({ id }) => id === name)
    const ofKind = this.devices.filter((_, i) => this.#kinds[i] === kind)
    const device = ofKind[Number(nth)]
    return device === undefined ? -1 : this.devices.indexOf(device)
  }

  #strike(spill: number): void {
    const due = this.#faults.filter(({ fault }) => spill >= fault.at.spill)
    this.#faults = this.#faults.filter((entry) => !due.includes(entry))
    for (const { device, fault } of due)
      if (!this.#passOn(device, fault) && this.#unknownFaults.length < 100) this.#unknownFaults.push(fault)
  }
}
