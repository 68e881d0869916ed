import type { SettingsOf } from '../../../config/schema.ts'

type CrateSettings = SettingsOf<'opcua-crate'>
export type CrateMap = Exclude<CrateSettings['map'], string>
export type Meaning = keyof CrateMap['nodes']
export type StatusMeaning = NonNullable<CrateMap['statusBits'][string]>

/** SY4527, from docs/hardware/opcua-crate.md. */
const SY4527: CrateMap = {
  nodes: {
    demand: 'ns=2;s={node}.V0Set',
    voltage: 'ns=2;s={node}.VMon',
    current: 'ns=2;s={node}.IMon',
    power: 'ns=2;s={node}.Pw',
    status: 'ns=2;s={node}.Status',
    currentLimit: 'ns=2;s={node}.I0Set',
    rampUp: 'ns=2;s={node}.RUp',
    rampDown: 'ns=2;s={node}.RDWn',
    tripTime: 'ns=2;s={node}.Trip',
    highestDemand: 'ns=2;s={node}.SVMax',
    clear: 'ns=2;s={crate}.ClearAlarm',
    connected: 'ns=2;s={crate}.Connected',
    model: 'ns=2;s={crate}.ModelName',
    serial: 'ns=2;s={crate}.SerialNumber',
    firmware: 'ns=2;s={crate}.FwRelease'
  },
  currentUnitUa: 1,
  statusBits: {
    0: 'on',
    1: 'ramping-up',
    2: 'ramping-down',
    3: 'over-current',
    4: 'over-voltage',
    5: 'under-voltage',
    6: 'external-trip',
    7: 'max-voltage',
    8: 'external-disable',
    9: 'internal-trip',
    10: 'calibration-error',
    11: 'unplugged',
    13: 'over-voltage-protection',
    14: 'power-fail',
    15: 'temperature-error'
  }
}

export const mapOf = ({ map }: CrateSettings): CrateMap => (map === 'sy4527' ? SY4527 : map)

/** Where a variable stands: namespace and path; undefined for ids that are no strings. */
export function placeOf(
  pattern: string,
  crate: string,
  node: string
): { readonly namespace: number; readonly path: string } | undefined {
  const match = /^ns=(\d+);s=(.+)$/.exec(pattern.replaceAll('{crate}', crate).replaceAll('{node}', node))
  const path = match?.[2]
  return path === undefined ? undefined : { namespace: Number(match?.[1]), path }
}
