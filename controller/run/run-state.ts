import { ErrorCode, SpillwayError } from '../../core/errors.ts'

/** Transitional states end in -ing (making-safe); the others are left by a command or by a failure. */
export type RunState =
  | 'idle'
  | 'configuring'
  | 'configured'
  | 'arming'
  | 'armed'
  | 'starting'
  | 'running'
  | 'stopping'
  | 'disarming'
  | 'making-safe'
  | 'safe'
  | 'fault'

/** Where each state may go. SAFE and FAULT are left only by a person, to idle. */
const NEXT: Readonly<Record<RunState, readonly RunState[]>> = {
  idle: ['configuring', 'making-safe'],
  configuring: ['configured', 'idle', 'making-safe', 'fault'],
  configured: ['configuring', 'arming', 'idle', 'making-safe'],
  arming: ['armed', 'disarming', 'making-safe', 'fault'],
  armed: ['starting', 'disarming', 'making-safe', 'fault'],
  starting: ['running', 'stopping', 'making-safe', 'fault'],
  running: ['stopping', 'making-safe', 'fault'],
  stopping: ['disarming', 'making-safe', 'fault'],
  disarming: ['configured', 'idle', 'making-safe', 'fault'],
  'making-safe': ['safe', 'fault'],
  safe: ['idle', 'making-safe'],
  fault: ['idle', 'making-safe']
}

/** Run and spill condition bits; none set is good. */
export type Condition = 'tainted' | 'incomplete' | 'interrupted' | 'aborted' | 'degraded' | 'simulated'
const ORDER: readonly Condition[] = [
  'tainted',
  'incomplete',
  'interrupted',
  'aborted',
  'degraded',
  'simulated'
]

export const inOrder = (conditions: Iterable<Condition>): Condition[] => {
  const set = new Set(conditions)
  return ORDER.filter((condition) => set.has(condition))
}

export const isAcquiring = (state: RunState): boolean =>
  state === 'arming' ||
  state === 'armed' ||
  state === 'starting' ||
  state === 'running' ||
  state === 'stopping' ||
  state === 'disarming'

/** @throws SpillwayError `internal` when the step is not in the table: a bug of ours */
export function checkStep(from: RunState, to: RunState): void {
  if (!NEXT[from].includes(to))
    throw new SpillwayError(ErrorCode.internal, `run control may not go from ${from} to ${to}`)
}

/** Commands that the state permits, and why not when it does not. */
export function permitted(
  state: RunState
): Record<'start' | 'stop' | 'make-safe' | 'recover', true | string> {
  const canStart = state === 'idle' || state === 'configured'
  return {
    start: canStart
      ? true
      : state === 'safe' || state === 'fault'
        ? `the state is ${state}: recover first`
        : `the state is ${state}`,
    stop: state === 'running' || state === 'starting' ? true : 'no run is going on',
    'make-safe': state === 'making-safe' ? 'already making safe' : true,
    recover: state === 'safe' || state === 'fault' ? true : `nothing to recover from: the state is ${state}`
  }
}
