import { join } from 'node:path'
import type { ClientSession, ClientSubscription, DataValue, OPCUAClient } from 'node-opcua'
import type { Clock } from '../../core/clock.ts'
import { ErrorCode, sentence, SpillwayError } from '../../core/errors.ts'
import { type Log, silentLog } from '../../core/log.ts'
import { seconds } from '../../core/units.ts'
import type { NodeLink, NodeValue } from './link.ts'
import { disconnected, LinkState } from './link-state.ts'
import { type LinkUrl, parseLinkUrl, wordOption } from './link-url.ts'
import type { TappableSocket, WireTap } from './tap/wire.ts'

/** Key pair, discovery, secure channel, session, subscription: several exchanges, each with cryptography. */
const OPEN_LIMIT = seconds(15)
const REQUEST_LIMIT = seconds(5)
const CLOSE_LIMIT = seconds(2)
const PUBLISHING_MS = 250
const SAMPLING_MS = 100
/** values of one node between two publishings; the newest are kept */
const QUEUE_SIZE = 10

/** the library, which takes half a second to load and is therefore loaded by the first `open` */
type Library = typeof import('node-opcua')
type Receiver = (nodeId: string, value: NodeValue) => void
interface Watch {
  readonly nodeIds: readonly string[]
  readonly receiver: Receiver
}
interface Opened {
  readonly library: Library
  readonly client: OPCUAClient
  readonly session: ClientSession
  readonly subscription: ClientSubscription
}

export interface OpcuaLinkOptions {
  /** keys and certificates are kept here, in `opcua/`; made at the first use */
  readonly certificatesFolder: string
  /** what the library says goes to its debug level */
  readonly log?: Log
}

/**
 * OPC UA: `opc.tcp://host:4840/path`, Basic256Sha256 signed and encrypted, anonymous user;
 * `?security=none` is for servers that have nothing else.
 *
 * Each opening is a new session with a new subscription: a session that the library repairs by itself can come
 * back with watches of nodes that the restarted server no longer knows (node-opcua #1059). On loopback an unknown
 * server certificate is accepted; elsewhere it lands in `opcua/rejected`, and a person moves it to
 * `opcua/trusted/certs`.
 */
export function makeOpcuaLink(
  url: string,
  clock: Clock,
  options: OpcuaLinkOptions,
  wire?: WireTap
): NodeLink {
  return new OpcuaLink(url, clock, options, wire)
}

class OpcuaLink implements NodeLink {
  readonly url: string
  readonly #clock: Clock
  readonly #options: OpcuaLinkOptions
  readonly #parts: LinkUrl
  readonly #isSecure: boolean
  readonly #state: LinkState
  readonly #watches: Watch[] = []
  readonly #wire: WireTap | undefined
  #opened: Opened | undefined

  constructor(url: string, clock: Clock, options: OpcuaLinkOptions, wire: WireTap | undefined) {
    this.url = url
    this.#clock = clock
    this.#options = options
    this.#wire = wire
    this.#parts = parseLinkUrl(url, 'opc.tcp', ['security'], 4840)
    this.#isSecure = wordOption(url, this.#parts.query, 'security', ['encrypt', 'none']) === 'encrypt'
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
    const library = await loadLibrary(this.#options.log ?? silentLog)
    const client = await this.#makeClient(library)
    try {
      const opened = await this.#clock.within(
        `open ${this.url}`,
        OPEN_LIMIT,
        () => this.#connect(library, client),
        signal
      )
      this.#listen(opened)
      this.#opened = opened
      this.#state.set(true, 'open')
      for (const watch of this.#watches) await this.#request('watch', () => startWatch(opened, watch))
    } catch (error) {
      this.#opened = undefined
      this.#state.set(false, sentence(error))
      void this.#abandon(client)
      throw disconnected(this.url, sentence(error), error)
    }
  }

  async close(): Promise<void> {
    const opened = this.#opened
    if (opened === undefined) return
    this.#opened = undefined
    this.#state.set(false, 'closed')
    await this.#abandon(opened.client)
  }

  read(nodeIds: readonly string[], signal: AbortSignal): Promise<NodeValue[]> {
    return this.#request(
      `read ${nodeIds.length} nodes`,
      async ({ library, session }) => {
        const attributeId = library.AttributeIds.Value
        const values = await session.read(nodeIds.map((nodeId) => ({ nodeId, attributeId })))
        return values.map(nodeValue)
      },
      signal
    )
  }

