import type { Verb } from './event.ts'

/** A request or its answer in words, the same for equal arguments: text as text, other bytes in hexadecimal. */
export function told(verb: Verb | '', args: readonly unknown[]): string {
  return [verb, ...args.map(tell)].join(' ').trimStart()
}

function tell(value: unknown): string {
  if (value instanceof Uint8Array) {
    const bytes = Buffer.from(value)
    const text = bytes.toString('latin1')
    return /^[\x20-\x7e\r\n\t]*$/.test(text) ? JSON.stringify(text) : `0x${bytes.toString('hex')}`
  }
  if (value === undefined) return 'undefined'
  if (typeof value === 'number') return String(value)
  if (value instanceof Date) return value.toISOString()
  if (Array.isArray(value)) return `[${value.map(tell).join(', ')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${fields.map(([key, of]) => `${key}: ${tell(of)}`).join(', ')}}`
}
