import type { DeviceSummary, Snapshot, SpillSummary } from '../../../../console/api/api.ts'

const EPOCH_MS = Date.UTC(2026, 6, 1, 3, 0, 0)

/** Second `s` of the night of these tests. */
export const utcAt = (s: number): string => new Date(EPOCH_MS + s * 1000).toISOString()
export const msAt = (s: number): number => EPOCH_MS + s * 1000

export function deviceOf(id: string, part: Partial<DeviceSummary> = {}): DeviceSummary {
  return {
    id,
    kind: 'slink-msadc',
    role: 'required',
    state: 'connected',
    text: 'TUM MSADC',
    lastSeen: utcAt(0),
    ...part
  }
}

export function spillOf(spill: number, part: Partial<SpillSummary> = {}): SpillSummary {
  return {
    run: 1,
    columnHash: '',
    spill,
    utc: utcAt(spill),
    condition: [],
    reasons: [],
    muonsOnTarget: 1000,
    liveFraction: 1,
    triggers: {},
    eventsBuilt: 1,
    eventsPartial: 0,
    eventsSelected: 0,
    closed: true,
    sources: [],
    ...part
  }
}

/** A quiet running experiment, as of change `n`. */
export function snapshotOf(n: number): Snapshot {
  return {
    n,
    utc: utcAt(n),
    experiment: 'bench',
    title: 'bench',
    simulated: true,
    run: {
      state: 'running',
      status: 'taking spills',
      number: 1,
      since: utcAt(0),
      condition: [],
      spillsDone: 3,
      spillsWanted: null,
      muonsOnTarget: 0,
      eventsBuilt: 0,
      eventsSelected: 0
    },
    spill: {
      phase: 'between',
      since: utcAt(0),
      number: 3,
      source: 'sps',
      nextStart: utcAt(10),
      extractionMs: 4800,
      cycleLengthMs: 14_400,
      events: 0
    },
    spills: [],
    devices: [],
    signals: [],
    commands: []
  }
}
