import { abortedError } from '../../core/clock.ts'
import { limits } from '../../core/limits.ts'
import { disconnected, LinkState } from './link-state.ts'
import type { ByteLink } from './link.ts'

/** What stands at the connector of a device in the same process; a simulated device's face has this shape. */
export interface MemoryByteFace {
  /** Called once per connection; a face that hangs up during the call refuses it. */
  attach(send: (bytes: Uint8Array) => void, hangUp: () => void): MemoryByteSession
}
export interface MemoryByteSession {
  receive(bytes: Uint8Array): void
  closed(): void
}

/** One connection: what the face sent and the receiver has not taken yet. */
interface Connection {
  session: MemoryByteSession | undefined
  readonly inbound: Uint8Array[]
  inboundBytes: number
  isHungUp: boolean
}

/**
 * A byte link without a wire. As on a wire, what the face sends arrives later than the call that sent it (in
 * the next microtask), in order, and before the news that the face hung up.
 */
export function makeMemoryByteLink(url: string, face: MemoryByteFace): ByteLink {
  return new MemoryByteLink(url, face)
}

class MemoryByteLink implements ByteLink {
  readonly url: string
  readonly #face: MemoryByteFace
  readonly #state: LinkState
  #receiver: (bytes: Uint8Array) => void = () => undefined
  #isPaused = false
  #isScheduled = false
  #connection: Connection | undefined

  constructor(url: string, face: MemoryByteFace) {
    this.url = url
    this.#face = face
    this.#state = new LinkState(url)
  }

  get isOpen(): boolean {
    return this.#state.isOpen
  }

  onState(listener: (isOpen: boolean, why: string) => void): () => void {
    return this.#state.onState(listener)
  }

  async open(signal: AbortSignal): Promise<void> {
    if (this.isOpen) return
    if (signal.aborted) throw abortedError(this.url, signal)
    const connection: Connection = { session: undefined, inbound: [], inboundBytes: 0, isHungUp: false }
    this.#connection = connection
    connection.session = this.#face.attach(
      (bytes) => this.#send(connection, bytes),
      () => this.#hangUp(connection)
    )
    // settles as late as a wire would: never before the caller awaits
    await Promise.resolve()
    if (this.#connection !== connection) throw disconnected(this.url, 'closed by us')
    if (connection.isHungUp && connection.inbound.length === 0) {
      this.#end('the far end refused the connection')
      throw disconnected(this.url, 'the far end refused the connection')
    }
    this.#state.set(true, 'connected')
    this.#schedule()
  }

  write(bytes: Uint8Array): Promise<void> {
    const connection = this.#connection
    if (connection?.session === undefined || connection.isHungUp || !this.isOpen)
      return Promise.reject(disconnected(this.url, 'the link is not open'))
    connection.session.receive(bytes)
    return Promise.resolve()
  }

  receive(receiver: (bytes: Uint8Array) => void): void {
    this.#receiver = receiver
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    this.#schedule()
  }

  close(): Promise<void> {
    this.#end('closed by us')
    return Promise.resolve()
  }

  #send(connection: Connection, bytes: Uint8Array): void {
    if (this.#connection !== connection || connection.isHungUp) return
    if (connection.inboundBytes + bytes.length > limits.memoryLinkBacklogBytesMax) {
      this.#end(`more than ${limits.memoryLinkBacklogBytesMax} bytes wait for a paused receiver`)
      return
    }
    // not slice(): of a Buffer that is a view
    connection.inbound.push(new Uint8Array(bytes))
    connection.inboundBytes += bytes.length
    this.#schedule()
  }

  #hangUp(connection: Connection): void {
    if (this.#connection !== connection) return
    connection.isHungUp = true
    this.#schedule()
  }

  #schedule(): void {
    if (this.#isScheduled || !this.isOpen) return
    this.#isScheduled = true
    queueMicrotask(() => {
      this.#isScheduled = false
      this.#deliver()
    })
  }

  #deliver(): void {
    const connection = this.#connection
    if (connection === undefined) return
    let delivered = 0
    while (!this.#isPaused && delivered < connection.inbound.length) {
      const bytes = connection.inbound[delivered++]!
      connection.inboundBytes -= bytes.length
      this.#receiver(bytes)
      // the receiver closed the link
      if (this.#connection !== connection) return
    }
    connection.inbound.splice(0, delivered)
    if (connection.isHungUp && connection.inbound.length === 0 && !this.#isPaused)
      this.#end('the far end closed the connection')
  }

  #end(why: string): void {
    const connection = this.#connection
    if (connection === undefined) return
    this.#connection = undefined
    connection.session?.closed()
    this.#state.set(false, why)
  }
}
