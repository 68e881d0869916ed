/**
 * Writes config/schema/<file>.schema.json for editors: `npm run schemas`. A test holds the written ones
 * against schema.ts.
 */
import { writeFileSync } from 'node:fs'
import { z } from 'zod'
import { deviceSchema, deviceSettings, type ExperimentFileName, experimentFileSchemas } from './schema.ts'

/** JSON Schema (2020-12) of each file of an experiment, as text. */
export function schemaTexts(): Record<string, string> {
  const texts: Record<string, string> = {}
  for (const name of Object.keys(experimentFileSchemas) as ExperimentFileName[]) {
    const schema = name === 'devices' ? devicesWithSettings() : experimentFileSchemas[name]
    const json = z.toJSONSchema(schema, { io: 'input' })
    texts[`${name}.schema.json`] = `${JSON.stringify({ title: `${name}.yaml`, ...json }, null, 2)}\n`
  }
  return texts
}

/** An editor checks the settings of a device by its kind at once; the loader does it in a second step. */
function devicesWithSettings(): z.ZodType {
  const kinds = Object.entries(deviceSettings).map(([kind, settings]) => {
    const acceptsNone = settings.safeParse({}).success
    return deviceSchema.extend({
      kind: z.literal(kind),
      settings: acceptsNone ? settings.optional() : settings
    })
  })
  return z.strictObject({ devices: z.array(z.union(kinds)).min(1) })
}

if (import.meta.main)
  for (const [name, text] of Object.entries(schemaTexts()))
    writeFileSync(new URL(`./schema/${name}`, import.meta.url), text)
