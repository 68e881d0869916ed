import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import type { LinkOverrides } from './devices.ts'

/** What the supervisor tells a process of the controller on its command line. */
export interface ProcessArguments {
  readonly experiment: string
  readonly data: string
  readonly linksFile: string | undefined
  readonly isSimulated: boolean
  readonly onTerminal: boolean
  readonly seed: number | undefined
  /** undefined: the usual one, or a free one when that is taken */
  readonly port: number | undefined
  readonly spills: number | undefined
  readonly autostart: boolean
}

export function readArguments(argv: readonly string[]): ProcessArguments {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      experiment: { type: 'string' },
      data: { type: 'string' },
      'links-file': { type: 'string' },
      simulated: { type: 'boolean', default: false },
      terminal: { type: 'boolean', default: false },
      seed: { type: 'string' },
      port: { type: 'string' },
      spills: { type: 'string' },
      autostart: { type: 'boolean', default: false }
    }
  })
  return {
    experiment: values.experiment ?? '',
    data: values.data ?? 'data',
    linksFile: values['links-file'],
    isSimulated: values.simulated,
    onTerminal: values.terminal,
    seed: values.seed === undefined ? undefined : Number(values.seed),
    port: values.port === undefined ? undefined : Number(values.port),
    spills: values.spills === undefined ? undefined : Number(values.spills),
    autostart: values.autostart
  }
}

const linksSchema = z.record(
  z.string(),
  z.object({ control: z.string().optional(), data: z.string().optional() })
)

/** Where the simulated twins listen; the simulator writes this file. Undefined without one: real hardware. */
export function readLinks(file: string | undefined): LinkOverrides | undefined {
  if (file === undefined) return undefined
  return linksSchema.parse(JSON.parse(readFileSync(file, 'utf8'))) as LinkOverrides
}
