/** What the checks between files share. */
import type { z } from 'zod'
import { type ConfigFile, type LocatedFault, type Path, printPath, printPosition } from '../read-file.ts'
import {
  type DeviceConfig,
  type DeviceKind,
  deviceSettings,
  type experimentFileSchemas,
  type ExperimentFileName,
  type SettingsOf
} from '../schema.ts'

/**
 * The files of an experiment that could be read. A check runs on what is there: it says nothing about a file
 * that is missing or has no usable data, since that is reported already.
 */
export type ExperimentFiles = {
  readonly [K in ExperimentFileName]?: ConfigFile<z.infer<(typeof experimentFileSchemas)[K]>>
}

export type Faults = Generator<LocatedFault, void, undefined>

/** A fault at the value at `path` of `file`. */
export function fault(file: ConfigFile<unknown>, path: Path, what: string, hint?: string): LocatedFault {
  return {
    at: file.where(path),
    what: `${printPath(path)}: ${what}`,
    ...(hint === undefined ? {} : { hint })
  }
}

/** Values that must differ: one fault for each that came before, naming the first. */
export function* repeated(
  file: ConfigFile<unknown>,
  entries: Iterable<{ value: string | number; path: Path }>,
  what: string
): Faults {
  const first = new Map<string | number, Path>()
  for (const { value, path } of entries) {
    const before = first.get(value)
    if (before === undefined) first.set(value, path)
    else
      yield fault(
        file,
        path,
        `${what} ${value} is taken by ${printPath(before)}`,
        `see ${printPosition(file.where(before))}`
      )
  }
}

/** Settings of a device of that kind; undefined for another kind, or when they are wrong and reported. */
export function settingsOf<K extends DeviceKind>(device: DeviceConfig, kind: K): SettingsOf<K> | undefined {
  if (device.kind !== kind) return undefined
  return deviceSettings[kind].safeParse(device.settings).data as SettingsOf<K> | undefined
}

/** Devices of one kind with their place in the file. */
export function* devicesOf<K extends DeviceKind>(
  files: ExperimentFiles,
  kind: K
): Generator<{ device: DeviceConfig; settings: SettingsOf<K>; path: Path }, void, undefined> {
  for (const [index, device] of (files.devices?.data?.devices ?? []).entries()) {
    const settings = settingsOf(device, kind)
    if (settings !== undefined) yield { device, settings, path: ['devices', index] }
  }
}
