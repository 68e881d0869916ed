import { abortedError, type Clock } from '../../core/clock.ts'
import type { DeviceIdentity } from '../../core/device.ts'
import { assert, ErrorCode, isCode, sentence, SpillwayError } from '../../core/errors.ts'
import type { FragmentSink } from '../../core/fragment.ts'
import type { Log } from '../../core/log.ts'
import { milliseconds, seconds } from '../../core/units.ts'
import { disconnected, LinkState } from './link-state.ts'
import type { ByteLink, LinkFactory } from './link.ts'
import { encodeFrame, FrameKind } from './slink-frame.ts'
import { SlinkStream, type SlinkStreamCounts } from './slink-stream.ts'

/** manual, slink-bridge: no frame for 3 s means that the bridge is gone */
const SILENCE = seconds(3)
/** A frame is sent in one go: one that stays half from one look to the next is looked at again. */
const WATCH_EVERY = milliseconds(250)

/** What the bridge says of itself, first of all. */
export interface SlinkHello {
  readonly identity: DeviceIdentity
  readonly sources: readonly number[]
  readonly maximumBlockBytes: number
}

export interface SlinkConnectionOptions {
  readonly device: string
  readonly url: string
  /** S-LINK source ids that the bridge must announce, no more and no fewer */
  readonly sources: readonly number[]
}

/**
 * The connection to one S-LINK bridge: hello, data to the sink, watchdog, XOFF and XON. The sink hears of the
 * connection after the hello was found right and before the first fragment.
 */
export class SlinkConnection {
  readonly sources: readonly number[]
  readonly #device: string
  readonly #clock: Clock
  readonly #log: Log
  readonly #link: ByteLink
  readonly #state: LinkState
  #sink: FragmentSink | undefined
  #stream: SlinkStream | undefined
  #hello: ((payload: Uint8Array) => void) | undefined
  #isPaused = false
  #sequence = 0
  #watch = new AbortController()

