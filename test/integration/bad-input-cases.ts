/**
 * Bad input, case by case: what is done to the simulated hall, and what a run must make of it. The test compares,
 * bad-input-table.ts prints what was measured.
 */
import type { SpillSummary } from '../../console/api/api.ts'
import { loadExperiment } from '../../config/load.ts'
import type { DeviceRole } from '../../core/device.ts'
import { runVirtually, type VirtualRunResult } from '../../controller/memory.ts'
import { type FaultInput, faultSchema } from '../../hil-sim/fault/fault.ts'

export const SEED = 7
export const BOARD = 'msadc-ecal'
export const CRATE = 'trigger-crate'
/** a spill is two blocks and has about 120 events: most of them random triggers */
const FEW_MUONS = 20_000
const BLOCK = 96

export const PLACES = ['first', 'last of a block', 'first of a block', 'last'] as const
export type Place = (typeof PLACES)[number]

/** In how far the ledger of the struck source differs from a clean one, by count; what is left out is 0. */
export interface Difference {
  readonly lost?: number
  readonly duplicate?: number
  readonly corrupt?: number
  readonly dropped?: number
  readonly late?: number
  /** events that are not complete, of all that somebody sent */
  readonly partial?: number
  /** by kind; -1: any number above 0 */
  readonly faults?: Readonly<Record<string, number>>
  /** the end-of-spill record did not come */
  readonly noRecord?: true
  readonly condition: readonly ('tainted' | 'incomplete')[]
  /** words that a reason must hold */
  readonly reason?: string
}

/** A fault of one source, struck at several places of several spills of a run that goes on. */
export interface StreamCase {
  readonly kind: string
  readonly what: string
  readonly device?: string
  readonly with?: Readonly<Record<string, number>>
  readonly muons?: number
  /** absent: everywhere; a fault of a whole spill has one place */
  readonly places?: readonly Place[]
  /** @param event struck, @param sent events of the spill */
  readonly expected: (event: number, sent: number) => Difference
}

const partialWith = (more: Partial<Difference>): Difference => ({
  partial: 1,
  condition: ['tainted', 'incomplete'],
  ...more
})
const tainted = (faults: Record<string, number>): Difference => ({ faults, condition: ['tainted'] })
const CLEAN: Difference = { condition: [] }
const WHOLE_SPILL: readonly Place[] = ['first']

