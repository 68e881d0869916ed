/**
 * Recordings of links, and their file: JSON lines, described in ../README.md. A file holds one session, which may
 * be of several links; they share the time.
 */
import { z } from 'zod'
import { ErrorCode, SpillwayError } from '../../../core/errors.ts'
import type { DurationNs } from '../../../core/units.ts'
import { type LinkKind, type TapEvent, VERBS } from './event.ts'

export const TAP_FORMAT = 'spillway-tap'
export const TAP_VERSION = 1

export interface TapEntry {
  /** ns since the beginning of the session */
  readonly at: DurationNs
  readonly event: TapEvent
}

/** What passed in one link. */
export interface Recording {
  readonly url: string
  readonly kind: LinkKind
  /** wall time of the beginning of the session */
  readonly startUtc: Date
  /** entries that a bound cost: at the beginning when the newest were kept, at the end when the oldest */
  readonly dropped: number
  readonly kept: 'newest' | 'oldest'
  readonly entries: readonly TapEntry[]
}

/** The lines of a file, each with its newline. */
export function* recordingLines(session: readonly Recording[]): Generator<string> {
  const format = TAP_FORMAT
  const version = TAP_VERSION
  for (const [link, { url, kind, startUtc, dropped, kept }] of session.entries())
    yield line({ format, version, link, url, kind, utc: startUtc.toISOString(), dropped, kept })
  for (const { link, entry } of inOrder(session)) yield line({ link, at: entry.at, ...encoded(entry.event) })
}

/**
 * The recordings of a file. Rejects what is none, or damaged, with code `corrupt` and the number of the line; a
 * last line without its newline was being written when its writer ended, and is left out.
 */
export function parseRecording(text: string): Recording[] {
  const lines = text.split('\n').slice(0, -1)
  const session: (Omit<Recording, 'entries'> & { entries: TapEntry[] })[] = []
  for (const [index, content] of lines.entries()) {
    const data = parseLine(content, index)
    if ('format' in data) {
      const { url, kind, utc, dropped, kept } = checked(headerSchema, data, index)
      session.push({ url, kind, startUtc: new Date(utc), dropped, kept, entries: [] })
    } else {
      const { link, at, ...event } = checked(entrySchema, decoded(data), index)
      const recording = session[link]
      if (recording === undefined) throw damaged(index, `link ${link} has no header before it`)
      recording.entries.push({ at, event: event as TapEvent })
    }
  }
  if (session.length === 0) throw damaged(0, 'there is no header')
  return session
}

/** All entries of a session in the order of time, and of the links where that is the same. */
export function inOrder(
  session: readonly Recording[]
): { readonly link: number; readonly entry: TapEntry }[] {
  return session
    .flatMap(({ entries }, link) => entries.map((entry) => ({ link, entry })))
    .sort((a, b) => a.entry.at - b.entry.at)
}

const line = (data: object): string => `${JSON.stringify(data)}\n`

function encoded(event: TapEvent): object {
  return encode(event) as object
}

/** JSON has no bytes, no dates, and no number that is not finite. */
function encode(value: unknown): unknown {
  if (value instanceof Uint8Array) return { hex: Buffer.from(value).toString('hex') }
  if (value instanceof Date) return { utc: value.toISOString() }
  if (typeof value === 'number' && !Number.isFinite(value)) return { number: String(value) }
  if (Array.isArray(value)) return value.map(encode)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, of]) => [key, encode(of)]))
}

function decode(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(decode)
  if (typeof value !== 'object' || value === null) return value
  const fields = Object.entries(value)
  const [name, content] = fields[0] ?? []
  if (fields.length === 1 && typeof content === 'string') {
    if (name === 'hex') return new Uint8Array(Buffer.from(content, 'hex'))
    if (name === 'utc') return new Date(content)
    if (name === 'number') return Number(content)
  }
  return decoded(value)
}

function decoded(value: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).map(([key, of]) => [key, decode(of)]))
}

const count = z.number().int().nonnegative()
const headerSchema = z.object({
  format: z.literal(TAP_FORMAT),
  version: z.literal(TAP_VERSION),
  link: count,
  url: z.string(),
  kind: z.enum(['bytes', 'registers', 'topics', 'nodes']),
  utc: z.iso.datetime(),
  dropped: count,
  kept: z.enum(['newest', 'oldest'])
})

const id = count
const bytes = z.instanceof(Uint8Array)
const endpoint = z.tuple([z.string(), count])
const nodeValue = z.object({
  value: z.union([
    z.number(),
    z.nan(),
    z.literal(Infinity),
    z.literal(-Infinity),
    z.string(),
    z.boolean(),
    z.null()
  ]),
  sourceTime: z.date().optional(),
  quality: z.enum(['good', 'suspect', 'bad']),
  status: z.string()
})
const error = z.object({
  code: z.enum(ErrorCode),
  message: z.string(),
  device: z.string().optional(),
  request: z.string().optional(),
  expected: z.string().optional(),
  got: z.string().optional(),
  hint: z.string().optional()
})
const common = { link: count, at: z.number().nonnegative() }
const out = { ...common, dir: z.literal('out') }
const into = { ...common, dir: z.literal('in') }
const entrySchema = z.discriminatedUnion('what', [
  z.object({ ...out, what: z.literal('request'), id, verb: z.enum(VERBS), args: z.array(z.unknown()) }),
  z.object({ ...out, what: z.literal('abort'), id }),
  z.object({ ...into, what: z.literal('answer'), id, value: z.unknown().optional() }),
  z.object({ ...into, what: z.literal('failure'), id, error }),
  z.object({ ...into, what: z.literal('bytes'), bytes }),
  z.object({
    ...into,
    what: z.literal('message'),
    filter: z.string(),
    topic: z.string(),
    payload: z.string()
  }),
  z.object({ ...into, what: z.literal('report'), watch: id, node: z.string(), value: nodeValue }),
  z.object({ ...into, what: z.literal('state'), isOpen: z.boolean(), why: z.string() }),
  z.object({
    ...out,
    what: z.literal('wire-open'),
    connection: id,
    protocol: z.enum(['tcp', 'udp']),
    local: endpoint,
    remote: endpoint
  }),
  z.object({ ...common, dir: z.enum(['out', 'in']), what: z.literal('wire'), connection: id, bytes }),
  z.object({ ...into, what: z.literal('wire-close'), connection: id })
])

function parseLine(content: string, index: number): object {
  let data: unknown
  try {
    data = JSON.parse(content)
  } catch (cause) {
    throw damaged(index, 'it is no JSON', cause)
  }
  if (typeof data === 'object' && data !== null && !Array.isArray(data)) return data
  throw damaged(index, 'it is no JSON object')
}

function checked<T>(schema: z.ZodType<T>, data: unknown, index: number): T {
  const result = schema.safeParse(data)
  if (result.success) return result.data
  throw damaged(
    index,
    result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')
  )
}

function damaged(index: number, why: string, cause?: unknown): SpillwayError {
  return new SpillwayError(ErrorCode.corrupt, `recording, line ${index + 1}: ${why}`, {
    hint: 'a recording is what a tap of ours wrote (drivers/link/README.md)',
    ...(cause === undefined ? {} : { cause })
  })
}
