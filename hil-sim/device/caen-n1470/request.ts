/** A request, as far as it can be understood. */
export interface Request {
  readonly board: number
  readonly command: string | undefined
  /** undefined: no such field; NaN: one that is no number */
  readonly channel: number | undefined
  readonly parameter: string | undefined
  readonly value: string | undefined
}

/**
 * `$BD:00,CMD:SET,CH:1,PAR:VSET,VAL:100.0`, fields after BD in any order. Undefined: no board can know that it is
 * meant, so none answers.
 */
export function parseRequest(line: string): Request | undefined {
  const text = line.slice(line.lastIndexOf('$')).trim()
  const match = /^\$BD:(\d{1,2})((?:,[^,]+)*)$/.exec(text)
  if (match === null) return undefined
  const fields = new Map<string, string>()
  for (const field of (match[2] ?? '').split(',').slice(1)) {
    const [name, value] = splitField(field)
    fields.set(name, value)
  }
  const channel = fields.get('CH')
  return {
    board: Number(match[1]),
    command: fields.get('CMD'),
    channel: channel === undefined ? undefined : /^\d{1,2}$/.test(channel) ? Number(channel) : Number.NaN,
    parameter: fields.get('PAR'),
    value: fields.get('VAL')
  }
}

/** `PAR:VSET`; `CH4` is written without a colon in the manual */
function splitField(field: string): [string, string] {
  const bare = /^CH(\d+)$/.exec(field)
  if (bare?.[1] !== undefined) return ['CH', bare[1]]
  const at = field.indexOf(':')
  return at < 0 ? [field, ''] : [field.slice(0, at), field.slice(at + 1)]
}
