import { deviceSettings } from '../../../config/schema.ts'
import { TCS_PERIOD_NS } from '../../../core/units.ts'
import { ADC_FAULTS, type Fault, faultSchema } from '../../fault/fault.ts'
import type { HallContext, MakeHallDevice } from '../../hall-context.ts'
import type { SpillCounts, Trigger } from '../../world/spill-stream.ts'
import type { OpenSpill } from '../../world/world.ts'
import type { Mark } from '../context.ts'
import type { SimDevice } from '../face.ts'
import { BusFace, type RegisterBank } from '../register-bank.ts'
import { SLINK_WORDS, SlinkSource, writeSlinkHeader } from '../slink-source.ts'

// docs/hardware/trigger-crate.md
const ID = 0x54435243
const FIRMWARE = 0x0001_0000
const ROWS = 16
const Address = {
  id: 0x0000,
  firmware: 0x0001,
  sourceId: 0x0002,
  status: 0x0003,
  control: 0x0004,
  runNumber: 0x0005,
  spill: 0x0006,
  deadTime: 0x0007,
  localSpill: 0x0008,
  counters: 0x0010,
  lines: 0x0011,
  latchedSpill: 0x0100,
  accepted: 0x0101,
  beam: 0x0102,
  beamLive: 0x0103,
  spillLength: 0x0104,
  liveTime: 0x0105
} as const
/** tables of 16 rows that can be written: first address, bits of a value */
const TABLES = [
  { name: 'threshold', first: 0x0020, mask: 0xfff },
  { name: 'prescale', first: 0x0040, mask: 0xffffff },
  { name: 'require', first: 0x0060, mask: 0xffff },
  { name: 'veto', first: 0x0080, mask: 0xffff },
  { name: 'randomRate', first: 0x00a0, mask: 0xfffff }
] as const
type TableName = (typeof TABLES)[number]['name']
/** tables of latched scalers */
const COUNTER = 0x0110
const ATTEMPTS = 0x0130
const PRESCALED = 0x0150
const LINE_ACCEPTED = 0x0170

const RUN_ENABLE = 1
const INHIBIT = 2
const LOCAL = 4
const THRESHOLD_AT_POWER_ON = 0xfff
const FORMAT_SCALER = 0x30
const BLOCK_WORDS = SLINK_WORDS + 4
const DATE_PHYSICS = 7
const DATE_CALIBRATION = 8
/** spills that the truth remembers */
const TRUTH_SPILLS_MAX = 4096

/** What really happened in a spill. */
export interface SpillTruth {
  readonly ordinal: number
  readonly run: number
  readonly spill: number
  readonly cycle: number
  readonly counts: SpillCounts
  /** accepted triggers by what they were: plain, halo, random, an interaction's name ... */
  readonly acceptedByProcess: Readonly<Record<string, number>>
}

interface CurrentSpill {
  readonly open: OpenSpill
  readonly cycle: number
  readonly acceptedByProcess: Record<string, number>
  elapsedNs: number
}

/** The hall asks the crate for the truth of the spills by this. */
export interface CrateTruth {
  readonly ordinal: number
  readonly spills: readonly SpillTruth[]
}

export const makeTriggerCrate: MakeHallDevice = (config, context): SimDevice => {
  const { source } = deviceSettings['trigger-crate'].parse(config.settings)
  const crate = new TriggerCrate(source, context, config.id)
  context.bus.drive(crate)
  context.machine.onMark((mark, cycle) => crate.mark(mark, cycle))
  context.bus.join({
    startOfSpill: () => undefined,
    trigger: () => undefined,
    endOfSpill: () => undefined,
    flush: () => crate.data.bridge.flush()
  })
  return {
    id: config.id,
    kind: config.kind,
    faces: { control: crate.control, data: crate.data.bridge },
    advance: (dtNs) => crate.data.bridge.advance(dtNs),
    truth: () => crate.truth(),
    inject: (fault) => {
      const parsed = faultSchema.safeParse(fault)
      return parsed.success && crate.inject(parsed.data)
    },
    save: () => crate.save(),
    restore: (saved) => crate.restore(saved)
  }
}

class TriggerCrate implements RegisterBank {
  readonly control: BusFace
  readonly data: SlinkSource
  readonly #source: number
  readonly #context: HallContext
  readonly #counters: number
  readonly #lines: number
  readonly #tables: Readonly<Record<TableName, Uint32Array>>
  readonly #words = new Uint32Array(BLOCK_WORDS)
  readonly #history: SpillTruth[] = []
  #controlBits = 0
  #runNumber = 0
  #spill = 0
  #deadTimeNs = 0
  #ordinal = 0
  #current: CurrentSpill | undefined
  #latched: { readonly spill: number; readonly counts: SpillCounts } | undefined

