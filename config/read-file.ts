/** One YAML file: text -> checked data and faults, each with its line and column. */
import {
  type Document,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type YAMLError,
  type YAMLMap
} from 'yaml'
import { z } from 'zod'
import type { Fault } from '../core/errors.ts'
import { hintFor, nearest } from './nearest.ts'

export type Path = readonly PropertyKey[]

/** A file of an experiment as it was read. */
export interface ConfigFile<T> {
  readonly name: string
  /** undefined when the text does not give usable data; `faults` then says why */
  readonly data: T | undefined
  readonly faults: readonly LocatedFault[]
  /** what the YAML says, checked or not; undefined when it is not YAML */
  readonly raw: unknown
  /** position of the value at `path` (of its key `key`), or of the nearest thing above it that exists */
  readonly where: (path: Path, key?: PropertyKey) => Position
}

export interface Position {
  readonly file: string
  readonly line: number
  readonly column: number
}

export interface LocatedFault {
  readonly at: Position
  readonly what: string
  readonly hint?: string
}

export const printPosition = (at: Position): string => `${at.file}:${at.line}:${at.column}`

export const toFault = ({ at, what, hint }: LocatedFault): Fault => ({
  where: printPosition(at),
  what,
  ...(hint === undefined ? {} : { hint })
})

/** "devices[2].settings" */
export function printPath(path: Path): string {
  let text = ''
  for (const step of path)
    text += typeof step === 'number' ? `[${step}]` : `${text === '' ? '' : '.'}${String(step)}`
  return text
}

const at = (path: Path, what: string): string => (path.length === 0 ? what : `${printPath(path)}: ${what}`)

/** Aliases of YAML may multiply; no configuration of ours needs more. */
const ALIASES_MAX = 100

/** Checks `text` against `schema`. Never throws on the text. */
export function readConfigText<T>(name: string, text: string, schema: z.ZodType<T>): ConfigFile<T> {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const position = (offset: number): Position => {
    const { line, col } = lines.linePos(offset)
    return { file: name, line: Math.max(1, line), column: Math.max(1, col) }
  }
  const where = (path: Path, key?: PropertyKey): Position => position(offsetOf(document, path, key))

  const faults: LocatedFault[] = [...document.errors, ...document.warnings].map((error) => ({
    at: position(error.pos[0]),
    ...inOurWords(error, text)
  }))
  const result = (data?: T, raw?: unknown): ConfigFile<T> => ({ name, data, raw, faults, where })
  if (document.errors.some((error) => error.code !== 'DUPLICATE_KEY')) return result()

  let raw: unknown
  try {
    raw = document.toJS({ maxAliasCount: ALIASES_MAX })
  } catch (error) {
    faults.push({ at: position(0), what: `cannot be read: ${(error as Error).message}` })
    return result()
  }
  if (raw === null || raw === undefined) {
    faults.push({ at: position(0), what: 'the file is empty', hint: keysOf(schema) })
    return result()
  }
  const checked = check(schema, raw, where)
  faults.push(...checked.faults)
  return result(checked.data, raw)
}

/**
 * Data that satisfies `schema` and every fault. Unknown keys are faults, but the data without them is still
 * given, so that the checks between files can run and report in the same pass.
 */
export function check<T>(
  schema: z.ZodType<T>,
  raw: unknown,
  where: (path: Path, key?: PropertyKey) => Position,
  under: Path = []
): { data: T | undefined; faults: LocatedFault[] } {
  const faults: LocatedFault[] = []
  const first = schema.safeParse(raw, { reportInput: true })
  if (first.success) return { data: first.data, faults }
  let isOnlyUnknownKeys = true
  const misspelt = misspeltKeys(schema, first.error.issues)
  for (const issue of first.error.issues) {
    const path = [...under, ...issue.path]
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) {
        const known = keysAt(schema, issue.path)
        faults.push({
          at: where(path, key),
          what: at(path, `unknown key '${key}'`),
          hint: hintFor(key, known, 'keys')
        })
        remove(raw, issue.path, key)
      }
      continue
    }
    isOnlyUnknownKeys = false
    const isMissing = issue.input === undefined && issue.path.length > 0
    if (isMissing && misspelt.has(printPath(issue.path))) continue
    const hint = hintOf(schema, issue)
    const what = isMissing
      ? at(path.slice(0, -1), `key '${String(path.at(-1))}' is missing`)
      : at(path, sentenceOf(issue))
    faults.push({
      at: isMissing ? where(path.slice(0, -1)) : where(path),
      what,
      ...(hint === undefined ? {} : { hint })
    })
  }
  if (!isOnlyUnknownKeys) return { data: undefined, faults }
  return { data: schema.safeParse(raw).data, faults }
}

/** Paths of keys that are there under a wrong name: one fault says it all. */
function misspeltKeys(schema: unknown, issues: readonly Issue[]): ReadonlySet<string> {
  const paths = new Set<string>()
  for (const issue of issues)
    if (issue.code === 'unrecognized_keys')
      for (const key of issue.keys) {
        const meant = nearest(key, keysAt(schema, issue.path))
        if (meant !== undefined) paths.add(printPath([...issue.path, meant]))
      }
  return paths
}

function remove(raw: unknown, path: Path, key: string): void {
  let inner = raw
  for (const step of path) inner = (inner as Record<PropertyKey, unknown>)[step]
  // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- our own copy of the text's data
  delete (inner as Record<string, unknown>)[key]
}

function inOurWords(error: YAMLError, text: string): { what: string; hint?: string } {
  if (error.code !== 'DUPLICATE_KEY') return { what: `not YAML: ${error.message}` }
  const key = /^[^:\s]+/.exec(text.slice(error.pos[0]))?.[0] ?? 'key'
  return { what: `key '${key}' comes twice`, hint: 'keep one of the two' }
}

