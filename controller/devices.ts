import {
  deviceSettings,
  type DeviceConfig,
  type DeviceKind,
  type Experiment,
  type SettingsOf
} from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import { ErrorCode, SpillwayError } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import { milliseconds } from '../core/units.ts'
import type { BeamInstrument, SpillTiming } from '../drivers/beam/contract/beam-instrument.ts'
import { HallProbe } from '../drivers/beam/hall-probe/hall-probe.ts'
import { ModbusInterlockPlc } from '../drivers/beam/interlock-plc/interlock-plc.ts'
import { OpcuaMagnet } from '../drivers/beam/magnet/magnet.ts'
import { SpillPulses } from '../drivers/beam/spill-pulses/spill-pulses.ts'
import { MqttSpillTiming } from '../drivers/beam/spill-timing/spill-timing.ts'
import { TemperatureModule } from '../drivers/beam/temperature-module/temperature-module.ts'
import type { Digitiser, DigitiserSettings } from '../drivers/digitiser/contract/digitiser.ts'
import { SlinkMsadc } from '../drivers/digitiser/slink-msadc/slink-msadc.ts'
import type { HvSupply } from '../drivers/hv/contract/hv-supply.ts'
import { CaenN1470 } from '../drivers/hv/caen-n1470/caen-n1470.ts'
import { IsegScpi } from '../drivers/hv/iseg-scpi/iseg-scpi.ts'
import { OpcuaCrate } from '../drivers/hv/opcua-crate/opcua-crate.ts'
import { CRATE_MAPS } from '../drivers/hv/opcua-crate/sy4527.ts'
import type { LinkFactory } from '../drivers/link/link.ts'
import type { TriggerCrate } from '../drivers/trigger/contract/trigger-crate.ts'
import { IpbusTriggerCrate } from '../drivers/trigger/trigger-crate/trigger-crate.ts'
import { DeviceKeeper } from './slow-control/device-keeper.ts'

/**
 * device id -> face -> URL: where the simulated twins listen. Given, it is used instead of the URLs of devices.yaml, and
 * a device that is not in it is an error: a simulated run never reaches for hardware.
 */
export type LinkOverrides = Readonly<Record<string, Readonly<Partial<Record<'control' | 'data', string>>>>>

export interface DeviceDependencies {
  readonly clock: Clock
  readonly links: LinkFactory
  readonly logOf: (device: string) => Log
  readonly overrides: LinkOverrides | undefined
}

/** The devices of the data-acquisition process. */
export interface DaqDevices {
  readonly crate: TriggerCrate
  readonly digitisers: readonly { readonly device: Digitiser; readonly settings: DigitiserSettings }[]
  readonly timing: SpillTiming | undefined
  readonly keepers: readonly DeviceKeeper[]
}

/** The devices of the slow-control process. */
export interface SlowDevices {
  readonly supplies: readonly HvSupply[]
  readonly instruments: readonly BeamInstrument[]
  readonly keepers: readonly DeviceKeeper[]
}

const DEFAULT_POLL_MS = 1000

/** Settings of a device, typed by its kind; the loader has already checked them. */
export function settingsOf<K extends DeviceKind>(device: DeviceConfig, kind: K): SettingsOf<K> {
  return deviceSettings[kind].parse(device.settings) as SettingsOf<K>
}

function linkOf(
  device: DeviceConfig,
  face: 'control' | 'data',
  overrides: LinkOverrides | undefined
): string {
  const url = (overrides === undefined ? device.links : overrides[device.id])?.[face]
  if (url === undefined && overrides !== undefined)
    throw new SpillwayError(ErrorCode.configuration, `the simulated hall has no '${face}' of ${device.id}`, {
      hint: `simulatedLinks.${face} of the device in devices.yaml; no hardware is reached in a simulated run`
    })
  if (url === undefined)
    throw new SpillwayError(ErrorCode.configuration, `${device.id} has no link '${face}'`, {
      hint: `add links.${face} to the device in devices.yaml`
    })
  return url
}

/** A driver and, by its kind, which one. */
export type MadeDevice =
  | { readonly kind: 'slink-msadc'; readonly device: SlinkMsadc }
  | { readonly kind: 'trigger-crate'; readonly device: IpbusTriggerCrate }
  | { readonly kind: 'spill-timing'; readonly device: MqttSpillTiming }
  | { readonly kind: 'iseg-scpi'; readonly device: IsegScpi }
  | { readonly kind: 'caen-n1470'; readonly device: CaenN1470 }
  | { readonly kind: 'opcua-crate'; readonly device: OpcuaCrate }
  | { readonly kind: 'interlock-plc'; readonly device: ModbusInterlockPlc }
  | { readonly kind: 'magnet'; readonly device: OpcuaMagnet }
  | { readonly kind: 'hall-probe'; readonly device: HallProbe }
  | { readonly kind: 'temperature-module'; readonly device: TemperatureModule }
  | { readonly kind: 'spill-pulses'; readonly device: SpillPulses }

