/** The command line. Each command's work is in commands/ and loaded only when it is asked for. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { Exit, reportFailure } from './commands/output.ts'

const wholeNumber =
  (least: number, most = Number.MAX_SAFE_INTEGER) =>
  (text: string): number => {
    const value = Number(text)
    if (!Number.isInteger(value) || value < least || value > most)
      throw new InvalidArgumentError(
        `a whole number from ${least}${most === Number.MAX_SAFE_INTEGER ? '' : ` to ${most}`} is needed.`
      )
    return value
  }

interface Common {
  readonly json?: boolean
  readonly data: string
}

let exitCode: number = Exit.done
const asJson = process.argv.includes('--json')

/** Runs a command; what it throws becomes a sentence, an exit code and, with --json, a document. */
function action<A extends unknown[]>(work: (...args: A) => Promise<number>): (...args: A) => Promise<void> {
  return async (...args) => {
    try {
      exitCode = await work(...args)
    } catch (error) {
      exitCode = await reportFailure(error, asJson)
    }
  }
}

const program = new Command('spillway')
  .description('Readout and slow-control controller of NA64mu')
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(`spillway: ${text.replace(/^error: /, '')}`) })
  .showHelpAfterError('(spillway --help lists the commands)')

const json = new Option('--json', 'one JSON document on stdout; logs on stderr')
const data = new Option('--data <folder>', 'where runs, logs and the run database are kept').default('data')

program
  .command('run <experiment>')
  .description('take data: starts slow control, data acquisition and the console')
  .option('--sim', 'with simulated devices, started as their own process and reached by the real wires')
  .option('--spills <n>', 'end after so many spills', wholeNumber(1, 1_000_000))
  .option('--seed <n>', 'seed of the simulation', wholeNumber(0, 0xffffffff), 1)
  .option('--scenario <name>', 'a named situation of the simulated hall')
  .addOption(
    new Option('--cycle <speed>', 'pause between simulated spills').choices(['real', 'fast']).default('real')
  )
  .option(
    '--clock <kind>',
    'virtual: all in one process and in virtual time, without wires (needs --sim and --spills)'
  )
  .option(
    '--port <n>',
    'of the console on 127.0.0.1; 0 for any (default 8064, or any when that is taken)',
    wholeNumber(0, 65535)
  )
  .option('--broker <url>', 'MQTT broker that the simulated beam line publishes to, instead of its own')
  .addOption(data)
  .addOption(json)
  .action(
    action(
      async (
        experiment: string,
        o: Common & {
          sim?: boolean
          spills?: number
          seed: number
          scenario?: string
          cycle: 'real' | 'fast'
          clock?: string
          port?: number
          broker?: string
        }
      ) => {
        if (o.clock !== undefined) {
          const { virtualRunCommand } = await import('./commands/virtual-run.ts')
          return virtualRunCommand(experiment, { ...o, scenario: o.scenario, json: o.json ?? false })
        }
        const { runCommand } = await import('./commands/run.ts')
        return runCommand(experiment, {
          sim: o.sim ?? false,
          spills: o.spills,
          seed: o.seed,
          scenario: o.scenario,
          cycle: o.cycle,
          data: o.data,
          port: o.port,
          broker: o.broker,
          json: o.json ?? false
        })
      }
    )
  )

program
  .command('sim <experiment>')
  .description('the simulated devices alone, on the ports of devices.yaml, until Ctrl-C')
  .option('--seed <n>', 'seed of the simulation', wholeNumber(0, 0xffffffff), 1)
  .option('--scenario <name>', 'a named situation of the simulated hall')
  .addOption(
    new Option('--cycle <speed>', 'pause between simulated spills').choices(['real', 'fast']).default('real')
  )
  .addOption(
    new Option('--ports <which>', 'those of devices.yaml, or free ones')
      .choices(['fixed', 'free'])
      .default('fixed')
  )
  .addOption(data)
  .addOption(json)
  .action(
    action(
      async (
        experiment: string,
        o: Common & { seed: number; scenario?: string; cycle: 'real' | 'fast'; ports: 'fixed' | 'free' }
      ) => {
        const { simCommand } = await import('./commands/sim.ts')
        return simCommand(experiment, { ...o, scenario: o.scenario, json: o.json ?? false })
      }
    )
  )

program
  .command('check <experiment>')
  .description('check a configuration and print it resolved, with the provenance of its numbers')
  .addOption(json)
  .action(
    action(async (experiment: string, o: Common) => {
      const { checkCommand } = await import('./commands/check.ts')
      return checkCommand(experiment, o.json ?? false)
    })
  )

for (const [name, description] of [
  ['runs', 'the runs that were taken'],
  ['spills <run>', 'the spills of a run'],
  ['ledger <run>', 'both sums of every source, spill by spill']
] as const)
  program
    .command(name)
    .description(description)
    .addOption(data)
    .addOption(json)
    .action(
      action(async (...args: unknown[]) => {
        const commands = await import('./commands/records.ts')
        const o = args.at(-2) as Common
        if (name === 'runs') return commands.runsCommand(o.data, o.json ?? false)
        const run = wholeNumber(1)(String(args[0]))
        if (name === 'spills <run>') return commands.spillsCommand(o.data, run, o.json ?? false)
        return commands.ledgerCommand(o.data, run, o.json ?? false)
      })
    )

program
  .command('replay <file...>')
  .description('reconstruct and select raw files again')
  .option('--experiment <name>', 'configuration to use (default: the one that the run was taken with)')
  .addOption(data)
  .addOption(json)
  .action(
    action(async (files: string[], o: Common & { experiment?: string }) => {
      const { replayCommand } = await import('./commands/replay.ts')
      return replayCommand(files, { ...o, experiment: o.experiment, json: o.json ?? false })
    })
  )

program
  .command('decode <file>')
  .description('DATE files, plain or zstd, word by word, with typed faults')
  .requiredOption('--sources <list>', 'data format by source id: 600=msadc,610=apv,620=f1,700=trigger')
  .addOption(json)
  .action(
    action(async (file: string, o: Common & { sources: string }) => {
      const { decodeCommand } = await import('./commands/decode.ts')
      return decodeCommand(file, o.sources, o.json ?? false)
    })
  )

program
  .command('bench [name...]')
  .description("speed of the hot path, with the machine's own memory copy beside it")
  .option('--seconds <n>', 'time for each', Number, 2)
  .addOption(json)
  .action(
    action(async (names: string[], o: Common & { seconds: number }) => {
      const { benchCommand } = await import('./commands/bench.ts')
      return benchCommand(names, o.seconds, o.json ?? false)
    })
  )

// A reader that has seen enough (`| head`) is no failure of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) =>
  process.exit(error.code === 'EPIPE' ? Exit.done : Exit.failed)
)

try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof CommanderError)) throw error
  exitCode = error.exitCode === 0 ? Exit.done : Exit.usage
}
process.exitCode = exitCode
