/** Names, addresses and limits that must agree between the files: each case breaks one of them. */
import { expect, test } from 'vitest'
import { faultsIn, faultsWith, folderWith, placeOf, type Edits } from './folder.ts'

type Case = readonly [what: string, edits: Edits, hint?: string]

const whatOf = (edits: Edits, experiment: string): string[] =>
  faultsWith(edits, experiment).map((fault) => fault.what)

const CHANNELS: readonly Case[] = [
  [
    'channels[1]: ECAL main overlaps channels[0] (ECAL preshower) from source 600 port 0 adc 1 channel 0',
    { 'channels.yaml': [['adc: 2\n    channel: 0', 'adc: 1\n    channel: 0']] }
  ],
  [
    'channels[5]: HCAL4 main reaches port 1 adc 1, which msadc-hcal (source 601) does not have',
    { 'channels.yaml': [['adc: 3\n    channel: 6', 'adc: 3\n    channel: 15']] }
  ],
  [
    'channels[6].source: no board of kind slink-msadc has source 603',
    {
      'channels.yaml': [
        [
          'detector: VHCAL\n    part: main\n    source: 602',
          'detector: VHCAL\n    part: main\n    source: 603'
        ]
      ]
    }
  ],
  [
    "channels[7].detector: no detector 'VETTO'",
    {
      'channels.yaml': [['detector: VETO', 'detector: VETTO']],
      'detectors.yaml': [['name: VETO\n', 'name: VETO2\n']],
      'reconstruction.yaml': [['detector: VETO', 'detector: VETTO']],
      'simulation.yaml': [
        ['VETO: 0.02', 'VHCAL: 0.02'],
        [', VHCAL: 4', '']
      ]
    }
  ],
  ['channels[0].cellsX: 6, but ECAL has 5', { 'channels.yaml': [['cellsX: 5', 'cellsX: 6']] }],
  [
    'channels[1].part: detector and part ECAL preshower is taken by channels[0].part',
    {
      'channels.yaml': [['part: main', 'part: preshower']]
    }
  ],
  [
    'channels[13].detector: BK has readout none, not msadc',
    {
      'detectors.yaml': [
        [
          'name: BK\n    kin: BK\n    number: 0\n    role: trigger-counter\n    technology: scintillator\n    zM: 26.0\n    readout: msadc',
          'name: BK\n    kin: BK\n    number: 0\n    role: trigger-counter\n    technology: scintillator\n    zM: 26.0\n    readout: none'
        ]
      ]
    }
  ],
  [
    'detectors[16].sections: ECAL has 3 sections but 2 parts in channels.yaml',
    { 'detectors.yaml': [['sections: 2', 'sections: 3']] }
  ],
  [
    'detectors[0].readout: BM01 is read out by MSADC but has no channels',
    { 'detectors.yaml': [['readout: f1', 'readout: msadc']] }
  ],
  [
    'detectors[1].name: name BM01 is taken by detectors[0].name',
    { 'detectors.yaml': [['name: BM05', 'name: BM01']] }
  ],
  [
    'detectors[1].number: kin and number BMS 1 is taken by detectors[0].number',
    { 'detectors.yaml': [['number: 5', 'number: 1']] }
  ]
]

