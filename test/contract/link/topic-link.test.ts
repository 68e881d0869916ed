// Topic links keep one contract, in memory and over MQTT 3.1.1 with an embedded broker: shown by one suite on
// both; what only a real wire can do wrong is shown below it.
import { createServer, type Server, type Socket } from 'node:net'
import { Aedes } from 'aedes'
import { connectAsync } from 'mqtt'
import { describe, expect, it } from 'vitest'
import { SystemClock } from '../../../core/clock.ts'
import { ErrorCode } from '../../../core/errors.ts'
import { MemoryTopicBus, makeMemoryTopicLink } from '../../../drivers/link/memory-topics.ts'
import { makeMqttLink } from '../../../drivers/link/mqtt.ts'
import { never, reported, type TopicBench, topicLinkSuite } from './topic-link-suite.ts'

topicLinkSuite('in memory', () => {
  const bus = new MemoryTopicBus()
  const link = makeMemoryTopicLink('mqtt://memory', bus)
  const bench: TopicBench = {
    link,
    publish: (topic, payload, retain) => {
      bus.publish(topic, payload, retain)
      return Promise.resolve()
    },
    expectArrival: (topic) =>
      new Promise((resolve) => bus.subscribe({}, topic, (_topic, payload) => resolve(payload))),
    breakOff: () => {
      link.cut('the broker is gone')
      return Promise.resolve()
    },
    repair: () => {
      link.restore()
      return Promise.resolve()
    },
    end: () => Promise.resolve()
  }
  return Promise.resolve(bench)
})

topicLinkSuite('over MQTT 3.1.1', async () => {
  const broker = await Broker.start()
  const bench: TopicBench = {
    link: makeMqttLink(`mqtt://127.0.0.1:${broker.port}`, new SystemClock()),
    publish: async (topic, payload, retain) => {
      const other = await connectAsync(`mqtt://127.0.0.1:${broker.port}`)
      await other.publishAsync(topic, payload, { retain, qos: 1 })
      await other.endAsync()
    },
    expectArrival: (topic) =>
      new Promise((resolve) =>
        broker.aedes.subscribe(
          topic,
          (packet, done) => {
            resolve(packet.payload.toString())
            done()
          },
          () => undefined
        )
      ),
    breakOff: () => broker.stop(),
    repair: () => broker.again(),
    end: () => broker.stop()
  }
  return bench
})

describe('a topic link over MQTT', () => {
  it('gives up when the broker takes the connection and never answers', async () => {
    const silent = createServer()
    await listen(silent, 0)
    const { port } = silent.address() as { port: number }
    const link = makeMqttLink(`mqtt://127.0.0.1:${port}`, new SystemClock())
    const asked = AbortSignal.timeout(100)
    await expect(link.open(asked)).rejects.toMatchObject({ code: ErrorCode.aborted })
    expect(link.isOpen).toBe(false)
    silent.close()
  })

  it('says that the broker refused it, in the words of the broker', async () => {
    const broker = await Broker.start()
    broker.aedes.authenticate = (_client, _user, _password, done) =>
      done(Object.assign(new TypeError('no'), { returnCode: 5 }), null)
    const link = makeMqttLink(`mqtt://127.0.0.1:${broker.port}`, new SystemClock())
    await expect(link.open(never)).rejects.toMatchObject({ code: ErrorCode.refused })
    await broker.stop()
  })

  it('stays open when the broker refuses a subscription, and forgets it', async () => {
    const broker = await Broker.start()
    broker.aedes.authorizeSubscribe = (_client, subscription, done) =>
      done(null, subscription.topic === 'secret' ? null : subscription)
    const link = makeMqttLink(`mqtt://127.0.0.1:${broker.port}`, new SystemClock())
    await link.open(never)
    const refused = { code: ErrorCode.refused }
    await expect(link.subscribe('secret', () => undefined)).rejects.toMatchObject(refused)
    expect(link.isOpen).toBe(true)
    await link.subscribe('open', () => undefined)
    await link.close()
    await link.open(never)
    await link.close()
    broker.aedes.authorizeSubscribe = (_client, _subscription, done) => done(null, null)
    await expect(link.open(never)).rejects.toMatchObject(refused)
    await broker.stop()
  })

  it('refuses options that it does not know', () => {
    const make = (options: string) => () => makeMqttLink(`mqtt://127.0.0.1?${options}`, new SystemClock())
    expect(make('protocol=4')).toThrow(/option protocol is wrong/)
    expect(make('qos=1')).toThrow(/unknown option qos/)
  })

  it('ends a publish that waits for its acknowledgement when the broker goes', async () => {
    const broker = await Broker.start()
    const link = makeMqttLink(`mqtt://127.0.0.1:${broker.port}`, new SystemClock())
    await link.open(never)
    // the broker takes the message and never acknowledges it
    const taken = new Promise<void>((resolve) => {
      broker.aedes.authorizePublish = () => resolve()
    })
    const lost = reported(link, false)
    const publish = link.publish('a', 'b', { retain: false, qos: 1 })
    const ended = expect(publish).rejects.toMatchObject({ code: ErrorCode.disconnected })
    await taken
    await broker.stop()
    await ended
    await lost
  })
})

class Broker {
  readonly aedes: Aedes
  readonly port: number
  readonly #sockets = new Set<Socket>()
  #server: Server

  static async start(): Promise<Broker> {
    const aedes = await Aedes.createBroker()
    const server = createServer({ noDelay: true })
    await listen(server, 0)
    return new Broker(aedes, server)
  }

  private constructor(aedes: Aedes, server: Server) {
    this.aedes = aedes
    this.#server = server
    this.port = (server.address() as { port: number }).port
    this.#serve(server)
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve))
  }

  async again(): Promise<void> {
    this.#server = createServer({ noDelay: true })
    this.#serve(this.#server)
    await listen(this.#server, this.port)
  }

  #serve(server: Server): void {
    server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
      this.aedes.handle(socket)
    })
  }
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve()))
}
