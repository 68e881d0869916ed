/** What the loader says about files: each test damages the texts of a good experiment in a temporary folder. */
import { expect, test } from 'vitest'
import { experimentFromTexts, listExperiments, loadExperiment } from '../../../config/load.ts'
import { ErrorCode, type SpillwayError } from '../../../core/errors.ts'
import { faultsIn, faultsWith, FILES, folderWith, placeOf } from './folder.ts'

const failure = (run: () => unknown): SpillwayError => {
  try {
    run()
  } catch (error) {
    return error as SpillwayError
  }
  throw new RangeError('it did not fail')
}

test('loads a folder given by its path', () => {
  const folder = folderWith({})
  const experiment = loadExperiment(folder)
  expect(experiment.title).toBe('Test bench, one digitiser board')
  expect(Object.keys(experiment.files).sort()).toEqual([...FILES].sort())
})

test('an unknown experiment is not found, and the message lists those that exist', () => {
  const error = failure(() => loadExperiment('na64mu-2202'))
  expect(error.code).toBe(ErrorCode.notFound)
  expect(error.details.hint).toBe("did you mean 'na64mu-2022'?")
  for (const name of listExperiments()) expect(error.describe()).toContain(name)
})

test.each(['./no/such/folder', '', '../config', 'schema', 'checks'])('%o is not found', (name) => {
  expect(failure(() => loadExperiment(name)).code).toBe(ErrorCode.notFound)
})

test('an unknown key is named with its place and the nearest known key, unit or not', () => {
  const folder = folderWith({ 'devices.yaml': [['thresholdCounts:', 'treshold:']] })
  expect(faultsIn(folder)).toEqual([
    {
      where: placeOf(folder, 'devices.yaml', 'treshold'),
      what: "devices[0].settings: unknown key 'treshold'",
      hint: "did you mean 'thresholdCounts'?"
    }
  ])
})

test('an unknown key that is near to nothing gets the list of known keys', () => {
  const [fault] = faultsWith({ 'experiment.yaml': [['run:\n', 'run:\n  colour: red\n']] })
  expect(fault?.hint).toBe('known keys: spillsPerRun')
})

test('a missing key is named in the object that lacks it', () => {
  const folder = folderWith({ 'experiment.yaml': [['  drainMs: 2000\n', '']] })
  expect(faultsIn(folder)).toMatchObject([
    {
      where: placeOf(folder, 'experiment.yaml', 'source: artificial'),
      what: "spill: key 'drainMs' is missing"
    }
  ])
})

test('a number with its unit is told to be bare', () => {
  const folder = folderWith({ 'experiment.yaml': [['lengthMs: 1000', "lengthMs: '1 s'"]] })
  const [fault] = faultsIn(folder)
  expect(fault?.where).toBe(placeOf(folder, 'experiment.yaml', "'1 s'"))
  expect(fault?.what).toBe("spill.lengthMs: '1 s' is not a number")
  expect(fault?.hint).toContain("'lengthMs'")
})

test('a word that is not in the list of words gets the nearest one', () => {
  const [fault] = faultsWith({ 'experiment.yaml': [['source: artificial', 'source: artifical']] })
  expect(fault?.what).toBe("spill.source: 'artifical' is not one of sps, artificial, continuous")
  expect(fault?.hint).toBe("did you mean 'artificial'?")
})

test.each([
  ['lengthMs: 1000', 'lengthMs: .nan'],
  ['lengthMs: 1000', 'lengthMs: .inf'],
  ['lengthMs: 1000', 'lengthMs: -1'],
  ['lengthMs: 1000', 'lengthMs: [1000]'],
  ['lengthMs: 1000', 'lengthMs:'],
  ['cyclesWithoutWarning: 2', 'cyclesWithoutWarning: 1.5'],
  ['momentumGeV: 0', 'momentumGeV: true']
])('refuses %s written as %s', (find, put) => {
  expect(faultsWith({ 'experiment.yaml': [[find, put]] })).toHaveLength(1)
})

test('a provenance without a mark is refused and the marks are listed', () => {
  const [fault] = faultsWith({ 'channels.yaml': [["'A: gain as in the experiment'", 'somebody told me']] })
  expect(fault?.hint).toContain('K-low')
})

test('text that is not YAML is a fault with its line', () => {
  const folder = folderWith({ 'selection.yaml': 'cuts:\n  - { name: clean, kind: clean\n' })
  const faults = faultsIn(folder)
  expect(faults[0]?.where).toMatch(/^selection\.yaml:[23]:\d+$/)
  expect(faults[0]?.what).toMatch(/^not YAML: /)
})

test('a key that comes twice is a fault', () => {
  const folder = folderWith({ 'trigger.yaml': [['deadTimeNs: 5000', 'deadTimeNs: 5000\ndeadTimeNs: 7']] })
  expect(faultsIn(folder)).toMatchObject([{ what: "key 'deadTimeNs' comes twice" }])
})

