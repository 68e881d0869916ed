import type { Command, CommandState, RunState, Snapshot } from '../../api/api.ts'

/**
 * How a command stands, from what the server said and showed, never from what we hope: sent (on its way),
 * accepted (the server agreed), done (the run state that it is for was reported) or failed.
 */
export interface CommandProgress {
  readonly command: Command
  /** as on the button: "Stop run 4711" */
  readonly label: string
  readonly phase: 'sent' | 'accepted' | 'done' | 'failed'
  readonly why: string
  /** ms of the page's clock at the last change of phase */
  readonly at: number
  /** run state when it was sent */
  readonly from: RunState
  /** highest step towards running that was seen since */
  readonly climbed: number
  readonly hasMoved: boolean
}

/** The way up to a run; other states are not on it. */
const CLIMB: readonly RunState[] = [
  'idle',
  'configuring',
  'configured',
  'arming',
  'armed',
  'starting',
  'running'
]

export function sentCommand(command: Command, label: string, from: RunState, at: number): CommandProgress {
  return {
    command,
    label,
    phase: 'sent',
    why: '',
    at,
    from,
    climbed: CLIMB.indexOf(from),
    hasMoved: false
  }
}

/** Looks at a newly reported run state. Returns the same object when nothing changes. */
export function followCommand(
  progress: CommandProgress,
  run: Pick<Snapshot['run'], 'state' | 'status'>,
  at: number
): CommandProgress {
  if (progress.phase !== 'accepted' && progress.phase !== 'sent') return progress
  const hasMoved = progress.hasMoved || run.state !== progress.from
  const step = CLIMB.indexOf(run.state)
  const climbed = Math.max(progress.climbed, step)
  const outcome = outcomeOf(progress, run.state, hasMoved, step)
  // done and failed need the server's word first: what moves before it is not ours
  if (outcome !== undefined && progress.phase === 'accepted')
    return { ...progress, phase: outcome, why: outcome === 'failed' ? run.status : '', at, climbed, hasMoved }
  if (hasMoved === progress.hasMoved && climbed === progress.climbed) return progress
  return { ...progress, hasMoved, climbed }
}

function outcomeOf(
  { command, climbed }: CommandProgress,
  state: RunState,
  hasMoved: boolean,
  step: number
): 'done' | 'failed' | undefined {
  switch (command.name) {
    case 'start':
      if (state === 'running') return 'done'
      return hasMoved && (step < 0 || step < climbed) ? 'failed' : undefined
    case 'stop':
      if (state === 'idle' || state === 'configured' || state === 'armed') return 'done'
      return hasMoved && (state === 'safe' || state === 'fault') ? 'failed' : undefined
    case 'make-safe':
      if (state === 'safe') return 'done'
      return hasMoved && state === 'fault' ? 'failed' : undefined
    case 'recover':
      if (state !== 'safe' && state !== 'fault' && state !== 'making-safe') return 'done'
      return hasMoved && (state === 'safe' || state === 'fault') ? 'failed' : undefined
  }
}

/** The name of the action, as it stands on the button. */
export function commandLabel(name: Command['name'], run: number | null): string {
  switch (name) {
    case 'start':
      return 'Start run'
    case 'stop':
      return run === null ? 'Stop run' : `Stop run ${run}`
    case 'make-safe':
      return 'Make safe'
    case 'recover':
      return 'Recover'
  }
}

/**
 * Why a command cannot be given now; undefined when it can. Making safe needs a connection and nothing else:
 * going down is everybody's.
 */
export function refusal(
  name: Command['name'],
  commands: readonly CommandState[],
  isConnected: boolean
): string | undefined {
  if (!isConnected) return 'no connection'
  if (name === 'make-safe') return undefined
  const state = commands.find((command) => command.name === name)
  if (state === undefined) return 'this controller does not offer it'
  return state.permitted ? undefined : (state.why ?? 'not possible now')
}

/** What the reader typed for the number of spills: empty means until stopped. */
export function parseSpills(text: string): { spills?: number } | { fault: string } {
  const trimmed = text.trim()
  if (trimmed === '') return {}
  const spills = Number(trimmed)
  if (!/^\d+$/.test(trimmed) || spills < 1 || spills > SPILLS_MAX)
    return { fault: `a whole number from 1 to ${SPILLS_MAX}, or nothing` }
  return { spills }
}
export const SPILLS_MAX = 100_000
