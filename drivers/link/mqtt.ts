import { connect, isIP, type Socket } from 'node:net'
import { connect as connectSecurely, TLSSocket } from 'node:tls'
import type { IClientOptions, MqttClient } from 'mqtt'
import type { Clock } from '../../core/clock.ts'
import { ErrorCode, sentence, SpillwayError } from '../../core/errors.ts'
import { seconds } from '../../core/units.ts'
import type { TopicLink } from './link.ts'
import { disconnected, LinkState } from './link-state.ts'
import { type MqttAddress, type MqttSecrets, parseMqttUrl, readMqttSecrets } from './mqtt-address.ts'
import type { WireTap } from './tap/wire.ts'
import { topicMatches } from './topic-filter.ts'

const OPEN_LIMIT = seconds(5)
const REQUEST_LIMIT = seconds(5)
const CLOSE_LIMIT = seconds(1)

type Receiver = (topic: string, payload: string) => void

/**
 * MQTT: `mqtt://host:1883?protocol=3.1.1` or `protocol=5`; no feature of 5 is used. Encrypted:
 * `mqtts://host:8883?ca=/path/of/authority.pem`; the certificate must be signed by that authority (without `ca`, by
 * one that Node knows) and name the host. With a user: `mqtts://user@host?passwordFile=/path`, or the password in
 * SPILLWAY_MQTT_PASSWORD.
 *
 * `open` rejects with `refused` when the broker does not take us (user, password, rights) or we do not take its
 * certificate, with `configuration` when a file is missing: these need a person. All other failures may pass.
 *
 * Each opening is a new session: nothing is queued while the link is down, nothing unacknowledged is sent again
 * after a loss, and `open` subscribes again to everything before it resolves. One receiver per filter.
 */
export function makeMqttLink(url: string, clock: Clock, wire?: WireTap): TopicLink {
  return new MqttLink(url, clock, wire)
}

class MqttLink implements TopicLink {
  readonly url: string
  readonly #clock: Clock
  readonly #address: MqttAddress
  readonly #options: IClientOptions
  readonly #state: LinkState
  readonly #wire: WireTap | undefined
  readonly #receivers = new Map<string, Receiver>()
  #client: MqttClient | undefined

