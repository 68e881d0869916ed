/**
 * What an experiment is made of, one schema per YAML file. Units are in the keys. Every object with detector
 * numbers carries `provenance`: where its numbers come from, in the marks of docs/physics/provenance.md
 * ("S: seed talk", "F: source", "C: computed", "K-high|K-med|K-low: ...", "A: assumption").
 * Unknown keys are errors. What a key means is said by `describe`: editors show it, messages hint with it.
 * This file has no I/O: config/load.ts reads, checks and resolves.
 */
import { z } from 'zod'
import { highVoltageSettings } from './high-voltage.ts'
import { provenanceText as provenance } from './provenance.ts'

const name = z.string().regex(/^[A-Za-z][A-Za-z0-9_-]*$/, 'a letter, then letters, digits, _ or -')
const positive = z.number().positive()
const natural = z.number().int().nonnegative()
const fraction = z.number().min(0).max(1)
const sourceId = z
  .number()
  .int()
  .min(0)
  .max(895)
  .describe('S-LINK source id, 0 to 895 (from 896 on: multiplexers)')
const adcCounts = z.number().int().min(0).max(4095)

/** experiment.yaml */
export const experimentSchema = z.strictObject({
  title: z.string().min(1),
  mode: z.strictObject({
    beamSpecies: z.enum(['mu', 'e', 'pi', 'none']),
    momentumGeV: z.number().nonnegative(),
    normalisation: z.string().describe('what exposure is counted in: "muons on target"')
  }),
  run: z.strictObject({
    spillsPerRun: z
      .number()
      .int()
      .min(1)
      .max(2047)
      .describe(
        '1 to 2047: the run rolls over by itself after so many spills; S-LINK has 11 bits for the spill number (DATE has 12)'
      )
  }),
  spill: z.strictObject({
    source: z
      .enum(['sps', 'artificial', 'continuous'])
      .describe(
        'sps: marks of the machine; artificial: spills of a local clock; continuous: slices back to back'
      ),
    lengthMs: positive.describe('ms; length of artificial spills and of continuous slices'),
    pauseMs: z.number().nonnegative().describe('ms between artificial spills; continuous slices have 0'),
    drainMs: positive.describe('ms; bound on the wait for end-of-spill records after the end of extraction'),
    cyclesWithoutWarning: z
      .number()
      .int()
      .min(1)
      .describe('the machine is considered off after so many expected cycles without a warning')
  }),
  store: z.strictObject({
    zstdLevel: z.number().int().min(-131072).max(19).describe('zstd level of raw frames; -100 is nearly raw'),
    diskFreeMinGB: z
      .number()
      .nonnegative()
      .describe('arming is refused with less free disk space than this, GB')
  })
})

/** detectors.yaml: every element of the beam line, in order, read out or not yet */
export const detectorSchema = z.strictObject({
  name,
  kin: name.describe("the collaboration's kind: ECAL, HCAL, VHCAL, VETO, S, V, MM, GM, ST, BMS, BK, MAGNET"),
  number: natural.describe('as printed on the hardware; kin and number together are unique'),
  role: z.enum(['target', 'veto', 'mip', 'trigger-counter', 'tracker', 'beam-momentum', 'magnet']),
  technology: z.string().min(1),
  zM: z.number().describe('m along the beam; 0 is the front face of the target'),
  provenance,
  readout: z
    .enum(['msadc', 'apv', 'f1', 'magnet', 'none'])
    .describe('how it is read out; apv and f1 name what a later readout will find'),
  widthMm: positive.optional(),
  heightMm: positive.optional(),
  offsetXMm: z
    .number()
    .optional()
    .describe('mm; centre, from the axis of the beam with the field of the spectrometer off'),
  offsetYMm: z.number().optional(),
  holeMm: positive.optional().describe('mm; diameter of the round hole in the centre'),
  cellsX: z.number().int().positive().optional(),
  cellsY: z.number().int().positive().optional(),
  cellWidthMm: positive.optional(),
  cellHeightMm: positive.optional(),
  sections: z
    .number()
    .int()
    .positive()
    .optional()
    .describe('sections in depth that are read out: so many parts in channels.yaml'),
  depthRadiationLengths: positive.optional(),
  depthInteractionLengths: positive.optional(),
  pitchUm: positive.optional(),
  stripsPerCoordinate: z.number().int().positive().optional(),
  multiplexing: z.number().int().positive().optional(),
  channelsPerPlane: z.number().int().positive().optional(),
  fieldIntegralTm: z.number().optional(),
  note: z.string().optional()
})
export const detectorsSchema = z.strictObject({ detectors: z.array(detectorSchema).min(1) })

