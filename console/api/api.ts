/**
 * What the controller's server says, and the only thing of the project that the pages know.
 * GET  /api/snapshot            Snapshot
 * GET  /api/histograms          Histogram[]
 * POST /api/command             Command -> CommandResult (400 with ApiError when it cannot be done)
 * WS   /api/live                LiveMessage: a snapshot first, then numbered changes; a gap means: ask again
 */

export const RUN_STATES = [
  'idle',
  'configuring',
  'configured',
  'arming',
  'armed',
  'starting',
  'running',
  'stopping',
  'disarming',
  'making-safe',
  'safe',
  'fault'
] as const
export type RunState = (typeof RUN_STATES)[number]

/** none set = good */
export const CONDITIONS = [
  'tainted',
  'incomplete',
  'interrupted',
  'aborted',
  'degraded',
  'simulated'
] as const
export type Condition = (typeof CONDITIONS)[number]

export const SPILL_PHASES = ['no-beam', 'between', 'warned', 'extracting', 'draining'] as const
export type SpillPhase = (typeof SPILL_PHASES)[number]

/** The two sums of one source in one spill, in fragments. */
export interface SourceLedger {
  source: number
  device: string
  /** events need it; false: an optional board that was away when the spill began */
  expected: boolean
  /** from the source's own end-of-spill record; null: it did not come */
  sent: number | null
  received: number
  /** fragments in complete events */
  built: number
  partial: number
  late: number
  duplicate: number
  corrupt: number
  dropped: number
  lost: number | null
  /** received = built + partial + late + duplicate + corrupt + dropped, and sent = received - duplicate + lost */
  closed: boolean
  /** what damaged the stream, by kind: bytes of garbage, frames missing ... */
  faults: Record<string, number>
}

export interface SpillSummary {
  run: number
  spill: number
  utc: string
  condition: Condition[]
  /** why it is not good, in words */
  reasons: string[]
  muonsOnTarget: number | null
  liveFraction: number | null
  /** triggers by line, as the crate counted them; null: scalers were not read */
  triggers: Record<string, number> | null
  eventsBuilt: number
  eventsPartial: number
  /** passed the cuts before the signal box */
  eventsSelected: number
  /** SHA-256 over the result columns: replay gives the same */
  columnHash: string
  closed: boolean
  sources: SourceLedger[]
}

export interface DeviceSummary {
  id: string
  kind: string
  role: 'essential' | 'required' | 'optional'
  state: 'disconnected' | 'connecting' | 'connected'
  /** identity when connected, the reason when not */
  text: string
  lastSeen: string | null
}

export interface SignalSummary {
  path: string
  unit: string
  value: number | string | boolean | null
  quality: 'good' | 'suspect' | 'stale' | 'bad'
  utc: string | null
}

export interface CommandState {
  name: Command['name']
  permitted: boolean
  /** why not */
  why?: string
}

export interface Snapshot {
  /** number of the last change that is in it */
  n: number
  /** when this was sent: pages take the server's clock from it */
  utc: string
  experiment: string
  title: string
  simulated: boolean
  run: {
    state: RunState
    /** a sentence for people; nothing may branch on it */
    status: string
    number: number | null
    since: string
    condition: Condition[]
    spillsDone: number
    spillsWanted: number | null
    muonsOnTarget: number
    eventsBuilt: number
    eventsSelected: number
  }
  spill: {
    phase: SpillPhase
    since: string
    /** number in the run */
    number: number | null
    source: 'sps' | 'artificial' | 'continuous'
    /** expected start of the next extraction */
    nextStart: string | null
    extractionMs: number | null
    cycleLengthMs: number | null
    /** events built so far in this spill */
    events: number
  }
  /** newest last, at most 20 */
  spills: SpillSummary[]
  devices: DeviceSummary[]
  signals: SignalSummary[]
  commands: CommandState[]
}

export interface Histogram {
  name: string
  title: string
  unit: string
  low: number
  high: number
  /** bins, then underflow and overflow apart */
  counts: number[]
  underflow: number
  overflow: number
  entries: number
}

export type Command =
  | { name: 'start'; spills?: number; note?: string }
  | { name: 'stop' }
  | { name: 'make-safe'; reason: string }
  /** leave safe or fault: a person's decision */
  | { name: 'recover' }

export interface CommandResult {
  accepted: true
  state: RunState
}

export interface ApiError {
  code: string
  message: string
  hint?: string
}

export type LiveMessage =
  | { kind: 'snapshot'; snapshot: Snapshot }
  /** the fields of the snapshot that changed, whole */
  | { kind: 'change'; n: number; utc: string; change: Partial<Omit<Snapshot, 'n' | 'utc'>> }
  | { kind: 'histograms'; utc: string; histograms: Histogram[] }
