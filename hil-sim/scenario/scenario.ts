import { readdirSync, readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { z } from 'zod'
import { ErrorCode, SpillwayError, sentence } from '../../core/errors.ts'
import { faultSchema } from '../fault/fault.ts'

/** A named situation: what the beam is like and what goes wrong when. */
export const scenarioSchema = z.strictObject({
  /** one sentence for people */
  about: z.string().min(1),
  beam: z
    .strictObject({
      muonsPerSpill: z.number().nonnegative().optional(),
      intensitySpread: z.number().min(0).max(1).optional(),
      ripple: z.number().min(0).max(1).optional()
    })
    .default({}),
  faults: z.array(faultSchema).default([])
})
export type Scenario = z.infer<typeof scenarioSchema>

const folder = new URL('./', import.meta.url)

/** Names that `loadScenario` knows. */
export function scenarioNames(): string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => file.slice(0, -'.yaml'.length))
    .sort()
}

/**
 * @throws `usage` for an unknown name, `configuration` with every fault for a wrong file
 */
export function loadScenario(name: string): Scenario {
  const names = scenarioNames()
  if (!names.includes(name))
    throw new SpillwayError(ErrorCode.usage, `no scenario ${name}`, {
      expected: names.join(', '),
      got: name
    })
  return parseScenario(readFileSync(new URL(`${name}.yaml`, folder), 'utf8'), `hil-sim/scenario/${name}.yaml`)
}

/** @param where name of the text, for messages */
export function parseScenario(text: string, where: string): Scenario {
  let raw: unknown
  try {
    raw = parse(text)
  } catch (error) {
    throw new SpillwayError(ErrorCode.configuration, `${where} is no YAML: ${sentence(error)}`, {
      cause: error
    })
  }
  const result = scenarioSchema.safeParse(raw)
  if (result.success) return result.data
  const faults = result.error.issues.map((issue) => ({
    where: `${where}: ${issue.path.join('.')}`,
    what: issue.message
  }))
  throw new SpillwayError(
    ErrorCode.configuration,
    `${where}: ${faults.map((f) => `${f.where}: ${f.what}`).join('; ')}`,
    { faults }
  )
}
