import { deviceSettings } from '../../../config/schema.ts'
import { MSADC_PERIOD_NS } from '../../../core/units.ts'
import { type Fault, faultSchema } from '../../fault/fault.ts'
import type { HallContext, MakeHallDevice } from '../../hall-context.ts'
import type { Trigger } from '../../world/spill-stream.ts'
import type { SimDevice } from '../face.ts'
import { BusFace, type RegisterBank } from '../register-bank.ts'
import { SLINK_WORDS, SlinkSource, writeSlinkHeader } from '../slink-source.ts'

// docs/hardware/msadc.md
const ID = 0x4d534144
const FIRMWARE = 0x0003_0002
const CHANNELS = 16
const MODULES_MAX = 32
const Address = {
  id: 0x0000,
  firmware: 0x0001,
  sourceId: 0x0002,
  status: 0x0003,
  control: 0x0004,
  latency: 0x0005,
  samples: 0x0006,
  modules: 0x0007,
  module: 0x0008,
  threshold: 0x0100,
  eventsSent: 0x0700,
  spill: 0x0701
} as const
const DATA_ENABLE = 1
const ZERO_SUPPRESSION = 2
const LATENCY_MAX = 319
const SAMPLES_MIN = 4
const SAMPLES_MAX = 64
const PEDESTAL_SAMPLES = 6

const KEY_DATA = 0xc0000000
const KEY_CHANNEL = 0x40000000
const FIRST_SAMPLES = 0x40000000
const MORE_SAMPLES = 0x80000000

interface Module {
  readonly port: number
  readonly adc: number
  /** channel numbers that are cabled, rising, and the channel of the world that each one reads */
  readonly cabled: readonly { readonly number: number; readonly channel: number }[]
}

/** A digitiser board: settings on registers, waveforms over the S-LINK bridge. */
export const makeMsadc: MakeHallDevice = (config, context): SimDevice => {
  const settings = deviceSettings['slink-msadc'].parse(config.settings)
  const modules = settings.modules.map(({ port, adc }): Module => {
    const channels = context.experiment.channels.filter(
      (c) => c.source === settings.source && c.port === port && c.adc === adc
    )
    return {
      port,
      adc,
      cabled: channels
        .map((c) => ({ number: c.channel, channel: c.index }))
        .sort((a, b) => a.number - b.number)
    }
  })
  const board = new MsadcBoard(settings.source, settings.latencySamples, modules, context, config.id)
  context.bus.join(board)
  return {
    id: config.id,
    kind: config.kind,
    faces: { control: board.control, data: board.data.bridge },
    advance: (dtNs) => board.data.bridge.advance(dtNs),
    truth: () => board.truth(),
    inject: (fault) => {
      const parsed = faultSchema.safeParse(fault)
      return parsed.success && board.inject(parsed.data)
    }
  }
}

class MsadcBoard implements RegisterBank {
  readonly control: BusFace
  readonly data: SlinkSource
  readonly #source: number
  readonly #nominalLatency: number
  readonly #modules: readonly Module[]
  readonly #context: HallContext
  readonly #thresholds = new Uint16Array(MODULES_MAX * CHANNELS)
  readonly #words = new Uint32Array(1 << 16)
  readonly #samples: Uint16Array = new Uint16Array(SAMPLES_MAX)
  #controlBits = 0
  #latency = 0
  #samplesPerEvent = 32
  #isInSpill = false

  constructor(
    source: number,
    nominalLatency: number,
    modules: readonly Module[],
    context: HallContext,
    id: string
  ) {
    this.#source = source
    this.#nominalLatency = nominalLatency
    this.#modules = modules
    this.#context = context
    this.control = new BusFace(this, context.machine)
    this.data = new SlinkSource({
      source,
      identity: { maker: 'Spillway', model: 'MSADC twin', serial: id, firmware: '3.2' },
      machine: context.machine,
      utcNs: () => context.utcNs()
    })
  }

  truth(): unknown {
    return {
      isArmed: this.#isArmed,
      isConnected: this.data.bridge.isConnected,
      spill: this.data.spill,
      eventsSent: this.data.eventsSent
    }
  }

  inject(fault: Fault): boolean {
    return this.control.inject(fault) || this.data.inject(fault)
  }

  get #isArmed(): boolean {
    return (this.#controlBits & DATA_ENABLE) !== 0 || this.#isInSpill
  }

