/**
 * The one error class of the project. A code says what kind of thing went wrong, so that nobody has to
 * match text; the message is for the person who must act: what happened, to what, what now.
 */
export const ErrorCode = {
  /** the caller's words cannot be understood (command line, request) */
  usage: 'usage',
  /** configuration is wrong; `faults` holds every fault with file and line */
  configuration: 'configuration',
  /** an await on the outside world met its deadline */
  timeout: 'timeout',
  /** given up because somebody asked for it */
  aborted: 'aborted',
  /** the far end is not there, or went away */
  disconnected: 'disconnected',
  /** the far end answered something that its manual does not allow */
  protocol: 'protocol',
  /** the far end refused, in its own words */
  refused: 'refused',
  /** what was written is not what is read back */
  readback: 'readback',
  /** forbidden now: state, interlock, limit */
  notPermitted: 'not-permitted',
  /** a bound of ours was reached */
  overflow: 'overflow',
  /** a file, database or frame is damaged */
  corrupt: 'corrupt',
  /** no such run, signal, device, file */
  notFound: 'not-found',
  /** several failures gathered; see `causes` */
  several: 'several',
  /** our own invariant broke: a bug */
  internal: 'internal'
} as const
export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode]

/** One fault among many, for example one wrong key in a configuration file. */
export interface Fault {
  readonly where: string
  readonly what: string
  /** what to do about it */
  readonly hint?: string
}

export interface ErrorDetails {
  readonly device?: string
  readonly request?: string
  readonly expected?: string
  readonly got?: string
  /** what the reader can do now */
  readonly hint?: string
  readonly faults?: readonly Fault[]
  readonly causes?: readonly unknown[]
  readonly cause?: unknown
}

export class SpillwayError extends Error {
  readonly code: ErrorCode
  readonly details: ErrorDetails

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'SpillwayError'
    this.code = code
    this.details = details
  }

  /** message, device, expectation and hint in one line, for terminals and logs */
  describe(): string {
    const d = this.details
    const parts = [this.message]
    if (d.device !== undefined && !this.message.includes(d.device)) parts.push(`device ${d.device}`)
    if (d.request !== undefined) parts.push(`request ${d.request}`)
    if (d.expected !== undefined) parts.push(`expected ${d.expected}`)
    if (d.got !== undefined) parts.push(`got ${d.got}`)
    if (d.hint !== undefined) parts.push(d.hint)
    return parts.join('; ')
  }
}

export function isCode(error: unknown, code: ErrorCode): error is SpillwayError {
  return error instanceof SpillwayError && error.code === code
}

/** Any thrown thing as a sentence. */
export function sentence(error: unknown): string {
  if (error instanceof SpillwayError) return error.describe()
  if (error instanceof Error) return error.message
  return String(error)
}

/** A failure as plain data: what `--json` prints, and what a process tells the one that started it. */
export interface Failure {
  readonly code: ErrorCode
  readonly message: string
  readonly expected?: string
  readonly got?: string
  readonly hint?: string
  readonly faults?: readonly Fault[]
}

export function failureOf(error: unknown): Failure {
  if (!(error instanceof SpillwayError)) return { code: ErrorCode.internal, message: sentence(error) }
  const { expected, got, hint, faults } = error.details
  return {
    code: error.code,
    message: error.message,
    ...(expected === undefined ? {} : { expected }),
    ...(got === undefined ? {} : { got }),
    ...(hint === undefined ? {} : { hint }),
    ...(faults === undefined ? {} : { faults })
  }
}

/** An invariant of ours. What it says is a bug report, so give the values. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new SpillwayError(ErrorCode.internal, `broken invariant: ${message}`)
}
