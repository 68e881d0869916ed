import type {
  CommandState,
  DeviceSummary,
  Histogram,
  SignalSummary,
  Snapshot,
  SourceLedger,
  SpillSummary
} from '../../../console/api/api.ts'

/** Situations of the experiment as the controller would tell them, around the present. */

const ago = (ms: number): string => new Date(Date.now() - ms).toISOString()

export function ledger(source: number, device: string, part: Partial<SourceLedger> = {}): SourceLedger {
  return {
    source,
    device,
    expected: true,
    sent: 21_480,
    received: 21_480,
    built: 21_480,
    partial: 0,
    late: 0,
    duplicate: 0,
    corrupt: 0,
    dropped: 0,
    lost: 0,
    closed: true,
    faults: {},
    ...part
  }
}

export function spillSummary(spill: number, part: Partial<SpillSummary> = {}): SpillSummary {
  return {
    run: 4711,
    columnHash: '',
    spill,
    utc: ago((37 - spill) * 14_400 + 6000),
    condition: ['simulated'],
    reasons: [],
    muonsOnTarget: 2.31e8 + spill * 1e5,
    liveFraction: 0.9823,
    triggers: { physics: 18_212, 'beam-muon': 2310, calibration: 902, random: 56 },
    eventsBuilt: 21_480,
    eventsPartial: 0,
    eventsSelected: 14,
    closed: true,
    sources: [
      ledger(600, 'ecal-adc'),
      ledger(601, 'hcal-adc'),
      ledger(602, 'veto-adc'),
      ledger(700, 'trigger')
    ],
    ...part
  }
}

function device(id: string, kind: string, role: DeviceSummary['role'], text: string): DeviceSummary {
  return { id, kind, role, state: 'connected', text, lastSeen: ago(300) }
}

export const DEVICES: readonly DeviceSummary[] = [
  device('trigger', 'trigger-crate', 'essential', 'Spillway TC-1, serial 0007, firmware 1.2'),
  device('ecal-adc', 'slink-msadc', 'required', 'TUM MSADC, serial 0123, firmware 3.1'),
  device('hcal-adc', 'slink-msadc', 'required', 'TUM MSADC, serial 0124, firmware 3.1'),
  device('veto-adc', 'slink-msadc', 'optional', 'TUM MSADC, serial 0125, firmware 3.1'),
  device('hv-ecal', 'iseg-scpi', 'required', 'iseg NHS 42 40p, serial 812345, firmware 1.17'),
  device('plc', 'interlock-plc', 'essential', 'EHN2 PLC, unit 1'),
  device('spill-timing', 'spill-timing', 'required', 'timing gateway, online'),
  device('ms2', 'magnet', 'required', 'MS2 supply, signed and encrypted')
]

function signal(path: string, unit: string, value: SignalSummary['value']): SignalSummary {
  return { path, unit, value, quality: 'good', utc: ago(700) }
}

export const SIGNALS: readonly SignalSummary[] = [
  ...Array.from({ length: 6 }, (_, i) => [
    signal(`hv-ecal/ch${i}/voltage`, 'V', 1450.2 + i * 3.1),
    signal(`hv-ecal/ch${i}/current`, 'uA', 112.4 + i)
  ]).flat(),
  signal('plc/interlock/hv-permit', '', true),
  signal('plc/interlock/access', '', 'closed'),
  signal('plc/environment/temperature', 'degC', 21.42),
  signal('plc/environment/humidity', '%', 43.1),
  signal('plc/gas/micromegas-flow', 'l/h', 10.02),
  signal('ms2/current', 'A', 1200.03),
  signal('ms2/field-integral', 'T m', 4.802),
  signal('spill-timing/t6-intensity', '1e11', 30.1),
  signal('spill-timing/momentum', 'GeV/c', 160.0)
]

export function permits(...names: CommandState['name'][]): CommandState[] {
  const why: Record<CommandState['name'], string> = {
    start: 'a run is going',
    stop: 'no run is going',
    'make-safe': 'already safe',
    recover: 'only from Safe and Fault'
  }
  return (['start', 'stop', 'make-safe', 'recover'] as const).map((name) =>
    names.includes(name) ? { name, permitted: true } : { name, permitted: false, why: why[name] }
  )
}

