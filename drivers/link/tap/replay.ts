import { abortedError, type Clock } from '../../../core/clock.ts'
import { ErrorCode, SpillwayError } from '../../../core/errors.ts'
import { LinkState } from '../link-state.ts'
import type { ByteLink, NodeLink, NodeValue, RegisterLink, TopicLink } from '../link.ts'
import { errorOf, type LinkKind, type TapEvent, type Verb } from './event.ts'
import type { Recording, TapEntry } from './recording.ts'
import { told } from './told.ts'

/** What a replayed link tells besides being a link. */
export interface Replay {
  /** the first request that was not as recorded; from then on every request is refused with it */
  readonly difference: SpillwayError | undefined
  /** everything that was recorded has passed */
  readonly isDone: boolean
  /** resolves when everything has passed; rejects with the difference */
  done(): Promise<void>
}

export interface ReplayOptions {
  /** with it, what came in comes as long after the request before it as recorded; without, at once */
  readonly clock?: Clock
}

interface LinkOf {
  readonly bytes: ByteLink
  readonly registers: RegisterLink
  readonly topics: TopicLink
  readonly nodes: NodeLink
}

/**
 * A link that answers as recorded. Requests must come in the recorded order and with the recorded arguments; the
 * first that does not is refused with code `protocol`, `expected` and `got`, and closes the link. Aborting
 * is the caller's own affair: it ends the wait for an answer whenever it comes.
 *
 * Rejects with `usage` when the recording is of another kind or has lost its beginning.
 */
export function makeReplayLink<K extends LinkKind>(
  recording: Recording,
  kind: K,
  options: ReplayOptions = {}
): LinkOf[K] & Replay {
  if (recording.kind !== kind)
    throw new SpillwayError(
      ErrorCode.usage,
      `${recording.url}: a recording of ${recording.kind}, not of ${kind}`
    )
  if (recording.dropped > 0 && recording.kept === 'newest')
    throw new SpillwayError(ErrorCode.usage, `${recording.url}: the recording has lost its beginning`, {
      hint: 'record again, and keep the oldest entries'
    })
  // Has the methods of every kind; the recording's kind says which of them are used.
  return new ReplayLink(recording, options.clock) as unknown as LinkOf[K] & Replay
}

type RequestEvent = Extract<TapEvent, { what: 'request' }>
type Heard = (...heard: never[]) => void

/** A request that was made, and what ends it. */
interface Asked {
  readonly settle: PromiseWithResolvers<unknown>
  isAborted: boolean
}

class ReplayLink implements Replay {
  readonly url: string
  readonly #entries: readonly TapEntry[]
  readonly #requests: readonly RequestEvent[]
  readonly #clock: Clock | undefined
  readonly #state: LinkState
  readonly #asked = new Map<number, Asked>()
  readonly #subscribers = new Map<string, Heard>()
  readonly #watchers = new Map<number, Heard>()
  readonly #finished = Promise.withResolvers<undefined>()
  #receiver: (bytes: Uint8Array) => void = () => undefined
  #isPaused = false
  /** requests made so far, all as recorded */
  #made = 0
  #wake: () => void = () => undefined
  isDone = false
  difference: SpillwayError | undefined

  constructor({ url, entries }: Recording, clock: Clock | undefined) {
    this.url = url
    this.#entries = entries
    this.#requests = entries.flatMap(({ event }) => (event.what === 'request' ? [event] : []))
    this.#clock = clock
    this.#state = new LinkState(url)
    this.#finished.promise.catch(() => undefined)
    void this.#run()
  }

  get isOpen(): boolean {
    return this.#state.isOpen
  }

  onState(listener: (isOpen: boolean, why: string) => void): () => void {
    return this.#state.onState(listener)
  }

  async done(): Promise<void> {
    await this.#finished.promise
  }

  receive(receiver: (bytes: Uint8Array) => void): void {
    this.#receiver = receiver
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    this.#wake()
  }

  open(signal: AbortSignal): Promise<unknown> {
    return this.#ask('open', [], signal)
  }

  /** Never rejects: where none was recorded, it is the end of the replay. */
  async close(): Promise<void> {
    const isLast = this.#made === this.#requests.length
    if (this.difference === undefined && !isLast) await this.#ask('close', []).catch(() => undefined)
    else this.#state.set(false, 'closed by us')
  }

  read(...args: unknown[]): Promise<unknown> {
    return this.#askWith('read', args)
  }

  write(...args: unknown[]): Promise<unknown> {
    return this.#askWith('write', args)
  }

  modify(...args: unknown[]): Promise<unknown> {
    return this.#askWith('modify', args)
  }