  constructor(source: number, context: HallContext, id: string) {
    this.#source = source
    this.#context = context
    const { counters, lines } = context.experiment.trigger
    this.#counters = Math.max(0, ...counters.map((c) => c.number + 1))
    this.#lines = Math.max(0, ...lines.map((l) => l.line + 1))
    const table = (): Uint32Array => new Uint32Array(ROWS)
    this.#tables = {
      threshold: table().fill(THRESHOLD_AT_POWER_ON),
      prescale: table(),
      require: table(),
      veto: table(),
      randomRate: table()
    }
    this.control = new BusFace(this, context.machine)
    this.data = new SlinkSource({
      source,
      identity: { maker: 'Spillway', model: 'trigger crate twin', serial: id, firmware: '1.0' },
      machine: context.machine,
      utcNs: () => context.utcNs()
    })
  }

  truth(): CrateTruth {
    return { ordinal: this.#ordinal, spills: this.#history }
  }

  inject(fault: Fault): boolean {
    if ((ADC_FAULTS as readonly string[]).includes(fault.kind)) return false
    return this.control.inject(fault) || this.data.inject(fault)
  }

  save(): unknown {
    return { ordinal: this.#ordinal }
  }

  restore(saved: unknown): void {
    const ordinal = (saved as { ordinal?: unknown } | null)?.ordinal
    if (typeof ordinal === 'number') this.#ordinal = ordinal
  }

  nextSpill(): number {
    return (this.#controlBits & RUN_ENABLE) !== 0 || this.#current !== undefined ? this.#spill + 1 : 0
  }

  untilNextNs(): number {
    const current = this.#current
    if (current === undefined) return Number.POSITIVE_INFINITY
    return current.open.stream.nextSliceEndNs - current.elapsedNs
  }

  run(dtNs: number): void {
    const current = this.#current
    if (current === undefined) return
    current.elapsedNs += dtNs
    current.open.stream.advanceTo(current.elapsedNs, this.#take)
  }

  mark(mark: Mark, cycle: number): void {
    if ((this.#controlBits & LOCAL) !== 0) return
    if (mark === 'EOE') this.#end()
    // an extraction whose end was never seen is over when the next one is announced
    if (mark === 'WWE' || mark === 'WE') this.#end()
    if (mark === 'SOE' && (this.#controlBits & RUN_ENABLE) !== 0) {
      const { machine } = this.#context
      this.#start(cycle, machine.hasBeam ? machine.extractionNs : 0)
    }
  }

  read(address: number): number | undefined {
    switch (address) {
      case Address.id:
        return ID
      case Address.firmware:
        return FIRMWARE
      case Address.sourceId:
        return this.#source
      case Address.status:
        return this.#status()
      case Address.control:
        return this.#controlBits
      case Address.runNumber:
        return this.#runNumber
      case Address.spill:
        return this.#spill
      case Address.deadTime:
        return this.#deadTimeNs
      case Address.counters:
        return this.#counters
      case Address.lines:
        return this.#lines
    }
    for (const { name, first } of TABLES)
      if (address >= first && address < first + ROWS) return this.#tables[name][address - first]
    return this.#scaler(address)
  }

  write(address: number, value: number): 'ok' | 'missing' | 'refused' {
    switch (address) {
      case Address.control:
        this.#setControl(value)
        return 'ok'
      case Address.runNumber:
        if (this.#current !== undefined) return 'refused'
        this.#runNumber = value
        this.#spill = 0
        return 'ok'
      case Address.deadTime:
        this.#deadTimeNs = value & 0xffffff
        return 'ok'
      case Address.localSpill:
        if ((this.#controlBits & LOCAL) === 0 || (this.#controlBits & RUN_ENABLE) === 0) return 'refused'
        if (value === 0) this.#end()
        else this.#start(this.#context.machine.cycle, 0)
        return 'ok'
    }
    for (const { name, first, mask } of TABLES)
      if (address >= first && address < first + ROWS) {
        this.#tables[name][address - first] = value & mask
        return 'ok'
      }
    return 'missing'
  }

  #status(): number {
    const isInSpill = this.#current !== undefined
    const isEnabled = isInSpill || (this.#controlBits & RUN_ENABLE) !== 0
    const isInhibited = (this.#controlBits & INHIBIT) !== 0
    return 1 | (isEnabled ? 2 : 0) | (isInSpill ? 4 : 0) | (isInhibited ? 16 : 0)
  }

  #scaler(address: number): number | undefined {
    const counts = this.#latched?.counts
    const us = (ns = 0): number => Math.round(ns / 1e3)
    switch (address) {
      case Address.latchedSpill:
        return this.#latched?.spill ?? 0
      case Address.accepted:
        return counts?.accepted ?? 0
      case Address.beam:
        return counts?.beam ?? 0
      case Address.beamLive:
        return counts?.beamLive ?? 0
      case Address.spillLength:
        return us(counts?.lengthNs)
      case Address.liveTime:
        return us(counts?.liveNs)
    }
    const row = (first: number): boolean => address >= first && address < first + ROWS
    if (row(COUNTER)) return counts?.counters[address - COUNTER] ?? 0
    if (row(ATTEMPTS)) return counts?.lines[address - ATTEMPTS]?.attempts ?? 0
    if (row(PRESCALED)) return counts?.lines[address - PRESCALED]?.prescaled ?? 0
    if (row(LINE_ACCEPTED)) return counts?.lines[address - LINE_ACCEPTED]?.accepted ?? 0
    return undefined
  }

  #setControl(value: number): void {
    const bits = value & (RUN_ENABLE | INHIBIT | LOCAL)
    if ((bits & RUN_ENABLE) !== 0 && (this.#controlBits & RUN_ENABLE) === 0) this.#ordinal++
    this.#controlBits = bits
    if (this.#current !== undefined) this.#current.open.stream.isInhibited = (bits & INHIBIT) !== 0
  }

  #start(cycle: number, beamNs: number): void {
    if (this.#current !== undefined) return
    this.#spill++
    this.control.startOfSpill(this.#spill)
    const t = this.#tables
    const open = this.#context.world.openSpill({
      ordinal: this.#ordinal,
      spill: this.#spill,
      thresholds: [...t.threshold],
      lines: Array.from({ length: ROWS }, (_, l) => ({
        prescale: t.prescale[l]!,
        require: t.require[l]!,
        veto: t.veto[l]!,
        randomRateHz: t.randomRate[l]!
      })),
      deadTimeNs: this.#deadTimeNs,
      beamNs
    })
    open.stream.isInhibited = (this.#controlBits & INHIBIT) !== 0
    this.#current = { open, cycle, acceptedByProcess: {}, elapsedNs: 0 }
    this.data.startOfSpill(this.#spill, cycle)
    this.#context.bus.startOfSpill(this.#spill, cycle)
  }

  #end(): void {
    const current = this.#current
    if (current === undefined) return
    const counts = current.open.stream.end(current.elapsedNs, this.#take)
    this.#current = undefined
    this.#latched = { spill: this.#spill, counts }
    const { cycle, acceptedByProcess } = current
    this.#history.push({
      ordinal: this.#ordinal,
      run: this.#runNumber,
      spill: this.#spill,
      cycle,
      counts,
      acceptedByProcess
    })
    if (this.#history.length > TRUTH_SPILLS_MAX) this.#history.shift()
    this.data.endOfSpill(counts.lengthNs - counts.liveNs)
    this.#context.bus.endOfSpill()
  }

  /** One accepted trigger: to the boards, and the crate's own block. */
  readonly #take = (trigger: Readonly<Trigger>): void => {
    const current = this.#current!
    const { world, bus } = this.#context
    const process = world.processOf(trigger)
    current.acceptedByProcess[process] = (current.acceptedByProcess[process] ?? 0) + 1
    world.makeEvent(trigger, current.open.seed)
    bus.trigger(trigger, current.open.seed)
    const words = this.#words
    writeSlinkHeader(words, {
      sizeWords: BLOCK_WORDS,
      source: this.#source,
      event: this.data.numberOf(trigger.number),
      spill: this.data.spill,
      format: FORMAT_SCALER
    })
    words[SLINK_WORDS] = trigger.mask
    words[SLINK_WORDS + 1] = Math.floor(trigger.timeNs / TCS_PERIOD_NS)
    words[SLINK_WORDS + 2] = Math.floor(trigger.busyNs / TCS_PERIOD_NS)
    // lines that fire by chance serve calibration; what muons fire is physics
    words[SLINK_WORDS + 3] = trigger.muonClass < 0 ? DATE_CALIBRATION : DATE_PHYSICS
    this.data.send(words, BLOCK_WORDS, this.data.faultFor(trigger.number))
  }
}
