import type { DeviceIdentity, DeviceRole, DeviceState } from '../../../core/device.ts'
import type { Clock } from '../../../core/clock.ts'
import { ErrorCode, SpillwayError } from '../../../core/errors.ts'
import type { FragmentSink } from '../../../core/fragment.ts'
import type { Signal } from '../../../core/signal.ts'
import type { SignalCell } from '../../../core/signal-value.ts'
import { seconds } from '../../../core/units.ts'
import type { RegisterLink } from '../../link/link.ts'
import { type RegisterSetting, writeAndReadBack } from '../../link/register-settings.ts'
import { SlinkDevice, type SlinkDeviceDeps } from '../../link/slink-device.ts'
import type {
  AcquireLogic,
  DataLogic,
  Digitiser,
  DigitiserSettings,
  SettingDifference,
  TriggerLogic
} from '../contract/digitiser.ts'
import {
  ADDRESS,
  CHANNELS_PER_MODULE,
  CONTROL_DATA_ENABLE,
  CONTROL_ZERO_SUPPRESSION,
  ID_MSADC,
  MODULES_MAX,
  STATUS_ARMED,
  statusWords
} from './registers.ts'

const MAKE_SAFE_LIMIT = seconds(3)
const ALL_BITS = 0xffff_ffff

export interface MsadcModule {
  readonly port: number
  readonly adc: number
}

export interface SlinkMsadcOptions {
  readonly id: string
  readonly role: DeviceRole
  readonly controlUrl: string
  readonly dataUrl: string
  /** S-LINK source id of the board */
  readonly source: number
  /** in the order of the board's module list */
  readonly modules: readonly MsadcModule[]
}

/**
 * One MSADC board: settings by IPbus, data by S-LINK through the bridge (docs/hardware/msadc.md). Connecting
 * writes nothing. Safe means not armed: data end with the current spill; `makeSafe` rejects when the board did
 * not confirm that.
 */
export class SlinkMsadc implements Digitiser {
  readonly id: string
  readonly kind = 'slink-msadc'
  readonly role: DeviceRole
  readonly trigger: TriggerLogic
  readonly acquire: AcquireLogic
  readonly data: DataLogic
  readonly #modules: readonly MsadcModule[]
  readonly #device: SlinkDevice
  readonly #control: RegisterLink
  readonly #clock: Clock
  readonly #status: SignalCell<string>
  readonly #eventsSent: SignalCell<number>
  readonly #spill: SignalCell<number>

