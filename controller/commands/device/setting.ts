/** What can be set on a device from the shell, and how a person agrees to it. */
import { ErrorCode, SpillwayError } from '../../../core/errors.ts'
import type { Device } from '../../../core/device.ts'
import type { Signal } from '../../../core/signal.ts'
import type { HvChannel, HvSupply } from '../../../drivers/hv/contract/hv-supply.ts'

/** One thing that was asked for and is allowed, ready to be done. */
export interface Setting {
  /** what will happen, for the person who agrees */
  readonly what: string
  /** to be typed by whoever agrees; undefined: yes is enough */
  readonly typed: string | undefined
  /** somebody must be named for it */
  readonly needsName: boolean
  /** resolves when the readback agrees, with what is read then */
  readonly apply: (by: string, signal: AbortSignal) => Promise<void>
  /** what shows how it went */
  readonly shows: readonly Signal[]
}

export const isSupply = (device: Device): device is Device & HvSupply => 'channels' in device

/**
 * Paths of all that can be set, with the values that each takes.
 *
 * @param missing as for `settingOf`
 */
export function settable(
  device: Device,
  missing: readonly string[] = []
): { readonly path: string; readonly values: string }[] {
  if (!isSupply(device)) return []
  return device.channels.flatMap(({ demand, state, limitV }) =>
    missing.length > 0
      ? [{ path: state.path, values: 'off, clear-trip' }]
      : [
          { path: demand.path, values: `0 to ${limitV} V` },
          { path: state.path, values: 'on, off, clear-trip' }
        ]
  )
}

/**
 * The setting that `path` and `value` mean. Nothing is sent: rejects with `usage` when it means none, and with
 * `not-permitted` when it is beyond a limit.
 *
 * @param missing options without which no voltage may be put on: our limits are not known
 */
export function settingOf(device: Device, path: string, value: string, missing: readonly string[]): Setting {
  const channel = isSupply(device)
    ? device.channels.find(({ demand, state }) => demand.path === path || state.path === path)
    : undefined
  if (channel === undefined) {
    const all = settable(device).map((one) => one.path)
    throw new SpillwayError(ErrorCode.usage, `${path} cannot be set`, {
      device: device.id,
      hint:
        all.length === 0 ? `nothing of a ${device.kind} can be set from here` : `these can: ${all.join(', ')}`
    })
  }
  if (missing.length > 0 && value !== 'off' && value !== 'clear-trip')
    throw new SpillwayError(ErrorCode.usage, `our limits of ${channel.name} are not known`, {
      hint: `say them: ${missing.join(', ')}; or take the device from an experiment`
    })
  return channel.demand.path === path ? demandOf(channel, value) : switchOf(channel, value)
}

function demandOf(channel: HvChannel, text: string): Setting {
  const { demand, name, limitV, state, voltage } = channel
  const value = text.trim() === '' ? NaN : Number(text)
  if (!Number.isFinite(value))
    throw new SpillwayError(ErrorCode.usage, `${demand.path}: '${text}' is no voltage`, {
      hint: 'a number, in V'
    })
  if (value < 0 || value > limitV)
    throw new SpillwayError(
      ErrorCode.notPermitted,
      `${demand.path} (${name}): ${value} V is beyond our limit`,
      {
        expected: `0 to ${limitV} V`,
        hint: 'nothing was written; limits are in devices.yaml (limitV) or --limit-v'
      }
    )
  const isOn = state.latest()?.value !== 'off'
  return {
    what: `${demand.path} (${name}) from ${shown(demand)} to ${value} V${isOn ? ', and the channel follows at once' : ''}`,
    typed: undefined,
    needsName: false,
    apply: async (_by, signal) => {
      await demand.set(value, signal)
    },
    shows: [demand, voltage, state]
  }
}

function switchOf(channel: HvChannel, value: string): Setting {
  const { name, state, demand, voltage, current } = channel
  const common = { shows: [state, demand, voltage, current], typed: undefined, needsName: false }
  const what = `${state.path} (${name})`
  switch (value) {
    case 'on':
      return {
        ...common,
        what: `${what}: HIGH VOLTAGE ON, ramped to ${shown(demand)}`,
        typed: name,
        needsName: true,
        apply: async (by, signal) => {
          await channel.energise({ by }, signal)
        }
      }
    case 'off':
      return {
        ...common,
        what: `${what}: ramp down and off`,
        apply: (_by, signal) => channel.rampOff(signal)
      }
    case 'clear-trip':
      return {
        ...common,
        what: `${what}: forget the trip (${state.latest()?.value ?? 'state unknown'})`,
        needsName: true,
        apply: (by, signal) => channel.clearTrip({ by }, signal)
      }
    default:
      throw new SpillwayError(ErrorCode.usage, `${state.path}: '${value}' is no state to set`, {
        hint: 'on, off or clear-trip'
      })
  }
}

const shown = (signal: Signal): string => {
  const reading = signal.latest()
  return reading === undefined ? 'unknown' : `${String(reading.value)} ${signal.meta.unit}`
}
