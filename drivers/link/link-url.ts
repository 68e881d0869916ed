import { ErrorCode, SpillwayError } from '../../core/errors.ts'

/** A link's URL taken apart; `query` holds every allowed key that is there. */
export interface LinkUrl {
  readonly host: string
  readonly port: number
  readonly path: string
  /** before the `@`; only where the scheme knows users */
  readonly user?: string
  readonly query: Readonly<Record<string, string>>
}

/**
 * Takes `scheme://user@host:port/path?key=value` apart. Rejects another scheme, unknown keys, and a user where
 * `users` does not allow one, with code `configuration`: a misspelt key must not silently mean the default. Rejects
 * every password, and does not repeat it: URLs are shown and logged.
 *
 * @param defaultPort for URLs without a port
 */
export function parseLinkUrl(
  url: string,
  scheme: string,
  keys: readonly string[],
  defaultPort = 0,
  users: 'no-users' | 'users' = 'no-users'
): LinkUrl {
  const shown = withoutPassword(url)
  if (shown !== url)
    throw new SpillwayError(ErrorCode.configuration, `${shown}: a URL holds no password`, {
      hint: 'URLs are shown and logged: keep it in a file (passwordFile) or in the environment'
    })
  const parsed = URL.parse(url)
  if (parsed?.protocol !== `${scheme}:`)
    throw new SpillwayError(ErrorCode.configuration, `${url} is not a ${scheme}:// URL`)
  if (parsed.username !== '' && users === 'no-users')
    throw new SpillwayError(ErrorCode.configuration, `${url}: ${scheme} knows no users`)
  const query: Record<string, string> = {}
  for (const [key, value] of parsed.searchParams) {
    if (!keys.includes(key))
      throw new SpillwayError(ErrorCode.configuration, `${url}: unknown option ${key}`, {
        hint: keys.length === 0 ? 'this scheme has no options' : `options are ${keys.join(', ')}`
      })
    query[key] = value
  }
  return {
    host: parsed.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: parsed.port === '' ? defaultPort : Number(parsed.port),
    path: decodeURIComponent(parsed.pathname),
    ...(parsed.username === '' ? {} : { user: decodeURIComponent(parsed.username) }),
    query
  }
}

/** An option that must be a whole number in bounds, or `otherwise` when it is not given. */
export function numberOption(
  url: string,
  query: LinkUrl['query'],
  key: string,
  otherwise: number,
  lowest: number,
  highest: number
): number {
  const text = query[key]
  if (text === undefined) return otherwise
  const value = Number(text)
  if (Number.isInteger(value) && value >= lowest && value <= highest) return value
  throw new SpillwayError(ErrorCode.configuration, `${url}: option ${key} is wrong`, {
    expected: `a whole number from ${lowest} to ${highest}`,
    got: text
  })
}

/** An option that must be one of a few words; the first is the default. */
export function wordOption<const W extends string>(
  url: string,
  query: LinkUrl['query'],
  key: string,
  words: readonly [W, ...W[]]
): W {
  const text = query[key]
  if (text === undefined) return words[0]
  const found = words.find((word) => word === text)
  if (found !== undefined) return found
  throw new SpillwayError(ErrorCode.configuration, `${url}: option ${key} is wrong`, {
    expected: `one of ${words.join(', ')}`,
    got: text
  })
}

/** Fit to be shown, whatever somebody wrote; also when it is no URL, because a password broke it. */
export function withoutPassword(url: string): string {
  const password = URL.canParse(url) ? /^([^:/?#]*:\/\/[^:@/?#]*):[^/?#]*@/ : /^([^:/?#]*:\/\/[^:@/?#]*):.*@/s
  return url.replace(password, '$1@')
}