  constructor(options: SlinkMsadcOptions, deps: SlinkDeviceDeps) {
    this.id = options.id
    this.role = options.role
    this.#modules = options.modules
    this.#clock = deps.clock
    const device = new SlinkDevice({ ...options, idRegister: ID_MSADC, what: 'MSADC board' }, deps, {
      check: (signal) => this.#checkModules(signal),
      poll: (signal) => this.#poll(signal)
    })
    this.#device = device
    this.#control = device.control
    this.#status = device.signal('status', '', 'what the board says of itself')
    this.#eventsSent = device.signal('events-sent', '', 'events sent in the current or last spill')
    this.#spill = device.signal('spill', '', 'number of the current or last spill')
    this.trigger = { apply: (settings, signal) => this.#apply(settings, signal) }
    this.acquire = {
      arm: (signal) => this.#setArmed(true, signal),
      disarm: (signal) => this.#setArmed(false, signal)
    }
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

  /** A board with another source id or other modules than configured rejects with `protocol`. */
  connect(signal: AbortSignal): Promise<DeviceIdentity> {
    return this.#device.connect(signal)
  }

  async makeSafe(reason: string): Promise<void> {
    await this.#clock.within(`${this.id}: make safe (${reason})`, MAKE_SAFE_LIMIT, (signal) =>
      this.#setArmed(false, signal)
    )
  }

  disconnect(): Promise<void> {
    return this.#device.disconnect()
  }

  async #checkModules(signal: AbortSignal): Promise<void> {
    const [count = 0] = await this.#control.read('bus', ADDRESS.modules, 1, signal)
    const words =
      count === 0 ? [] : await this.#control.read('bus', ADDRESS.module, Math.min(count, MODULES_MAX), signal)
    const got = words.map((word) => nameOf({ port: (word >>> 2) & 7, adc: word & 3 }))
    const wanted = this.#modules.map(nameOf)
    if (got.join() !== wanted.join())
      throw this.#device.mismatch(
        'read MODULES',
        `modules port/adc ${wanted.join(' ')}`,
        got.length === 0 ? 'no module' : `modules port/adc ${got.join(' ')}`
      )
  }

  async #apply(settings: DigitiserSettings, signal: AbortSignal): Promise<readonly SettingDifference[]> {
    this.#device.ensureConnected('apply settings')
    const thresholds = settings.thresholds.map((threshold) => this.#thresholdSetting(threshold))
    const [status = 0] = await this.#control.read('bus', ADDRESS.status, 1, signal)
    if ((status & STATUS_ARMED) !== 0)
      // the board ignores settings while armed (manual), so writing would only look like a readback fault
      throw new SpillwayError(ErrorCode.notPermitted, `${this.id} is armed: settings cannot be written`, {
        device: this.id,
        request: 'apply settings',
        got: statusWords(status),
        hint: 'disarm and wait for the end of the spill'
      })
    const wanted = settings.zeroSuppression ? CONTROL_ZERO_SUPPRESSION : 0
    await this.#control.modify(ADDRESS.control, ~CONTROL_ZERO_SUPPRESSION >>> 0, wanted, signal)
    const differences = await writeAndReadBack(
      this.#control,
      [
        { setting: 'latencySamples', address: ADDRESS.latency, value: settings.latencySamples },
        { setting: 'samplesPerEvent', address: ADDRESS.samples, value: settings.samplesPerEvent },
        ...thresholds
      ],
      signal
    )
    const [control = 0] = await this.#control.read('bus', ADDRESS.control, 1, signal)
    if ((control & CONTROL_ZERO_SUPPRESSION) !== wanted)
      differences.unshift({
        setting: 'zeroSuppression',
        wanted: settings.zeroSuppression ? 1 : 0,
        got: settings.zeroSuppression ? 0 : 1
      })
    return differences
  }

  #thresholdSetting(threshold: DigitiserSettings['thresholds'][number]): RegisterSetting {
    const { port, adc, channel, thresholdCounts } = threshold
    const setting = `threshold port ${port} adc ${adc} channel ${channel}`
    const module = this.#modules.findIndex((m) => m.port === port && m.adc === adc)
    if (module < 0 || !Number.isInteger(channel) || channel < 0 || channel >= CHANNELS_PER_MODULE)
      throw new SpillwayError(ErrorCode.usage, `${this.id} has no ${setting}`, {
        device: this.id,
        expected: `modules port/adc ${this.#modules.map(nameOf).join(' ')}, channels 0..15`
      })
    return {
      setting,
      address: ADDRESS.threshold + CHANNELS_PER_MODULE * module + channel,
      value: thresholdCounts
    }
  }

  async #setArmed(isArmed: boolean, signal: AbortSignal): Promise<void> {
    const request = isArmed ? 'arm' : 'disarm'
    this.#device.ensureConnected(request)
    await this.#control.modify(
      ADDRESS.control,
      isArmed ? ALL_BITS : ~CONTROL_DATA_ENABLE >>> 0,
      isArmed ? CONTROL_DATA_ENABLE : 0,
      signal
    )
    const [control = 0] = await this.#control.read('bus', ADDRESS.control, 1, signal)
    if (((control & CONTROL_DATA_ENABLE) !== 0) !== isArmed)
      throw new SpillwayError(ErrorCode.readback, `${this.id} does not ${request}`, {
        device: this.id,
        request,
        expected: `data enable ${isArmed ? 1 : 0}`,
        got: `CONTROL ${control}`
      })
  }

  async #poll(signal: AbortSignal): Promise<void> {
    const [status = 0] = await this.#control.read('bus', ADDRESS.status, 1, signal)
    const [events = 0, spill = 0] = await this.#control.read('bus', ADDRESS.eventsSent, 2, signal)
    this.#status.update(statusWords(status))
    this.#eventsSent.update(events)
    this.#spill.update(spill)
  }
}

const nameOf = ({ port, adc }: MsadcModule): string => `${port}/${adc}`
