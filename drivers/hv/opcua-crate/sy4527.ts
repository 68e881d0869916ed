import type { CrateMap } from './crate-map.ts'

/**
 * CAEN SY1527 to SY5527 with A15xx boards behind CERN's or CAEN's quasar server; sources and what is assumed are in
 * docs/hardware/opcua-crate.md. Channels are `<crate>.Board00.Chan000`. SMARTHV boards say VSet, ISet, RDwn: a map of
 * their own in devices.yaml.
 */
export const SY4527: CrateMap = {
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

/** Maps that devices.yaml may name. */
export const CRATE_MAPS = { sy4527: SY4527 } as const