  identification(...args: unknown[]): Promise<unknown> {
    return this.#askWith('identification', args)
  }

  publish(...args: unknown[]): Promise<unknown> {
    return this.#askWith('publish', args)
  }

  subscribe(filter: string, receiver: Heard): Promise<unknown> {
    return this.#ask('subscribe', [filter], undefined, () => this.#subscribers.set(filter, receiver))
  }

  watch(nodeIds: readonly string[], receiver: Heard): Promise<unknown> {
    return this.#ask('watch', [nodeIds], undefined, (id) => this.#watchers.set(id, receiver))
  }

  #askWith(verb: Verb, args: readonly unknown[]): Promise<unknown> {
    const signal = args.find((arg) => arg instanceof AbortSignal)
    return this.#ask(
      verb,
      args.filter((arg) => arg !== signal),
      signal
    )
  }

  #ask(
    verb: Verb,
    args: readonly unknown[],
    signal?: AbortSignal,
    onMatch: (id: number) => void = () => undefined
  ): Promise<unknown> {
    if (this.difference !== undefined) return Promise.reject(this.difference)
    const recorded = this.#requests[this.#made]
    const got = told(verb, args)
    if (recorded === undefined || told(recorded.verb, recorded.args) !== got)
      return Promise.reject(this.#differ(recorded, got))
    this.#made++
    const asked: Asked = { settle: Promise.withResolvers(), isAborted: false }
    const abort = (): void => {
      asked.isAborted = true
      asked.settle.reject(abortedError(`${this.url}: ${verb}`, signal!))
      this.#wake()
    }
    this.#asked.set(recorded.id, asked)
    onMatch(recorded.id)
    if (signal?.aborted === true) abort()
    else signal?.addEventListener('abort', abort, { once: true })
    this.#wake()
    return asked.settle.promise
  }

  #differ(recorded: RequestEvent | undefined, got: string): SpillwayError {
    const expected = recorded === undefined ? 'the end of the recording' : told(recorded.verb, recorded.args)
    this.difference = new SpillwayError(
      ErrorCode.protocol,
      `${this.url}: request ${this.#made + 1} is not as recorded`,
      { expected, got }
    )
    this.#finished.reject(this.difference)
    this.#state.set(false, 'the replay ended: a request is not as recorded')
    for (const { settle } of this.#asked.values()) settle.reject(this.difference)
    this.#wake()
    return this.difference
  }

  /** Goes through the entries: lets what came in come in, and waits for what went out. */
  async #run(): Promise<void> {
    // nothing happens inside the call that makes the link
    await Promise.resolve()
    let anchor = { recordedAt: 0, at: this.#clock?.now() ?? 0 }
    for (const { at, event } of this.#entries) {
      if (event.what === 'request') {
        await this.#until(() => this.#asked.has(event.id))
        if (this.#clock !== undefined) anchor = { recordedAt: at, at: this.#clock.now() }
      } else if (event.what === 'abort')
        await this.#until(() => this.#asked.get(event.id)?.isAborted === true)
      else {
        if (this.#clock !== undefined) {
          const wait = anchor.at + at - anchor.recordedAt - this.#clock.now()
          if (wait > 0) await this.#clock.sleep(`replay of ${this.url}`, wait)
        }
        await this.#until(() => event.what !== 'bytes' || !this.#isPaused)
        if (this.difference === undefined) this.#comeIn(event)
        await Promise.resolve()
      }
      if (this.difference !== undefined) return
    }
    this.isDone = true
    this.#finished.resolve(undefined)
  }

  async #until(holds: () => boolean): Promise<void> {
    while (!holds() && this.difference === undefined)
      await new Promise<void>((resolve) => (this.#wake = resolve))
  }

  #comeIn(event: TapEvent): void {
    switch (event.what) {
      case 'answer':
        this.#asked
          .get(event.id)
          ?.settle.resolve(Array.isArray(event.value) ? [...(event.value as unknown[])] : event.value)
        return
      case 'failure':
        this.#asked.get(event.id)?.settle.reject(errorOf(event.error))
        return
      case 'bytes':
        this.#receiver(event.bytes)
        return
      case 'message':
        this.#subscribers.get(event.filter)?.(event.topic as never, event.payload as never)
        return
      case 'report':
        this.#watchers.get(event.watch)?.(event.node as never, withSourceTime(event.value) as never)
        return
      case 'state':
        this.#state.set(event.isOpen, event.why)
        return
      default: // the wire below is for pcap
    }
  }
}

/** JSON leaves out what is undefined. */
const withSourceTime = (value: NodeValue): NodeValue => ({ ...value, sourceTime: value.sourceTime })