  constructor(options: SlinkConnectionOptions, deps: { clock: Clock; links: LinkFactory; log: Log }) {
    this.sources = options.sources
    this.#device = options.device
    this.#clock = deps.clock
    this.#log = deps.log
    this.#link = deps.links.bytes(options.url)
    this.#state = new LinkState(options.url)
    this.#link.receive((bytes) => this.#stream?.push(bytes))
    this.#link.onState((isOpen, why) => {
      if (!isOpen) this.#ended(why)
    })
  }

  get isOpen(): boolean {
    return this.#state.isOpen
  }

  /** of all connections since `attach`; undefined before it */
  get counts(): Readonly<SlinkStreamCounts> | undefined {
    return this.#stream?.counts
  }

  onState(listener: (isOpen: boolean, why: string) => void): () => void {
    return this.#state.onState(listener)
  }

  attach(sink: FragmentSink): void {
    assert(!this.#link.isOpen, `${this.#device}: the sink is attached before the device is connected`)
    this.#sink = sink
    this.#stream = new SlinkStream({
      sources: this.sources,
      sink,
      onHello: (payload) => this.#hello?.(payload)
    })
  }

  /** Resolves when the right bridge has said hello; a bridge of other sources rejects with `protocol`. */
  async open(signal: AbortSignal): Promise<SlinkHello> {
    if (this.#sink === undefined)
      throw new SpillwayError(ErrorCode.notPermitted, `${this.#device}: no sink for its data is attached`)
    this.#sequence = 0
    this.#link.resume()
    // the hello may come before the await on `open` returns
    const hello = Promise.withResolvers<SlinkHello>()
    hello.promise.catch(() => undefined)
    this.#hello = (payload) => this.#takeHello(payload, hello)
    const giveUp = (): void => hello.reject(abortedError(`${this.#device}: hello of the bridge`, signal))
    signal.addEventListener('abort', giveUp, { once: true })
    const stopListening = this.#link.onState((isOpen, why) => {
      if (!isOpen) hello.reject(disconnected(this.#link.url, why))
    })
    try {
      await this.#link.open(signal)
      const said = await hello.promise
      if (this.#isPaused) this.#say(FrameKind.xoff)
      void this.#watchdog(this.#watch.signal)
      return said
    } catch (error) {
      await this.#link.close()
      throw error
    } finally {
      this.#hello = undefined
      stopListening()
      signal.removeEventListener('abort', giveUp)
    }
  }

  /**
   * XOFF: the bridge keeps what it has, and nothing more is read. What is on its way in the buffer that is
   * being read (256 KiB) still comes.
   */
  pause(): void {
    if (this.#isPaused) return
    this.#isPaused = true
    if (this.isOpen) this.#say(FrameKind.xoff)
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#link.resume()
    if (this.isOpen) this.#say(FrameKind.xon)
  }

  async close(): Promise<void> {
    await this.#link.close()
  }

  #say(kind: typeof FrameKind.xoff | typeof FrameKind.xon): void {
    if (kind === FrameKind.xoff) this.#link.pause()
    this.#link.write(encodeFrame(kind, this.#sequence++)).catch((error: unknown) => {
      // the loss of the link is told by its state
      if (!isCode(error, ErrorCode.disconnected))
        this.#log.warn({ error: sentence(error), kind }, 'flow control was not sent')
    })
  }

  #takeHello(payload: Uint8Array, hello: PromiseWithResolvers<SlinkHello>): void {
    this.#hello = undefined
    const said = this.#checkHello(payload)
    if (said instanceof SpillwayError) {
      hello.reject(said)
      return
    }
    this.#state.set(true, 'connected')
    for (const source of this.sources) this.#sink!.connection(source, true)
    hello.resolve(said)
  }

  #checkHello(payload: Uint8Array): SlinkHello | SpillwayError {
    const said = parseHello(payload)
    const wrong = (expected: string, got: string): SpillwayError =>
      new SpillwayError(ErrorCode.protocol, `${this.#device}: the bridge is not the one that is configured`, {
        device: this.#device,
        request: `hello of ${this.#link.url}`,
        expected,
        got,
        hint: 'check the data link of the device in devices.yaml'
      })
    if (said === undefined)
      return wrong('identity, sources and maximumBlockBytes', Buffer.from(payload).toString().slice(0, 200))
    const list = (sources: readonly number[]): string => [...sources].sort((a, b) => a - b).join(', ')
    if (list(said.sources) !== list(this.sources))
      return wrong(`source ${list(this.sources)}`, `source ${list(said.sources) || 'none'}`)
    return said
  }

  async #watchdog(signal: AbortSignal): Promise<void> {
    let frames = this.#stream!.counts.frames
    let heardAt = this.#clock.now()
    let wasHalf = false
    try {
      for (;;) {
        await this.#clock.sleep(`${this.#device}: bridge watchdog`, WATCH_EVERY, signal)
        const now = this.#clock.now()
        if (this.#stream!.counts.frames !== frames || this.#isPaused) {
          frames = this.#stream!.counts.frames
          heardAt = now
        } else if (wasHalf) this.#stream!.doubtFrame()
        wasHalf = !this.#isPaused && this.#stream!.isInsideFrame
        if (now - heardAt >= SILENCE) {
          this.#ended('no frame for 3 s: the bridge is gone')
          await this.#link.close()
          return
        }
      }
    } catch (error) {
      if (!isCode(error, ErrorCode.aborted)) throw error
    }
  }

  #ended(why: string): void {
    this.#watch.abort()
    this.#watch = new AbortController()
    this.#stream?.finish()
    if (!this.isOpen) return
    this.#state.set(false, why)
    for (const source of this.sources) this.#sink?.connection(source, false)
  }
}

/** undefined when anything of it is missing */
function parseHello(payload: Uint8Array): SlinkHello | undefined {
  let said: unknown
  try {
    said = JSON.parse(Buffer.from(payload).toString())
  } catch {
    return undefined
  }
  const { identity, sources, maximumBlockBytes } = fieldsOf(said)
  const { maker, model, serial, firmware } = fieldsOf(identity)
  const isText = (value: unknown): value is string => typeof value === 'string'
  if (!isText(maker) || !isText(model) || !isText(serial) || !isText(firmware)) return undefined
  if (!Array.isArray(sources) || !sources.every((source): source is number => Number.isInteger(source)))
    return undefined
  if (typeof maximumBlockBytes !== 'number') return undefined
  return { identity: { maker, model, serial, firmware }, sources, maximumBlockBytes }
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}
