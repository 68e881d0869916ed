import { ErrorCode, isCode } from '../../core/errors.ts'
import type { ByteLink, NodeLink, NodeValue, RegisterLink, TopicLink } from './link.ts'
import { recordedError, type TapSink, type Verb, VERBS } from './tap/event.ts'

type AnyLink = ByteLink | RegisterLink | TopicLink | NodeLink
type Receiver = (...heard: never[]) => void
type Method = (...args: unknown[]) => Promise<unknown>

/**
 * The link itself, with an ear on it: everything that passes goes to the sink, and nothing else changes. The
 * promises are those of the link, and what the link can do besides (a memory link's `cut`) stays possible.
 */
export function tapped<L extends AnyLink>(link: L, sink: TapSink): L {
  const listening = new Listening(sink)
  link.onState((isOpen, why) => sink.record({ dir: 'in', what: 'state', isOpen, why }))
  const taps = new Map<PropertyKey, unknown>(
    VERBS.flatMap((verb) => {
      const method = verbOf(link, verb)
      return method === undefined ? [] : [[verb, listening.request(verb, method)]]
    })
  )
  if ('receive' in link) {
    link.receive((bytes) => listening.bytes(bytes))
    taps.set('receive', (receiver: (bytes: Uint8Array) => void) => (listening.receiver = receiver))
  }
  return new Proxy(link, {
    get: (target, key) => {
      const tap = taps.get(key)
      if (tap !== undefined) return tap
      const own: unknown = Reflect.get(target, key, target)
      return typeof own === 'function' ? (own.bind(target) as unknown) : own
    }
  })
}

/** The one place where a method of any link is taken by its name; the types of `link.ts` say what it takes. */
function verbOf(link: AnyLink, verb: Verb): Method | undefined {
  const method = (link as unknown as Partial<Record<Verb, Method>>)[verb]
  return method === undefined ? undefined : (...args) => method.apply(link, args)
}

class Listening {
  receiver: (bytes: Uint8Array) => void = () => undefined
  readonly #sink: TapSink
  #requests = 0

  constructor(sink: TapSink) {
    this.#sink = sink
  }

  bytes(bytes: Uint8Array): void {
    this.#sink.record({ dir: 'in', what: 'bytes', bytes: new Uint8Array(bytes) })
    this.receiver(bytes)
  }

  request(verb: Verb, method: Method): Method {
    return (...args) => {
      const id = ++this.#requests
      const plain = args.filter((arg) => typeof arg !== 'function' && !(arg instanceof AbortSignal))
      this.#sink.record({ dir: 'out', what: 'request', id, verb, args: plain.map(copyOf) })
      const outcome = method(
        ...args.map((arg) =>
          typeof arg === 'function' ? this.#heard(verb, id, plain[0], arg as Receiver) : arg
        )
      )
      outcome.then(
        (value) => this.#sink.record({ dir: 'in', what: 'answer', id, value: copyOf(value) }),
        (error: unknown) => this.#failed(id, error)
      )
      return outcome
    }
  }

  #failed(id: number, error: unknown): void {
    if (isCode(error, ErrorCode.aborted)) this.#sink.record({ dir: 'out', what: 'abort', id })
    else this.#sink.record({ dir: 'in', what: 'failure', id, error: recordedError(error) })
  }

  /** The receiver of a subscription (of `filter`) or a watch. */
  #heard(verb: Verb, id: number, filter: unknown, receiver: Receiver): Receiver {
    if (verb === 'subscribe')
      return (topic: string, payload: string) => {
        this.#sink.record({ dir: 'in', what: 'message', filter: String(filter), topic, payload })
        receiver(topic as never, payload as never)
      }
    return (node: string, value: NodeValue) => {
      this.#sink.record({ dir: 'in', what: 'report', watch: id, node, value })
      receiver(node as never, value as never)
    }
  }
}

/** Callers use their buffers and lists again. */
function copyOf(value: unknown): unknown {
  if (value instanceof Uint8Array) return new Uint8Array(value)
  return Array.isArray(value) ? value.map(copyOf) : value
}
