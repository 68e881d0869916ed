/** The transcripts beside this file, taken apart. */
import { readFileSync } from 'node:fs'

export interface Exchange {
  readonly question: string
  readonly answer: string
  /** `=`: what the answer means */
  readonly meaning: string
}

export function transcript(name: string): Exchange[] {
  const exchanges: { question: string; answer: string; meaning: string }[] = []
  let question = ''
  for (const line of readFileSync(new URL(name, import.meta.url), 'utf8').split('\n')) {
    const text = line.slice(2)
    if (line.startsWith('>')) question = text
    else if (line.startsWith('<')) exchanges.push({ question, answer: text, meaning: '' })
    else if (line.startsWith('=')) exchanges.at(-1)!.meaning = text
  }
  return exchanges
}

/** `\r` and `\n` as written stand for the characters */
export const lineOf = (text: string): Uint8Array =>
  Buffer.from(text.replaceAll('\\r', '\r').replaceAll('\\n', '\n'), 'latin1')

export const bytesOf = (hex: string): Uint8Array =>
  new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
export const hexOf = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0').toUpperCase()).join(' ')
