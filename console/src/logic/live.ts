import type { Histogram, LiveMessage, Snapshot } from '../../api/api.ts'

/**
 * What the page knows, from numbered messages: a snapshot, then changes n + 1, n + 2 ... A change that does
 * not follow the last one is kept while the snapshot is fetched again, and applied to that.
 */
export interface LiveView {
  readonly snapshot: Snapshot | undefined
  readonly histograms: readonly Histogram[]
  /** changes that wait for a snapshot, in order of arrival; not empty means: there is a gap */
  readonly waiting: readonly Change[]
}

type Change = Extract<LiveMessage, { kind: 'change' }>

export interface Received {
  readonly view: LiveView
  /** a change is missing: fetch the snapshot */
  readonly ask: boolean
}

export const EMPTY_VIEW: LiveView = { snapshot: undefined, histograms: [], waiting: [] }

/** More changes than this behind a gap are dropped, oldest first: the next snapshot contains them. */
export const WAITING_MAX = 64

function apply(snapshot: Snapshot, change: Change): Snapshot {
  return { ...snapshot, ...change.change, n: change.n, utc: change.utc }
}

/** A snapshot, with the changes behind it that follow without a gap. */
function settle(view: LiveView, snapshot: Snapshot, changes: readonly Change[]): Received {
  let current = snapshot
  const waiting: Change[] = []
  for (const change of [...changes].sort((a, b) => a.n - b.n)) {
    if (change.n <= current.n) continue
    if (change.n === current.n + 1) current = apply(current, change)
    else waiting.push(change)
  }
  return {
    view: { ...view, snapshot: current, waiting: waiting.slice(-WAITING_MAX) },
    ask: waiting.length > 0
  }
}

/** Takes one message of the live feed. */
export function receive(view: LiveView, message: LiveMessage): Received {
  switch (message.kind) {
    case 'histograms':
      return { view: { ...view, histograms: message.histograms }, ask: false }
    case 'snapshot':
      // the feed opens with it: what waited belongs to an earlier connection
      return settle(view, message.snapshot, [])
    case 'change': {
      const { snapshot } = view
      const waiting = [...view.waiting, message]
      if (snapshot !== undefined) return settle(view, snapshot, waiting)
      return { view: { ...view, waiting: waiting.slice(-WAITING_MAX) }, ask: true }
    }
  }
}

/**
 * Takes a snapshot that was asked for. It may have been overtaken by changes on the way (older than what is
 * shown: left out) or come from a restarted server, which numbers from the beginning (newer in time: taken).
 */
export function receiveFetched(view: LiveView, fetched: Snapshot): Received {
  const { snapshot } = view
  if (snapshot !== undefined && fetched.n <= snapshot.n) {
    const isRestarted = fetched.n < snapshot.n && Date.parse(fetched.utc) > Date.parse(snapshot.utc)
    if (!isRestarted) return { view, ask: view.waiting.length > 0 }
    return { view: { ...view, snapshot: fetched, waiting: [] }, ask: false }
  }
  return settle(view, fetched, view.waiting)
}

/** A text of the wire as a message, or undefined when it is none (another version, a proxy's page). */
export function parseMessage(text: string): LiveMessage | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null || !('kind' in value)) return undefined
  const message = value as LiveMessage
  switch (message.kind) {
    case 'snapshot':
      return isSnapshot(message.snapshot) ? message : undefined
    case 'change':
      return typeof message.n === 'number' && typeof message.change === 'object' ? message : undefined
    case 'histograms':
      return Array.isArray(message.histograms) ? message : undefined
    default:
      return undefined
  }
}

/** Enough of a check to tell our server's answer from somebody else's. */
export function isSnapshot(value: unknown): value is Snapshot {
  if (typeof value !== 'object' || value === null) return false
  const s = value as Partial<Snapshot>
  return (
    typeof s.n === 'number' &&
    typeof s.utc === 'string' &&
    typeof s.run === 'object' &&
    typeof s.spill === 'object' &&
    Array.isArray(s.spills) &&
    Array.isArray(s.devices) &&
    Array.isArray(s.signals) &&
    Array.isArray(s.commands)
  )
}
