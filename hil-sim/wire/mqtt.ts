import { Aedes } from 'aedes'
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt'
import { createServer, Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { SystemClock } from '../../core/clock.ts'
import { ErrorCode, isCode, SpillwayError } from '../../core/errors.ts'
import { milliseconds, seconds } from '../../core/units.ts'
import type { SimFault, TopicFace } from '../device/face.ts'
import { externalBroker } from './external-broker.ts'
import { closeServer, Connections, listen } from './listen.ts'
import { LOOPBACK, type ServeOptions, type Wire } from './wire.ts'

const CONNECT_LIMIT = seconds(10)
const GOODBYE_LIMIT = milliseconds(500)
const RECONNECT_MS = 500
/** Topics of one publisher whose last value is kept for the next connection. */
const RETAINED_MAX = 1000

export interface ServeTopicsOptions extends ServeOptions {
  /**
   * a broker that runs elsewhere, spoken to with MQTT 5 (or `?protocol=3.1.1`), encrypted and with a user if the URL
   * says so (external-broker.ts); absent: one is embedded, which speaks 3.1.1
   */
  readonly broker?: string
}

/**
 * Puts publishers on an MQTT broker, each by a connection of its own with its own last will, as gateways in the hall
 * have. Resolves when all are connected. Faults: `wire-disconnect` cuts the publishers off without a goodbye (the
 * wills are published; they come back after half a second), `wire-reset` resets every connection of the
 * embedded broker.
 */
export async function serveTopics(
  faces: readonly TopicFace[],
  options: ServeTopicsOptions = {}
): Promise<Wire> {
  const broker: Broker =
    options.broker === undefined
      ? await embeddedBroker(options.port ?? 0)
      : { ...externalBroker(options.broker), reset: () => false, close: () => Promise.resolve() }
  const publishers: Publisher[] = []
  const close = async (): Promise<void> => {
    await Promise.all(publishers.map((publisher) => publisher.close()))
    await broker.close()
  }
  try {
    for (const face of faces) publishers.push(await makePublisher(face, broker))
  } catch (error) {
    await close()
    throw error
  }
  return {
    url: broker.url,
    close,
    disturb: (fault: SimFault) => {
      if (fault.kind === 'wire-disconnect') for (const publisher of publishers) publisher.cut()
      else if (fault.kind === 'wire-reset') return broker.reset()
      else return false
      return true
    }
  }
}

interface Broker {
  /** what the library connects to */
  readonly address: string
  /** what a controller is told */
  readonly url: string
  readonly options: IClientOptions
  reset(): boolean
  close(): Promise<void>
}

async function embeddedBroker(wantedPort: number): Promise<Broker> {
  const aedes = await Aedes.createBroker()
  // A client that breaks the protocol is cut off by aedes; without a listener the error would end the process.
  aedes.on('clientError', () => undefined)
  aedes.on('connectionError', () => undefined)
  // Nagle would hold small messages back for 40 ms and more.
  const server = createServer({ noDelay: true }, aedes.handle)
  const connections = new Connections(server)
  const closeBroker = (): Promise<void> => new Promise((resolve) => aedes.close(() => resolve()))
  let port: number
  try {
    port = await listen(server, wantedPort, 'mqtt')
  } catch (error) {
    await closeBroker()
    throw error
  }
  const address = `mqtt://${LOOPBACK}:${port}`
  return {
    address,
    url: address,
    options: { protocolVersion: 4 },
    reset: () => {
      connections.reset()
      return true
    },
    close: async () => {
      await closeServer(server, connections)
      await closeBroker()
    }
  }
}

interface Publisher {
  cut(): void
  close(): Promise<void>
}

async function makePublisher(face: TopicFace, { address, options }: Broker): Promise<Publisher> {
  const clock = new SystemClock()
  const client = mqtt.connect(address, {
    ...options,
    reconnectPeriod: RECONNECT_MS,
    connectTimeout: 5_000,
    clean: true,
    // What could not be said at once is said by re-publishing the retained values, never out of a queue.
    queueQoSZero: false,
    ...(face.will === undefined
      ? {}
      : { will: { ...face.will, payload: Buffer.from(face.will.payload), retain: true, qos: 1 } })
  })
  client.on('error', () => undefined) // the client tries again by itself
  const retained = new Map<string, { payload: string; qos: 0 | 1 }>()
  const say = (topic: string, payload: string, retain: boolean, qos: 0 | 1): void => {
    client.publish(topic, payload, { retain, qos }, () => undefined)
  }
  client.on('connect', () => {
    if (client.stream instanceof Socket) client.stream.setNoDelay(true)
    if (face.listens.length > 0) client.subscribe([...face.listens], { qos: 1 })
    for (const [topic, { payload, qos }] of retained) say(topic, payload, true, qos)
  })
  client.on('message', (topic, payload) => face.receive(topic, payload.toString('utf8')))
  try {
    await clock.within('connect to the broker', CONNECT_LIMIT, () => connected(client))
  } catch (error) {
    client.end(true)
    if (isCode(error, ErrorCode.refused)) throw error
    throw new SpillwayError(ErrorCode.disconnected, `mqtt: the broker at ${address} does not answer`, {
      hint: 'start it, or leave it out to use the embedded one',
      cause: error
    })
  }
  face.attach((topic, payload, retain, qos) => {
    if (retain && (retained.has(topic) || retained.size < RETAINED_MAX)) retained.set(topic, { payload, qos })
    if (client.connected) say(topic, payload, retain, qos)
  })
  return {
    cut: () => client.stream.destroy(),
    close: async () => {
      // An orderly goodbye makes the broker forget the will, so it is said aloud.
      const goodbye = async (): Promise<void> => {
        if (face.will !== undefined && client.connected)
          await client.publishAsync(face.will.topic, face.will.payload, { retain: true, qos: 1 })
        await client.endAsync()
      }
      await clock.within('goodbye to the broker', GOODBYE_LIMIT, goodbye).catch(() => client.end(true))
    }
  }
}

/** Waits for a broker that is not there yet; rejects with `refused` when trying again would not help. */
function connected(client: MqttClient): Promise<void> {
  return new Promise((resolve, reject) => {
    client.once('connect', () => resolve())
    client.on('error', (error) => {
      const isRefusal = 'code' in error && typeof error.code === 'number'
      const { stream } = client
      // set by Node when it refuses the certificate; declared as an Error, and it is the code
      const isDistrust = stream instanceof TLSSocket && typeof stream.authorizationError === 'string'
      if (isRefusal || isDistrust)
        reject(new SpillwayError(ErrorCode.refused, `mqtt: the broker: ${error.message}`, { cause: error }))
    })
  })
}
