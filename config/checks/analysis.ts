/** trigger.yaml, reconstruction.yaml and selection.yaml: every name that they use must exist. */
import { hintFor } from '../nearest.ts'
import type { ConfigFile } from '../read-file.ts'
import type { SelectionConfig } from '../schema.ts'
import { devicesOf, type ExperimentFiles, fault, type Faults, repeated } from './files.ts'

export function* checkTrigger({ trigger: file, detectors }: ExperimentFiles): Faults {
  if (file?.data === undefined) return
  const { counters, lines } = file.data
  for (const key of ['name', 'number'] as const)
    yield* repeated(
      file,
      counters.map((counter, i) => ({ value: counter[key], path: ['counters', i, key] })),
      `counter ${key}`
    )
  for (const key of ['name', 'line'] as const)
    yield* repeated(
      file,
      lines.map((line, i) => ({ value: line[key], path: ['lines', i, key] })),
      key === 'name' ? 'line name' : 'line'
    )
  const known = detectors?.data?.detectors.map((detector) => detector.name)
  for (const [i, counter] of counters.entries())
    if (known?.includes(counter.name) === false)
      yield fault(
        file,
        ['counters', i, 'name'],
        `no detector '${counter.name}'`,
        hintFor(counter.name, known, 'detectors')
      )
  yield* checkLines({ trigger: file })
}

function* checkLines({ trigger: file }: ExperimentFiles): Faults {
  const { counters, lines } = file!.data!
  const names = counters.map((counter) => counter.name)
  for (const [i, line] of lines.entries()) {
    const path = ['lines', i]
    for (const key of ['require', 'veto'] as const)
      for (const [k, counter] of line[key].entries())
        if (!names.includes(counter))
          yield fault(
            file!,
            [...path, key, k],
            `no counter '${counter}'`,
            hintFor(counter, names, 'counters')
          )
    const both = line.require.filter((counter) => line.veto.includes(counter))
    if (both.length > 0)
      yield fault(file!, [...path, 'veto'], `requires and vetoes ${both.join(', ')}: never fires`)
    const isRandom = line.randomRateHz > 0
    if (isRandom && line.require.length + line.veto.length > 0)
      yield fault(
        file!,
        [...path, 'randomRateHz'],
        'a line follows its counters or a random pulser, not both',
        'make two lines of it'
      )
    if (!isRandom && line.require.length === 0)
      yield fault(file!, path, `line '${line.name}' requires no counter and has no randomRateHz: never fires`)
    const needsCounters = line.use === 'physics' || line.use === 'beam'
    if (isRandom === needsCounters)
      yield fault(
        file!,
        [...path, 'use'],
        isRandom
          ? `a random pulser cannot be of use ${line.use}`
          : `a coincidence of counters cannot be of use ${line.use}`,
        isRandom ? 'random or calibration' : 'physics or beam'
      )
  }
}

export function* checkReconstruction(files: ExperimentFiles): Faults {
  const file = files.reconstruction
  if (file?.data === undefined) return
  const { waveform, calorimeter } = file.data
  yield* repeated(
    file,
    calorimeter.sums.map((sum, i) => ({ value: sum.name, path: ['calorimeter', 'sums', i, 'name'] })),
    'sum'
  )
  const runs = files.channels?.data?.channels
  if (runs !== undefined)
    for (const [i, sum] of calorimeter.sums.entries()) {
      const path = ['calorimeter', 'sums', i]
      const parts = runs.filter((run) => run.detector === sum.detector).map((run) => run.part)
      const detectors = [...new Set(runs.map((run) => run.detector))]
      if (parts.length === 0)
        yield fault(
          file,
          [...path, 'detector'],
          `'${sum.detector}' has no channels`,
          hintFor(sum.detector, detectors, 'detectors with channels')
        )
      else if (sum.part !== undefined && !parts.includes(sum.part))
        yield fault(
          file,
          [...path, 'part'],
          `${sum.detector} has no part '${sum.part}'`,
          hintFor(sum.part, parts, 'parts')
        )
    }
  for (const { device, settings } of devicesOf(files, 'slink-msadc'))
    if (waveform.pedestalSamples >= settings.samplesPerEvent)
      yield fault(
        file,
        ['waveform', 'pedestalSamples'],
        `${waveform.pedestalSamples} of the ${settings.samplesPerEvent} samples of ${device.id}: none left for the pulse`
      )
}

type Cut = SelectionConfig['cuts'][number]
const CUT_KEYS: Readonly<Record<Cut['kind'], readonly (keyof Cut)[]>> = {
  clean: [],
  trigger: ['use'],
  sum: ['sum', 'lowGeV', 'highGeV']
}

export function* checkSelection({ selection: file, reconstruction, trigger }: ExperimentFiles): Faults {
  if (file?.data === undefined) return
  const { cuts } = file.data
  yield* repeated(
    file,
    cuts.map((cut, i) => ({ value: cut.name, path: ['cuts', i, 'name'] })),
    'cut'
  )
  const sums = reconstruction?.data?.calorimeter.sums.map((sum) => sum.name)
  const uses = trigger?.data?.lines.filter((line) => line.prescale > 0).map((line) => line.use)
  for (const [i, cut] of cuts.entries()) {
    const path = ['cuts', i]
    for (const key of ['use', 'sum', 'lowGeV', 'highGeV'] as const)
      if (cut[key] !== undefined && !CUT_KEYS[cut.kind].includes(key))
        yield fault(file, [...path, key], `a cut of kind ${cut.kind} has no ${key}`, 'remove it')
    if (cut.kind === 'trigger') yield* checkTriggerCut(file, cut, path, uses)
    if (cut.kind === 'sum') yield* checkSumCut(file, cut, path, sums)
  }
}

function* checkTriggerCut(
  file: ConfigFile<unknown>,
  cut: Cut,
  path: PropertyKey[],
  uses: readonly string[] | undefined
): Faults {
  if (cut.use === undefined)
    yield fault(file, path, `key 'use' is missing`, 'which triggers pass: physics, beam, random, calibration')
  else if (uses?.includes(cut.use) === false)
    yield fault(
      file,
      [...path, 'use'],
      `no line that is switched on has use: ${cut.use}; no event would pass`
    )
}

function* checkSumCut(
  file: ConfigFile<unknown>,
  cut: Cut,
  path: PropertyKey[],
  sums: readonly string[] | undefined
): Faults {
  if (cut.sum === undefined) yield fault(file, path, `key 'sum' is missing`, 'a sum of reconstruction.yaml')
  else if (sums?.includes(cut.sum) === false)
    yield fault(file, [...path, 'sum'], `no sum '${cut.sum}'`, hintFor(cut.sum, sums, 'sums'))
  if (cut.lowGeV === undefined && cut.highGeV === undefined)
    yield fault(file, path, 'neither lowGeV nor highGeV: the cut cuts nothing', 'give at least one')
  if (cut.lowGeV !== undefined && cut.highGeV !== undefined && cut.lowGeV > cut.highGeV)
    yield fault(
      file,
      [...path, 'lowGeV'],
      `${cut.lowGeV} is above highGeV, ${cut.highGeV}: no event would pass`,
      'exchange the two?'
    )
}