const DEVICES: readonly Case[] = [
  [
    'devices[1].id: id msadc-ecal is taken by devices[0].id',
    { 'devices.yaml': [['id: msadc-hcal', 'id: msadc-ecal']] }
  ],
  [
    'devices[3].settings.source: source 600 is taken by devices[0].settings.source',
    { 'devices.yaml': [['source: 700', 'source: 600']] }
  ],
  [
    'devices[0].process: a slink-msadc runs in process daq, not slow',
    { 'devices.yaml': [['process: daq', 'process: slow']] },
    'write process: daq'
  ],
  [
    'devices[0].links.control: its driver does not speak modbus+tcp',
    { 'devices.yaml': [['ipbus+udp://10.64.1.10', 'modbus+tcp://10.64.1.10']] },
    'a URL of ipbus+udp'
  ],
  [
    "devices[0].links.data: 'tcp://10.64.1.20' lacks host or port",
    { 'devices.yaml': [['tcp://10.64.1.20:5600', 'tcp://10.64.1.20']] }
  ],
  [
    "devices[0].links.data: 'tcp://10.64.1.20:99999' is not a URL",
    { 'devices.yaml': [['tcp://10.64.1.20:5600', 'tcp://10.64.1.20:99999']] }
  ],
  [
    'devices[0].links.control: a URL holds no password, because URLs are shown and logged',
    { 'devices.yaml': [['ipbus+udp://10.64.1.10', 'ipbus+udp://na64:secret@10.64.1.10']] },
    'passwordFile=..., or the variable SPILLWAY_MQTT_PASSWORD'
  ],
  [
    'devices[4].simulatedLinks.control: the broker of the simulated hall has no TLS',
    { 'devices.yaml': [['mqtt://127.0.0.1', 'mqtts://127.0.0.1']] },
    'mqtt://, or another broker: --broker'
  ],
  [
    'devices[0].links: the data face has no URL',
    { 'devices.yaml': [[", data: 'tcp://10.64.1.20:5600'", '']] },
    'a URL of tcp'
  ],
  [
    "devices[5].simulatedLinks.control: 'serial://com1/x' names no device file",
    { 'devices.yaml': [['serial://./hv-ecal.tty', 'serial://com1/x']] }
  ],
  [
    'devices[0].simulatedLinks.data: a simulated device listens on loopback only, not 0.0.0.0',
    { 'devices.yaml': [['tcp://127.0.0.1:5711', 'tcp://0.0.0.0:5711']] }
  ],
  [
    'devices[1].simulatedLinks.data: address 127.0.0.1:5711 is taken by devices[0].simulatedLinks.data',
    { 'devices.yaml': [['tcp://127.0.0.1:5712', 'tcp://127.0.0.1:5711']] }
  ],
  [
    'devices[1].links.data: address 10.64.1.20:5600 is taken by devices[0].links.data',
    { 'devices.yaml': [['10.64.1.21:5600', '10.64.1.20:5600']] }
  ],
  [
    'devices[0]: pollMs is missing: a slink-msadc is polled',
    { 'devices.yaml': [['    pollMs: 1000\n', '']] }
  ],
  ['devices[0].pollMs: 5 ms is outside 50 to 60000 ms', { 'devices.yaml': [['pollMs: 1000', 'pollMs: 5']] }],
  [
    'devices[4].pollMs: a spill-timing reports by itself and is not polled',
    { 'devices.yaml': [['    settings: { prefix', '    pollMs: 1000\n    settings: { prefix']] }
  ],
  [
    'devices[0].settings.modules[1]: module port 0 adc 0 is taken by devices[0].settings.modules[0]',
    {
      'devices.yaml': [
        [
          'modules: [{ port: 0, adc: 0 }, { port: 0, adc: 1 }, { port: 0, adc: 2 }',
          'modules: [{ port: 0, adc: 0 }, { port: 0, adc: 0 }, { port: 0, adc: 1 }, { port: 0, adc: 2 }'
        ]
      ]
    }
  ],
  [
    'devices[5].settings.channels[0].nominalV: 1650 V is above limitV, 1500 V',
    { 'devices.yaml': [['nominalV: 1150', 'nominalV: 1650']] }
  ],
  [
    'devices[5].settings.channels[1].number: channel number 0 is taken by devices[5].settings.channels[0].number',
    { 'devices.yaml': [['number: 1', 'number: 0']] }
  ],
  [
    "devices[7].settings.magnetName: no detector 'MS3' with readout: magnet",
    {
      'devices.yaml': [['magnetName: MS2', 'magnetName: MS3']],
      'detectors.yaml': [['readout: magnet', 'readout: none']]
    },
    'there are no magnets'
  ],
  [
    'detectors[24].readout: no device of kind magnet reads MS2',
    {
      'devices.yaml': [['magnetName: MS2', 'magnetName: BEND6']],
      'detectors.yaml': [['readout: none', 'readout: magnet']]
    }
  ],
  [
    'devices: boards are read out but no trigger-crate triggers them',
    {
      'devices.yaml': [
        ['kind: trigger-crate', 'kind: slink-msadc'],
        [
          'settings: { source: 700, distrustAfterGap: false }',
          'settings: { source: 700, distrustAfterGap: false, modules: [{ port: 0, adc: 0 }], samplesPerEvent: 32, latencySamples: 1, zeroSuppression: true, thresholdCounts: 1 }'
        ]
      ]
    }
  ]
]

