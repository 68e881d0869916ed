import { ErrorCode, sentence, SpillwayError } from '../../../core/errors.ts'
import type { NodeValue } from '../link.ts'

/** Who acts: `out` is our side of the link, `in` the far end (or the link itself). */
export type Direction = 'out' | 'in'

export type LinkKind = 'bytes' | 'registers' | 'topics' | 'nodes'

/** The methods of the four kinds of link that go to the far end. */
export const VERBS = [
  'open',
  'close',
  'write',
  'read',
  'modify',
  'identification',
  'publish',
  'subscribe',
  'watch'
] as const
export type Verb = (typeof VERBS)[number]

/** A failure as it can be told again: a code, a sentence, and the details that are words. */
export interface RecordedError {
  readonly code: ErrorCode
  readonly message: string
  readonly device?: string
  readonly request?: string
  readonly expected?: string
  readonly got?: string
  readonly hint?: string
}

/**
 * What passes in a link. Requests are numbered from 1 in the order in which they were made, and answers carry the
 * number. `args` are the arguments without signals and receivers.
 *
 * `wire` events are of the socket below: bytes in the order of the connection, connections numbered from 1.
 * Byte links have none, because their bytes are the wire's.
 */
export type TapEvent =
  | {
      readonly dir: 'out'
      readonly what: 'request'
      readonly id: number
      readonly verb: Verb
      readonly args: readonly unknown[]
    }
  | { readonly dir: 'in'; readonly what: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly dir: 'in'; readonly what: 'failure'; readonly id: number; readonly error: RecordedError }
  /** the caller did not want the answer any more */
  | { readonly dir: 'out'; readonly what: 'abort'; readonly id: number }
  | { readonly dir: 'in'; readonly what: 'bytes'; readonly bytes: Uint8Array }
  /** `filter`: of the subscription that it is for */
  | {
      readonly dir: 'in'
      readonly what: 'message'
      readonly filter: string
      readonly topic: string
      readonly payload: string
    }
  /** `watch`: number of the request that asked for it */
  | {
      readonly dir: 'in'
      readonly what: 'report'
      readonly watch: number
      readonly node: string
      readonly value: NodeValue
    }
  | { readonly dir: 'in'; readonly what: 'state'; readonly isOpen: boolean; readonly why: string }
  | {
      readonly dir: 'out'
      readonly what: 'wire-open'
      readonly connection: number
      readonly protocol: 'tcp' | 'udp'
      /** address and port */
      readonly local: readonly [string, number]
      readonly remote: readonly [string, number]
    }
  | {
      readonly dir: Direction
      readonly what: 'wire'
      readonly connection: number
      readonly bytes: Uint8Array
    }
  | { readonly dir: 'in'; readonly what: 'wire-close'; readonly connection: number }

/** Takes what a tap hears, at once and in order. It owns what it is given and must not throw. */
export interface TapSink {
  record(event: TapEvent): void
}

export function recordedError(error: unknown): RecordedError {
  if (!(error instanceof SpillwayError)) return { code: ErrorCode.internal, message: sentence(error) }
  const { device, request, expected, got, hint } = error.details
  const words = Object.entries({ device, request, expected, got, hint }).filter(
    ([, text]) => text !== undefined
  )
  return { code: error.code, message: error.message, ...Object.fromEntries(words) }
}

export function errorOf({ code, message, ...details }: RecordedError): SpillwayError {
  return new SpillwayError(code, message, details)
}
