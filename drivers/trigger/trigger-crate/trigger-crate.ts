import type { Clock } from '../../../core/clock.ts'
import type { DeviceIdentity, DeviceRole, DeviceState } from '../../../core/device.ts'
import { ErrorCode, isCode, SpillwayError } from '../../../core/errors.ts'
import type { FragmentSink } from '../../../core/fragment.ts'
import type { Signal } from '../../../core/signal.ts'
import type { SignalCell } from '../../../core/signal-value.ts'
import { seconds } from '../../../core/units.ts'
import type { DataLogic, SettingDifference } from '../../digitiser/contract/digitiser.ts'
import type { RegisterLink } from '../../link/link.ts'
import { type RegisterSetting, writeAndReadBack } from '../../link/register-settings.ts'
import { SlinkDevice, type SlinkDeviceDeps } from '../../link/slink-device.ts'
import type { SpillScalers, TriggerCrate, TriggerSettings } from '../contract/trigger-crate.ts'
import {
  ADDRESS,
  CONTROL_INHIBIT,
  CONTROL_LOCAL_SPILLS,
  CONTROL_RUN_ENABLE,
  COUNTERS_MAX,
  ID_CRATE,
  LATCHED_REGISTERS,
  LINES_MAX,
  STATUS_IN_SPILL,
  STATUS_RUN_ENABLED,
  statusWords
} from './registers.ts'

const MAKE_SAFE_LIMIT = seconds(3)
const ALL_BITS = 0xffff_ffff

export interface TriggerCrateOptions {
  readonly id: string
  readonly role: DeviceRole
  readonly controlUrl: string
  readonly dataUrl: string
  /** S-LINK source id of the crate's own blocks */
  readonly source: number
}

/**
 * The trigger crate: settings, run and scalers by IPbus, its blocks by S-LINK through the bridge
 * (docs/hardware/trigger-crate.md). Connecting writes nothing. Safe means inhibited; `makeSafe` rejects when
 * the crate did not confirm that.
 */
export class IpbusTriggerCrate implements TriggerCrate {
  readonly id: string
  readonly kind = 'trigger-crate'
  readonly role: DeviceRole
  readonly data: DataLogic
  readonly #device: SlinkDevice
  readonly #control: RegisterLink
  readonly #clock: Clock
  readonly #status: SignalCell<string>
  readonly #spill: SignalCell<number>
  /** what this crate has, read on connecting */
  #counters = 0
  #lines = 0

  constructor(options: TriggerCrateOptions, deps: SlinkDeviceDeps) {
    this.id = options.id
    this.role = options.role
    this.#clock = deps.clock
    const device = new SlinkDevice({ ...options, idRegister: ID_CRATE, what: 'trigger crate' }, deps, {
      check: (signal) => this.#readSize(signal),
      poll: (signal) => this.#poll(signal)
    })
    this.#device = device
    this.#control = device.control
    this.#status = device.signal('status', '', 'what the crate says of itself')
    this.#spill = device.signal('spill', '', 'number of the current or last spill of the run')
    this.data = {
      sources: device.data.sources,
      attach: (sink: FragmentSink) => device.data.attach(sink),
      pause: () => device.data.pause(),
      resume: () => device.data.resume()
    }
  }

  get signals(): readonly Signal[] {
    return this.#device.signals
  }

  get state(): DeviceState {
    return this.#device.state
  }

  onState(listener: (state: DeviceState) => void): () => void {
    return this.#device.onState(listener)
  }

  connect(signal: AbortSignal): Promise<DeviceIdentity> {
    return this.#device.connect(signal)
  }

  disconnect(): Promise<void> {
    return this.#device.disconnect()
  }

