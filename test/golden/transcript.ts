import { readFileSync } from 'node:fs'

/** One line of a transcript of `test/golden/<device>/`. */
export type TranscriptStep =
  | { readonly kind: 'say' | 'hear' | 'advance' | 'fault'; readonly text: string; readonly line: string }

const KINDS = { '>': 'say', '<': 'hear', '@advance': 'advance', '@fault': 'fault' } as const

/** `> request`, `< reply`, `@advance seconds`, `@fault {...}`; the rest is for people. */
export function readTranscript(file: URL): TranscriptStep[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const match = /^(>|<|@advance|@fault) (.*)$/.exec(line)
      return match === null ? [] : [{ kind: KINDS[match[1] as keyof typeof KINDS], text: match[2]!, line }]
    })
}

/** What a reply must look like: itself, or the pattern between slashes. */
export function replyPattern(text: string): RegExp {
  const pattern = /^\/(.*)\/$/.exec(text)?.[1]
  return new RegExp(`^${pattern ?? text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')}\r\n$`)
}
