import { connect, type Socket } from 'node:net'
import { abortedError } from '../../core/clock.ts'
import { assert, ErrorCode, SpillwayError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { disconnected, LinkState } from './link-state.ts'
import { parseLinkUrl } from './link-url.ts'
import type { ByteLink } from './link.ts'

/** One read of the socket. Measured (docs of the stack): twice the rate of 'data' events. */
const READ_BYTES = 256 << 10

/**
 * Bytes over TCP, `tcp://host:port`. The socket reads into one buffer of ours, so what the receiver gets is
 * only valid during the call. A far end that closes while the link is paused is noticed on `resume`.
 */
export function makeTcpLink(url: string): ByteLink {
  return new TcpLink(url)
}

class TcpLink implements ByteLink {
  readonly url: string
  readonly #host: string
  readonly #port: number
  readonly #state: LinkState
  readonly #buffer = new Uint8Array(READ_BYTES)
  #receiver: (bytes: Uint8Array) => void = () => undefined
  #isPaused = false
  /** connecting or connected */
  #socket: Socket | undefined

  constructor(url: string) {
    const { host, port } = parseLinkUrl(url, 'tcp', [])
    this.url = url
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

  open(signal: AbortSignal): Promise<void> {
    if (this.isOpen) return Promise.resolve()
    assert(this.#socket === undefined, `${this.url} is opened twice at once`)
    if (signal.aborted) return Promise.reject(abortedError(this.url, signal))
    return new Promise((resolve, reject) => {
      const socket = connect({
        host: this.#host,
        port: this.#port,
        noDelay: true,
        onread: { buffer: this.#buffer, callback: (length) => this.#take(length) }
      })
      this.#socket = socket
      if (this.#isPaused) socket.pause()
      let why = 'the far end closed the connection'
      const giveUp = (): void => {
        reject(abortedError(this.url, signal))
        socket.destroy()
      }
      signal.addEventListener('abort', giveUp, { once: true })
      socket.once('connect', () => {
        signal.removeEventListener('abort', giveUp)
        this.#state.set(true, 'connected')
        resolve()
      })
      socket.on('error', (error) => (why = error.message))
      socket.on('end', () => socket.destroy())
      socket.once('close', () => {
        signal.removeEventListener('abort', giveUp)
        reject(disconnected(this.url, why))
        if (this.#socket === socket) {
          this.#socket = undefined
          this.#state.set(false, why)
        }
      })
    })
  }

  write(bytes: Uint8Array): Promise<void> {
    const socket = this.#socket
    if (socket === undefined || !this.isOpen)
      return Promise.reject(disconnected(this.url, 'the link is not open'))
    if (socket.writableLength + bytes.length > limits.linkWriteBacklogBytesMax)
      return Promise.reject(
        new SpillwayError(
          ErrorCode.overflow,
          `${this.url}: ${socket.writableLength} bytes wait already; the far end does not read`
        )
      )
    return new Promise((resolve, reject) => {
      socket.write(bytes, (error) => {
        if (error) reject(disconnected(this.url, error.message, error))
        else resolve()
      })
    })
  }

  receive(receiver: (bytes: Uint8Array) => void): void {
    this.#receiver = receiver
  }

  pause(): void {
    this.#isPaused = true
    this.#socket?.pause()
  }

  resume(): void {
    this.#isPaused = false
    this.#socket?.resume()
  }

  close(): Promise<void> {
    const socket = this.#socket
    if (socket === undefined) return Promise.resolve()
    this.#socket = undefined
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
    socket.destroy()
    this.#state.set(false, 'closed by us')
    return closed
  }

  #take(length: number): boolean {
    this.#receiver(length === READ_BYTES ? this.#buffer : this.#buffer.subarray(0, length))
    return !this.#isPaused
  }
}
