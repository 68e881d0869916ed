import type { Snapshot, SpillPhase } from '../../api/api.ts'
import { NONE } from './format.ts'

/** How long, for people: 12 s, 3 min 05 s, 2 h 14 min, 3 d 4 h. Negative counts as nothing. */
export function durationText(ms: number): string {
  const seconds = Math.floor(Math.max(0, ms) / 1000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${two(seconds % 60)} s`
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return `${hours} h ${two(minutes % 60)} min`
  return `${Math.floor(hours / 24)} d ${hours % 24} h`
}

const two = (n: number): string => String(n).padStart(2, '0')

/** A time of day in UTC: 03:12:44. */
export function clockText(utc: string | number | null): string {
  if (utc === null) return NONE
  const date = new Date(utc)
  return Number.isNaN(date.getTime()) ? NONE : date.toISOString().slice(11, 19)
}

/** How old a reading is at `now`, in ms; undefined when it never came. A clock a little ahead is age 0. */
export function ageMs(utc: string | null, now: number): number | undefined {
  if (utc === null) return undefined
  const at = Date.parse(utc)
  return Number.isNaN(at) ? undefined : Math.max(0, now - at)
}

/** Seconds that count up or down: 12 s; below ten 4.2 s. */
export function secondsText(ms: number): string {
  const size = Math.max(0, ms)
  if (size < 9950) return `${(size / 1000).toFixed(1)} s`
  return size < 60_000 ? `${Math.round(size / 1000)} s` : durationText(size)
}

export interface PhaseView {
  readonly word: string
  /** the number to look at */
  readonly seconds: string
  /** what that number is */
  readonly caption: string
  /** where in the cycle we are, 0 at the start of extraction to 1; undefined: not known */
  readonly position: number | undefined
  /** the part of the cycle that is extraction; undefined: not known */
  readonly extractionShare: number | undefined
}

const PHASE_WORDS: Readonly<Record<SpillPhase, string>> = {
  'no-beam': 'No beam',
  between: 'Between spills',
  warned: 'Extraction is near',
  extracting: 'Extracting',
  draining: 'Reading out'
}

const SPILL_NAMES = { sps: 'extraction', artificial: 'artificial spill', continuous: 'slice' } as const

/** What the phase bar shows at `now` (ms, on the server's clock). */
export function phaseView(spill: Snapshot['spill'], now: number): PhaseView {
  const { phase, cycleLengthMs, extractionMs, nextStart, since, source } = spill
  const sinceMs = Math.max(0, now - Date.parse(since))
  const untilMs = nextStart === null ? undefined : Date.parse(nextStart) - now
  const known = cycleLengthMs !== null && cycleLengthMs > 0
  const extractionShare =
    known && extractionMs !== null ? Math.min(1, extractionMs / cycleLengthMs) : undefined
  const word = PHASE_WORDS[phase]
  const name = SPILL_NAMES[source]
  const view = (seconds: string, caption: string, position?: number): PhaseView => ({
    word,
    seconds,
    caption,
    position: position === undefined ? undefined : Math.min(1, Math.max(0, position)),
    extractionShare
  })
  const beforeNext = known && untilMs !== undefined ? 1 - untilMs / cycleLengthMs : undefined

  switch (phase) {
    case 'extracting':
      return view(
        secondsText(sinceMs),
        extractionMs === null ? `since start of ${name}` : `of ${secondsText(extractionMs)} ${name}`,
        known ? sinceMs / cycleLengthMs : undefined
      )
    case 'draining':
      return view(secondsText(sinceMs), 'since end of extraction', beforeNext)
    case 'between':
    case 'warned':
      if (untilMs === undefined)
        return view(secondsText(sinceMs), phase === 'warned' ? 'since warning' : 'since last spill')
      return untilMs >= 0
        ? view(secondsText(untilMs), `to next ${name}`, beforeNext)
        : view(secondsText(-untilMs), `${name} is late`, 1)
    case 'no-beam':
      return view(secondsText(sinceMs), 'without beam')
  }
}
