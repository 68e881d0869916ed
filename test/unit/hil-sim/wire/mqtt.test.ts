/** Publishers on the embedded broker, heard by the mqtt client: birth, values, last will. */
import mqtt, { type MqttClient } from 'mqtt'
import { afterEach, expect, it } from 'vitest'
import type { TopicFace } from '../../../../hil-sim/device/face.ts'
import { serveTopics } from '../../../../hil-sim/wire/mqtt.ts'
import type { Wire } from '../../../../hil-sim/wire/wire.ts'
import { soon } from './faces.ts'

type Publish = (topic: string, payload: string, retain: boolean, qos: 0 | 1) => void

/** Says `online` when it is attached; answers what it hears on `<name>/ask`. */
function publisher(name: string): TopicFace & { say: Publish } {
  let publish: Publish = () => undefined
  return {
    kind: 'topics',
    will: { topic: `${name}/status`, payload: 'offline' },
    attach: (to) => {
      publish = to
      publish(`${name}/status`, 'online', true, 1)
    },
    listens: [`${name}/ask`],
    receive: (topic, payload) => publish(`${name}/heard`, `${topic} ${payload}`, false, 1),
    say: (...message) => publish(...message)
  }
}

/** A client that waits for messages in their order of arrival. */
class Listener {
  readonly client: MqttClient
  readonly #heard: string[] = []
  #wake: () => void = () => undefined

  constructor(url: string) {
    this.client = mqtt.connect(url, { protocolVersion: 4, reconnectPeriod: 0 })
    this.client.on('error', () => undefined)
    this.client.on('message', (topic, payload, { retain }) => {
      this.#heard.push(`${topic} ${payload.toString()}${retain ? ' (retained)' : ''}`)
      this.#wake()
    })
  }

  async subscribe(filter: string): Promise<void> {
    await soon('subscription', this.client.subscribeAsync(filter, { qos: 1 }))
  }

  /** Waits until the message came, and forgets all up to it. */
  hear(message: string): Promise<void> {
    const heard = new Promise<void>((resolve) => {
      this.#wake = () => {
        const at = this.#heard.indexOf(message)
        if (at < 0) return
        this.#heard.splice(0, at + 1)
        resolve()
      }
      this.#wake()
    })
    return soon(message, heard)
  }
}

let wire: Wire | undefined
let listener: Listener | undefined
afterEach(async () => {
  listener?.client.end(true)
  await wire?.close()
  wire = listener = undefined
})

it('carries several publishers on one broker, both ways', async () => {
  const a = publisher('a')
  wire = await serveTopics([a, publisher('b')])
  expect(wire.url).toMatch(/^mqtt:\/\/127\.0\.0\.1:\d+$/)
  listener = new Listener(wire.url)
  await listener.subscribe('#')
  await listener.hear('a/status online (retained)')
  a.say('a/value', '1', false, 0)
  await listener.hear('a/value 1')
  await listener.client.publishAsync('b/ask', 'what', { qos: 1 })
  await listener.hear('b/heard b/ask what')
})

it('leaves the last will when a publisher is cut off, and says everything retained again when it is back', async () => {
  const a = publisher('a')
  wire = await serveTopics([a])
  a.say('a/cycle', '{"cycle":7}', true, 1)
  listener = new Listener(wire.url)
  await listener.subscribe('a/#')
  await listener.hear('a/cycle {"cycle":7} (retained)')
  expect(wire.disturb?.({ kind: 'wire-disconnect' })).toBe(true)
  await listener.hear('a/status offline')
  a.say('a/cycle', '{"cycle":8}', true, 1) // said while it is away
  await listener.hear('a/status online')
  await listener.hear('a/cycle {"cycle":8}')
})

it('says offline when it leaves in order, as to a broker that lives on', async () => {
  wire = await serveTopics([])
  const broker = `${wire.url}?protocol=3.1.1`
  const guest = await serveTopics([publisher('a')], { broker })
  expect(guest.url).toBe(broker)
  listener = new Listener(wire.url)
  await listener.subscribe('a/#')
  await listener.hear('a/status online (retained)')
  await guest.close()
  await listener.hear('a/status offline')
})

it('says so when the port is taken', async () => {
  wire = await serveTopics([])
  const taken = Number(new URL(wire.url).port)
  await expect(serveTopics([], { port: taken })).rejects.toMatchObject({ code: 'disconnected' })
})
