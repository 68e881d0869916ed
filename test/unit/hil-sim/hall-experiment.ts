import type { Channel, Detector, DeviceConfig, Experiment } from '../../../config/schema.ts'
import type { ByteFace, RegisterFace, SimDevice } from '../../../hil-sim/device/face.ts'

/** A small experiment for tests of the hall: a target of 3 x 3 cells, one HCAL, a veto, the trigger counters. */

const provenance = 'A: test'
const detector = (
  name: string,
  kin: string,
  role: Detector['role'],
  zM: number,
  more: object = {}
): Detector => ({
  name,
  kin,
  number: 0,
  role,
  technology: 'test',
  zM,
  provenance,
  readout: 'msadc',
  ...more
})

const detectors: readonly Detector[] = [
  detector('S0', 'S', 'trigger-counter', -22, { widthMm: 42 }),
  detector('S1', 'S', 'trigger-counter', -1.5, { widthMm: 42 }),
  detector('V0', 'V', 'trigger-counter', -1, { holeMm: 42 }),
  detector('ECAL', 'ECAL', 'target', 0, { cellWidthMm: 38, cellHeightMm: 38 }),
  detector('VETO', 'VETO', 'veto', 0.6, { widthMm: 550, heightMm: 550 }),
  detector('MS2', 'MAGNET', 'magnet', 7, { fieldIntegralTm: 1.4, readout: 'magnet' }),
  detector('S4', 'S', 'trigger-counter', 17, { offsetXMm: 91, widthMm: 90 }),
  detector('HCAL', 'HCAL', 'mip', 18, { cellWidthMm: 200, cellHeightMm: 200 }),
  detector('Smu', 'S', 'trigger-counter', 26, { offsetXMm: 202, widthMm: 152 })
]

const COUNTERS = ['S0', 'S1', 'V0', 'S4', 'Smu']

function makeChannels(): Channel[] {
  const channels: Channel[] = []
  const add = (
    name: string,
    part: string,
    cells: number,
    source: number,
    adc: number,
    first: number
  ): void => {
    const kin = detectors.find((d) => d.name === name)!.kin
    for (let i = 0; i < cells * cells; i++)
      channels.push({
        index: channels.length,
        name: `${name}-${part}-${i}`,
        source,
        port: 0,
        adc,
        channel: first + i,
        detector: name,
        kin,
        number: 0,
        part,
        xIndex: i % cells,
        yIndex: Math.floor(i / cells),
        gevPerCount: 0.005,
        mipCounts: 100
      })
  }
  add('ECAL', 'main', 3, 600, 0, 0)
  add('ECAL', 'preshower', 3, 600, 1, 0)
  add('HCAL', 'main', 3, 601, 0, 0)
  add('VETO', 'main', 1, 601, 0, 9)
  COUNTERS.forEach((name, i) => add(name, 'main', 1, 601, 2, i))
  return channels
}

const board = (id: string, source: number, adcs: readonly number[]): DeviceConfig => ({
  id,
  kind: 'slink-msadc',
  process: 'daq',
  role: 'required',
  links: { control: 'ipbus+udp://twin:1', data: 'tcp://twin:2' },
  simulatedLinks: {},
  settings: {
    source,
    modules: adcs.map((adc) => ({ port: 0, adc })),
    samplesPerEvent: 32,
    latencySamples: 100,
    zeroSuppression: false,
    thresholdCounts: 10,
    distrustAfterGap: false
  },
  provenance
})

const line = (
  name: string,
  l: number,
  require: string[],
  veto: string[],
  prescale: number,
  randomRateHz = 0
) => ({
  name,
  line: l,
  require,
  veto,
  prescale,
  randomRateHz,
  use: randomRateHz > 0 ? ('random' as const) : name === 'physics' ? ('physics' as const) : ('beam' as const),
  provenance
})

