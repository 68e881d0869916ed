import type { SerialPort } from 'serialport'
import type { Clock } from '../../core/clock.ts'
import { ErrorCode, sentence, SpillwayError } from '../../core/errors.ts'
import { milliseconds, seconds } from '../../core/units.ts'
import type { ByteLink } from './link.ts'
import { disconnected, LinkState } from './link-state.ts'
import { type LinkUrl, numberOption, parseLinkUrl, wordOption } from './link-url.ts'

const OPEN_LIMIT = seconds(5)
/** A far end that takes no bytes for this long (flow control, a full pty) is gone. */
const WRITE_LIMIT = seconds(2)
const CLOSE_LIMIT = seconds(2)
/** A write that is not through by now is held up by flow control. */
const HELD_UP = milliseconds(20)
/** readable, writable, disconnected: what the library's poller can look for */
const ALL_EVENTS = 0b111

/**
 * A serial line: `serial:///dev/ttyUSB0?baudRate=9600`, further options `dataBits`, `stopBits`, `parity`,
 * `rtscts`, `xonxoff` (the system then stops and goes on by those two characters, both ways). A path that is a symbolic
 * link works, so a line may be named by `/dev/serial/by-id/...`.
 *
 * No modem line is read or set: pseudo terminals have none. A hang-up of the line is reported; a cable pulled
 * behind an adapter is none, so whoever uses a serial line must also watch whether answers come.
 */
export function makeSerialLink(url: string, clock: Clock): ByteLink {
  return new SerialLink(url, clock)
}

function portOptions(url: string, { path, query }: LinkUrl) {
  const isFlowControlled = wordOption(url, query, 'xonxoff', ['false', 'true']) === 'true'
  return {
    path,
    baudRate: numberOption(url, query, 'baudRate', 9600, 50, 4_000_000),
    dataBits: numberOption(url, query, 'dataBits', 8, 5, 8) as 5 | 6 | 7 | 8,
    stopBits: numberOption(url, query, 'stopBits', 1, 1, 2) as 1 | 2,
    parity: wordOption(url, query, 'parity', ['none', 'even', 'odd']),
    rtscts: wordOption(url, query, 'rtscts', ['false', 'true']) === 'true',
    xon: isFlowControlled,
    xoff: isFlowControlled,
    autoOpen: false
  }
}

class SerialLink implements ByteLink {
  readonly url: string
  readonly #clock: Clock
  readonly #options: ReturnType<typeof portOptions>
  readonly #state: LinkState
  #port: SerialPort | undefined
  #receiver: ((bytes: Uint8Array) => void) | undefined
  #isPaused = false

  constructor(url: string, clock: Clock) {
    this.url = url
    this.#clock = clock
    const keys = ['baudRate', 'dataBits', 'stopBits', 'parity', 'rtscts', 'xonxoff']
    const parts = parseLinkUrl(url, 'serial', keys)
    if (parts.host !== '')
      throw new SpillwayError(ErrorCode.configuration, `${url}: a serial line has no host`, {
        hint: 'three slashes before an absolute path: serial:///dev/ttyUSB0'
      })
    this.#options = portOptions(url, parts)
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
    const { SerialPort } = await import('serialport')
    const port = new SerialPort(this.#options)
    port.on('error', (error) => this.#lose(port, error.message))
    port.on('close', (error?: Error | null) => this.#lose(port, error?.message ?? 'the line was closed'))
    port.on('data', (bytes: Uint8Array) => this.#receiver?.(bytes))
    if (this.#isPaused) port.pause()
    this.#port = port
    try {
      await this.#clock.within(`open ${this.url}`, OPEN_LIMIT, () => openPort(port), signal)
    } catch (error) {
      void this.#forget(port)
      throw disconnected(this.url, sentence(error), error)
    }
    this.#state.set(true, 'open')
    this.#watchHangUp(port)
  }

  async write(bytes: Uint8Array): Promise<void> {
    try {
      await this.#state.whileOpen(() =>
        this.#clock.within(`write ${this.url}`, WRITE_LIMIT, (inner) => {
          const port = this.#port!
          this.#watchHeldUp(port, inner).catch(() => undefined) // ends with the write
          return writePort(port, bytes)
        })
      )
    } catch (error) {
      if (this.#port !== undefined) this.#lose(this.#port, `cannot write: ${sentence(error)}`)
      throw error
    }
  }

  receive(receiver: (bytes: Uint8Array) => void): void {
    this.#receiver = receiver
  }

  pause(): void {
    this.#isPaused = true
    this.#port?.pause()
  }

  resume(): void {
    this.#isPaused = false
    this.#port?.resume()
  }

  async close(): Promise<void> {
    const port = this.#port
    if (port === undefined) return
    const closed = this.#forget(port)
    this.#state.set(false, 'closed')
    // a close that never ends leaves the descriptor to the system; there is nothing more to do about it
    await this.#clock.within(`close ${this.url}`, CLOSE_LIMIT, () => closed).catch(() => undefined)
  }

  /**
   * The library's poller forgets that it waits to write when it is asked to wait for reading (poller.cpp gives
   * uv_poll_start the newest events only): a write held up by XOFF would go on when the next byte comes in, not at XON.
   */
  async #watchHeldUp(port: SerialPort, signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#clock.sleep(`write ${this.url}`, HELD_UP, signal)
      // a closed port has no poller to ask
      if (port !== this.#port) return
      const binding = port.port
      if (binding !== undefined && 'poller' in binding) binding.poller.poll(ALL_EVENTS)
    }
  }

  /**
   * A line that hangs up while a read is under way gives no event: the library then reads nothing again and again.
   * Its poller, asked, reports the hang-up whatever else goes on. Canceled at closing, when nobody listens any more.
   */
  #watchHangUp(port: SerialPort): void {
    const binding = port.port
    if (binding !== undefined && 'poller' in binding)
      binding.poller.once('disconnect', () => this.#lose(port, 'the line hung up'))
  }

  #lose(port: SerialPort, why: string): void {
    if (port !== this.#port) return
    void this.#forget(port)
    this.#state.set(false, why)
  }

  /** Resolves when the port is closed; late events of a port that was given up go nowhere. */
  #forget(port: SerialPort): Promise<void> {
    if (this.#port === port) this.#port = undefined
    port.removeAllListeners()
    port.on('error', () => undefined)
    return new Promise((resolve) => {
      if (port.isOpen) port.close(() => resolve())
      else if (port.opening) port.once('open', () => port.close(() => resolve()))
      else resolve()
    })
  }
}

function openPort(port: SerialPort): Promise<void> {
  return new Promise((resolve, reject) =>
    port.open((error) => {
      if (error === null) resolve()
      else reject(error)
    })
  )
}

function writePort(port: SerialPort, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    port.write(bytes, (error) => {
      if (error === null || error === undefined) resolve()
      else reject(error)
    })
  })
}