export const STREAM_CASES: readonly StreamCase[] = [
  {
    kind: 'wrong-event',
    what: 'module header with the number of the next event',
    expected: () => tainted({ wrongEvent: 1 })
  },
  {
    kind: 'block-size',
    what: 'block size of a module beyond the data',
    expected: () => tainted({ blockSize: 1 })
  },
  { kind: 'zero-block-size', what: 'block size of a module 0', expected: () => tainted({ blockSize: 1 }) },
  {
    kind: 'module-missing',
    what: 'module-missing word instead of the first module',
    expected: () => tainted({ moduleMissing: 1 })
  },
  {
    kind: 'slink-event',
    what: 'S-LINK header with the number of the next event',
    expected: (event, sent) =>
      event === sent
        ? partialWith({ partial: 2, faults: { 'beyond-sent': 1, wrongEvent: 1 } })
        : partialWith({ lost: 1, duplicate: 1, faults: { wrongEvent: 1 } })
  },
  {
    kind: 'wrong-spill',
    what: 'S-LINK header with the number of the next spill',
    expected: () => partialWith({ dropped: 1, faults: { 'wrong-spill': 1 } })
  },
  {
    kind: 'wrong-source',
    what: 'S-LINK header with a source id that is not there',
    expected: () => partialWith({ lost: 1, faults: { 'unknown-source': 1 } })
  },
  {
    kind: 'slink-size',
    what: 'S-LINK size word beyond the block',
    expected: () => partialWith({ corrupt: 1, faults: { 'slink-size': 1 } })
  },
  {
    kind: 'tcs-error',
    what: 'error bits of the trigger control system',
    expected: () => tainted({ 'tcs-error': 1 })
  },
  {
    kind: 'drop-fragment',
    what: 'fragment never sent',
    expected: () => ({ lost: 1, partial: 1, condition: ['incomplete'] })
  },
  {
    kind: 'lost-frame',
    what: 'frame lost on the way',
    expected: () => partialWith({ lost: 1, faults: { 'sequence-gap': 1 } })
  },
  {
    kind: 'duplicate-fragment',
    what: 'fragment sent twice',
    expected: () => ({ duplicate: 1, condition: ['tainted'] })
  },
  {
    kind: 'source-twice',
    what: 'second, empty block of the source',
    expected: () => ({ duplicate: 1, condition: ['tainted'] })
  },
  {
    kind: 'late-fragment',
    what: 'fragment after 5 later ones',
    expected: (event, sent) => (event === sent ? CLEAN : tainted({ 'out-of-order': 1 }))
  },
  {
    kind: 'late-fragment',
    what: 'fragment two blocks after its own',
    with: { after: 200 },
    muons: 150_000,
    places: ['first'],
    expected: () => ({ late: 1, partial: 1, condition: ['incomplete'] })
  },
  {
    kind: 'garbage',
    what: '25 bytes between two frames, a magic word among them',
    expected: () => tainted({ garbage: 25, 'unknown-frame': 1 })
  },
  {
    kind: 'bad-checksum',
    what: 'checksum of the frame wrong by a bit',
    expected: () => partialWith({ lost: 1, faults: { checksum: 1, garbage: -1, 'sequence-gap': 1 } })
  },
  {
    kind: 'bad-length',
    what: 'frame announces 100,000 bytes too many',
    expected: () => partialWith({ lost: 1, faults: { length: 1, garbage: -1, 'sequence-gap': 1 } })
  },
  {
    kind: 'empty-with-trailer',
    what: 'empty block with a trailer word, then nothing (field failure of 2025)',
    expected: (event, sent) => ({
      lost: sent - event,
      partial: sent - event,
      faults: { blockSize: 1 },
      condition: event === sent ? ['tainted'] : ['tainted', 'incomplete']
    })
  },
  {
    kind: 'no-start-of-spill',
    what: 'start-of-spill frame missing',
    places: WHOLE_SPILL,
    expected: () => tainted({ 'no-start': 1 })
  },
  {
    kind: 'no-end-of-spill',
    what: 'end-of-spill frame missing',
    places: WHOLE_SPILL,
    expected: () => ({ noRecord: true, condition: ['incomplete'], reason: 'no end-of-spill record' })
  },
  {
    kind: 'spill-miscounted',
    what: 'source counts one spill too many',
    places: WHOLE_SPILL,
    expected: (_, sent) => ({
      dropped: sent,
      partial: sent,
      faults: { 'spill-number': 1, 'wrong-spill': sent, 'record-spill': 1, 'no-start': 1 },
      noRecord: true,
      condition: ['tainted', 'incomplete']
    })
  },
  {
    kind: 'counter-not-reset',
    what: 'event counter goes on from 1000',
    places: WHOLE_SPILL,
    expected: (_, sent) => partialWith({ partial: 2 * sent, faults: { 'beyond-sent': sent } })
  },
  {
    kind: 'drop-fragment',
    what: 'trigger block never sent',
    device: CRATE,
    expected: () => ({ lost: 1, partial: 1, condition: ['incomplete'] })
  },
  {
    kind: 'slink-event',
    what: 'trigger block with the number of the next event',
    device: CRATE,
    expected: (event, sent) =>
      event === sent
        ? partialWith({ partial: 2, faults: { 'beyond-sent': 1 } })
        : partialWith({ lost: 1, duplicate: 1 })
  },
  {
    kind: 'empty-with-trailer',
    what: 'trigger block of one word, then nothing',
    device: CRATE,
    expected: (event, sent) => ({
      lost: sent - event,
      partial: sent - event,
      faults: { size: 1 },
      condition: event === sent ? ['tainted'] : ['tainted', 'incomplete']
    })
  }
]

/** A fault of the machine: it harms no data, and is told. */
export interface MachineCase {
  readonly kind: string
  readonly what: string
  readonly with?: Readonly<Record<string, number>>
  /** the struck spill is like that of the clean run, but for what is told */
  readonly isSame: boolean
  readonly reasons: readonly string[]
  /** a count of the timing device that goes up instead */
  readonly signal?: string
}

export const MACHINE_CASES: readonly MachineCase[] = [
  {
    kind: 'lost-wwe',
    what: 'first warning missing',
    isSame: true,
    reasons: ['marks of the machine: missing-warning']
  },
  {
    kind: 'missing-eoe',
    what: 'end of extraction missing',
    isSame: false,
    reasons: ['marks of the machine: missing-end']
  },
  {
    kind: 'doubled-soe',
    what: 'second start of extraction 20 ms after the first',
    isSame: true,
    reasons: [],
    signal: 'spill-timing/duplicate-marks'
  },
  {
    kind: 'spill-without-beam',
    what: 'extraction without muons',
    isSame: false,
    reasons: ['the extraction brought no muons']
  },
  { kind: 'cycle-length', what: 'cycle half as long again', isSame: true, reasons: [] },
  { kind: 'cycle-length', what: 'cycle shorter', with: { lengthMs: 5200 }, isSame: true, reasons: [] }
]

/** A device that goes away: what the run does follows from its role. */
export interface RoleCase {
  readonly kind: string
  readonly what: string
  readonly device: string
  readonly role: DeviceRole
  readonly count?: number
  readonly state: 'configured' | 'safe'
  /** spills recorded of 6, of which the second is struck */
  readonly spills: number
  /** of the run */
  readonly condition: readonly string[]
}

const gone = (kind: string, what: string, device: string, count?: number): readonly RoleCase[] =>
  (
    [
      ['optional', 'configured', 6, 'degraded'],
      ['required', 'configured', 2, 'interrupted'],
      ['essential', 'safe', 2, 'aborted']
    ] as const
  )
    .filter(([role]) => device === BOARD || role === 'essential')
    .map(([role, state, spills, condition]) => ({
      ...{ kind, what, device, role, state, spills, condition: [condition] },
      ...(count === undefined ? {} : { count })
    }))

