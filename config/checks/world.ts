/** experiment.yaml and simulation.yaml: spills, cycle and world must fit each other and the rest. */
import { hintFor } from '../nearest.ts'
import { devicesOf, type ExperimentFiles, fault, type Faults, repeated } from './files.ts'

export function* checkExperiment({ experiment: file, devices }: ExperimentFiles): Faults {
  if (file?.data === undefined) return
  const { mode, spill } = file.data
  if (spill.source === 'continuous' && spill.pauseMs > 0)
    yield fault(file, ['spill', 'pauseMs'], 'continuous slices follow back to back', 'write pauseMs: 0')
  const hasTiming = devices?.data?.devices.some(({ kind }) => ['spill-timing', 'spill-pulses'].includes(kind))
  if (spill.source === 'sps' && hasTiming === false)
    yield fault(
      file,
      ['spill', 'source'],
      'spills of the SPS need a device of kind spill-timing or spill-pulses',
      'add one to devices.yaml, or write source: artificial'
    )
  const hasBeam = mode.beamSpecies !== 'none'
  if (hasBeam !== mode.momentumGeV > 0)
    yield fault(
      file,
      ['mode', 'momentumGeV'],
      hasBeam ? `a beam of ${mode.beamSpecies} needs a momentum` : 'there is a momentum but no beam'
    )
}

export function* checkSimulation(files: ExperimentFiles): Faults {
  const file = files.simulation
  if (file?.data === undefined) return
  const { cycle, beam, interactions, electronics } = file.data
  if (cycle.extractionMs >= cycle.cycleLengthMs)
    yield fault(file, ['cycle', 'extractionMs'], `is not shorter than the cycle of ${cycle.cycleLengthMs} ms`)
  if (cycle.warningMs >= cycle.warningWarningMs)
    yield fault(
      file,
      ['cycle', 'warningMs'],
      `the last warning comes after the first one, ${cycle.warningWarningMs} ms before extraction`
    )
  const pause = cycle.cycleLengthMs - cycle.extractionMs
  if (cycle.warningWarningMs >= pause && pause > 0)
    yield fault(
      file,
      ['cycle', 'warningWarningMs'],
      `the warning would come inside the spill before: the pause is ${pause} ms`
    )
  const species = files.experiment?.data?.mode.beamSpecies
  if (species !== undefined && (species === 'none') !== (beam.muonsPerSpill === 0))
    yield fault(
      file,
      ['beam', 'muonsPerSpill'],
      species === 'none' ? 'beamSpecies is none: write 0' : `a beam of ${species} has more than 0`
    )
  yield* repeated(
    file,
    interactions.map((one, i) => ({ value: one.process, path: ['interactions', i, 'process'] })),
    'process'
  )
  const total = interactions.reduce((sum, one) => sum + one.perMuon, 0)
  if (total > 1) yield fault(file, ['interactions'], `perMuon adds up to ${total}, more than 1`)
  yield* checkEnergies(files)
  for (const { device, settings } of devicesOf(files, 'slink-msadc'))
    if (electronics.pulseAtSample >= settings.samplesPerEvent)
      yield fault(
        file,
        ['electronics', 'pulseAtSample'],
        `outside the ${settings.samplesPerEvent} samples of ${device.id}`
      )
}

/** Energies are given by name of a detector, or by kin for all of a kin. */
function* checkEnergies({ simulation: file, detectors }: ExperimentFiles): Faults {
  const known = detectors?.data?.detectors.filter((detector) => detector.readout === 'msadc')
  if (known === undefined) return
  const names = [...new Set(known.flatMap(({ name, kin }) => [name, kin]))]
  for (const [i, { meanGeV }] of file!.data!.interactions.entries())
    for (const detector of Object.keys(meanGeV))
      if (!names.includes(detector))
        yield fault(
          file!,
          ['interactions', i, 'meanGeV', detector],
          `no detector '${detector}' with energy`,
          hintFor(detector, names, 'detectors')
        )
}
