import { ErrorCode, SpillwayError } from '../../core/errors.ts'
import type { TopicLink } from './link.ts'
import { disconnected, LinkState } from './link-state.ts'
import { topicMatches } from './topic-filter.ts'

/** What publishes and listens at the far end, as a simulated device shows itself. */
export interface MemoryTopicFace {
  attach(publish: (topic: string, payload: string, retain: boolean, qos: 0 | 1) => void): void
  readonly listens: readonly string[]
  receive(topic: string, payload: string): void
}

type Receiver = (topic: string, payload: string) => void

/** A retained topic more than this is a publisher that makes up topics. */
const RETAINED_MAX = 10_000

/** A broker in memory: retained topics, delivery in order and never inside the call that publishes. */
export class MemoryTopicBus {
  readonly #retained = new Map<string, string>()
  readonly #listeners = new Map<object, { readonly filter: string; readonly receiver: Receiver }>()

  /** Connects a device; it publishes and listens from now on. */
  attach(face: MemoryTopicFace): void {
    for (const filter of face.listens)
      this.subscribe({}, filter, (topic, payload) => face.receive(topic, payload))
    face.attach((topic, payload, retain) => this.publish(topic, payload, retain))
  }

  publish(topic: string, payload: string, retain: boolean): void {
    if (retain) this.#retain(topic, payload)
    queueMicrotask(() => {
      for (const { filter, receiver } of [...this.#listeners.values()])
        if (topicMatches(filter, topic)) receiver(topic, payload)
    })
  }

  /** Retained topics come first, soon. `key` is for `unsubscribe`. */
  subscribe(key: object, filter: string, receiver: Receiver): void {
    this.#listeners.set(key, { filter, receiver })
    const retained = [...this.#retained].filter(([topic]) => topicMatches(filter, topic))
    queueMicrotask(() => {
      for (const [topic, payload] of retained) if (this.#listeners.has(key)) receiver(topic, payload)
    })
  }

  unsubscribe(key: object): void {
    this.#listeners.delete(key)
  }

  /** MQTT 3.1.1, 3.3.1.3: an empty payload takes the retained message away. */
  #retain(topic: string, payload: string): void {
    if (payload === '') this.#retained.delete(topic)
    else if (this.#retained.has(topic) || this.#retained.size < RETAINED_MAX)
      this.#retained.set(topic, payload)
    else throw new SpillwayError(ErrorCode.overflow, `more than ${RETAINED_MAX} retained topics at ${topic}`)
  }
}

/** A topic link that can be cut, as the wire can. */
export interface MemoryTopicLink extends TopicLink {
  /** The broker is gone until `restore`. */
  cut(why: string): void
  restore(): void
}

/** A link to a device in the same process: `face` itself, or the bus that it and others are attached to. */
export function makeMemoryTopicLink(url: string, far: MemoryTopicFace | MemoryTopicBus): MemoryTopicLink {
  if (far instanceof MemoryTopicBus) return new MemoryLink(url, far)
  const bus = new MemoryTopicBus()
  bus.attach(far)
  return new MemoryLink(url, bus)
}

class MemoryLink implements MemoryTopicLink {
  readonly url: string
  readonly #bus: MemoryTopicBus
  readonly #state: LinkState
  readonly #subscriptions = new Map<string, { receiver: Receiver }>()
  #cutBecause: string | undefined

  constructor(url: string, bus: MemoryTopicBus) {
    this.url = url
    this.#bus = bus
    this.#state = new LinkState(url)
  }

  get isOpen(): boolean {
    return this.#state.isOpen
  }

  onState(listener: (isOpen: boolean, why: string) => void): () => void {
    return this.#state.onState(listener)
  }

  async open(signal: AbortSignal): Promise<void> {
    await Promise.resolve()
    if (this.#cutBecause !== undefined) throw disconnected(this.url, this.#cutBecause)
    if (signal.aborted) throw new SpillwayError(ErrorCode.aborted, `open ${this.url}: given up`)
    if (this.#state.isOpen) return
    for (const [filter, key] of this.#subscriptions) this.#bus.subscribe(key, filter, key.receiver)
    this.#state.set(true, 'open')
  }

  close(): Promise<void> {
    this.#drop('closed')
    return Promise.resolve()
  }

  publish(topic: string, payload: string, options: { retain: boolean; qos: 0 | 1 }): Promise<void> {
    return this.#state.whileOpen(() => {
      this.#bus.publish(topic, payload, options.retain)
      return Promise.resolve()
    })
  }

  subscribe(filter: string, receiver: Receiver): Promise<void> {
    return this.#state.whileOpen(() => {
      const before = this.#subscriptions.get(filter)
      if (before !== undefined) this.#bus.unsubscribe(before)
      const key = { receiver }
      this.#subscriptions.set(filter, key)
      this.#bus.subscribe(key, filter, receiver)
      return Promise.resolve()
    })
  }

  cut(why: string): void {
    this.#cutBecause = why
    this.#drop(why)
  }

  restore(): void {
    this.#cutBecause = undefined
  }

  #drop(why: string): void {
    for (const key of this.#subscriptions.values()) this.#bus.unsubscribe(key)
    this.#state.set(false, why)
  }
}
