/**
 * The language of the module (docs/hardware/iseg-scpi.md), without its meaning: a line becomes commands, a header
 * is matched in short or long form, numbers are printed as the family prints them.
 */
export interface ScpiCommand {
  /** upper case, without the leading colon and the `?`: `READ:CHAN:STAT`, `*IDN` */
  readonly header: string
  readonly isQuery: boolean
  /** between header and channel list: `1500`, `ON`, `EMCY OFF`, `10%/s` */
  readonly argument: string
  /** undefined: no list was given */
  readonly channels: readonly number[] | undefined
}

const CHANNEL_MAX = 255

/** Commands of one line; undefined where there is none that can be understood. */
export function parseLine(line: string): (ScpiCommand | undefined)[] {
  return line.split(';').flatMap((text) => (text.trim() === '' ? [] : [parseCommand(text.trim())]))
}

function parseCommand(text: string): ScpiCommand | undefined {
  const match = /^(?<header>\*[A-Za-z]+|:?[A-Za-z]+(?::[A-Za-z]+)*)(?<query>\?)?(?:\s+(?<rest>.*))?$/.exec(
    text
  )
  const groups = match?.groups
  if (groups?.['header'] === undefined) return undefined
  const { argument, list } = splitRest(groups['rest'] ?? '')
  const channels = list === undefined ? undefined : parseChannels(list)
  if (list !== undefined && channels === undefined) return undefined
  return {
    header: groups['header'].replace(/^:/, '').toUpperCase(),
    isQuery: groups['query'] !== undefined,
    argument,
    channels
  }
}

/** `1500,(@0)` or `(@0-3)` or `10%/s` */
function splitRest(rest: string): { argument: string; list: string | undefined } {
  const at = rest.indexOf('(')
  if (at < 0) return { argument: rest.trim(), list: undefined }
  return { argument: rest.slice(0, at).trim().replace(/,$/, '').trim(), list: rest.slice(at).trim() }
}

/** `(@0)`, `(@0-3)`, `(@0,2)`; undefined when it is none of them */
export function parseChannels(list: string): number[] | undefined {
  const inner = /^\(@([0-9,\-\s]+)\)$/.exec(list)?.[1]
  if (inner === undefined) return undefined
  const channels: number[] = []
  for (const part of inner.split(',')) {
    const range = /^\s*(\d{1,3})(?:\s*-\s*(\d{1,3}))?\s*$/.exec(part)
    if (range === null) return undefined
    const first = Number(range[1])
    const last = Number(range[2] ?? range[1])
    if (last < first || last > CHANNEL_MAX) return undefined
    for (let channel = first; channel <= last; channel++) channels.push(channel)
  }
  return channels
}

/**
 * Whether `header` is `pattern`, each word in short or long form; the pattern writes the short form in upper
 * case: `READ:VOLTage:NOMinal`.
 */
export function isHeader(header: string, pattern: string): boolean {
  const words = header.split(':')
  const patterns = pattern.split(':')
  return (
    words.length === patterns.length &&
    words.every((word, i) => {
      const long = patterns[i] ?? ''
      return word === long.toUpperCase() || word === long.replace(/[a-z]+/g, '')
    })
  )
}

/** `1500`, `1.5E3`, `2e-6 A`; undefined when it is no number, or carries another unit */
export function parseNumber(text: string, unit: string): number | undefined {
  const match = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(\S*)$/.exec(text)
  if (match === null) return undefined
  const given = match[2] ?? ''
  return given === '' || given.toUpperCase() === unit.toUpperCase() ? Number(match[1]) : undefined
}

/** 2200, 'V' -> `2.20000E3V` */
export function formatNumber(value: number, unit: string): string {
  const [mantissa, exponent] = value.toExponential(5).split('e')
  return `${mantissa ?? '0.00000'}E${Number(exponent ?? 0)}${unit}`
}
