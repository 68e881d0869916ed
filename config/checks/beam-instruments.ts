/** devices.yaml: settings of Hall probes and temperature modules that the schema alone cannot judge. */
import type { ConfigFile } from '../read-file.ts'
import { devicesOf, type ExperimentFiles, fault, type Faults, repeated } from './files.ts'

export function* checkBeamInstruments(files: ExperimentFiles, file: ConfigFile<unknown>): Faults {
  const magnets = Array.from(devicesOf(files, 'magnet'), ({ device }) => device.id)
  for (const { settings, path } of devicesOf(files, 'hall-probe')) {
    const { simulatedMagnet, warningT, criticalT } = settings
    if (simulatedMagnet !== undefined && !magnets.includes(simulatedMagnet))
      yield fault(
        file,
        [...path, 'settings', 'simulatedMagnet'],
        `no device '${simulatedMagnet}' of kind magnet`,
        magnets.length === 0 ? 'remove the line: the field then stands' : `one of ${magnets.join(', ')}`
      )
    if (warningT >= criticalT)
      yield fault(
        file,
        [...path, 'settings', 'warningT'],
        `${warningT} T is not below criticalT, ${criticalT} T`,
        'a warning comes before it is critical'
      )
  }
  for (const { settings, path } of devicesOf(files, 'temperature-module')) {
    const at = [...path, 'settings', 'channels']
    yield* repeated(
      file,
      settings.channels.map(({ name }, i) => ({ value: name, path: [...at, i, 'name'] })),
      'channel name'
    )
    for (const [i, { warningDegC, criticalDegC }] of settings.channels.entries())
      if (warningDegC !== undefined && criticalDegC !== undefined && warningDegC >= criticalDegC)
        yield fault(
          file,
          [...at, i, 'warningDegC'],
          `${warningDegC} degC is not below criticalDegC, ${criticalDegC} degC`,
          'a warning comes before it is critical'
        )
  }
}