export function makeExperiment(muonsPerSpill = 40_000): Experiment {
  return {
    name: 'test',
    hash: '',
    title: 'test',
    mode: { beamSpecies: 'mu', momentumGeV: 160, normalisation: 'muons on target' },
    run: { spillsPerRun: 200 },
    spill: { source: 'sps', lengthMs: 200, pauseMs: 100, drainMs: 500, cyclesWithoutWarning: 3 },
    store: { zstdLevel: 1, diskFreeMinGB: 1 },
    detectors,
    devices: [
      board('msadc-a', 600, [0, 1]),
      board('msadc-b', 601, [0, 2]),
      {
        ...board('crate', 700, []),
        kind: 'trigger-crate',
        settings: { source: 700, distrustAfterGap: false }
      }
    ],
    channels: makeChannels(),
    trigger: {
      counters: COUNTERS.map((name, number) => ({ name, number, thresholdCounts: 50, provenance })),
      lines: [
        line('physics', 0, ['S0', 'S1', 'S4', 'Smu'], ['V0'], 1),
        line('beam', 1, ['S0', 'S1'], ['V0'], 500),
        line('random', 2, [], [], 1, 100)
      ],
      deadTimeNs: 5000,
      provenance
    },
    reconstruction: {
      waveform: {
        pedestalSamples: 6,
        pedestalNoiseCounts: 5,
        thresholdCounts: 8,
        fraction: 0.5,
        saturationCounts: 4095,
        pileUpRiseCounts: 10,
        provenance
      },
      calorimeter: { sums: [{ name: 'ECAL', detector: 'ECAL' }], cellThresholdMip: 0.2, provenance }
    },
    selection: { cuts: [{ name: 'clean', kind: 'clean', provenance }] },
    simulation: {
      cycle: {
        cycleLengthMs: 1000,
        fastPauseMs: 100,
        extractionMs: 200,
        warningWarningMs: 300,
        warningMs: 50,
        provenance
      },
      beam: {
        muonsPerSpill,
        intensitySpread: 0.05,
        ripple: 0.2,
        rippleSecondHarmonic: 0.5,
        spotSigmaXMm: 9,
        spotSigmaYMm: 9,
        haloFraction: 0.15,
        haloReach: 3,
        haloInBeamCounter: 0.05,
        provenance
      },
      interactions: [
        { process: 'hard', perMuon: 1e-3, meanGeV: { ECAL: 10, VETO: 1 }, deflected: 0.5, provenance }
      ],
      deflection: { plain: 5e-4, plainInFirst: 0.005, minimumGeV: 40, maximumGeV: 80, provenance },
      showers: {
        ...{ coreShare: 0.8, sideShare: 0.04, cornerShare: 0.01 },
        ...{ preshowerShare: 0.1, sectionRatio: 0.4 },
        provenance
      },
      electronics: {
        pulseFwhmNs: 95,
        noiseCounts: 1.5,
        pedestalMeanCounts: 100,
        pedestalSpreadCounts: 15,
        oddEvenSpreadCounts: 3,
        jitterNs: 1,
        pulseAtSample: 14,
        landauWidth: 0.12,
        counterMipCounts: 400,
        pulserCounts: 1000,
        pulserChannelSpread: 0.1,
        pulserShotSpread: 0.01,
        provenance
      }
    },
    files: {}
  }
}

export const busOf = (device: SimDevice): RegisterFace => device.faces.control as RegisterFace
export const dataOf = (device: SimDevice): ByteFace => device.faces.data as ByteFace

/** Collects what a data face sends. */
export class Listener {
  readonly pieces: Uint8Array[] = []
  hangUps = 0
  readonly #device: SimDevice
  session: ReturnType<ByteFace['attach']>

  constructor(device: SimDevice) {
    this.#device = device
    this.session = this.#attach()
  }

  /** connects again */
  again(): void {
    this.session = this.#attach()
  }

  bytes(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.pieces))
  }

  #attach(): ReturnType<ByteFace['attach']> {
    return dataOf(this.#device).attach(
      (bytes) => this.pieces.push(bytes.slice()),
      () => this.hangUps++
    )
  }
}

/** Writes the experiment's trigger menu and enables data and run: what a controller does to arm. */
export function arm(devices: readonly SimDevice[], experiment: Experiment, control = 1): void {
  const { counters, lines, deadTimeNs } = experiment.trigger
  const maskOf = (names: readonly string[]): number =>
    names.reduce((mask, name) => mask | (1 << counters.find((c) => c.name === name)!.number), 0)
  for (const device of devices.filter((d) => d.kind === 'slink-msadc')) {
    busOf(device).write('bus', 5, [100])
    busOf(device).write('bus', 4, [1])
  }
  for (const device of devices.filter((d) => d.kind === 'trigger-crate')) {
    const bus = busOf(device)
    for (const c of counters) bus.write('bus', 0x20 + c.number, [c.thresholdCounts])
    for (const l of lines) {
      bus.write('bus', 0x40 + l.line, [l.prescale])
      bus.write('bus', 0x60 + l.line, [maskOf(l.require)])
      bus.write('bus', 0x80 + l.line, [maskOf(l.veto)])
      bus.write('bus', 0xa0 + l.line, [l.randomRateHz])
    }
    bus.write('bus', 7, [deadTimeNs])
    bus.write('bus', 5, [1])
    bus.write('bus', 4, [control])
  }
}
