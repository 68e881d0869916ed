/**
 * The slow-control process: high voltage, interlocks, environment, magnets. It is the one place that builds
 * what it runs. Stopping it, by whatever means, changes nothing on the hardware.
 */
import { join } from 'node:path'
import fastify from 'fastify'
import { loadExperiment } from '../config/load.ts'
import { SystemClock } from '../core/clock.ts'
import { sentence } from '../core/errors.ts'
import { seconds } from '../core/units.ts'
import { makeLinkFactory } from '../drivers/link/factory.ts'
import { makeSlowDevices } from './devices.ts'
import { deviceLog, makeLog } from './log.ts'
import { readArguments, readLinks } from './process-arguments.ts'
import { registerSlow } from './process-registry.ts'
import { deviceSummary, signalsOf, type SlowStatus } from './slow-control/slow-status.ts'
import { endOnFailure } from './start-failure.ts'

/**
 * Slow control of a simulated hall that lost its supervisor, and that nobody asks any more, ends by itself; of a
 * real one it goes on for as long as it takes.
 */
const ORPHAN_LIMIT = seconds(600)
/** well below the time that data acquisition gives slow control to come back */
const FIRST_CONNECT_LIMIT = seconds(3)

endOnFailure()
const options = readArguments(process.argv.slice(2))
const experiment = loadExperiment(options.experiment)
const clock = new SystemClock()
const log = makeLog('slow', options.data, options.onTerminal)
const devices = makeSlowDevices(experiment, {
  clock,
  links: makeLinkFactory({ clock, log, certificatesFolder: join(options.data, 'certificates', 'slow') }),
  logOf: (id) => deviceLog(log, id),
  overrides: readLinks(options.linksFile)
})

const server = fastify({ forceCloseConnections: true })
let lastAsked = clock.now()
server.get('/status', (): SlowStatus => {
  lastAsked = clock.now()
  return {
    pid: process.pid,
    experiment: experiment.name,
    configHash: experiment.hash,
    simulated: options.isSimulated,
    utc: clock.utc().toISOString(),
    devices: devices.keepers.map(deviceSummary),
    signals: signalsOf(devices.keepers.map((keeper) => keeper.device))
  }
})
server.post('/stop', () => {
  setImmediate(() => void stop('asked over its API'))
  return { stopping: true }
})

async function endWhenForgotten(): Promise<void> {
  while (clock.now() - lastAsked < ORPHAN_LIMIT) await clock.sleep('orphaned', seconds(5))
  await stop('nobody came back for the simulated hall')
}

function allConnected(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (devices.keepers.every(({ device }) => device.state.kind === 'connected')) resolve()
    }
    for (const { device } of devices.keepers)
      signal.addEventListener(
        'abort',
        device.onState(() => look())
      )
    look()
  })
}

let isStopping = false
async function stop(why: string): Promise<void> {
  if (isStopping) return
  isStopping = true
  log.info({ why }, 'slow control ends; the hardware stays as it is')
  const everything = Promise.allSettled([server.close(), ...devices.keepers.map((keeper) => keeper.stop())])
  await clock.within('stop slow control', seconds(3), () => everything).catch(() => undefined)
  process.exit(0)
}

process.on('SIGTERM', () => void stop('SIGTERM'))
process.on('SIGINT', () => void stop('SIGINT'))
process.on('disconnect', () => {
  log.warn({}, 'the supervisor is gone; slow control goes on')
  if (options.isSimulated) void endWhenForgotten()
})
process.on('unhandledRejection', (error) => log.error({ why: sentence(error) }, 'unexpected failure'))

for (const keeper of devices.keepers) keeper.start()
const url = await server.listen({ host: '127.0.0.1', port: options.port ?? 0 })
log.info({ url, devices: devices.keepers.length }, 'slow control is up')
if (process.connected) process.send?.({ ready: true, url }, undefined, undefined, () => undefined)
// Data acquisition asks where this says. After a restart it must not take a device that we are about to find again for
// one that went away.
await clock.within('find the devices', FIRST_CONNECT_LIMIT, allConnected).catch(() => undefined)
registerSlow(options.data, url)