/** Builds the driver of one device; connects nothing. */
export function makeDevice(config: DeviceConfig, deps: DeviceDependencies): MadeDevice {
  const { id, role } = config
  const own = { clock: deps.clock, links: deps.links, log: deps.logOf(id) }
  const url = (face: 'control' | 'data'): string => linkOf(config, face, deps.overrides)
  switch (config.kind) {
    case 'slink-msadc': {
      const { source, modules } = settingsOf(config, config.kind)
      const options = { id, role, controlUrl: url('control'), dataUrl: url('data'), source, modules }
      return { kind: config.kind, device: new SlinkMsadc(options, own) }
    }
    case 'trigger-crate': {
      const { source } = settingsOf(config, config.kind)
      const options = { id, role, controlUrl: url('control'), dataUrl: url('data'), source }
      return { kind: config.kind, device: new IpbusTriggerCrate(options, own) }
    }
    case 'spill-timing': {
      const { prefix } = settingsOf(config, config.kind)
      return {
        kind: config.kind,
        device: new MqttSpillTiming({ id, role, url: url('control'), prefix }, own)
      }
    }
    case 'iseg-scpi': {
      const { channels, toleranceV } = settingsOf(config, config.kind)
      const options = { id, role, url: url('control'), channels, toleranceV }
      return { kind: config.kind, device: new IsegScpi(options, own) }
    }
    case 'caen-n1470': {
      const { boards, toleranceV } = settingsOf(config, config.kind)
      const options = { id, role, url: url('control'), boards, toleranceV }
      return { kind: config.kind, device: new CaenN1470(options, own) }
    }
    case 'opcua-crate': {
      const { map, ...settings } = settingsOf(config, config.kind)
      const nodes = typeof map === 'string' ? CRATE_MAPS[map] : map
      const options = { id, role, url: url('control'), ...settings, map: nodes }
      return { kind: config.kind, device: new OpcuaCrate(options, own) }
    }
    case 'interlock-plc':
      return { kind: config.kind, device: new ModbusInterlockPlc({ id, role, url: url('control') }, own) }
    case 'magnet': {
      const { magnetName, nominalA } = settingsOf(config, config.kind)
      const options = { id, role, url: url('control'), magnetName, nominalA }
      return { kind: config.kind, device: new OpcuaMagnet(options, own) }
    }
    case 'hall-probe': {
      const options = { id, role, url: url('control'), ...settingsOf(config, config.kind) }
      return { kind: config.kind, device: new HallProbe(options, own) }
    }
    case 'temperature-module': {
      const options = { id, role, url: url('control'), ...settingsOf(config, config.kind) }
      return { kind: config.kind, device: new TemperatureModule(options, own) }
    }
    case 'spill-pulses':
      return { kind: config.kind, device: new SpillPulses({ id, role, url: url('control') }, own) }
  }
}

/** Builds the drivers of the `daq` process; connects nothing. */
export function makeDaqDevices(experiment: Experiment, deps: DeviceDependencies): DaqDevices {
  const digitisers: { device: Digitiser; settings: DigitiserSettings }[] = []
  const keepers: DeviceKeeper[] = []
  let crate: TriggerCrate | undefined
  let timing: SpillTiming | undefined
  for (const config of experiment.devices.filter((device) => device.process === 'daq')) {
    const made = makeDevice(config, deps)
    switch (made.kind) {
      case 'slink-msadc':
        digitisers.push({
          device: made.device,
          settings: digitiserSettings(settingsOf(config, 'slink-msadc'))
        })
        break
      case 'trigger-crate':
        crate = made.device
        break
      case 'spill-timing':
        timing ??= made.device
        break
      case 'spill-pulses':
        // the faster witness gives the marks; the gateway's information stays
        timing = made.device
        break
      default:
        throw new SpillwayError(
          ErrorCode.configuration,
          `${config.id}: a ${config.kind} belongs to the slow process`
        )
    }
    const polling =
      made.kind === 'spill-pulses'
        ? {
            pollEvery: milliseconds(config.pollMs ?? DEFAULT_POLL_MS),
            poll: (signal: AbortSignal) => made.device.poll(signal)
          }
        : {}
    keepers.push(new DeviceKeeper(made.device, deps.clock, deps.logOf(config.id), polling))
  }
  if (crate === undefined)
    throw new SpillwayError(
      ErrorCode.configuration,
      `${experiment.name} has no trigger crate in its daq process`,
      {
        hint: 'add a device of kind trigger-crate to devices.yaml'
      }
    )
  return { crate, digitisers, timing, keepers }
}

/** Builds the drivers of the `slow` process; connects nothing. */
export function makeSlowDevices(experiment: Experiment, deps: DeviceDependencies): SlowDevices {
  const supplies: HvSupply[] = []
  const instruments: BeamInstrument[] = []
  const keepers: DeviceKeeper[] = []
  for (const config of experiment.devices.filter((device) => device.process === 'slow')) {
    const made = makeDevice(config, deps)
    switch (made.kind) {
      case 'iseg-scpi':
      case 'caen-n1470':
      case 'opcua-crate':
        supplies.push(made.device)
        break
      case 'interlock-plc':
      case 'magnet':
      case 'hall-probe':
      case 'temperature-module':
        instruments.push(made.device)
        break
      default:
        throw new SpillwayError(
          ErrorCode.configuration,
          `${config.id}: a ${config.kind} belongs to the daq process`
        )
    }
    const { device } = made
    keepers.push(
      new DeviceKeeper(device, deps.clock, deps.logOf(config.id), {
        pollEvery: milliseconds(config.pollMs ?? DEFAULT_POLL_MS),
        poll: (signal) => device.poll(signal)
      })
    )
  }
  return { supplies, instruments, keepers }
}

function digitiserSettings(settings: SettingsOf<'slink-msadc'>): DigitiserSettings {
  return {
    latencySamples: settings.latencySamples,
    samplesPerEvent: settings.samplesPerEvent,
    zeroSuppression: settings.zeroSuppression,
    thresholds: settings.modules.flatMap(({ port, adc }) =>
      Array.from({ length: 16 }, (_, channel) => ({
        port,
        adc,
        channel,
        thresholdCounts: settings.thresholdCounts
      }))
    )
  }
}
