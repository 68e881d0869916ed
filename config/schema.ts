/**
 * What an experiment is made of, one schema per YAML file. Units are in the keys. Every object with detector
 * numbers carries `provenance`: where its numbers come from, in the marks of docs/physics/provenance.md
 * ("S: seed talk", "F: source", "C: computed", "K-high|K-med|K-low: ...", "A: assumption").
 * Unknown keys are errors. This file has no I/O: config/load.ts reads, checks and resolves.
 */
import { z } from 'zod'

const name = z.string().regex(/^[A-Za-z][A-Za-z0-9_-]*$/, 'a letter, then letters, digits, _ or -')
const provenance = z
  .string()
  .regex(
    /^(S|F|C|K-high|K-med|K-low|A|document)\b.*:? ?.*/,
    'start with S, F, C, K-high, K-med, K-low, A or document'
  )
const positive = z.number().positive()
const natural = z.number().int().nonnegative()
const fraction = z.number().min(0).max(1)

/** experiment.yaml */
export const experimentSchema = z.strictObject({
  title: z.string().min(1),
  mode: z.strictObject({
    beamSpecies: z.enum(['mu', 'e', 'pi', 'none']),
    momentumGeV: z.number().nonnegative(),
    /** what exposure is counted in: "muons on target" */
    normalisation: z.string()
  }),
  run: z.strictObject({
    /** the run rolls over by itself after so many spills; S-LINK carries 11 bits of spill number */
    spillsPerRun: z.number().int().min(1).max(2047)
  }),
  spill: z.strictObject({
    source: z.enum(['sps', 'artificial', 'continuous']),
    /** for `artificial` and `continuous` (slices back to back: pause 0) */
    lengthMs: positive,
    pauseMs: z.number().nonnegative(),
    /** bound on the wait for end-of-spill records after the end of extraction */
    drainMs: positive,
    /** the machine is considered off after so many expected cycles without a warning */
    cyclesWithoutWarning: z.number().int().min(1)
  }),
  store: z.strictObject({
    /** zstd level of raw frames; -100 is nearly raw */
    zstdLevel: z.number().int().min(-131072).max(19),
    /** refuse to arm below this */
    diskFreeMinGB: z.number().nonnegative()
  })
})

