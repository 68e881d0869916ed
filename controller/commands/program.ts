/** The words of the command line. Each command's work is in a file of its own and loaded only when it is asked for. */
import { Argument, Command, InvalidArgumentError, Option } from 'commander'
import type { DeviceOptions } from './device.ts'
import { DEVICE_VERBS, type DeviceVerb } from './device/verbs.ts'
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

const positiveNumber =
  (most: number) =>
  (text: string): number => {
    const value = text.trim() === '' ? NaN : Number(text)
    if (!(value > 0 && value <= most))
      throw new InvalidArgumentError(`a number above 0, at most ${most}, is needed.`)
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
    .command('device')
    .description('one device from the shell')
    .addArgument(new Argument('<url>', 'of its control link; - with --experiment'))
    .addArgument(new Argument('<verb>', 'what to do').choices(DEVICE_VERBS))
    .addArgument(new Argument('[words...]', 'read <signal>; set <signal> <value>'))
    .option('--kind <kind>', "of device; the URL's scheme has a default")
    .option('--experiment <name>', 'take the device from an experiment')
    .option('--device <id>', 'its id there; else how it is called here')
    .option('--sim', "its simulated twin: the links of a simulator with this --data, else devices.yaml's")
    .option('--data-url <url>', "of a front-end's S-LINK bridge")
    .option('--source <id>', 'S-LINK source of a front-end', wholeNumber(0, 895))
    .option('--modules <list>', 'port.adc of each module of a front-end: 0.0,0.1')
    .option('--boards <list>', 'boards of a chain: 0,1')
    .option('--channels <list>', 'channels of a supply: 0-3,7')
    .option('--limit-v <V>', 'our own limit of all channels', positiveNumber(100_000))
    .option('--ramp-v-per-s <V/s>', 'ramp of all channels', positiveNumber(10_000))
    .option('--current-limit-ua <uA>', 'current limit of all channels', positiveNumber(1e6))
    .option('--prefix <topic>', 'first levels of the topics of spill timing')
    .option('--magnet <name>', 'of a magnet, as in the node ids of its server')
    .option('--settings <json>', "the kind's settings of devices.yaml, instead of single options")
    .option('--yes', 'set without asking')
    .option('--by <name>', 'who allows it: high voltage is switched on by somebody')
    .option('--seconds <n>', 'watch and frames: for so long (else until Ctrl-C)', positiveNumber(3600))
    .option('--record <file>', 'keep what passes in the links, for a replay')
    .option('--pcap <file>', 'keep it as a capture for Wireshark')
    .addOption(data())
    .addOption(json())
    .action(
      action(async (url: string, verb: DeviceVerb, words: string[], o: Common & Partial<DeviceOptions>) => {
        const { deviceCommand } = await import('./device.ts')
        return deviceCommand(url, verb, words, { ...o, yes: o.yes ?? false, json: o.json ?? false })
      })
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
    .option('--seconds <n>', 'time for each', positiveNumber(3600), 2)
    .addOption(json())
    .action(
      action(async (names: string[], o: Common & { seconds: number }) => {
        const { benchCommand } = await import('./bench.ts')
        return benchCommand(names, o.seconds, o.json ?? false)
      })
    )

  return program
}