const ANALYSIS: readonly Case[] = [
  [
    "counters[5].name: no detector 'BKK'",
    { 'trigger.yaml': [['name: BK', 'name: BKK']] },
    "did you mean 'BK'?"
  ],
  [
    'counters[1].number: counter number 0 is taken by counters[0].number',
    { 'trigger.yaml': [['number: 1', 'number: 0']] }
  ],
  [
    "lines[0].require[3]: no counter 'Smuu'",
    { 'trigger.yaml': [['S4, Smu]', 'S4, Smuu]']] },
    "did you mean 'Smu'?"
  ],
  [
    "lines[0].veto[0]: no counter 'V1'",
    { 'trigger.yaml': [['veto: [V0]', 'veto: [V1]']] },
    "did you mean 'V0'?"
  ],
  ['lines[0].veto: requires and vetoes S0: never fires', { 'trigger.yaml': [['veto: [V0]', 'veto: [S0]']] }],
  ['lines[1].line: line 0 is taken by lines[0].line', { 'trigger.yaml': [['line: 1', 'line: 0']] }],
  [
    "lines[0]: line 'physics' requires no counter and has no randomRateHz: never fires",
    { 'trigger.yaml': [['require: [S0, S1, S4, Smu]', 'require: []']] }
  ],
  [
    'lines[2].use: a random pulser cannot be of use beam',
    { 'trigger.yaml': [['use: random', 'use: beam']] },
    'random or calibration'
  ],
  [
    'lines[1].use: a coincidence of counters cannot be of use random',
    { 'trigger.yaml': [['use: beam', 'use: random']] },
    'physics or beam'
  ],
  [
    'lines[0].randomRateHz: a line follows its counters or a random pulser, not both',
    {
      'trigger.yaml': [
        ['prescale: 1\n    use: physics', 'prescale: 1\n    randomRateHz: 5\n    use: calibration']
      ],
      'selection.yaml': [['use: physics', 'use: calibration']]
    }
  ],
  [
    "calorimeter.sums[2].detector: 'HCAL5' has no channels",
    { 'reconstruction.yaml': [['detector: HCAL1', 'detector: HCAL5']] }
  ],
  [
    "calorimeter.sums[1].part: ECAL has no part 'preshwr'",
    { 'reconstruction.yaml': [['part: preshower', 'part: preshwr']] },
    "did you mean 'preshower'?"
  ],
  [
    'calorimeter.sums[1].name: sum ecal is taken by calorimeter.sums[0].name',
    { 'reconstruction.yaml': [['name: preshower', 'name: ecal']] }
  ],
  [
    "cuts[2].sum: no sum 'vetto'",
    { 'selection.yaml': [['sum: veto', 'sum: vetto']] },
    "did you mean 'veto'?"
  ],
  [
    'cuts[4].lowGeV: 2 is above highGeV, 0.7: no event would pass',
    { 'selection.yaml': [['lowGeV: 0.27', 'lowGeV: 2']] }
  ],
  [
    'cuts[2]: neither lowGeV nor highGeV: the cut cuts nothing',
    { 'selection.yaml': [['highGeV: 0.005, ', '']] }
  ],
  ["cuts[2]: key 'sum' is missing", { 'selection.yaml': [['sum: veto, ', '']] }],
  ["cuts[1]: key 'use' is missing", { 'selection.yaml': [['use: physics, ', '']] }],
  [
    'cuts[0].use: a cut of kind clean has no use',
    { 'selection.yaml': [['kind: clean', 'kind: clean, use: beam']] }
  ],
  [
    'cuts[1].name: cut clean is taken by cuts[0].name',
    { 'selection.yaml': [['name: physics-trigger', 'name: clean']] }
  ],
  [
    'cuts[1].use: no line that is switched on has use: physics; no event would pass',
    { 'trigger.yaml': [['prescale: 1\n    use: physics', 'prescale: 0\n    use: physics']] }
  ]
]

