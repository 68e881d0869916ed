// The MQTT link keeps the contract of topic links with MQTT 5 and a broker that nobody here wrote: mosquitto, which is
// killed and started again.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectAsync } from 'mqtt'
import { SystemClock } from '../../core/clock.ts'
import { makeMqttLink } from '../../drivers/link/mqtt.ts'
import { topicLinkSuite } from '../contract/link/topic-link-suite.ts'
import { freePort, takesConnections } from './free-port.ts'
import { describeWith, program } from './programs.ts'

describeWith('the contract of topic links', { mosquitto: program('mosquitto') }, ({ mosquitto }) => {
  topicLinkSuite('over MQTT 5 with mosquitto', async () => {
    const port = await freePort()
    const url = `mqtt://127.0.0.1:${port}`
    const folder = mkdtempSync(join(tmpdir(), 'mosquitto-'))
    const file = join(folder, 'mosquitto.conf')
    writeFileSync(file, `listener ${port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n`)
    let broker = await start(mosquitto, file, port)
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
        broker = await start(mosquitto, file, port)
      },
      end: async () => {
        listener.end(true)
        await stop(broker)
        rmSync(folder, { recursive: true })
      }
    }
  })
})

async function start(path: string, file: string, port: number): Promise<ChildProcess> {
  const broker = spawn(path, ['-c', file], { stdio: 'ignore' })
  while (!(await takesConnections(port))) if (broker.exitCode !== null) break
  return broker
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