export const ROLE_CASES: readonly RoleCase[] = [
  ...gone('hang-up', 'data connection lost, back at once', BOARD, 0),
  ...gone('hang-up', 'data connection lost for two extractions', BOARD, 2),
  ...gone('silent', 'data connection open and silent', BOARD),
  ...gone('register-silent', 'control link silent', BOARD),
  ...gone('hang-up', 'data connection of the crate lost', CRATE, 1),
  ...gone('register-silent', 'control link of the crate silent', CRATE)
]

const base = loadExperiment('na64mu-2022')

export interface PlayOptions {
  readonly muons?: number
  readonly spills?: number
  readonly seed?: number
  readonly cycle?: 'fast' | 'real'
  /** of one device, in place of its own */
  readonly role?: readonly [device: string, DeviceRole]
}

/** The na64mu-2022 hall with few muons and these faults, in virtual time. */
export function play(faults: readonly FaultInput[], options: PlayOptions = {}): Promise<VirtualRunResult> {
  const [changed, role] = options.role ?? []
  return runVirtually({
    experiment: {
      ...base,
      devices: base.devices.map((d) => (d.id === changed && role !== undefined ? { ...d, role } : d))
    },
    seed: options.seed ?? SEED,
    cycle: options.cycle ?? 'fast',
    spills: options.spills ?? 6,
    scenario: {
      about: 'bad input',
      beam: { muonsPerSpill: options.muons ?? FEW_MUONS, intensitySpread: 0 },
      faults: faults.map((fault) => faultSchema.parse(fault))
    }
  })
}

const clean = new Map<number, Promise<VirtualRunResult>>()
/** The same run without a fault. */
export function cleanRun(muons = FEW_MUONS): Promise<VirtualRunResult> {
  let run = clean.get(muons)
  if (run === undefined) clean.set(muons, (run = play([], { muons })))
  return run
}

export interface Struck {
  readonly place: Place
  readonly event: number
  readonly spill: SpillSummary
  readonly clean: SpillSummary
  readonly next: SpillSummary
  readonly cleanNext: SpillSummary
}

/** Strikes spills 1, 3 and 5 of runs of 6, until every place was struck, the last one also in spill 1. */
export async function playStream(one: StreamCase): Promise<Struck[]> {
  const reference = await cleanRun(one.muons)
  const places = one.places ?? PLACES
  const rounds =
    places.length === 1 ? [[places[0]!, places[0]!]] : [places.slice(0, 3), [places.at(-1)!, places[0]!]]
  const struck: Struck[] = []
  for (const round of rounds) {
    const hits = round.map((place, i) => {
      const number = 2 * i + 1
      const sent = reference.spills[number - 1]!.eventsBuilt
      const event = { first: 1, 'last of a block': BLOCK, 'first of a block': BLOCK + 1, last: sent }[place]
      return { place, number, event }
    })
    const run = await play(
      hits.map(({ number, event }) => ({
        device: one.device ?? BOARD,
        kind: one.kind,
        at: { spill: number, event },
        ...(one.with === undefined ? {} : { with: one.with })
      })),
      one.muons === undefined ? {} : { muons: one.muons }
    )
    if (run.state !== 'configured' || run.spills.length !== 6)
      struck.length = 0 // the caller sees that places are missing
    else
      for (const { place, number, event } of hits)
        struck.push({
          ...{ place, event, spill: run.spills[number - 1]!, clean: reference.spills[number - 1]! },
          ...{ next: run.spills[number]!, cleanNext: reference.spills[number]! }
        })
  }
  return struck
}

/** Strikes spills 3 and 5 of a run of 6: the machine. */
export async function playMachine(
  one: MachineCase
): Promise<{ readonly struck: readonly Struck[]; readonly run: VirtualRunResult }> {
  const reference = await cleanRun()
  const run = await play(
    [3, 5].map((spill) => ({
      kind: one.kind,
      at: { spill },
      ...(one.with === undefined ? {} : { with: one.with })
    }))
  )
  const struck = [3, 5].map((number) => ({
    ...{
      place: 'first' as const,
      event: 1,
      spill: run.spills[number - 1]!,
      clean: reference.spills[number - 1]!
    },
    ...{ next: run.spills[number]!, cleanNext: reference.spills[number]! }
  }))
  return { struck, run }
}

/** A board that hangs up in the middle of spill 2. */
export function playRole(one: RoleCase): Promise<VirtualRunResult> {
  return play(
    [
      {
        ...{ device: one.device, kind: one.kind, at: { spill: 2, event: 40 } },
        ...(one.count === undefined ? {} : { count: one.count })
      }
    ],
    { role: [one.device, one.role] }
  )
}

/** The record of a spill without what depends on when it was. */
export const timeless = (spill: SpillSummary): Omit<SpillSummary, 'utc'> => {
  const { utc: _, ...rest } = spill
  return rest
}
