import type { Quality } from '../../../core/signal.ts'
import type { CycleInfo, SpillMark, TimingMark } from '../contract/beam-instrument.ts'

/**
 * The gateway's JSON (docs/hardware/beam-topics.md), checked field by field. Every function gives undefined for
 * what is not as the manual says; none throws. Further fields are ignored, so that the gateway may grow.
 */

/** Our longest message is near 150 characters. */
const PAYLOAD_CHARACTERS_MAX = 4096
const CYCLE_MAX = Number.MAX_SAFE_INTEGER
/** The longest supercycle of the SPS is near a minute. */
const CYCLE_MS_MAX = 600_000

/** in the order in which one cycle brings them */
export const MARKS: readonly SpillMark[] = ['WWE', 'WE', 'SOE', 'EOE']

export interface InfoItem {
  readonly value: number
  readonly utc: Date
  readonly quality: Exclude<Quality, 'stale'>
  readonly unit: string | undefined
}

export function parseMark(payload: string): TimingMark | undefined {
  const fields = parseObject(payload)
  const mark = MARKS.find((known) => known === fields?.mark)
  const cycle = wholeNumber(fields?.cycle, CYCLE_MAX)
  const utc = time(fields?.t)
  return mark === undefined || cycle === undefined || utc === undefined ? undefined : { mark, cycle, utc }
}

/** `nextStart` may be missing or null: the machine does not always know. */
export function parseCycle(payload: string): CycleInfo | undefined {
  const fields = parseObject(payload)
  const cycle = wholeNumber(fields?.cycle, CYCLE_MAX)
  const cycleLengthMs = number(fields?.cycleLengthMs, CYCLE_MS_MAX)
  const extractionMs = number(fields?.extractionMs, cycleLengthMs ?? 0)
  const isNextKnown = fields?.nextStart !== undefined && fields.nextStart !== null
  const nextStart = time(fields?.nextStart)
  if (cycle === undefined || cycleLengthMs === undefined || extractionMs === undefined) return undefined
  if (cycleLengthMs === 0 || (isNextKnown && nextStart === undefined)) return undefined
  return { cycle, cycleLengthMs, extractionMs, nextStart }
}

export function parseInfo(payload: string): InfoItem | undefined {
  const fields = parseObject(payload)
  const utc = time(fields?.t)
  const quality = (['good', 'suspect', 'bad'] as const).find((known) => known === fields?.q)
  const { v, u } = fields ?? {}
  if (typeof v !== 'number' || !Number.isFinite(v) || utc === undefined || quality === undefined)
    return undefined
  if (u !== undefined && typeof u !== 'string') return undefined
  return { value: v, utc, quality, unit: u }
}

function parseObject(payload: string): Readonly<Record<string, unknown>> | undefined {
  if (payload.length > PAYLOAD_CHARACTERS_MAX) return undefined
  try {
    const parsed: unknown = JSON.parse(payload)
    const isObject = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
    return isObject ? (parsed as Record<string, unknown>) : undefined
  } catch {
    // no JSON: as good as any other message that cannot be used
    return undefined
  }
}

function number(value: unknown, highest: number): number | undefined {
  return typeof value === 'number' && value >= 0 && value <= highest ? value : undefined
}

function wholeNumber(value: unknown, highest: number): number | undefined {
  return Number.isInteger(value) ? number(value, highest) : undefined
}

/** ISO 8601 in UTC, as the manual writes it; `Date` alone would take "1" and local times too. */
function time(value: unknown): Date | undefined {
  if (typeof value !== 'string' || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/.test(value))
    return undefined
  const date = new Date(value)
  return Number.isNaN(date.getTime()) ? undefined : date
}