const url = z.string().regex(/^[a-z.+]+:\/\//, 'a URL with a scheme')

/** devices.yaml */
export const deviceSchema = z.strictObject({
  id: z.string().regex(/^[a-z][a-z0-9-]*$/, 'a small letter, then small letters, digits and -'),
  kind: z.enum([
    'slink-msadc',
    'trigger-crate',
    'iseg-scpi',
    'caen-n1470',
    'opcua-crate',
    'interlock-plc',
    'hall-probe',
    'temperature-module',
    'spill-pulses',
    'spill-timing',
    'magnet'
  ]),
  process: z.enum(['daq', 'slow']).describe('the process that owns the device'),
  role: z
    .enum(['essential', 'required', 'optional'])
    .describe(
      'when it goes away: essential - SAFE; required - the run is stopped; optional - the run is degraded'
    ),
  links: z
    .partialRecord(z.enum(['control', 'data']), url)
    .describe(
      'URLs of the hardware: control (everything commanded or polled), data (S-LINK); ' +
        'tcp, serial, udp, modbus+tcp, modbus+serial, ipbus+udp, mqtt, opc.tcp'
    ),
  simulatedLinks: z
    .partialRecord(z.enum(['control', 'data']), url)
    .describe(
      'URLs of the simulated twin when `spillway sim` runs alone, on loopback; serial://./name is a line in the ' +
        'data folder; `run --sim` takes free ports instead'
    ),
  pollMs: positive.optional().describe('ms between two readings; not for devices that report by themselves'),
  settings: z.record(z.string(), z.unknown()).default({}).describe("the kind's own settings"),
  provenance
})
export const devicesSchema = z.strictObject({ devices: z.array(deviceSchema).min(1) })

/** settings of each kind of device */
export const deviceSettings = {
  'slink-msadc': z.strictObject({
    source: sourceId,
    modules: z
      .array(z.strictObject({ port: z.number().int().min(0).max(7), adc: z.number().int().min(0).max(3) }))
      .min(1)
      .max(32),
    samplesPerEvent: z.number().int().min(4).max(64).multipleOf(2).describe('even, 4 to 64'),
    latencySamples: z.number().int().min(0).max(319).describe('0 to 319 samples of 12.86 ns'),
    zeroSuppression: z.boolean().describe('only channels above threshold are sent'),
    thresholdCounts: adcCounts.describe('0 to 4095 counts above pedestal, for all channels'),
    distrustAfterGap: z.boolean().describe('events after a missing fragment of this source carry `after-gap`')
  }),
  'trigger-crate': z.strictObject({
    source: sourceId,
    distrustAfterGap: z.boolean()
  }),
  ...highVoltageSettings,
  'interlock-plc': z.strictObject({ unit: z.number().int().min(1).max(247) }),
  'spill-timing': z.strictObject({
    prefix: z.string().min(1).describe('of the MQTT topics, without the last /')
  }),
  magnet: z.strictObject({ magnetName: name, nominalA: z.number(), nominalTm: z.number(), provenance }),
  'hall-probe': z.strictObject({
    nominalT: z
      .number()
      .describe('T, signed; field where the probe sits, at the nominal current of its magnet'),
    warningT: positive.describe('T off nominal that are worth a warning'),
    criticalT: positive.describe('T off nominal that spoil the momenta; above warningT'),
    unit: z.enum(['T', 'G']).default('T').describe('of an answer that names no unit (switches S2-5, S2-6)'),
    simulatedMagnet: z
      .string()
      .optional()
      .describe('id of the magnet whose current the field follows (simulation); absent: it stands'),
    provenance
  }),
  'temperature-module': z.strictObject({
    channels: z
      .array(
        z.strictObject({
          name: z
            .string()
            .regex(/^[a-z][a-z0-9-]*$/)
            .describe('of the signal: small letters, digits and -'),
          description: z.string().min(1).describe('where the sensor sits'),
          table: z.enum(['holding', 'input']).describe('function code 3 or 4'),
          register: z.number().int().min(0).max(0xffff).describe('first register, from 0 (40001 is 0)'),
          format: z.enum(['int16', 'uint16', 'float32']),
          wordOrder: z
            .enum(['ABCD', 'CDAB', 'BADC', 'DCBA'])
            .default('ABCD')
            .describe('of a float32: its bytes, A the highest, as they come in the two registers'),
          degCPerCount: z.number().default(1).describe('degC per count, or per unit of the float'),
          offsetDegC: z.number().default(0).describe('degC at count 0'),
          brokenWords: z
            .array(z.number().int().min(0).max(0xffff))
            .default([])
            .describe('words that mean: no sensor; not for floats'),
          warningDegC: z.number().optional(),
          criticalDegC: z.number().optional(),
          simulatedDegC: z.number().default(23).describe('degC about which it wanders (simulation)'),
          provenance
        })
      )
      .min(1)
      .max(64),
    moduleName: z
      .strictObject({
        register: z.number().int().min(0).max(0xffff),
        word: z.number().int().min(0).max(0xffff)
      })
      .optional()
      .describe('a holding register and what it must hold; compared on connecting')
  }),
  'spill-pulses': z.strictObject({})
} as const

/** channels.yaml: runs of channels; module order is port, adc; 16 channels a module */
export const channelRunSchema = z.strictObject({
  detector: name,
  part: name.describe('part of a detector that is summed by itself: main, preshower, section-1 ...'),
  source: sourceId,
  port: z
    .number()
    .int()
    .min(0)
    .max(7)
    .describe('first channel: counts on through channels 0..15 of adc 0..3 of port 0..7'),
  adc: z.number().int().min(0).max(3),
  channel: z.number().int().min(0).max(15),
  cellsX: z.number().int().positive().describe('cells, x fastest'),
  cellsY: z.number().int().positive(),
  gevPerCount: positive.describe('GeV per ADC count of amplitude'),
  mipCounts: positive.describe('amplitude of a minimum-ionising particle in counts (most probable)'),
  provenance
})
export const channelsSchema = z.strictObject({ channels: z.array(channelRunSchema).min(1) })

/** trigger.yaml */
export const triggerSchema = z.strictObject({
  counters: z
    .array(
      z.strictObject({
        name,
        number: z.number().int().min(0).max(15).describe('input of the crate, 0 to 15'),
        thresholdCounts: adcCounts.describe('discriminator, 0 to 4095 DAC counts'),
        provenance
      })
    )
    .max(16),
  lines: z
    .array(
      z.strictObject({
        name,
        line: z.number().int().min(0).max(15).describe('bit of the trigger mask, 0 to 15'),
        require: z.array(name).default([]),
        veto: z.array(name).default([]),
        prescale: z
          .number()
          .int()
          .min(0)
          .max(0xffffff)
          .describe('0 to 16777215: every n-th is kept; 0 switches the line off'),
        randomRateHz: z
          .number()
          .int()
          .min(0)
          .max(1_000_000)
          .default(0)
          .describe('Hz of a random pulser, up to 1 MHz; 0: the line follows its counters'),
        use: z
          .enum(['physics', 'beam', 'random', 'calibration'])
          .describe(
            'what its events are for; physics and beam follow counters, random and calibration a pulser'
          ),
        provenance
      })
    )
    .min(1)
    .max(16),
  deadTimeNs: z.number().int().min(0).max(0xffffff).describe('ns after each accepted trigger, 0 to 16777215'),
  provenance
})

/** reconstruction.yaml: the stages in order, with their parameters */
export const reconstructionSchema = z.strictObject({
  waveform: z.strictObject({
    pedestalSamples: z
      .number()
      .int()
      .min(2)
      .max(16)
      .multipleOf(2)
      .describe('so many first samples make the pedestal, half even and half odd: 2 to 16, even'),
    pedestalNoiseCounts: positive.describe('spread of the pedestal samples above which the hit is flagged'),
    thresholdCounts: positive.describe('amplitude below which a hit is empty'),
    fraction: z
      .number()
      .min(0.05)
      .max(0.95)
      .describe('0.05 to 0.95: the time is where the pulse crosses this part of its amplitude'),
    saturationCounts: z.number().int().min(1).max(4095).describe('a sample at or above this is saturated'),
    pileUpRiseCounts: positive.describe(
      'a second maximum that rises by more than this above the valley before it is another pulse'
    ),
    provenance
  }),
  calorimeter: z.strictObject({
    sums: z
      .array(z.strictObject({ name, detector: name, part: name.optional() }))
      .min(1)
      .max(32)
      .describe('named energy sums over the channels of a detector; without part: all of its parts'),
    cellThresholdMip: z.number().nonnegative().describe('MIP; hits below this do not enter a sum'),
    provenance
  })
})

/** selection.yaml: ordered; an event is selected when it passes every cut before the signal box */
export const selectionSchema = z.strictObject({
  cuts: z
    .array(
      z.strictObject({
        name,
        kind: z
          .enum(['clean', 'trigger', 'sum'])
          .describe(
            '`clean`: no status bit; `trigger`: a line with this use fired; `sum`: low <= sum <= high'
          ),
        use: z.enum(['physics', 'beam', 'random', 'calibration']).optional(),
        sum: name.optional(),
        lowGeV: z.number().optional(),
        highGeV: z.number().optional(),
        provenance
      })
    )
    .min(1)
    .max(31)
})

/** simulation.yaml: what the simulated world assumes beyond the files above */
export const simulationSchema = z.strictObject({
  cycle: z.strictObject({
    cycleLengthMs: positive,
    fastPauseMs: positive.describe('ms; with `--cycle fast` the pause between spills is cut to this'),
    extractionMs: positive,
    warningWarningMs: positive.describe('ms before extraction of the first warning'),
    warningMs: positive.describe('ms before extraction of the second warning'),
    provenance
  }),
  beam: z.strictObject({
    muonsPerSpill: z.number().nonnegative().describe('0 without beam'),
    intensitySpread: fraction.describe('relative rms from spill to spill'),
    ripple: fraction.describe('amplitude of the 50 Hz ripple on the extraction rate'),
    rippleSecondHarmonic: fraction.describe('amplitude of the 100 Hz ripple, relative to that of 50 Hz'),
    spotSigmaXMm: positive,
    spotSigmaYMm: positive,
    haloFraction: fraction.describe('halo muons per beam muon'),
    haloReach: z
      .number()
      .min(1)
      .describe('halo lies between the edge of the beam and so many times its radius'),
    haloInBeamCounter: fraction.describe('probability that a halo muon crosses one of the beam counters'),
    provenance
  }),
  interactions: z.array(
    z.strictObject({
      process: name.describe('what happens to the muon: hard-bremsstrahlung, photonuclear, deflected ...'),
      perMuon: fraction.describe('probability per beam muon'),
      meanGeV: z
        .record(z.string(), z.number().nonnegative())
        .describe('GeV beyond the MIP left in a detector (name) or in all of a kin, mean of an exponential'),
      deflected: fraction.describe('probability that the muon then fires S4 and Smu'),
      provenance
    })
  ),
  deflection: z.strictObject({
    plain: fraction.describe('probability that a plain beam muon fires S4 and Smu'),
    plainInFirst: fraction.describe('probability that a plain beam muon fires S4 alone'),
    minimumGeV: positive.describe('GeV/c; deflected muons are uniform between the two'),
    maximumGeV: positive,
    provenance
  }),
  showers: z.strictObject({
    coreShare: fraction.describe('energy in the struck cell'),
    sideShare: fraction.describe('energy in each of the four cells beside it'),
    cornerShare: fraction.describe('energy in each of the four cells at its corners'),
    preshowerShare: fraction.describe('weight of a pre-shower against the first section behind it'),
    sectionRatio: fraction.describe('weight of each section in depth against the one before'),
    provenance
  }),
  electronics: z.strictObject({
    pulseFwhmNs: positive,
    noiseCounts: z.number().nonnegative(),
    pedestalMeanCounts: positive,
    pedestalSpreadCounts: z.number().nonnegative(),
    oddEvenSpreadCounts: z
      .number()
      .nonnegative()
      .describe('pedestal of odd samples minus that of even samples, rms over channels'),
    jitterNs: z.number().nonnegative(),
    pulseAtSample: positive.describe('sample of the maximum of a pulse in time'),
    landauWidth: positive.describe('Landau width over most probable value'),
    counterMipCounts: positive.describe('counts; MIP in a trigger counter that no ADC channel reads'),
    pulserCounts: positive.describe('counts; mean amplitude of the calibration pulser'),
    pulserChannelSpread: fraction.describe('relative rms of the pulser over channels'),
    pulserShotSpread: fraction.describe('relative rms of the pulser from shot to shot'),
    provenance
  })
})

export type ExperimentFile = z.infer<typeof experimentSchema>
export type Detector = z.infer<typeof detectorSchema>
export type DeviceConfig = z.infer<typeof deviceSchema>
export type DeviceKind = DeviceConfig['kind']
export type SettingsOf<K extends DeviceKind> = z.infer<(typeof deviceSettings)[K]>
export type ChannelRun = z.infer<typeof channelRunSchema>
export type TriggerConfig = z.infer<typeof triggerSchema>
export type ReconstructionConfig = z.infer<typeof reconstructionSchema>
export type SelectionConfig = z.infer<typeof selectionSchema>
export type SimulationConfig = z.infer<typeof simulationSchema>

/** One channel of the map, resolved. `index` counts all channels of the experiment from 0. */
export interface Channel {
  readonly index: number
  readonly name: string
  readonly source: number
  readonly port: number
  readonly adc: number
  readonly channel: number
  readonly detector: string
  readonly kin: string
  readonly number: number
  readonly part: string
  readonly xIndex: number
  readonly yIndex: number
  readonly gevPerCount: number
  readonly mipCounts: number
}

/** An experiment, checked and resolved: what the rest of the program works with. */
export interface Experiment {
  readonly name: string
  /** hash of all files: two equal hashes are the same configuration */
  readonly hash: string
  readonly title: string
  readonly mode: ExperimentFile['mode']
  readonly run: ExperimentFile['run']
  readonly spill: ExperimentFile['spill']
  readonly store: ExperimentFile['store']
  readonly detectors: readonly Detector[]
  readonly devices: readonly DeviceConfig[]
  readonly channels: readonly Channel[]
  readonly trigger: TriggerConfig
  readonly reconstruction: ReconstructionConfig
  readonly selection: SelectionConfig
  readonly simulation: SimulationConfig
  /** text of each file as read, to be frozen with the run */
  readonly files: Readonly<Record<string, string>>
}

/** Data sources (S-LINK ids) of the experiment in the order of the devices: the columns of the block. */
export function sourcesOf(experiment: Pick<Experiment, 'devices'>): readonly number[] {
  return experiment.devices
    .filter((device) => device.links.data !== undefined)
    .map((device) => (device.settings as { source: number }).source)
}

/** The files of an experiment, `<name>.yaml`, in the order in which faults are reported. */
export const experimentFileSchemas = {
  experiment: experimentSchema,
  detectors: detectorsSchema,
  devices: devicesSchema,
  channels: channelsSchema,
  trigger: triggerSchema,
  reconstruction: reconstructionSchema,
  selection: selectionSchema,
  simulation: simulationSchema
} as const
export type ExperimentFileName = keyof typeof experimentFileSchemas
