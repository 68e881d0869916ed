import { ErrorCode, SpillwayError } from '../../../core/errors.ts'
import type { LinkFactory } from '../../../drivers/link/link.ts'

/** A factory that gives these links and refuses all others. */
export function linksOf(links: Partial<LinkFactory>): LinkFactory {
  const none = (url: string): never => {
    throw new SpillwayError(ErrorCode.internal, `the test has no link for ${url}`)
  }
  return { bytes: none, registers: none, topics: none, nodes: none, ...links }
}