  async write(nodeId: string, value: number | string | boolean, signal: AbortSignal): Promise<void> {
    const status = await this.#request(
      `write ${nodeId}`,
      async ({ library, session }) => {
        const dataType = await session.getBuiltInDataType(library.resolveNodeId(nodeId))
        const attributeId = library.AttributeIds.Value
        return session.write({ nodeId, attributeId, value: { value: { dataType, value } } })
      },
      signal
    )
    if (status.isNotGood())
      throw new SpillwayError(ErrorCode.refused, `${this.url}: write ${nodeId} refused: ${status.name}`, {
        got: status.name
      })
  }

  async watch(nodeIds: readonly string[], receiver: Receiver): Promise<void> {
    const watch = { nodeIds, receiver }
    await this.#request(`watch ${nodeIds.length} nodes`, (opened) => startWatch(opened, watch))
    this.#watches.push(watch)
  }

  async #makeClient(library: Library): Promise<OPCUAClient> {
    const isLoopback = ['127.0.0.1', '::1', 'localhost'].includes(this.#parts.host)
    const certificates = new library.OPCUACertificateManager({
      rootFolder: join(this.#options.certificatesFolder, 'opcua'),
      automaticallyAcceptUnknownCertificate: isLoopback,
      disableFileWatchers: true
    })
    await certificates.initialize()
    return library.OPCUAClient.create({
      applicationName: 'Spillway',
      clientCertificateManager: certificates,
      securityMode: this.#isSecure
        ? library.MessageSecurityMode.SignAndEncrypt
        : library.MessageSecurityMode.None,
      securityPolicy: this.#isSecure ? library.SecurityPolicy.Basic256Sha256 : library.SecurityPolicy.None,
      // The simulated server on loopback announces itself by the machine's name.
      endpointMustExist: !isLoopback,
      // A loss is reported and the caller opens again; without a retry the first connection fails at once too.
      connectionStrategy: { maxRetry: 0, initialDelay: 100, maxDelay: 100 },
      ...(this.#wire === undefined ? {} : { transportFactory: tappedTransports(library, this.#wire) }),
      keepSessionAlive: true,
      keepAliveInterval: 5_000,
      defaultTransactionTimeout: 10_000
    })
  }

  async #connect(library: Library, client: OPCUAClient): Promise<Opened> {
    const { host, port, path } = this.#parts
    const authority = host.includes(':') ? `[${host}]` : host
    await client.connect(`opc.tcp://${authority}:${port}${path}`)
    const session = await client.createSession()
    const subscription = await session.createSubscription2({
      requestedPublishingInterval: PUBLISHING_MS,
      requestedMaxKeepAliveCount: 10,
      requestedLifetimeCount: 100,
      publishingEnabled: true
    })
    return { library, client, session, subscription }
  }

  #listen(opened: Opened): void {
    const lose = (why: string) => (): void => this.#lose(opened, why)
    opened.client.on('connection_lost', lose('the server is gone'))
    opened.client.on('close', lose('the connection is closed'))
    opened.session.on('keepalive_failure', lose('the server does not answer'))
    opened.session.on('session_closed', lose('the server closed the session'))
    opened.subscription.on('terminated', lose('the server ended the subscription'))
  }

  #lose(opened: Opened, why: string): void {
    if (opened !== this.#opened) return
    this.#opened = undefined
    this.#state.set(false, why)
    void this.#abandon(opened.client)
  }

  /** Never rejects: a server that is gone hears no farewell. */
  async #abandon(client: OPCUAClient): Promise<void> {
    await this.#clock
      .within(`close ${this.url}`, CLOSE_LIMIT, () => client.disconnect())
      .catch(() => undefined)
  }

  async #request<T>(name: string, work: (opened: Opened) => Promise<T>, outer?: AbortSignal): Promise<T> {
    const opened = this.#opened
    try {
      return await this.#state.whileOpen(() =>
        this.#clock.within(`${this.url} ${name}`, REQUEST_LIMIT, () => work(opened!), outer)
      )
    } catch (error) {
      const failure =
        error instanceof SpillwayError
          ? error
          : new SpillwayError(ErrorCode.protocol, `${this.url}: ${name}: ${sentence(error)}`, {
              cause: error
            })
      if (failure.code === ErrorCode.timeout && opened !== undefined) this.#lose(opened, failure.message)
      throw failure
    }
  }
}

/** The library's own transports, with an ear on their sockets: each makes its socket when it connects. */
function tappedTransports(library: Library, wire: WireTap) {
  return {
    create: (settings?: ConstructorParameters<Library['ClientTCP_transport']>[0]) => {
      const transport = new library.ClientTCP_transport(settings)
      const connect = transport.connect.bind(transport)
      transport.connect = (url, callback) => {
        connect(url, callback)
        if (transport._socket !== null) wire.socket(transport._socket as unknown as TappableSocket)
      }
      return transport
    }
  }
}

async function startWatch(opened: Opened, { nodeIds, receiver }: Watch): Promise<void> {
  const { library, subscription } = opened
  const attributeId = library.AttributeIds.Value
  const group = library.ClientMonitoredItemGroup.create(
    subscription,
    nodeIds.map((nodeId) => ({ nodeId, attributeId })),
    { samplingInterval: SAMPLING_MS, queueSize: QUEUE_SIZE, discardOldest: true },
    library.TimestampsToReturn.Both
  )
  group.on('changed', (_item, value, index) => receiver(nodeIds[index]!, nodeValue(value)))
  await new Promise<void>((resolve, reject) => {
    group.on('initialized', resolve)
    group.on('err', (message) => reject(new SpillwayError(ErrorCode.refused, `watch: ${message}`)))
  })
  for (const [index, { statusCode }] of group.monitoredItems.entries())
    if (statusCode.isNotGood())
      receiver(nodeIds[index]!, {
        value: null,
        sourceTime: undefined,
        quality: 'bad',
        status: statusCode.name
      })
}

/** OPC UA part 4, 7.39: the two highest bits of a status are its severity. */
function nodeValue(data: DataValue): NodeValue {
  const severity = data.statusCode.value >>> 30
  const value: unknown = data.value.value
  const isPlain = typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean'
  return {
    value: isPlain ? value : null,
    sourceTime: data.sourceTimestamp ?? undefined,
    quality: severity === 0 ? 'good' : severity === 1 ? 'suspect' : 'bad',
    status: data.statusCode.name
  }
}

let loading: Promise<Library> | undefined

/** The library writes warnings to the terminal unless told otherwise, once for the whole process. */
function loadLibrary(log: Log): Promise<Library> {
  loading ??= import('node-opcua').then((library) => {
    const say = (...words: unknown[]): void => log.debug({ opcua: words.map(String).join(' ') }, 'OPC UA')
    library.setWarningLogger(say)
    library.setErrorLogger(say)
    return library
  })
  return loading
}