/** Start of the value at `path`, of key `key` in it, or of the deepest thing on the way that exists. */
function offsetOf(document: Document, path: Path, key?: PropertyKey): number {
  let node: unknown = document.contents
  let offset = rangeOf(node) ?? 0
  for (const step of path) {
    const next = isMap(node) ? pairOf(node, step)?.value : isSeq(node) ? node.get(step, true) : undefined
    const found = rangeOf(next)
    if (found === undefined) return offset
    offset = found
    node = next
  }
  if (key === undefined || !isMap(node)) return offset
  return rangeOf(pairOf(node, key)?.key) ?? offset
}

const pairOf = (map: YAMLMap, key: PropertyKey): Pair | undefined =>
  map.items.find((item) => keyText(item.key) === String(key))
const rangeOf = (node: unknown): number | undefined => (node as Node | null | undefined)?.range?.[0]
const keyText = (key: unknown): string => (isScalar(key) ? String(key.value) : String(key))

/** The schema below `path`, through optional, default, arrays and records. */
function schemaAt(schema: unknown, path: Path): unknown {
  let inner = bare(schema)
  for (const step of path) {
    if (inner instanceof z.ZodObject) inner = bare((inner.shape as Record<PropertyKey, unknown>)[step])
    else if (inner instanceof z.ZodArray) inner = bare(inner.element)
    else if (inner instanceof z.ZodRecord) inner = bare(inner.valueType)
    else return undefined
  }
  return inner
}

function bare(schema: unknown): unknown {
  let inner = schema
  while (inner instanceof z.ZodOptional || inner instanceof z.ZodDefault) inner = inner.unwrap()
  return inner
}

/** The description of a value, wherever in the chain of optional and default it was given. */
function meaningAt(schema: unknown, path: Path): string | undefined {
  const parent = schemaAt(schema, path.slice(0, -1))
  const key = path.at(-1)
  let inner: unknown =
    parent instanceof z.ZodObject && key !== undefined
      ? (parent.shape as Record<PropertyKey, unknown>)[key]
      : schemaAt(schema, path)
  while (inner instanceof z.ZodOptional || inner instanceof z.ZodDefault) {
    if (inner.description !== undefined) return inner.description
    inner = inner.unwrap()
  }
  return inner instanceof z.ZodType ? inner.description : undefined
}

function keysAt(schema: unknown, path: Path): string[] {
  const inner = schemaAt(schema, path)
  if (inner instanceof z.ZodObject) return Object.keys(inner.shape)
  if (inner instanceof z.ZodRecord && inner.keyType instanceof z.ZodEnum)
    return inner.keyType.options.map(String)
  return []
}

const keysOf = (schema: unknown): string => `it needs ${keysAt(schema, []).join(', ')}`

type Issue = z.core.$ZodIssue

/** What is wrong, without zod's "Invalid input". */
function sentenceOf(issue: Issue): string {
  const got = printValue(issue.input)
  switch (issue.code) {
    case 'invalid_type':
      return `${got} is not ${article(issue.expected)}`
    case 'invalid_value':
      return `${got} is not one of ${issue.values.map(String).join(', ')}`
    case 'too_small':
      if (issue.origin === 'array') return `has fewer than ${String(issue.minimum)} entries`
      if (issue.origin === 'string') return 'is empty'
      return `${got} is not ${issue.inclusive === true ? 'at least' : 'above'} ${String(issue.minimum)}`
    case 'too_big':
      if (issue.origin === 'array') return `has more than ${String(issue.maximum)} entries`
      return `${got} is not ${issue.inclusive === true ? 'at most' : 'below'} ${String(issue.maximum)}`
    case 'not_multiple_of':
      return `${got} is not a multiple of ${issue.divisor}`
    case 'invalid_format':
      return `${got} has not the right form`
    default:
      return issue.message
  }
}

/** What to write instead; where there is nothing better, what the key means. */
function hintOf(schema: unknown, issue: Issue): string | undefined {
  const meaning = meaningAt(schema, issue.path)
  if (issue.code === 'invalid_value' && typeof issue.input === 'string')
    return hintFor(issue.input, issue.values.map(String), 'words')
  if (issue.code === 'invalid_format') return issue.message
  if (issue.input === undefined)
    return [describe(schemaAt(schema, issue.path)), meaning].filter((text) => text !== undefined).join('; ')
  const isNumber = issue.code === 'invalid_type' && (issue.expected === 'number' || issue.expected === 'int')
  if (isNumber && typeof issue.input === 'string' && /\d/.test(issue.input))
    return `a bare number without quotes; its unit is the end of the name '${String(issue.path.at(-1))}'`
  return meaning
}

function describe(schema: unknown): string | undefined {
  if (schema instanceof z.ZodEnum) return `one of ${schema.options.map(String).join(', ')}`
  if (schema instanceof z.ZodNumber) return schema.format === null ? 'a number' : 'a whole number'
  if (schema instanceof z.ZodString) return 'a text'
  if (schema instanceof z.ZodBoolean) return 'true or false'
  if (schema instanceof z.ZodArray) return 'a list'
  if (schema instanceof z.ZodObject) return keysOf(schema)
  return undefined
}

function article(type: string): string {
  if (type === 'int') return 'a whole number'
  if (type === 'object' || type === 'record') return 'a block of keys'
  if (type === 'array') return 'a list'
  return `a ${type}`
}

function printValue(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object' && value !== null) return 'a block of keys'
  return String(value)
}