  async makeSafe(reason: string): Promise<void> {
    await this.#clock.within(`${this.id}: make safe (${reason})`, MAKE_SAFE_LIMIT, (signal) =>
      this.inhibit(signal)
    )
  }

  /** Lines that are not in `settings` are switched off, so that no line of an earlier menu fires. */
  async apply(settings: TriggerSettings, signal: AbortSignal): Promise<readonly SettingDifference[]> {
    this.#device.ensureConnected('apply settings')
    const registers = this.#registersOf(settings)
    const [status = 0] = await this.#control.read('bus', ADDRESS.status, 1, signal)
    if ((status & STATUS_RUN_ENABLED) !== 0)
      throw new SpillwayError(ErrorCode.notPermitted, `${this.id} runs: settings cannot be written`, {
        device: this.id,
        request: 'apply settings',
        got: statusWords(status),
        hint: 'disable the run and wait for the end of the spill'
      })
    return writeAndReadBack(this.#control, registers, signal)
  }

  /** Also takes the inhibit away. Rejects with `refused` in a spill. */
  async enable(run: number, source: 'sps' | 'local', signal: AbortSignal): Promise<void> {
    this.#device.ensureConnected('enable')
    try {
      await this.#control.write('bus', ADDRESS.runNumber, [run], signal)
    } catch (error) {
      if (!isCode(error, ErrorCode.refused)) throw error
      throw new SpillwayError(ErrorCode.refused, `${this.id} refuses to begin run ${run}`, {
        device: this.id,
        request: 'write RUN_NUMBER',
        hint: 'a spill is going on; try again after its end',
        cause: error
      })
    }
    const control = CONTROL_RUN_ENABLE | (source === 'local' ? CONTROL_LOCAL_SPILLS : 0)
    await this.#control.write('bus', ADDRESS.control, [control], signal)
    await this.#expectControl('enable', ALL_BITS, control, signal)
  }

  async disable(signal: AbortSignal): Promise<void> {
    this.#device.ensureConnected('disable')
    await this.#control.modify(ADDRESS.control, ~CONTROL_RUN_ENABLE >>> 0, 0, signal)
    await this.#expectControl('disable', CONTROL_RUN_ENABLE, 0, signal)
  }

  async isRunning(signal: AbortSignal): Promise<boolean> {
    this.#device.ensureConnected('read status')
    const [status = 0] = await this.#control.read('bus', ADDRESS.status, 1, signal)
    return (status & (STATUS_RUN_ENABLED | STATUS_IN_SPILL)) !== 0
  }

  async inhibit(signal: AbortSignal): Promise<void> {
    this.#device.ensureConnected('inhibit')
    await this.#control.modify(ADDRESS.control, ALL_BITS, CONTROL_INHIBIT, signal)
    await this.#expectControl('inhibit', CONTROL_INHIBIT, CONTROL_INHIBIT, signal)
  }

  async startSpill(signal: AbortSignal): Promise<void> {
    this.#device.ensureConnected('start spill')
    await this.#control.write('bus', ADDRESS.localSpill, [1], signal)
  }

  async endSpill(signal: AbortSignal): Promise<void> {
    this.#device.ensureConnected('end spill')
    await this.#control.write('bus', ADDRESS.localSpill, [0], signal)
  }

  async scalers(spill: number, signal: AbortSignal): Promise<SpillScalers> {
    this.#device.ensureConnected('read scalers')
    const control = this.#control
    const read = (address: number, count: number): Promise<number[]> =>
      count === 0 ? Promise.resolve([]) : control.read('bus', address, count, signal)
    const latched = await read(ADDRESS.latched, LATCHED_REGISTERS)
    this.#expectLatched(spill, latched[0]!)
    const counters = await read(ADDRESS.counter, this.#counters)
    const attempts = await read(ADDRESS.attempts, this.#lines)
    const prescaled = await read(ADDRESS.prescaled, this.#lines)
    const accepted = await read(ADDRESS.lineAccepted, this.#lines)
    // a spill that ended meanwhile has latched anew, and the blocks above would be of two spills
    const [still = 0] = await read(ADDRESS.latched, 1)
    this.#expectLatched(spill, still)
    return {
      spill,
      counters,
      lines: attempts.map((attempt, line) => ({
        attempts: attempt,
        prescaled: prescaled[line]!,
        accepted: accepted[line]!
      })),
      accepted: latched[1]!,
      beam: latched[2]!,
      beamLive: latched[3]!,
      spillLengthUs: latched[4]!,
      liveTimeUs: latched[5]!
    }
  }

  #expectLatched(spill: number, latched: number): void {
    if (latched === spill) return
    throw new SpillwayError(ErrorCode.notFound, `${this.id} holds the scalers of another spill`, {
      device: this.id,
      request: 'read scalers',
      expected: `spill ${spill}`,
      got: `spill ${latched}`
    })
  }

  async #expectControl(request: string, mask: number, wanted: number, signal: AbortSignal): Promise<void> {
    const [control = 0] = await this.#control.read('bus', ADDRESS.control, 1, signal)
    if ((control & mask) === wanted) return
    throw new SpillwayError(ErrorCode.readback, `${this.id}: ${request} had no effect`, {
      device: this.id,
      request,
      expected: `CONTROL ${wanted}`,
      got: `CONTROL ${control & mask}`
    })
  }

  async #readSize(signal: AbortSignal): Promise<void> {
    const [counters = 0, lines = 0] = await this.#control.read('bus', ADDRESS.counters, 2, signal)
    if (counters > COUNTERS_MAX || lines > LINES_MAX)
      throw this.#device.mismatch(
        'read COUNTERS, LINES',
        `at most ${COUNTERS_MAX} counters and ${LINES_MAX} lines`,
        `${counters} counters and ${lines} lines`
      )
    this.#counters = counters
    this.#lines = lines
  }

  #registersOf(settings: TriggerSettings): RegisterSetting[] {
    const { thresholds, lines, deadTimeNs } = settings
    const unknown = lines.find(({ line }) => !Number.isInteger(line) || line < 0 || line >= this.#lines)
    if (unknown !== undefined || thresholds.length > this.#counters)
      throw new SpillwayError(ErrorCode.usage, `${this.id} is smaller than the trigger menu`, {
        device: this.id,
        expected: `at most ${this.#counters} counters and lines below ${this.#lines}`,
        got: unknown === undefined ? `${thresholds.length} counters` : `line ${unknown.line}`
      })
    const registers: RegisterSetting[] = [
      { setting: 'deadTimeNs', address: ADDRESS.deadTime, value: deadTimeNs }
    ]
    thresholds.forEach((value, i) => {
      registers.push({ setting: `threshold of counter ${i}`, address: ADDRESS.threshold + i, value })
    })
    for (let line = 0; line < this.#lines; line++) {
      const menu = lines.find((entry) => entry.line === line)
      const at = (setting: string, address: number, value: number): void => {
        registers.push({ setting: `${setting} of line ${line}`, address: address + line, value })
      }
      at('prescale', ADDRESS.prescale, menu?.prescale ?? 0)
      at('require', ADDRESS.require, menu?.require ?? 0)
      at('veto', ADDRESS.veto, menu?.veto ?? 0)
      at('random rate', ADDRESS.randomRate, menu?.randomRateHz ?? 0)
    }
    return registers
  }

  async #poll(signal: AbortSignal): Promise<void> {
    const [status = 0] = await this.#control.read('bus', ADDRESS.status, 1, signal)
    const [spill = 0] = await this.#control.read('bus', ADDRESS.spill, 1, signal)
    this.#status.update(statusWords(status))
    this.#spill.update(spill)
  }
}
