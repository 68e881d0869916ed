/** The experiments that come with the program, as data: what is in them, and what a check of them prints. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { describeExperiment, printExperiment } from '../../../config/describe.ts'
import { listExperiments, loadExperiment } from '../../../config/load.ts'
import { marksOf } from '../../../config/provenance.ts'
import { sourcesOf } from '../../../config/schema.ts'
import { schemaTexts } from '../../../config/write-schemas.ts'

const na64mu = loadExperiment('na64mu-2022')
const bench = loadExperiment('bench')

test('there are na64mu-2022 and bench', () => {
  expect(listExperiments()).toEqual(['bench', 'na64mu-2022'])
})

test('na64mu-2022 has every element of the beam line in its order', () => {
  const z = na64mu.detectors.map((detector) => detector.zM)
  expect(z).toEqual([...z].sort((a, b) => a - b))
  const names = na64mu.detectors.map((detector) => detector.name)
  const all =
    'BM01 BM05 BM02 BEND6 BM03 BM06 BM04 MM1 MM2 MM3 MM4 S0 S1 V0 ECAL VETO VHCAL GEM1 GEM2 MM5 MM6 ' +
    'MS2 GEM3 GEM4 MM7 S4 HCAL1 HCAL2 HCAL3 HCAL4 Smu BK'
  for (const name of all.split(' ')) expect(names).toContain(name)
  expect(names.filter((name) => name.startsWith('ST')).length).toBeGreaterThan(0)
  expect(na64mu.detectors.filter((d) => d.readout === 'apv').length).toBe(11)
})

test('na64mu-2022 reads 160 channels from three boards, and the trigger crate', () => {
  expect(sourcesOf(na64mu)).toEqual([600, 601, 602, 700])
  const count = (source: number): number => na64mu.channels.filter((c) => c.source === source).length
  expect([600, 601, 602].map(count)).toEqual([60, 72, 28])
  expect(na64mu.channels.map((channel) => channel.index)).toEqual([...na64mu.channels.keys()])
})

test('a run of channels counts on through channels and modules, x fastest', () => {
  const hcal4 = na64mu.channels.filter((channel) => channel.detector === 'HCAL4')
  expect(hcal4[0]).toMatchObject({
    port: 0,
    adc: 3,
    channel: 6,
    xIndex: 0,
    yIndex: 0,
    kin: 'HCAL',
    number: 4
  })
  expect(hcal4[9]).toMatchObject({ port: 0, adc: 3, channel: 15, xIndex: 3, yIndex: 1 })
  expect(hcal4[10]).toMatchObject({ port: 1, adc: 0, channel: 0, xIndex: 4, yIndex: 1 })
  expect(hcal4[17]).toMatchObject({ name: 'HCAL4.main.5-2', port: 1, adc: 0, channel: 7 })
  expect(na64mu.channels.find((channel) => channel.detector === 'S0')?.name).toBe('S0.main')
})

test('a muon leaves what the literature says: 0.45 GeV in the ECAL, 2.5 GeV in each HCAL section', () => {
  const mipGeV = (detector: string, part = 'main'): number => {
    const channel = na64mu.channels.find((c) => c.detector === detector && c.part === part)!
    return channel.mipCounts * channel.gevPerCount
  }
  expect(mipGeV('ECAL') + mipGeV('ECAL', 'preshower')).toBeCloseTo(0.45, 2)
  for (const section of ['HCAL1', 'HCAL2', 'HCAL3', 'HCAL4']) expect(mipGeV(section)).toBeCloseTo(2.5, 1)
  const sumOf = Object.fromEntries(na64mu.reconstruction.calorimeter.sums.map((sum) => [sum.name, sum]))
  for (const cut of na64mu.selection.cuts.filter((one) => one.lowGeV !== undefined)) {
    const { detector } = sumOf[cut.sum!]!
    const peak = mipGeV(detector) + (detector === 'ECAL' ? mipGeV('ECAL', 'preshower') : 0)
    expect(cut.lowGeV! / peak).toBeCloseTo(0.59, 1)
    expect(cut.highGeV! / peak).toBeCloseTo(1.55, 1)
  }
})

test('the bench is one board, its trigger, one high-voltage channel and one PLC, without beam', () => {
  expect(bench.devices.map((device) => device.kind)).toEqual([
    'slink-msadc',
    'trigger-crate',
    'iseg-scpi',
    'interlock-plc'
  ])
  expect(bench.mode.beamSpecies).toBe('none')
  expect(bench.spill.source).toBe('artificial')
  expect(bench.channels).toHaveLength(16)
})

test.each([na64mu, bench])('the schemas that editors see are those of the loader: $name', (experiment) => {
  for (const [file, text] of Object.entries(experiment.files)) {
    const schema = file.replace('.yaml', '.schema.json')
    expect(text.split('\n')[0]).toBe(`# yaml-language-server: $schema=../schema/${schema}`)
  }
})

test('config/schema is current; if not: npm run schemas', () => {
  for (const [file, text] of Object.entries(schemaTexts()))
    expect(readFileSync(new URL(`../../../config/schema/${file}`, import.meta.url), 'utf8'), file).toBe(text)
})

test('the schema of devices knows the settings of each kind', () => {
  const text = schemaTexts()['devices.schema.json']
  for (const key of ['latencySamples', 'simulatedInitially', 'prefix', 'magnetName', 'unit'])
    expect(text).toContain(`"${key}"`)
})

test('a description is plain data with the provenance of every object that has one', () => {
  const description = describeExperiment(na64mu)
  expect(JSON.parse(JSON.stringify(description))).toEqual(description)
  const written = Object.values(na64mu.files)
    .join('\n')
    .match(/\bprovenance:/g)?.length
  expect(description.provenance).toHaveLength(written!)
  expect(description.provenance).toContainEqual({
    where: 'detectors/BM06',
    provenance: 'F: order and 128 channels (CORAL beam code); A: z',
    marks: ['F', 'A']
  })
  expect(description.provenance.every((entry) => entry.marks.length > 0)).toBe(true)
  expect(description.marks['K-low']).toBe(1)
  expect(description.channels.reduce((sum, run) => sum + run.count, 0)).toBe(description.channelCount)
})

test('marks are read from the start of clauses only', () => {
  expect(marksOf('K-high: cells; A: z')).toEqual(['K-high', 'A'])
  expect(marksOf('A')).toEqual(['A'])
  expect(marksOf('C: sum of A: and S: as given; more words')).toEqual(['C'])
  expect(marksOf('F: CORAL; 5 mm; K-low: where')).toEqual(['F', 'K-low'])
})

test('the text of a check names devices, channels, trigger lines and how much is assumed', () => {
  const text = printExperiment(na64mu)
  expect(text).toMatch(/hv-ecal +iseg-scpi +slow +required +control serial:/)
  expect(text).toMatch(/ECAL\.main +source 600 .* 5 x 6 +MIP 64 counts = 0\.405 GeV/)
  expect(text).toMatch(/line 0 +physics +S0 S1 S4 Smu !V0 +1 of 1 +physics/)
  expect(text).toMatch(/\d+ of them rest on an assumption \(A\) or an unsure memory \(K-low\)$/)
})
