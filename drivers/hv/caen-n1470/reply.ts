/** Which field of a request the board objects to. */
export const REPLY_ERRORS = ['CMD', 'CH', 'PAR', 'VAL', 'LOC'] as const
export type ReplyError = (typeof REPLY_ERRORS)[number]

export type Reply =
  | { readonly board: number; readonly error: ReplyError }
  /** `value` undefined: done, without a value */
  | { readonly board: number; readonly error: undefined; readonly value: string | undefined }

const ERROR = /^#BD:(\d{1,2}),(CMD|CH|PAR|VAL|LOC):ERR$/
const DONE = /^#BD:(\d{1,2}),CMD:OK(?:,VAL:(.*))?$/

/** `#BD:00,CMD:OK,VAL:1100.0` or `#BD:00,LOC:ERR`; undefined for anything else. */
export function parseReply(line: string): Reply | undefined {
  const error = ERROR.exec(line)
  if (error !== null) return { board: Number(error[1]), error: error[2] as ReplyError }
  const done = DONE.exec(line)
  if (done === null) return undefined
  return { board: Number(done[1]), error: undefined, value: done[2] }
}

/** Numbers of the board, padded with zeros and always decimal: `02048;00000`. */
export function parseNumbers(value: string, count: number): number[] | undefined {
  const parts = value.split(';')
  if (parts.length !== count || !parts.every((part) => /^\d{1,8}(\.\d{1,6})?$/.test(part))) return undefined
  return parts.map(Number)
}

/** Words out of a few: `REMOTE`, or `RAMP;KILL;RAMP;RAMP`. */
export function parseWords<W extends string>(
  value: string,
  words: readonly W[],
  count: number
): W[] | undefined {
  const parts = value.split(';').map((part) => words.find((word) => word === part))
  const known = parts.filter((part) => part !== undefined)
  return parts.length === count && known.length === count ? known : undefined
}

/** Names of models, `N1470` or `DT1470ET`: letters, then digits. No value of another parameter looks like this. */
export function parseModel(value: string): string | undefined {
  return /^[A-Z]{1,4}\d{3,4}[A-Za-z]*$/.test(value) ? value : undefined
}

/** Serial numbers, releases: printable, short, without the separators of a reply. */
export function parseText(value: string): string | undefined {
  return /^[^,;#$]{1,24}$/.test(value) ? value : undefined
}

/**
 * A value as the board wants it: with the decimals of the parameter, cut, not rounded: a limit must not grow on the way.
 */
export function formatValue(value: number, decimals: number): string {
  const scale = 10 ** decimals
  // 0.1 * 3 * 10 is 2.9999999999999996: what differs in the last bits only is meant as the round number
  return (Math.floor(value * scale + 1e-6) / scale).toFixed(decimals)
}