/** detectors.yaml: every element of the beam line, in order, read out or not yet */
export const detectorSchema = z.strictObject({
  name,
  /** the collaboration's kind: ECAL, HCAL, VHCAL, VETO, S, V, MM, GM, ST, BMS, BK, MAGNET */
  kin: name,
  number: natural,
  role: z.enum(['target', 'veto', 'mip', 'trigger-counter', 'tracker', 'beam-momentum', 'magnet']),
  technology: z.string().min(1),
  zM: z.number(),
  provenance,
  readout: z.enum(['msadc', 'apv', 'f1', 'magnet', 'none']),
  widthMm: positive.optional(),
  heightMm: positive.optional(),
  /** centre relative to the beam axis of the undeflected beam */
  offsetXMm: z.number().optional(),
  offsetYMm: z.number().optional(),
  holeMm: positive.optional(),
  cellsX: z.number().int().positive().optional(),
  cellsY: z.number().int().positive().optional(),
  cellWidthMm: positive.optional(),
  cellHeightMm: positive.optional(),
  /** read-out sections in depth */
  sections: z.number().int().positive().optional(),
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

const simulatedUrl = z.string().regex(/^[a-z.+]+:\/\//, 'a URL with a scheme')

/** devices.yaml */
export const deviceSchema = z.strictObject({
  id: z.string().regex(/^[a-z][a-z0-9-]*$/, 'lower case, digits and -'),
  kind: z.enum(['slink-msadc', 'trigger-crate', 'iseg-scpi', 'interlock-plc', 'spill-timing', 'magnet']),
  process: z.enum(['daq', 'slow']),
  role: z.enum(['essential', 'required', 'optional']),
  /**
   * face -> URL of the hardware. `control` for everything that is commanded or polled, `data` for S-LINK.
   * Schemes: tcp, serial, modbus+tcp, ipbus+udp, mqtt, opc.tcp
   */
  links: z.partialRecord(
    z.enum(['control', 'data']),
    z.string().regex(/^[a-z.+]+:\/\//, 'a URL with a scheme')
  ),
  /** face -> URL of the simulated twin when `sim` runs alone; `run --sim` takes free ports instead */
  simulatedLinks: z.partialRecord(z.enum(['control', 'data']), simulatedUrl),
  pollMs: positive.optional(),
  /** the kind's own settings; `deviceSettings` below has the schema of each kind */
  settings: z.record(z.string(), z.unknown()).default({}),
  provenance
})
export const devicesSchema = z.strictObject({ devices: z.array(deviceSchema).min(1) })

/** settings of each kind of device */
export const deviceSettings = {
  'slink-msadc': z.strictObject({
    source: z.number().int().min(0).max(895),
    modules: z
      .array(z.strictObject({ port: z.number().int().min(0).max(7), adc: z.number().int().min(0).max(3) }))
      .min(1)
      .max(32),
    samplesPerEvent: z.number().int().min(4).max(64).multipleOf(2),
    latencySamples: z.number().int().min(0).max(319),
    zeroSuppression: z.boolean(),
    /** counts above pedestal, all channels */
    thresholdCounts: z.number().int().min(0).max(4095),
    /** events after a missing fragment of this source carry `after-gap` */
    distrustAfterGap: z.boolean()
  }),
  'trigger-crate': z.strictObject({
    source: z.number().int().min(0).max(895),
    distrustAfterGap: z.boolean()
  }),
  'iseg-scpi': z.strictObject({
    channels: z
      .array(
        z.strictObject({
          number: natural,
          name: z.string().min(1),
          /** our own limit, at or below the crate's */
          limitV: positive,
          nominalV: z.number().nonnegative(),
          rampVPerS: positive,
          currentLimitUa: positive,
          provenance
        })
      )
      .min(1),
    toleranceV: positive,
    /** what the supply does when nobody has touched it yet (simulation): at nominal, or off */
    simulatedInitially: z.enum(['nominal', 'off'])
  }),
  'interlock-plc': z.strictObject({ unit: z.number().int().min(1).max(247) }),
  'spill-timing': z.strictObject({ prefix: z.string().min(1) }),
  magnet: z.strictObject({ magnetName: name, nominalA: z.number(), nominalTm: z.number(), provenance })
} as const

/** channels.yaml: runs of channels; module order is port, adc; 16 channels a module */
export const channelRunSchema = z.strictObject({
  detector: name,
  /** part of a detector that is summed by itself: main, preshower, section-1 ... */
  part: name,
  source: z.number().int().min(0).max(895),
  /** first channel: counts on through channels 0..15 of adc 0..3 of port 0..7 */
  port: z.number().int().min(0).max(7),
  adc: z.number().int().min(0).max(3),
  channel: z.number().int().min(0).max(15),
  /** cells, x fastest */
  cellsX: z.number().int().positive(),
  cellsY: z.number().int().positive(),
  /** GeV per ADC count of amplitude */
  gevPerCount: positive,
  /** amplitude of a minimum-ionising particle in counts (most probable) */
  mipCounts: positive,
  provenance
})
export const channelsSchema = z.strictObject({ channels: z.array(channelRunSchema).min(1) })

/** trigger.yaml */
export const triggerSchema = z.strictObject({
  counters: z
    .array(
      z.strictObject({
        name,
        number: z.number().int().min(0).max(15),
        /** discriminator, DAC counts of 12 bits */
        thresholdCounts: z.number().int().min(0).max(4095),
        provenance
      })
    )
    .max(16),
  lines: z
    .array(
      z.strictObject({
        name,
        line: z.number().int().min(0).max(15),
        require: z.array(name).default([]),
        veto: z.array(name).default([]),
        /** 0 switches the line off */
        prescale: z.number().int().min(0).max(0xffffff),
        randomRateHz: z.number().int().min(0).default(0),
        use: z.enum(['physics', 'beam', 'random', 'calibration']),
        provenance
      })
    )
    .min(1)
    .max(16),
  deadTimeNs: z.number().int().min(0).max(0xffffff),
  provenance
})

/** reconstruction.yaml: the stages in order, with their parameters */
export const reconstructionSchema = z.strictObject({
  waveform: z.strictObject({
    /** first samples taken as pedestal, half even and half odd */
    pedestalSamples: z.number().int().min(2).max(16).multipleOf(2),
    /** spread of the pedestal samples above which the hit is flagged */
    pedestalNoiseCounts: positive,
    /** amplitude below which a hit is empty */
    thresholdCounts: positive,
    /** constant fraction of the time */
    fraction: z.number().min(0.05).max(0.95),
    saturationCounts: z.number().int().positive(),
    /** a second maximum that rises by more than this above the valley before it is another pulse */
    pileUpRiseCounts: positive,
    provenance
  }),
  calorimeter: z.strictObject({
    /** named sums over channels; `part` absent: all parts */
    sums: z
      .array(z.strictObject({ name, detector: name, part: name.optional() }))
      .min(1)
      .max(32),
    /** hits below this do not enter a sum */
    cellThresholdMip: z.number().nonnegative(),
    provenance
  })
})

/** selection.yaml: ordered; an event is selected when it passes every cut before the signal box */
export const selectionSchema = z.strictObject({
  cuts: z
    .array(
      z.strictObject({
        name,
        /** `clean`: no status bit; `trigger`: a line with this use fired; `sum`: low <= sum <= high */
        kind: z.enum(['clean', 'trigger', 'sum']),
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
    /** with `--cycle fast` the pause between spills is cut to this */
    fastPauseMs: positive,
    extractionMs: positive,
    warningWarningMs: positive,
    warningMs: positive,
    provenance
  }),
  beam: z.strictObject({
    /** 0 without beam */
    muonsPerSpill: z.number().nonnegative(),
    /** relative rms from spill to spill */
    intensitySpread: fraction,
    /** amplitude of the 50 Hz ripple on the extraction rate */
    ripple: fraction,
    spotSigmaXMm: positive,
    spotSigmaYMm: positive,
    haloFraction: fraction,
    provenance
  }),
  interactions: z.array(
    z.strictObject({
      /** what happens to the muon: hard-bremsstrahlung, photonuclear, deflected ... */
      process: name,
      perMuon: fraction,
      /** mean energy left in each detector beyond the MIP, GeV, exponentially distributed */
      meanGeV: z.record(z.string(), z.number().nonnegative()),
      /** probability that the muon then fires S4 and Smu */
      deflected: fraction,
      provenance
    })
  ),
  /** probability that a plain beam muon fires S4 and Smu */
  plainDeflected: fraction,
  electronics: z.strictObject({
    pulseFwhmNs: positive,
    noiseCounts: z.number().nonnegative(),
    pedestalMeanCounts: positive,
    pedestalSpreadCounts: z.number().nonnegative(),
    /** pedestal of odd samples minus that of even samples, rms over channels */
    oddEvenSpreadCounts: z.number().nonnegative(),
    jitterNs: z.number().nonnegative(),
    pulseAtSample: positive,
    /** Landau width over most probable value */
    landauWidth: positive,
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