/** Run 4711 between two spills, everything well but two older spills. */
export function running(): Snapshot {
  const spills = Array.from({ length: 20 }, (_, i) => spillSummary(18 + i))
  spills[7] = spillSummary(25, {
    condition: ['simulated', 'incomplete'],
    reasons: ['hcal-adc sent no end-of-spill record'],
    closed: false,
    sources: spillSummary(25).sources.map((source) =>
      source.device === 'hcal-adc' ? { ...source, sent: null, lost: null, closed: false } : source
    )
  })
  spills[12] = spillSummary(30, { condition: ['simulated', 'degraded'], reasons: ['veto-adc was lost'] })
  return {
    n: 1000,
    utc: ago(0),
    experiment: 'na64mu-2022',
    title: 'NA64mu 2022, 160 GeV muons',
    simulated: true,
    run: {
      state: 'running',
      status: 'taking spills',
      number: 4711,
      since: ago(37 * 14_400),
      condition: ['simulated'],
      spillsDone: 37,
      spillsWanted: 200,
      muonsOnTarget: 8.61e9,
      eventsBuilt: 794_760,
      eventsSelected: 518
    },
    spill: {
      phase: 'between',
      since: ago(6000),
      number: 37,
      source: 'sps',
      nextStart: new Date(Date.now() + 3600).toISOString(),
      extractionMs: 4800,
      cycleLengthMs: 14_400,
      events: 0
    },
    spills,
    devices: [...DEVICES],
    signals: [...SIGNALS],
    commands: permits('stop', 'make-safe')
  }
}

/** Nothing going on, nothing recorded. */
export function idle(): Snapshot {
  const base = running()
  return {
    ...base,
    run: {
      ...base.run,
      state: 'idle',
      status: 'waiting for a person',
      number: null,
      since: ago(95_000),
      spillsDone: 0,
      spillsWanted: null,
      muonsOnTarget: 0,
      eventsBuilt: 0,
      eventsSelected: 0
    },
    spills: [],
    commands: permits('start', 'make-safe')
  }
}

/** The trigger crate went away in run 4711; a supply's signals are old, a sensor is broken. */
export function safe(): Snapshot {
  const base = running()
  return {
    ...base,
    run: {
      ...base.run,
      state: 'safe',
      status: 'trigger did not answer for 2 s (essential): data taking stopped, files closed',
      since: ago(72_000),
      condition: ['simulated', 'interrupted']
    },
    spill: { ...base.spill, phase: 'no-beam', since: ago(80_000), nextStart: null, number: null },
    spills: [
      ...base.spills.slice(1),
      spillSummary(38, {
        condition: ['simulated', 'interrupted'],
        reasons: ['trigger was lost in the spill'],
        closed: false,
        liveFraction: null,
        triggers: null,
        muonsOnTarget: null,
        eventsBuilt: 8011,
        eventsPartial: 310,
        sources: [
          ledger(600, 'ecal-adc', { received: 8321, built: 8011, partial: 310, lost: 13_159 }),
          ledger(601, 'hcal-adc', {
            received: 8350,
            built: 8011,
            partial: 310,
            late: 2,
            duplicate: 4,
            corrupt: 3,
            dropped: 20,
            lost: 13_134,
            faults: { 'garbage bytes': 412, 'frames missing': 1 }
          }),
          ledger(602, 'veto-adc', { received: 8321, built: 8011, partial: 310, lost: 13_159 }),
          ledger(700, 'trigger', { sent: null, received: 8011, built: 8011, lost: null, closed: false })
        ]
      })
    ],
    devices: base.devices.map((d) =>
      d.id === 'trigger'
        ? { ...d, state: 'disconnected', text: 'no answer to IPbus requests for 2 s', lastSeen: ago(74_000) }
        : d.id === 'veto-adc'
          ? { ...d, state: 'disconnected', text: 'connection refused', lastSeen: ago(130_000) }
          : d.id === 'ms2'
            ? { ...d, state: 'connecting', text: 'second try' }
            : d
    ),
    signals: base.signals.map((s) =>
      s.path.startsWith('hv-ecal/ch1')
        ? { ...s, quality: 'stale', utc: ago(48_000) }
        : s.path === 'plc/environment/humidity'
          ? { ...s, quality: 'bad', value: -1 }
          : s.path === 'spill-timing/t6-intensity'
            ? { ...s, quality: 'suspect' }
            : s
    ),
    commands: permits('recover', 'make-safe').map((c) =>
      c.name === 'start' ? { ...c, why: 'the controller is in Safe: recover first' } : c
    )
  }
}

/** A spectrum with a peak at `peak` of 100 bins and a falling tail: the same every time. */
export function spectrum(name: string, title: string, high: number, peak: number): Histogram {
  const counts = Array.from({ length: 100 }, (_, bin) =>
    Math.round(
      9000 * Math.exp(-(((bin - peak) / 2.5) ** 2)) +
        400 * Math.exp(-bin / 18) * (1 + Math.sin(bin * 12.9898) * 0.3)
    )
  )
  const inside = counts.reduce((sum, count) => sum + count, 0)
  return { name, title, unit: 'GeV', low: 0, high, counts, underflow: 12, overflow: 3, entries: inside + 15 }
}

export const HISTOGRAMS: readonly Histogram[] = [
  spectrum('ecal', 'ECAL', 200, 1),
  spectrum('preshower', 'ECAL preshower', 20, 3),
  spectrum('veto', 'VETO', 0.1, 12),
  spectrum('hcal-1', 'HCAL 1', 50, 6),
  spectrum('hcal-2', 'HCAL 2', 50, 6),
  spectrum('vhcal', 'VHCAL', 50, 0)
]
