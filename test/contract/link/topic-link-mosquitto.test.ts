// The MQTT link keeps the contract of topic links with MQTT 5 and a broker that nobody here wrote: mosquitto, which is
// killed and started again. Skipped where it is not installed.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectAsync } from 'mqtt'
import { describe, it } from 'vitest'
import { SystemClock } from '../../../core/clock.ts'
import { makeMqttLink } from '../../../drivers/link/mqtt.ts'
import { topicLinkSuite } from './topic-link-suite.ts'

const PROGRAM = ['/usr/sbin/mosquitto', '/usr/bin/mosquitto'].find((path) => existsSync(path))

if (PROGRAM === undefined) {
  describe('a topic link over MQTT 5', () => {
    it.skip('with mosquitto, which is not installed', () => undefined)
  })
} else {
  topicLinkSuite('over MQTT 5 with mosquitto', async () => {
    const port = await freePort()
    const url = `mqtt://127.0.0.1:${port}`
    const folder = mkdtempSync(join(tmpdir(), 'mosquitto-'))
    const file = join(folder, 'mosquitto.conf')
    writeFileSync(file, `listener ${port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n`)
    let broker = await start(PROGRAM, file, port)
    const other = () => connectAsync(url, { protocolVersion: 5 })
    // made here, so that the subscription stands before anything is published
    const listener = await other()
    await listener.subscribeAsync('#', { qos: 1 })
    return {
      link: makeMqttLink(`${url}?protocol=5`, new SystemClock()),
      publish: async (topic, payload, retain) => {
        const client = await other()
        await client.publishAsync(topic, payload, { retain, qos: 1 })
        await client.endAsync()
      },
      expectArrival: (topic) =>
        new Promise((resolve) => {
          listener.on('message', (arrived, payload) => {
            if (arrived === topic) resolve(payload.toString())
          })
        }),
      breakOff: () => stop(broker),
      repair: async () => {
        broker = await start(PROGRAM, file, port)
      },
      end: async () => {
        listener.end(true)
        await stop(broker)
        rmSync(folder, { recursive: true })
      }
    }
  })
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number }
      probe.close(() => resolve(port))
    })
  })
}

async function start(program: string, file: string, port: number): Promise<ChildProcess> {
  const broker = spawn(program, ['-c', file], { stdio: 'ignore' })
  while (!(await answers(port))) if (broker.exitCode !== null) break
  return broker
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => setImmediate(resolve, false))
  })
}

function stop(broker: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (broker.exitCode !== null || broker.signalCode !== null) {
      resolve()
      return
    }
    broker.once('exit', () => resolve())
    broker.kill('SIGKILL')
  })
}
