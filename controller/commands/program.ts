/** The words of the command line. Each command's work is in a file of its own and loaded only when it is asked for. */
import { Argument, Command, InvalidArgumentError, Option } from 'commander'
import { reportFailure } from './output.ts'

interface Common {
  readonly json?: boolean
  readonly data: string
}

const wholeNumber =
  (least: number, most = Number.MAX_SAFE_INTEGER) =>
  (text: string): number => {
    const value = /^\d+$/.test(text) ? Number(text) : NaN
    if (!(value >= least && value <= most))
      throw new InvalidArgumentError(
        `a whole number from ${least}${most === Number.MAX_SAFE_INTEGER ? '' : ` to ${most}`} is needed.`
      )
    return value
  }

function positiveNumber(text: string): number {
  const value = text.trim() === '' ? NaN : Number(text)
  if (!(value > 0 && value <= 3600))
    throw new InvalidArgumentError('a number above 0, at most 3600, is needed.')
  return value
}

function brokerUrl(text: string): string {
  const url = URL.parse(text)
  if (url === null || !['mqtt:', 'mqtts:'].includes(url.protocol) || url.hostname === '')
    throw new InvalidArgumentError(
      'mqtt://host:port or mqtts://user@host:port is needed, with options as in docs/bench.'
    )
  return text
}

const cycle = (): Option =>
  new Option('--cycle <speed>', 'pause between simulated spills').choices(['real', 'fast']).default('real')
const data = (): Option =>
  new Option('--data <folder>', 'where runs, logs and the run database are kept').default('data')
const json = (): Option => new Option('--json', 'one JSON document on stdout; logs on stderr')

/**
 * All commands. What a command throws becomes a sentence, an exit code and, with --json, a document; `done` is
 * told the exit code.
 */
export function makeProgram(asJson: boolean, done: (exitCode: number) => void): Command {
  const action =
    <A extends unknown[]>(work: (...args: A) => Promise<number>) =>
    async (...args: A): Promise<void> => {
      try {
        done(await work(...args))
      } catch (error) {
        done(await reportFailure(error, asJson))
      }
    }

  const program = new Command('spillway')
    .description('Readout and slow-control controller of NA64mu')
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(`spillway: ${text.replace(/^error: /, '')}`) })
    .showHelpAfterError('(spillway --help lists the commands)')

  program
    .command('run <experiment>')
    .description('take data: starts slow control, data acquisition and the console')
    .option('--sim', 'with simulated devices, started as their own process and reached by the real wires')
    .option('--spills <n>', 'end after so many spills', wholeNumber(1, 1_000_000))
    .option('--seed <n>', 'seed of the simulation', wholeNumber(0, 0xffffffff), 1)
    .option('--scenario <name>', 'a named situation of the simulated hall')
    .addOption(cycle())
    .addOption(
      new Option(
        '--clock <kind>',
        'virtual: all in one process and in virtual time, without wires (needs --sim and --spills)'
      ).choices(['virtual'])
    )
    .option(
      '--port <n>',
      'of the console on 127.0.0.1; 0 for any (default 8064, or any when that is taken)',
      wholeNumber(0, 65535)
    )
    .option(
      '--broker <url>',
      'MQTT broker that the simulated beam line publishes to, instead of its own',
      brokerUrl
    )
    .addOption(data())
    .addOption(json())
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
            const { virtualRunCommand } = await import('./virtual-run.ts')
            return virtualRunCommand(experiment, { ...o, scenario: o.scenario, json: o.json ?? false })
          }
          const { runCommand } = await import('./run.ts')
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
    .addOption(cycle())
    .addOption(
      new Option('--ports <which>', 'those of devices.yaml, or free ones')
        .choices(['fixed', 'free'])
        .default('fixed')
    )
    .addOption(data())
    .addOption(json())
    .action(
      action(
        async (
          experiment: string,
          o: Common & { seed: number; scenario?: string; cycle: 'real' | 'fast'; ports: 'fixed' | 'free' }
        ) => {
          const { simCommand } = await import('./sim.ts')
          return simCommand(experiment, { ...o, scenario: o.scenario, json: o.json ?? false })
        }
      )
    )

  program
    .command('check <experiment>')
    .description('check a configuration and print it resolved, with the provenance of its numbers')
    .addOption(json())
    .action(
      action(async (experiment: string, o: Common) => {
        const { checkCommand } = await import('./check.ts')
        return checkCommand(experiment, o.json ?? false)
      })
    )

  program
    .command('runs')
    .description('the runs that were taken')
    .addOption(data())
    .addOption(json())
    .action(action(async (o: Common) => (await import('./records.ts')).runsCommand(o.data, o.json ?? false)))
  const run = (): Argument => new Argument('<run>', 'number of the run').argParser(wholeNumber(1))
  program
    .command('spills')
    .description('the spills of a run')
    .addArgument(run())
    .addOption(data())
    .addOption(json())
    .action(
      action(async (number: number, o: Common) =>
        (await import('./records.ts')).spillsCommand(o.data, number, o.json ?? false)
      )
    )
  program
    .command('ledger')
    .description('both sums of every source, spill by spill')
    .addArgument(run())
    .addOption(data())
    .addOption(json())
    .action(
      action(async (number: number, o: Common) =>
        (await import('./records.ts')).ledgerCommand(o.data, number, o.json ?? false)
      )
    )

  program
    .command('replay <file...>')
    .description('reconstruct and select raw files again')
    .option('--experiment <name>', 'configuration to use (default: the one that the run was taken with)')
    .addOption(data())
    .addOption(json())
    .action(
      action(async (files: string[], o: Common & { experiment?: string }) => {
        const { replayCommand } = await import('./replay.ts')
        return replayCommand(files, { ...o, experiment: o.experiment, json: o.json ?? false })
      })
    )

  program
    .command('decode <file>')
    .description('DATE files, plain or zstd, word by word, with typed faults')
    .requiredOption('--sources <list>', 'data format by source id: 600=msadc,610=apv,620=f1,700=trigger')
    .addOption(json())
    .action(
      action(async (file: string, o: Common & { sources: string }) => {
        const { decodeCommand } = await import('./decode.ts')
        return decodeCommand(file, o.sources, o.json ?? false)
      })
    )

  program
    .command('bench [name...]')
    .description("speed of the hot path, with the machine's own memory copy beside it")
    .option('--seconds <n>', 'time for each', positiveNumber, 2)
    .addOption(json())
    .action(
      action(async (names: string[], o: Common & { seconds: number }) => {
        const { benchCommand } = await import('./bench.ts')
        return benchCommand(names, o.seconds, o.json ?? false)
      })
    )

  return program
}