  constructor(url: string, clock: Clock, wire: WireTap | undefined) {
    this.url = url
    this.#clock = clock
    this.#wire = wire
    this.#address = parseMqttUrl(url)
    const { protocolVersion, user } = this.#address
    this.#options = {
      protocolVersion,
      ...(user === undefined ? {} : { username: user }),
      clean: true,
      // A loss is reported and the caller opens again: no reconnection, queue or re-subscription by the library.
      reconnectPeriod: 0,
      queueQoSZero: false,
      resubscribe: false,
      keepalive: 10
    }
    this.#state = new LinkState(url)
  }

  get isOpen(): boolean {
    return this.#state.isOpen
  }

  onState(listener: (isOpen: boolean, why: string) => void): () => void {
    return this.#state.onState(listener)
  }

  async open(signal: AbortSignal): Promise<void> {
    if (this.#state.isOpen) return
    const { default: mqtt } = await import('mqtt')
    const secrets = await readMqttSecrets(this.#address)
    let socket: Socket | undefined
    const { password } = secrets
    const client = new mqtt.MqttClient(() => (socket = this.#connect(secrets)), {
      ...this.#options,
      ...(password === undefined ? {} : { password })
    })
    client.on('message', (topic, payload) => this.#deliver(topic, payload.toString('utf8')))
    try {
      await this.#clock.within(
        `open ${this.url}`,
        OPEN_LIMIT,
        async () => {
          await connected(client)
          if (this.#receivers.size > 0) await subscribe(client, [...this.#receivers.keys()])
        },
        signal
      )
    } catch (error) {
      forget(client)
      throw this.#whyNotOpen(error, socket)
    }
    this.#client = client
    client.on('error', (error) => this.#lose(client, error.message))
    client.on('close', () => this.#lose(client, 'the broker is gone'))
    this.#state.set(true, 'open')
    if (!client.connected) this.#lose(client, 'the broker is gone')
  }

  async close(): Promise<void> {
    const client = this.#client
    if (client === undefined) return
    this.#client = undefined
    this.#state.set(false, 'closed')
    await this.#clock
      .within(`close ${this.url}`, CLOSE_LIMIT, () => client.endAsync())
      // a broker that does not take the farewell is left without one
      .catch(() => undefined)
    forget(client)
  }

  async publish(topic: string, payload: string, options: { retain: boolean; qos: 0 | 1 }): Promise<void> {
    await this.#request(`publish ${topic}`, (client) => client.publishAsync(topic, payload, options))
  }

  async subscribe(filter: string, receiver: Receiver): Promise<void> {
    const before = this.#receivers.get(filter)
    try {
      await this.#request(`subscribe ${filter}`, (client) => {
        // Retained messages may come before the acknowledgement.
        this.#receivers.set(filter, receiver)
        return subscribe(client, [filter])
      })
    } catch (error) {
      if (before === undefined) this.#receivers.delete(filter)
      else this.#receivers.set(filter, before)
      throw error
    }
  }

  /** The socket is ours: without `noDelay` Nagle and delayed acknowledgement cost 40 ms a message. */
  #connect({ ca }: MqttSecrets): Socket {
    const { host, port, isEncrypted, user } = this.#address
    if (isEncrypted) {
      const servername = isIP(host) === 0 ? { servername: host } : {}
      return connectSecurely({ host, port, ...servername, ...(ca === undefined ? {} : { ca }) }).setNoDelay(
        true
      )
    }
    const socket = connect({ host, port, noDelay: true })
    // A recording is a file that people pass on: no password goes into it.
    if (user === undefined) this.#wire?.socket(socket)
    return socket
  }

  #whyNotOpen(error: unknown, socket: Socket | undefined): SpillwayError {
    // set by Node when it refuses the certificate; declared as an Error, and it is the code
    const distrust: unknown = socket instanceof TLSSocket ? socket.authorizationError : undefined
    if (typeof distrust === 'string')
      return new SpillwayError(
        ErrorCode.refused,
        `${this.url}: the certificate of the broker is not accepted: ${sentence(error)}`,
        { got: distrust, hint: 'option ca names the file of the authority that signed it', cause: error }
      )
    const refusal = refusalOf(error)
    if (refusal !== undefined)
      return new SpillwayError(ErrorCode.refused, `${this.url}: ${refusal}`, { cause: error })
    return error instanceof SpillwayError && error.code !== ErrorCode.timeout
      ? error
      : disconnected(this.url, sentence(error), error)
  }

  async #request<T>(name: string, work: (client: MqttClient) => Promise<T>): Promise<T> {
    const client = this.#client
    try {
      return await this.#state.whileOpen(() =>
        this.#clock.within(`${this.url} ${name}`, REQUEST_LIMIT, () => work(client!))
      )
    } catch (error) {
      if (error instanceof SpillwayError && error.code !== ErrorCode.timeout) throw error
      const refusal = refusalOf(error)
      if (refusal !== undefined)
        throw new SpillwayError(ErrorCode.refused, `${this.url}: ${name}: ${refusal}`, { cause: error })
      if (client !== undefined) this.#lose(client, sentence(error))
      throw error instanceof SpillwayError ? error : disconnected(this.url, sentence(error), error)
    }
  }

  #deliver(topic: string, payload: string): void {
    for (const [filter, receiver] of this.#receivers)
      if (topicMatches(filter, topic)) receiver(topic, payload)
  }

  #lose(client: MqttClient, why: string): void {
    if (client !== this.#client) return
    this.#client = undefined
    forget(client)
    this.#state.set(false, why)
  }
}

function connected(client: MqttClient): Promise<void> {
  return new Promise((resolve, reject) => {
    client.once('connect', () => resolve())
    client.on('error', reject)
    client.on('close', () =>
      reject(new SpillwayError(ErrorCode.disconnected, 'the broker closed the connection'))
    )
  })
}

async function subscribe(client: MqttClient, filters: string[]): Promise<void> {
  await client.subscribeAsync(filters, { qos: 1 })
}

/** What the broker said, if it answered and the answer is no; the link is as good as before. */
function refusalOf(error: unknown): string | undefined {
  const REFUSED = 128
  const { code, packet } = error as { code?: unknown; packet?: { granted?: unknown } }
  const granted: unknown[] = Array.isArray(packet?.granted) ? packet.granted : []
  // A CONNACK of 3.1.1 counts its refusals from 1, and the library gives only refusals a numeric code.
  const isRefusal =
    typeof code === 'number' || granted.some((qos) => typeof qos === 'number' && qos >= REFUSED)
  return isRefusal ? `the broker refuses: ${sentence(error)}` : undefined
}

/** Late events of a client that was given up go nowhere. */
function forget(client: MqttClient): void {
  client.removeAllListeners()
  client.on('error', () => undefined)
  client.end(true)
}