const WORLD: readonly Case[] = [
  [
    'spill.source: spills of the SPS need a device of kind spill-timing or spill-pulses',
    {
      'devices.yaml': [
        [
          '  - id: spill-timing\n    kind: spill-timing\n    process: daq',
          '  - id: spill-timing\n    kind: magnet\n    process: slow'
        ],
        ['mqtt://10.64.0.5:1883?protocol=5', 'opc.tcp://10.64.0.5:4840'],
        ['mqtt://127', 'opc.tcp://127'],
        [
          '    settings: { prefix: na64/ehn2 }',
          '    pollMs: 1000\n    settings: { magnetName: MS2, nominalA: 1, nominalTm: 1, provenance: A }'
        ]
      ]
    }
  ],
  [
    'spill.pauseMs: continuous slices follow back to back',
    { 'experiment.yaml': [['source: sps', 'source: continuous']] }
  ],
  [
    'mode.momentumGeV: a beam of mu needs a momentum',
    { 'experiment.yaml': [['momentumGeV: 160', 'momentumGeV: 0']] }
  ],
  [
    'beam.muonsPerSpill: a beam of mu has more than 0',
    { 'simulation.yaml': [['muonsPerSpill: 2.8e6', 'muonsPerSpill: 0']] }
  ],
  [
    'cycle.extractionMs: is not shorter than the cycle of 14400 ms',
    { 'simulation.yaml': [['extractionMs: 4800', 'extractionMs: 14400']] }
  ],
  [
    'cycle.warningMs: the last warning comes after the first one, 1000 ms before extraction',
    { 'simulation.yaml': [['warningMs: 100', 'warningMs: 1200']] }
  ],
  [
    'cycle.warningWarningMs: the warning would come inside the spill before: the pause is 9600 ms',
    { 'simulation.yaml': [['warningWarningMs: 1000', 'warningWarningMs: 9600']] }
  ],
  [
    "interactions[1].meanGeV.HCALL: no detector 'HCALL' with energy",
    { 'simulation.yaml': [['HCAL1: 20', 'HCALL: 20']] },
    "did you mean 'HCAL1'?"
  ],
  [
    'interactions: perMuon adds up to 1.00038, more than 1',
    { 'simulation.yaml': [['perMuon: 1.0e-3', 'perMuon: 1']] }
  ],
  [
    'electronics.pulseAtSample: outside the 32 samples of msadc-ecal',
    { 'simulation.yaml': [['pulseAtSample: 14', 'pulseAtSample: 32']] }
  ]
]

const named = (cases: readonly Case[]): [string, Case][] => cases.map((one) => [one[0], one])

test.each(named([...CHANNELS, ...DEVICES, ...ANALYSIS, ...WORLD]))('says: %s', (_, [what, edits, hint]) => {
  const faults = faultsWith(edits, 'na64mu-2022')
  const fault = faults.find((one) => one.what === what)
  expect(fault, faults.map((one) => one.what).join('\n')).toBeDefined()
  if (hint !== undefined) expect(fault?.hint).toBe(hint)
})

test('a kin stands for all its detectors in the energies of a process', () => {
  expect(
    whatOf({ 'simulation.yaml': [['HCAL1: 20, HCAL2: 8, HCAL3: 2', 'HCAL: 30']] }, 'na64mu-2022')
  ).toEqual([])
})

test('two PLCs behind one Modbus gateway may share its address', () => {
  const plc = `
  - id: second-plc
    kind: interlock-plc
    process: slow
    role: optional
    links: { control: 'modbus+tcp://192.168.64.30:502' }
    simulatedLinks: { control: 'modbus+tcp://127.0.0.1:5756' }
    pollMs: 1000
    settings: { unit: 2 }
    provenance: A
`
  const end = "    provenance: 'A: a stand-in (docs/hardware/plc.md)'\n"
  expect(whatOf({ 'devices.yaml': [[end, end + plc]] }, 'bench')).toEqual([])
})

test('a wrong board does not make its channels wrong too', () => {
  const faults = whatOf({ 'devices.yaml': [['latencySamples: 120', 'latencySamples: 1200']] }, 'bench')
  expect(faults).toEqual(['devices[0].settings.latencySamples: 1200 is not at most 319'])
})

test('a fault between files has the place of the wrong value', () => {
  const folder = folderWith({ 'selection.yaml': [['sum: vhcal', 'sum: vcal']] }, 'na64mu-2022')
  expect(faultsIn(folder).map((fault) => fault.where)).toEqual([placeOf(folder, 'selection.yaml', 'vcal')])
})
