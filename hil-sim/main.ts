/**
 * The simulator process. Forked by the supervisor it says `{ ready: true, links }` and takes `{ inject: fault }` and
 * `{ truth: true }`; started alone it prints where the devices are. Ends on SIGTERM and SIGINT.
 */
import { parseArgs } from 'node:util'
import { pino } from 'pino'
import { z } from 'zod'
import { SystemClock } from '../core/clock.ts'
import { ErrorCode, failureOf, isCode, sentence } from '../core/errors.ts'
import { seconds } from '../core/units.ts'
import { type Simulator, startSimulator } from './simulator.ts'

/**
 * When the supervisor dies the hall goes on, because hardware does not go off when a program dies, and the next
 * supervisor takes it over; but not for ever, because nobody may come. Whoever took it over has no channel to this
 * process and renews the time by SIGUSR2.
 */
const ORPHAN_LIMIT = seconds(600)

const argumentsSchema = z.object({
  experiment: z.string(),
  seed: z.coerce.number().int().min(0).max(0xffffffff),
  cycle: z.enum(['real', 'fast']),
  ports: z.enum(['fixed', 'free']),
  scenario: z.string().optional(),
  'links-file': z.string().optional(),
  'state-file': z.string().optional(),
  'goes-on': z.boolean().default(false),
  broker: z
    .string()
    .regex(/^mqtts?:\/\//, 'mqtt://host:port or mqtts://host:port')
    .optional()
})

const isForked = process.send !== undefined
const errors = pino.destination({ dest: 2, sync: true })
// The terminal may go away before we do.
errors.on('error', () => undefined)
const log = pino({ name: 'sim', level: isForked ? 'warn' : 'info' }, errors)

function readArguments(): z.infer<typeof argumentsSchema> | undefined {
  try {
    const text = { type: 'string' } as const
    const { values } = parseArgs({
      options: {
        experiment: text,
        seed: { ...text, default: '1' },
        cycle: { ...text, default: 'real' },
        ports: { ...text, default: 'fixed' },
        'goes-on': { type: 'boolean' },
        ...{ scenario: text, 'links-file': text, 'state-file': text, broker: text }
      }
    })
    const result = argumentsSchema.safeParse(values)
    if (result.success) return result.data
    for (const { path, message } of result.error.issues) log.error({}, `--${path.join('.')}: ${message}`)
  } catch (error) {
    log.error({}, sentence(error))
  }
  return undefined
}

function tell(message: object, then: () => void = () => undefined): void {
  if (process.connected && process.send !== undefined) process.send(message, undefined, undefined, then)
  else then()
}

function hear(simulator: Simulator, message: unknown): void {
  if (typeof message !== 'object' || message === null) return
  if ('truth' in message) tell({ truth: simulator.truth() })
  if (!('inject' in message)) return
  try {
    simulator.inject(message.inject)
    tell({ injected: message.inject })
  } catch (error) {
    tell({ refused: sentence(error) })
  }
}

async function main(): Promise<void> {
  const given = readArguments()
  if (given === undefined) {
    process.exitCode = 2
    return
  }
  // Asked to end before everything is up: the end waits for the start.
  let ask: (why: string) => void = () => undefined
  const asked = new Promise<string>((resolve) => (ask = resolve))
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => ask(signal))

  const { 'links-file': linksFile, 'state-file': stateFile, scenario, broker } = given
  const simulator = await startSimulator({
    experiment: given.experiment,
    seed: given.seed,
    cycle: given.cycle,
    ports: given.ports,
    goesOn: given['goes-on'],
    log,
    ...(scenario === undefined ? {} : { scenario }),
    ...(linksFile === undefined ? {} : { linksFile }),
    ...(stateFile === undefined ? {} : { stateFile }),
    ...(broker === undefined ? {} : { broker })
  })
  process.on('message', (message) => hear(simulator, message))
  if (isForked) endWhenOrphaned(ask)
  else
    for (const [device, links] of Object.entries(simulator.links))
      for (const [face, url] of Object.entries(links)) process.stdout.write(`${device} ${face} ${url}\n`)
  tell({ ready: true, links: simulator.links })
  log.info({ seed: given.seed, cycle: given.cycle }, `hall of ${given.experiment} is up`)

  log.info({ why: await asked }, 'the hall ends')
  await simulator.stop()
}

function endWhenOrphaned(end: (why: string) => void): void {
  const clock = new SystemClock()
  let lease = new AbortController()
  const renew = (): void => {
    lease.abort()
    lease = new AbortController()
    clock.sleep('a new supervisor', ORPHAN_LIMIT, lease.signal).then(
      () => end('orphaned'),
      () => undefined // renewed
    )
  }
  if (process.connected) process.on('disconnect', renew)
  else renew()
  process.on('SIGUSR2', () => {
    if (!process.connected) renew()
  })
}

try {
  await main()
} catch (error) {
  log.error({ code: isCode(error, ErrorCode.usage) ? 'usage' : 'failed' }, sentence(error))
  const isUsage = [ErrorCode.usage, ErrorCode.configuration, ErrorCode.notFound].some((code) =>
    isCode(error, code)
  )
  process.exitCode = isUsage ? 2 : 1
  await new Promise<void>((resolve) => tell({ failed: failureOf(error) }, resolve))
}
// Libraries keep timers and sockets of their own: nothing of ours is left to wait for.
process.exit()
