/** channels.yaml against detectors.yaml and the modules of devices.yaml. */
import { hintFor } from '../nearest.ts'
import type { ConfigFile } from '../read-file.ts'
import { channelAddress, moduleNumber, moduleOf } from '../resolve.ts'
import type { ChannelRun, Detector } from '../schema.ts'
import { devicesOf, type ExperimentFiles, fault, type Faults, repeated } from './files.ts'

export function* checkDetectors({ detectors: file, channels, devices }: ExperimentFiles): Faults {
  if (file?.data === undefined) return
  const { detectors } = file.data
  const entries = (
    key: (detector: Detector) => string,
    word: string
  ): { value: string; path: PropertyKey[] }[] =>
    detectors.map((detector, i) => ({ value: key(detector), path: ['detectors', i, word] }))
  yield* repeated(
    file,
    entries((detector) => detector.name, 'name'),
    'name'
  )
  yield* repeated(
    file,
    entries((detector) => `${detector.kin} ${detector.number}`, 'number'),
    'kin and number'
  )
  for (const [index, detector] of detectors.entries()) {
    const path = ['detectors', index]
    const runs = channels?.data?.channels.filter((run) => run.detector === detector.name)
    if (detector.readout === 'msadc' && runs?.length === 0)
      yield fault(
        file,
        [...path, 'readout'],
        `${detector.name} is read out by MSADC but has no channels`,
        'add a run to channels.yaml, or write readout: none'
      )
    if (runs !== undefined && runs.length > 0 && runs.length !== (detector.sections ?? runs.length))
      yield fault(
        file,
        [...path, 'sections'],
        `${detector.name} has ${detector.sections!} sections but ${runs.length} parts in channels.yaml`
      )
    if (detector.readout === 'magnet' && devices?.data !== undefined) {
      const isRead = devices.data.devices.some((device) => device.settings.magnetName === detector.name)
      if (!isRead)
        yield fault(
          file,
          [...path, 'readout'],
          `no device of kind magnet reads ${detector.name}`,
          'add one to devices.yaml, or write readout: none'
        )
    }
  }
}

export function* checkMagnets(files: ExperimentFiles): Faults {
  const magnets = files.detectors?.data?.detectors.filter((detector) => detector.readout === 'magnet')
  if (magnets === undefined) return
  const names = magnets.map((magnet) => magnet.name)
  for (const { settings, path } of devicesOf(files, 'magnet'))
    if (!names.includes(settings.magnetName))
      yield fault(
        files.devices!,
        [...path, 'settings', 'magnetName'],
        `no detector '${settings.magnetName}' with readout: magnet`,
        hintFor(settings.magnetName, names, 'magnets')
      )
}

export function* checkChannels(files: ExperimentFiles): Faults {
  const file = files.channels
  if (file?.data === undefined) return
  const { channels: runs } = file.data
  yield* repeated(
    file,
    runs.map((run, i) => ({ value: `${run.detector} ${run.part}`, path: ['channels', i, 'part'] })),
    'detector and part'
  )
  yield* checkOverlaps(file, runs)
  for (const [index, run] of runs.entries()) {
    if (files.detectors?.data !== undefined)
      yield* checkCells(file, run, index, files.detectors.data.detectors)
    if (files.devices?.data !== undefined) yield* checkModules(files, file, run, index)
  }
}

function* checkCells(
  file: ConfigFile<unknown>,
  run: ChannelRun,
  index: number,
  detectors: readonly Detector[]
): Faults {
  const detector = detectors.find((candidate) => candidate.name === run.detector)
  const path = ['channels', index, 'detector']
  if (detector === undefined) {
    const names = detectors.filter(({ readout }) => readout === 'msadc').map(({ name }) => name)
    yield fault(file, path, `no detector '${run.detector}'`, hintFor(run.detector, names, 'detectors'))
    return
  }
  if (detector.readout !== 'msadc')
    yield fault(file, path, `${detector.name} has readout ${detector.readout}, not msadc`)
  for (const key of ['cellsX', 'cellsY'] as const)
    if (detector[key] !== undefined && detector[key] !== run[key])
      yield fault(file, ['channels', index, key], `${run[key]}, but ${detector.name} has ${detector[key]}`)
}

function* checkModules(
  files: ExperimentFiles,
  file: ConfigFile<unknown>,
  run: ChannelRun,
  index: number
): Faults {
  const boards = [...devicesOf(files, 'slink-msadc')]
  const board = boards.find(({ settings }) => settings.source === run.source)
  if (board === undefined) {
    const all = files.devices!.data!.devices.filter(({ kind }) => kind === 'slink-msadc')
    // A board whose settings are wrong may be the one; its own fault is reported.
    if (all.length > boards.length) return
    const sources = boards.map(({ settings }) => String(settings.source))
    yield fault(
      file,
      ['channels', index, 'source'],
      `no board of kind slink-msadc has source ${run.source}`,
      hintFor(String(run.source), sources, 'sources')
    )
    return
  }
  const has = new Set(board.settings.modules.map(moduleNumber))
  const first = channelAddress(run)
  const last = first + run.cellsX * run.cellsY - 1
  for (let module = moduleOf(first); module <= moduleOf(last); module++)
    if (!has.has(module)) {
      yield fault(
        file,
        ['channels', index],
        `${run.detector} ${run.part} reaches port ${Math.floor(module / 4)} adc ${module % 4}, ` +
          `which ${board.device.id} (source ${run.source}) does not have`,
        'correct the first channel or add the module to devices.yaml'
      )
      return
    }
}

function* checkOverlaps(file: ConfigFile<unknown>, runs: readonly ChannelRun[]): Faults {
  const taken = new Map<string, number>()
  for (const [index, run] of runs.entries()) {
    const first = channelAddress(run)
    let isReported = false
    for (let address = first; address < first + run.cellsX * run.cellsY; address++) {
      const key = `${run.source}/${address}`
      const before = taken.get(key)
      if (before === undefined) taken.set(key, index)
      else if (!isReported) {
        isReported = true
        const module = moduleOf(address)
        yield fault(
          file,
          ['channels', index],
          `${run.detector} ${run.part} overlaps channels[${before}] ` +
            `(${runs[before]!.detector} ${runs[before]!.part}) from source ${run.source} ` +
            `port ${Math.floor(module / 4)} adc ${module % 4} channel ${address % 16}`
        )
      }
    }
  }
}

export function* checkModuleLists(files: ExperimentFiles): Faults {
  for (const { settings, path } of devicesOf(files, 'slink-msadc'))
    yield* repeated(
      files.devices!,
      settings.modules.map((module, i) => ({
        value: `port ${module.port} adc ${module.adc}`,
        path: [...path, 'settings', 'modules', i]
      })),
      'module'
    )
}
