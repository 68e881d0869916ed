/** An experiment for people and for scripts: what `spillway check` prints. */
import { type Mark, MARKS, marksOf } from './provenance.ts'
import { channelAddress } from './resolve.ts'
import {
  type ChannelRun,
  channelsSchema,
  type DeviceConfig,
  type Experiment,
  type TriggerConfig
} from './schema.ts'
import { readConfigText } from './read-file.ts'

/** Where the numbers of one object of the configuration come from. */
export interface ProvenanceEntry {
  /** "detectors/ECAL", "devices/hv-ecal/settings/channels/veto left" */
  readonly where: string
  readonly provenance: string
  readonly marks: readonly Mark[]
}

/** The resolved configuration. Plain data: `JSON.stringify` gives the document of `check --json`. */
export interface ExperimentDescription extends Omit<Experiment, 'channels' | 'files'> {
  /** runs of channels as written; `count` channels each */
  readonly channels: readonly (ChannelRun & { readonly count: number })[]
  readonly channelCount: number
  readonly provenance: readonly ProvenanceEntry[]
  /** how many objects carry each mark; one object may carry several */
  readonly marks: Readonly<Record<Mark, number>>
  /** SHA-256 of everything is `hash`; sizes of the files in bytes */
  readonly files: Readonly<Record<string, number>>
}

/** Pure; `experiment` comes from the loader, so its texts are known to be right. */
export function describeExperiment(experiment: Experiment): ExperimentDescription {
  const { channels, files, ...rest } = experiment
  const runs =
    readConfigText('channels.yaml', files['channels.yaml'] ?? '', channelsSchema).data?.channels ?? []
  const described = { ...rest, channels: runs.map((run) => ({ ...run, count: run.cellsX * run.cellsY })) }
  const provenance = [...provenanceIn(described, '')]
  const marks = Object.fromEntries(Object.keys(MARKS).map((mark) => [mark, 0])) as Record<Mark, number>
  for (const entry of provenance) for (const mark of new Set(entry.marks)) marks[mark]++
  return {
    ...described,
    channelCount: channels.length,
    provenance,
    marks,
    files: Object.fromEntries(Object.entries(files).map(([name, text]) => [name, Buffer.byteLength(text)]))
  }
}

/** Every object with a `provenance`, by the names that it and its parents have. */
function* provenanceIn(value: unknown, where: string): Generator<ProvenanceEntry, void, undefined> {
  if (typeof value !== 'object' || value === null) return
  const { provenance } = value as { provenance?: unknown }
  if (typeof provenance === 'string') yield { where, provenance, marks: marksOf(provenance) }
  for (const [key, inner] of Object.entries(value)) {
    const step = Array.isArray(value) ? nameOf(inner, key) : key
    yield* provenanceIn(inner, where === '' ? step : `${where}/${step}`)
  }
}

function nameOf(entry: unknown, index: string): string {
  const { name, id, process, detector, part } = (entry ?? {}) as Record<string, unknown>
  for (const word of [name, id, detector === undefined ? process : undefined])
    if (typeof word === 'string') return word
  if (typeof detector === 'string') return typeof part === 'string' ? `${detector}.${part}` : detector
  return index
}

/** The same for a terminal: what is read out by what, what triggers, what is assumed. */
export function printExperiment(experiment: Experiment): string {
  const description = describeExperiment(experiment)
  const { mode, spill, detectors, devices, channels, channelCount, selection, provenance, marks } =
    description
  const readOut = detectors.filter(
    (detector) => detector.readout === 'msadc' || detector.readout === 'magnet'
  )
  const waiting = detectors.filter((detector) => !readOut.includes(detector))
  const beam = mode.beamSpecies === 'none' ? 'no beam' : `${mode.beamSpecies} of ${mode.momentumGeV} GeV/c`
  return [
    `${experiment.name}: ${experiment.title}`,
    `${beam}; spills ${spill.source}; run of ${experiment.run.spillsPerRun} spills; counts ${mode.normalisation}`,
    `hash ${experiment.hash}`,
    '',
    `Devices (${devices.length})`,
    ...table(devices.map(deviceRow)),
    '',
    `Channels (${channelCount})`,
    ...table(channels.map(channelRow)),
    '',
    `Trigger menu (dead time ${experiment.trigger.deadTimeNs} ns)`,
    ...table(experiment.trigger.lines.map(lineRow)),
    '',
    `Selection: ${selection.cuts.map((cut) => cut.name).join(', ')}`,
    `Detectors: ${readOut.length} read out, ${waiting.length} not yet` +
      (waiting.length === 0 ? '' : ` (${waiting.map((detector) => detector.name).join(', ')})`),
    '',
    `Provenance of ${provenance.length} objects with numbers`,
    ...table(
      (Object.keys(MARKS) as Mark[])
        .filter((mark) => marks[mark] > 0)
        .map((mark) => [mark, String(marks[mark]), MARKS[mark]])
    ),
    `${provenance.filter(isDoubtful).length} of them rest on an assumption (A) or an unsure memory (K-low)`
  ].join('\n')
}

const isDoubtful = ({ marks }: ProvenanceEntry): boolean => marks.includes('A') || marks.includes('K-low')

function deviceRow(device: DeviceConfig): string[] {
  const links = Object.entries(device.links).map(([face, url]) => `${face} ${url}`)
  return [device.id, device.kind, device.process, device.role, links.join('  ')]
}

function channelRow(run: ChannelRun & { count: number }): string[] {
  const first = channelAddress(run)
  return [
    `${run.detector}.${run.part}`,
    `source ${run.source}`,
    `port ${run.port} adc ${run.adc} channel ${run.channel}`,
    `${first} to ${first + run.count - 1}`,
    `${run.cellsX} x ${run.cellsY}`,
    `MIP ${run.mipCounts} counts = ${Number((run.mipCounts * run.gevPerCount).toPrecision(3))} GeV`
  ]
}

function lineRow(line: TriggerConfig['lines'][number]): string[] {
  const logic =
    line.randomRateHz > 0
      ? `random ${line.randomRateHz} Hz`
      : [...line.require, ...line.veto.map((name) => `!${name}`)].join(' ')
  const prescale = line.prescale === 0 ? 'off' : `1 of ${line.prescale}`
  return [`line ${line.line}`, line.name, logic, prescale, line.use]
}

/** Columns as wide as they need to be. */
function table(rows: readonly (readonly string[])[]): string[] {
  const width = (column: number): number => Math.max(0, ...rows.map((row) => row[column]?.length ?? 0))
  return rows.map((row) => `  ${row.map((cell, column) => cell.padEnd(width(column))).join('  ')}`.trimEnd())
}
