// Hall probes, temperature modules and spill pulses in devices.yaml: they load with what they need, units of one Modbus line
// share it, and what cannot be is said at its place.
import { expect, test } from 'vitest'
import { loadExperiment } from '../../../config/load.ts'
import { type Edits, faultsWith, folderWith } from './folder.ts'

const PROBE = `
  - id: ms2-probe
    kind: hall-probe
    process: slow
    role: optional
    links: { control: 'serial:///dev/ttyX?baudRate=9600&dataBits=7&parity=even&stopBits=2' }
    simulatedLinks: { control: 'serial://./probe.tty' }
    pollMs: 1000
    settings: { nominalT: 1.4, warningT: 0.002, criticalT: 0.01, provenance: 'A: test' }
    provenance: 'A: test'
`
const module = (unit: number): string => `
  - id: temperatures-${unit}
    kind: temperature-module
    process: slow
    role: optional
    links: { control: 'modbus+serial:///dev/ttyY?unit=${unit}' }
    simulatedLinks: { control: 'modbus+serial://./temperatures.tty?unit=${unit}' }
    pollMs: 1000
    settings:
      channels:
        - { name: one, description: x, table: input, register: 0, format: int16, warningDegC: 40, criticalDegC: 60, provenance: 'A: test' }
        - { name: two, description: x, table: input, register: 2, format: float32, wordOrder: CDAB, provenance: 'A: test' }
    provenance: 'A: test'
`
const PULSES = `
  - id: pulses
    kind: spill-pulses
    process: daq
    role: optional
    links: { control: 'udp://192.168.64.6:5800' }
    simulatedLinks: { control: 'udp://127.0.0.1:5798' }
    pollMs: 1000
    provenance: 'A: test'
`
/** The bench with these besides its own. */
const withDevices = (...blocks: readonly string[]): Edits => ({
  'devices.yaml': [['  - id: bench-plc', `${blocks.join('').replace(/^\n/, '')}\n  - id: bench-plc`]]
})
const faults = (...blocks: string[]) =>
  faultsWith(withDevices(...blocks)).map(({ what, hint }) => `${what}; ${hint ?? ''}`)

test('all three load, two modules on one line', () => {
  const { devices } = loadExperiment(folderWith(withDevices(PROBE, module(1), module(2), PULSES)))
  expect(devices.map(({ kind }) => kind)).toEqual(
    expect.arrayContaining(['hall-probe', 'temperature-module', 'temperature-module', 'spill-pulses'])
  )
})

test.each([
  ['two modules with one unit', [module(1), module(1).replace('temperatures-1', 'other')], 'address'],
  [
    'a line without a name',
    [module(1).replace('modbus+serial:///dev/ttyY', 'modbus+serial://host')],
    'names no'
  ],
  ['two channels with one name', [module(1).replace('name: two', 'name: one')], 'channel name one is taken'],
  [
    'a warning above critical',
    [module(1).replace('warningDegC: 40', 'warningDegC: 60')],
    'not below critical'
  ],
  ['an order of words that is none', [module(1).replace('CDAB', 'CDBA')], 'wordOrder'],
  [
    'a magnet that is not there',
    [PROBE.replace('nominalT: 1.4', 'nominalT: 1.4, simulatedMagnet: ms9')],
    "no device 'ms9' of kind magnet"
  ],
  ['a field that warns too late', [PROBE.replace('warningT: 0.002', 'warningT: 0.1')], 'not below criticalT'],
  ['pulses that nobody asks for', [PULSES.replace('    pollMs: 1000\n', '')], 'pollMs is missing'],
  ['pulses without a port', [PULSES.replace('64.6:5800', '64.6')], 'lacks host or port']
])('%s', (_, blocks, words) => {
  expect(faults(...blocks).join('\n')).toContain(words)
})
