/**
 * The data-acquisition process: run control, readout, reconstruction, store, and the server of the console. It
 * is the one place that builds what it runs. Ending it changes no high voltage.
 */
import { appendFileSync, mkdirSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { loadExperiment } from '../config/load.ts'
import { isAborted, SystemClock } from '../core/clock.ts'
import { sentence } from '../core/errors.ts'
import { LineJournal } from '../core/journal.ts'
import { limits } from '../core/limits.ts'
import { milliseconds, seconds } from '../core/units.ts'
import { makeLinkFactory } from '../drivers/link/factory.ts'
import { Acquisition } from './acquisition.ts'
import type { Finished } from './commands/run.ts'
import { makeDaqDevices } from './devices.ts'
import { deviceLog, makeLog } from './log.ts'
import { makeDataPlane } from './data-plane.ts'
import { readArguments, readLinks } from './process-arguments.ts'
import { slowUrl } from './process-registry.ts'
import type { Participant } from './run/run-control.ts'
import { LiveFeed } from './server/live-feed.ts'
import { listen, makeServer } from './server/server.ts'
import { SlowClient } from './slow-control/slow-client.ts'
import { FileStore } from './store/file-store.ts'
import { DatabaseRecords } from './store/database-records.ts'
import { RunDatabase } from './store/run-database.ts'
import { endOnFailure } from './start-failure.ts'

const DEFAULT_PORT = 8064
/** how long a first start waits for devices that are still coming up */
const START_PATIENCE = seconds(15)
/** of which this much in silence */
const START_SILENCE = seconds(3)
const FEED_EVERY = milliseconds(250)
const HISTOGRAMS_EVERY = milliseconds(2000)
const CLOSE_LIMIT = seconds(8)

endOnFailure()
const options = readArguments(process.argv.slice(2))
const experiment = loadExperiment(options.experiment)
const clock = new SystemClock()
const log = makeLog('daq', options.data, options.onTerminal)
mkdirSync(join(options.data, 'log'), { recursive: true })
const journalFile = join(options.data, 'log', 'journal.jsonl')
const journal = new LineJournal(clock, (line) => appendFileSync(journalFile, line))

/** To the supervisor, which may be gone. */
function tell(message: object): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined)
}

const database = RunDatabase.open(options.data)
const records = new DatabaseRecords(database, experiment, options.isSimulated, options.seed)
for (const run of records.closeUnfinished(clock.utc()))
  tell({ kind: 'say', text: `run ${run} was left open by an earlier process; closed as aborted` })

const devices = makeDaqDevices(experiment, {
  clock,
  links: makeLinkFactory({ clock, log, certificatesFolder: join(options.data, 'certificates', 'daq') }),
  logOf: (id) => deviceLog(log, id),
  overrides: readLinks(options.linksFile)
})
const slow = new SlowClient(clock, () => slowUrl(options.data))
const plane = makeDataPlane(experiment, log)
const store = new FileStore(options.data, plane.sources, experiment.store.zstdLevel, (run, file) =>
  records.addFile(run, file)
)

const acquisition = new Acquisition({
  experiment,
  clock,
  journal,
  log,
  devices,
  slow,
  sources: plane.sources,
  pool: plane.pool,
  processor: plane.processor,
  raw: store,
  records,
  monitor: plane.monitor,
  isSimulated: options.isSimulated,
  preflight: () => {
    const disk = statfsSync(options.data)
    const freeGB = (disk.bavail * disk.bsize) / 1e9
    const least = experiment.store.diskFreeMinGB
    if (freeGB >= least) return []
    return [
      `${freeGB.toFixed(1)} GB free on the disk of ${options.data}, and ${least} GB are asked for: make room`
    ]
  },
  onSpill: (spill) => tell({ kind: 'spill', spill })
})

const feed = new LiveFeed(() => acquisition.fields(), limits.socketBacklogBytesMax)
const server = await makeServer({
  clock,
  feed,
  histograms: () => plane.monitor.histograms(),
  command: (command) => acquisition.command(command)
})

