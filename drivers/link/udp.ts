import { createSocket, type Socket } from 'node:dgram'
import { abortedError, type Clock } from '../../core/clock.ts'
import { ErrorCode, sentence, SpillwayError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { seconds } from '../../core/units.ts'
import { disconnected, LinkState } from './link-state.ts'
import { parseLinkUrl } from './link-url.ts'
import type { ByteLink } from './link.ts'

/** name resolution */
const OPEN_LIMIT = seconds(5)

/**
 * Datagrams to and from one peer, `udp://host:port`: each `write` is a datagram, each call of the receiver too. There is
 * no connection: `open` means that the peer has an address, and only an ICMP refusal closes the link, so whoever uses it must
 * watch whether answers come. While paused, datagrams wait up to a bound, and what comes beyond it is lost, as on any
 * datagram socket.
 */
export function makeUdpLink(url: string, clock: Clock): ByteLink {
  return new UdpLink(url, clock)
}

class UdpLink implements ByteLink {
  readonly url: string
  readonly #clock: Clock
  readonly #host: string
  readonly #port: number
  readonly #state: LinkState
  #receiver: (bytes: Uint8Array) => void = () => undefined
  #isPaused = false
  #held: Uint8Array[] = []
  #socket: Socket | undefined

  constructor(url: string, clock: Clock) {
    const { host, port } = parseLinkUrl(url, 'udp', [])
    if (host === '' || port === 0)
      throw new SpillwayError(ErrorCode.configuration, `${url}: host and port are needed`)
    this.url = url
    this.#clock = clock
    this.#host = host
    this.#port = port
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
    const socket = createSocket(this.#host.includes(':') ? 'udp6' : 'udp4')
    this.#socket = socket
    socket.on('message', (bytes) => this.#take(bytes))
    socket.on('error', (error) => this.#lose(socket, error.message))
    try {
      await this.#clock.within(`open ${this.url}`, OPEN_LIMIT, () => this.#connect(socket), signal)
    } catch (error) {
      this.#lose(socket, sentence(error))
      if (error instanceof SpillwayError) throw error
      throw disconnected(this.url, sentence(error), error)
    }
    if (this.#socket !== socket) throw disconnected(this.url, 'closed by us')
    this.#state.set(true, 'open')
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#state.whileOpen(
      () =>
        new Promise((resolve, reject) => {
          const socket = this.#socket!
          socket.send(bytes, (error) => {
            if (error === null) {
              resolve()
              return
            }
            this.#lose(socket, error.message)
            reject(disconnected(this.url, error.message, error))
          })
        })
    )
  }

  receive(receiver: (bytes: Uint8Array) => void): void {
    this.#receiver = receiver
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    while (this.#held.length > 0 && !this.#pausedNow()) this.#receiver(this.#held.shift()!)
  }

  close(): Promise<void> {
    if (this.#socket !== undefined) this.#lose(this.#socket, 'closed by us')
    return Promise.resolve()
  }

  /** A fresh look: the receiver may pause. */
  #pausedNow(): boolean {
    return this.#isPaused
  }

  #connect(socket: Socket): Promise<void> {
    return new Promise((resolve, reject) => {
      socket.once('error', reject)
      socket.connect(this.#port, this.#host, () => {
        socket.removeListener('error', reject)
        resolve()
      })
    })
  }

  #take(bytes: Uint8Array): void {
    if (!this.#isPaused) this.#receiver(bytes)
    else if (this.#held.length < limits.datagramsHeldMax) this.#held.push(Uint8Array.from(bytes))
  }

  #lose(socket: Socket, why: string): void {
    if (socket !== this.#socket) return
    this.#socket = undefined
    this.#held = []
    socket.removeAllListeners()
    socket.on('error', () => undefined)
    try {
      socket.close()
    } catch {
      // it never opened: nothing is left to close
    }
    this.#state.set(false, why)
  }
}