  read(address: number): number | undefined {
    switch (address) {
      case Address.id:
        return ID
      case Address.firmware:
        return FIRMWARE
      case Address.sourceId:
        return this.#source
      case Address.status: {
        const { isXoff, hasOverflowed } = this.data.bridge
        return 0b11 | (this.#isArmed ? 4 : 0) | (isXoff ? 8 : 0) | (hasOverflowed ? 16 : 0)
      }
      case Address.control:
        return this.#controlBits
      case Address.latency:
        return this.#latency
      case Address.samples:
        return this.#samplesPerEvent
      case Address.modules:
        return this.#modules.length
      case Address.eventsSent:
        return this.data.eventsSent
      case Address.spill:
        return this.data.spill
    }
    if (address >= Address.module && address < Address.module + MODULES_MAX) {
      const module = this.#modules[address - Address.module]
      return module === undefined ? 0 : (module.port << 2) | module.adc
    }
    return this.#thresholds[address - Address.threshold]
  }

  write(address: number, value: number): 'ok' | 'missing' {
    const isFrozen = this.#isArmed
    switch (address) {
      case Address.control: {
        const suppression = isFrozen ? this.#controlBits : value
        this.#controlBits = (value & DATA_ENABLE) | (suppression & ZERO_SUPPRESSION)
        return 'ok'
      }
      case Address.latency:
        if (!isFrozen) this.#latency = Math.min(value & 0x1ff, LATENCY_MAX)
        return 'ok'
      case Address.samples:
        if (!isFrozen) this.#samplesPerEvent = Math.min(Math.max(value & 0x7e, SAMPLES_MIN), SAMPLES_MAX)
        return 'ok'
    }
    const index = address - Address.threshold
    if (index < 0 || index >= this.#thresholds.length) return 'missing'
    if (!isFrozen) this.#thresholds[index] = value & 0xfff
    return 'ok'
  }

  startOfSpill(spill: number, cycle: number): void {
    this.control.startOfSpill(spill)
    this.#isInSpill = (this.#controlBits & DATA_ENABLE) !== 0
    if (this.#isInSpill) this.data.startOfSpill(spill, cycle)
  }

  trigger(trigger: Readonly<Trigger>, seed: number): void {
    if (!this.#isInSpill) return
    const fault = this.data.faultFor(trigger.number)
    this.#context.world.electronics.startEvent(seed, trigger.number, this.#source)
    const event = this.data.numberOf(trigger.number)
    const words = this.#words
    let end = SLINK_WORDS
    for (const [i, module] of this.#modules.entries()) {
      const isMissing = i === 0 && fault?.kind === 'module-missing'
      const begin = end
      end = isMissing ? begin + 1 : this.#module(module, i, begin + 1)
      words[begin] =
        (event & 0xfff) |
        ((end - begin) << 12) |
        (module.adc << 25) |
        (module.port << 27) |
        (isMissing ? 0 : KEY_DATA)
    }
    damageFirstModule(words, fault?.kind)
    const { source, spill } = { source: this.#source, spill: this.data.spill }
    writeSlinkHeader(words, { sizeWords: end, source, event, spill, format: 0 })
    this.data.send(words, end, fault)
  }

  endOfSpill(): void {
    if (!this.#isInSpill) return
    this.#isInSpill = false
    // converting one window keeps the board busy for as long as the window
    this.data.endOfSpill(this.data.eventsSent * this.#samplesPerEvent * MSADC_PERIOD_NS)
  }

  flush(): void {
    this.data.bridge.flush()
  }

  /** Channels of one module from word `end` on; returns the end. */
  #module(module: Module, index: number, end: number): number {
    const { world } = this.#context
    const words = this.#words
    const samples = this.#samples
    const n = this.#samplesPerEvent
    const shift = this.#latency - this.#nominalLatency
    const isSuppressing = (this.#controlBits & ZERO_SUPPRESSION) !== 0
    for (const { number, channel } of module.cabled) {
      world.electronics.digitise(channel, world.deposits, shift, n, samples, 0)
      if (isSuppressing && !exceeds(samples, n, this.#thresholds[index * CHANNELS + number]!)) continue
      const header = end++
      let sum = 0
      for (let i = 0; i < n; i += 2) {
        const even = samples[i]!
        const odd = samples[i + 1]!
        sum += even + odd
        words[end++] = even | (odd << 12) | (i === 0 ? FIRST_SAMPLES : MORE_SAMPLES)
      }
      words[header] = (sum & 0xffff) | (n << 16) | (number << 26) | KEY_CHANNEL
    }
    return end
  }
}

/** The largest sample is above the mean of the first six by more than the threshold. */
function exceeds(samples: Uint16Array, n: number, threshold: number): boolean {
  const first = Math.min(PEDESTAL_SAMPLES, n)
  let sum = 0
  for (let i = 0; i < first; i++) sum += samples[i]!
  let largest = 0
  for (let i = 0; i < n; i++) if (samples[i]! > largest) largest = samples[i]!
  return largest - sum / first > threshold
}

function damageFirstModule(words: Uint32Array, kind: string | undefined): void {
  const header = words[SLINK_WORDS]!
  if (kind === 'wrong-event') words[SLINK_WORDS] = (header & ~0xfff) | ((header + 1) & 0xfff)
  if (kind === 'block-size') words[SLINK_WORDS] = header | 0xfff000
  if (kind === 'zero-block-size') words[SLINK_WORDS] = header & ~0xfff000
}