const ending = new AbortController()
async function every(period: number, name: string, work: () => void): Promise<void> {
  while (!isAborted(ending.signal)) {
    await clock.sleep(name, period, ending.signal).catch(() => undefined)
    if (!isAborted(ending.signal)) work()
  }
}

async function end(reason: string, condition: 'interrupted' | 'aborted'): Promise<void> {
  if (isAborted(ending.signal)) return
  ending.abort()
  log.info({ reason }, 'data acquisition ends')
  const inOrder = async (): Promise<void> => {
    await acquisition.run.makeSafe(reason, condition)
    await server.close()
    await acquisition.close()
    slow.stop()
    database.close()
  }
  await clock
    .within('end data acquisition', CLOSE_LIMIT, inOrder)
    .catch((error: unknown) => log.error({ why: sentence(error) }, 'did not end in order'))
  process.exit(0)
}

process.on('SIGTERM', () => void end('the controller was stopped', 'interrupted'))
process.on('SIGINT', () => void end('the controller was stopped', 'interrupted'))
process.on('disconnect', () => void end('the supervisor is gone', 'aborted'))
process.on('unhandledRejection', (error) => log.error({ why: sentence(error) }, 'unexpected failure'))

/** Starts as soon as the devices are there; says why when they do not come. */
async function autostart(): Promise<void> {
  const until = clock.now() + START_PATIENCE
  const sayFrom = clock.now() + START_SILENCE
  let isSaid = false
  const missing = (): Participant[] =>
    acquisition.participants().filter((p) => p.role !== 'optional' && !p.isConnected)
  const optionalComing = (): boolean => acquisition.participants().some((p) => !p.isConnected)
  while (missing().length > 0 && clock.now() < until) {
    if (!isSaid && clock.now() > sayFrom) {
      isSaid = true
      const devices = missing().map(({ id, trouble }) => `${id} (${trouble})`)
      tell({ kind: 'say', text: `waiting for ${devices.join('; ')}` })
    }
    await clock.sleep('wait for devices', milliseconds(100), ending.signal)
  }
  // An optional device that is just slow to come up should not mark the run.
  const grace = clock.now() + seconds(5)
  while (optionalComing() && clock.now() < grace)
    await clock.sleep('wait for devices', milliseconds(100), ending.signal)
  await acquisition.run.start(options.spills === undefined ? {} : { spills: options.spills })
}

/** Tells the supervisor when a run that had an end has come to it. */
function watchEnd(): void {
  let wasRunning = false
  acquisition.run.onChange(() => {
    const { state, status } = acquisition.run
    if (state === 'running') wasRunning = true
    const isOver = state === 'configured' || state === 'safe' || state === 'fault' || state === 'idle'
    if (!wasRunning || !isOver) return
    wasRunning = false
    finished(state, status)
  })
}

function finished(state: string, status: string): void {
  tell({ kind: 'finished', finished: { state, status } satisfies Finished })
}

slow.start(() => acquisition.devicesChanged())
acquisition.open()
void every(FEED_EVERY, 'live feed', () => feed.update(clock.utc()))
void every(HISTOGRAMS_EVERY, 'histograms', () => {
  feed.send({ kind: 'histograms', utc: clock.utc().toISOString(), histograms: plane.monitor.histograms() })
})
const isDefaultPort = options.port === undefined
const url = await listen(server, options.port ?? DEFAULT_PORT, isDefaultPort)
log.info({ url }, 'console is up')
tell({ ready: true, url })
if (options.autostart) {
  if (options.spills !== undefined) watchEnd()
  try {
    await autostart()
  } catch (error) {
    const why = sentence(error)
    if (options.spills === undefined) tell({ kind: 'say', text: `not started: ${why}` })
    else finished(acquisition.run.state, `not started: ${why}`)
  }
}