test.each(['', '# nothing but a comment\n', '- a list\n', 'a word\n', '\0\u0001\ufffd'])(
  'a file that holds %o is a fault of that file alone',
  (text) => {
    const faults = faultsWith({ 'simulation.yaml': text })
    expect(faults.length).toBeGreaterThan(0)
    expect(faults.map((fault) => fault.where.split(':')[0])).toEqual(faults.map(() => 'simulation.yaml'))
  }
)

test('aliases that multiply are refused', () => {
  const bomb = ['a: &a [x, x, x, x, x, x, x, x, x]']
  for (const [name, of] of [
    ['b', 'a'],
    ['c', 'b'],
    ['d', 'c'],
    ['e', 'd']
  ] as const)
    bomb.push(`${name}: &${name} [*${of}, *${of}, *${of}, *${of}, *${of}, *${of}, *${of}, *${of}]`)
  expect(faultsWith({ 'simulation.yaml': bomb.join('\n') })[0]?.what).toContain('cannot be read')
})

test('a missing file is a fault, and so is a file with a misspelt name', () => {
  const faults = faultsWith({ 'trigger.yaml': null, 'triger.yaml': 'counters: []\n' })
  expect(faults).toContainEqual({
    where: 'triger.yaml:1:1',
    what: 'no file of an experiment has this name',
    hint: "did you mean 'trigger.yaml'?"
  })
  expect(faults.map((fault) => `${fault.where} ${fault.what}`)).toContain(
    'trigger.yaml:1:1 the file is missing'
  )
})

test('all faults of all files come at once, in the order of files and lines', () => {
  const folder = folderWith({
    'experiment.yaml': [['spillsPerRun: 200', 'spillsPerRun: 4096']],
    'devices.yaml': [
      ['latencySamples: 120', 'latencySamples: 320'],
      ['thresholdCounts: 10', 'treshold: 10'],
      ['nominalV: 1050', 'nominalV: 1050 V'],
      ['id: bench-plc', 'id: Bench PLC']
    ],
    'trigger.yaml': null,
    'selection.yaml': [['kind: clean', 'knid: clean']],
    'simulation.yaml': [['ripple: 0', 'ripple: 2']]
  })
  const faults = faultsIn(folder)
  expect(faults.map((fault) => fault.what)).toEqual([
    'run.spillsPerRun: 4096 is not at most 2047',
    'devices[0].settings.latencySamples: 320 is not at most 319',
    "devices[0].settings: unknown key 'treshold'",
    "devices[2].settings.channels[0].nominalV: '1050 V' is not a number",
    "devices[3].id: 'Bench PLC' has not the right form",
    'the file is missing',
    "cuts[0]: unknown key 'knid'",
    'beam.ripple: 2 is not at most 1'
  ])
  expect(faults.map((fault) => fault.where)).toEqual([
    placeOf(folder, 'experiment.yaml', '4096'),
    placeOf(folder, 'devices.yaml', '320'),
    placeOf(folder, 'devices.yaml', 'treshold'),
    placeOf(folder, 'devices.yaml', '1050 V'),
    placeOf(folder, 'devices.yaml', 'Bench PLC'),
    'trigger.yaml:1:1',
    placeOf(folder, 'selection.yaml', 'knid'),
    placeOf(folder, 'simulation.yaml', '2\n  rippleSecond')
  ])
})

test('unknown keys do not hide the checks between files', () => {
  const faults = faultsWith({
    'devices.yaml': [['thresholdCounts: 10', 'thresholdCounts: 10\n      colour: red']],
    'channels.yaml': [['source: 600', 'source: 601']]
  })
  expect(faults.map((fault) => fault.what)).toEqual([
    "devices[0].settings: unknown key 'colour'",
    'channels[0].source: no board of kind slink-msadc has source 601'
  ])
})

test('the hash depends on every file and on nothing else', () => {
  const plain = loadExperiment(folderWith({})).hash
  expect(plain).toMatch(/^[0-9a-f]{64}$/)
  expect(loadExperiment('bench').hash).toBe(plain)
  for (const file of FILES) {
    const changed = folderWith({ [file]: `${loadExperiment('bench').files[file]!}# a comment\n` })
    expect(loadExperiment(changed).hash).not.toBe(plain)
  }
})

test('the texts that a run has frozen give the same experiment again', () => {
  const experiment = loadExperiment('na64mu-2022')
  const frozen = JSON.parse(JSON.stringify(experiment.files)) as Record<string, string>
  expect(experimentFromTexts('na64mu-2022', frozen)).toEqual(experiment)
  delete frozen['trigger.yaml']
  const error = failure(() => experimentFromTexts('na64mu-2022', frozen))
  expect(error.details.faults).toMatchObject([{ where: 'trigger.yaml:1:1', what: 'the file is missing' }])
})
