// Supplies in devices.yaml: a chain of CAEN boards and a crate behind OPC UA load with what they need, and what cannot be
// is said at its place.
import { expect, test } from 'vitest'
import { loadExperiment } from '../../../config/load.ts'
import { faultsWith, folderWith } from './folder.ts'
import { CAEN_CHAIN, CRATE, withSupplies } from './high-voltage-devices.ts'

const faults = (...blocks: string[]) =>
  faultsWith(withSupplies(...blocks)).map(({ what, hint }) => `${what}; ${hint ?? ''}`)

test('a chain and a crate load', () => {
  const { devices } = loadExperiment(folderWith(withSupplies(CAEN_CHAIN, CRATE)))
  expect(devices.map(({ kind }) => kind)).toContain('caen-n1470')
  expect(devices.find(({ kind }) => kind === 'opcua-crate')?.settings).toMatchObject({ map: 'sy4527' })
})

test('a map of another crate loads in place of the name of one', () => {
  const map = `map:
        nodes:
          demand: 'ns=2;s={node}.VSet'
          voltage: 'ns=2;s={node}.VMon'
          current: 'ns=2;s={node}.IMon'
          power: 'ns=2;s={node}.Pw'
          status: 'ns=2;s={node}.Status'
        currentUnitUa: 1000
        statusBits: { 0: 'on', 9: 'internal-trip' }`
  expect(faults(CRATE.replace('map: sy4527', map))).toEqual([])
  expect(faults(CRATE.replace('map: sy4527', map.replace("'internal-trip'", "'tripped'"))).join()).toContain(
    'settings.map'
  )
})

test.each([
  ['two boards with one number', CAEN_CHAIN.replace('number: 7', 'number: 0'), 'board number 0 is taken'],
  [
    'two channels of a board with one number',
    CAEN_CHAIN.replace('number: 1,', 'number: 0,'),
    'channel number 0'
  ],
  ['one name on two boards', CAEN_CHAIN.replace('name: MM2', 'name: MM0'), 'channel name MM0 is taken'],
  [
    'more than our limit',
    CAEN_CHAIN.replace('nominalV: 480', 'nominalV: 580'),
    '580 V is above limitV, 500 V'
  ],
  ['a number that no board can have', CAEN_CHAIN.replace('number: 7', 'number: 32'), 'number'],
  [
    'a line that is none',
    CAEN_CHAIN.replace("'serial:///dev/ttyCAEN?xonxoff=true'", "'opc.tcp://h:1'"),
    'does not speak'
  ],
  ['two channels with one node', CRATE.replace('Chan001', 'Chan000'), 'channel node CAEN01.Board00.Chan000'],
  ['a map that nobody has', CRATE.replace('sy4527', 'sy9999'), 'settings.map']
])('%s is a fault', (_, block, expected) => {
  expect(faults(block).join('\n')).toContain(expected)
})

test('channels of two boards may have one number', () => {
  expect(faults(CAEN_CHAIN.replace('number: 2, name: MM2', 'number: 0, name: MM2'))).toEqual([])
})
