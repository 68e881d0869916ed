import { connect, type Socket } from 'node:net'
import type { Clock } from '../../core/clock.ts'
import { ErrorCode, sentence } from '../../core/errors.ts'
import { seconds } from '../../core/units.ts'
import type { RegisterLink, RegisterSpace } from './link.ts'
import { disconnected, LinkState } from './link-state.ts'
import { numberOption, parseLinkUrl } from './link-url.ts'
import {
  asModbusError,
  type ModbusClient,
  noModify,
  readIdentification,
  readRegisters,
  writeRegisters
} from './modbus-requests.ts'
import type { WireTap } from './tap/wire.ts'

const OPEN_LIMIT = seconds(5)
const REQUEST_LIMIT = seconds(2)

/**
 * Modbus TCP: `modbus+tcp://host:502?unit=1`.
 *
 * Modbus has no greeting: `open` means that the far end takes connections, and the first request shows whether
 * it answers. Each request has a deadline of 2 s, and one that fails closes the link, because the library
 * neither reconnects nor notices a dead peer. An exception is an answer: it rejects with `refused` and the
 * exception's name in `got`, and the link stays open.
 */
export function makeModbusLink(url: string, clock: Clock, wire?: WireTap): RegisterLink {
  return new ModbusLink(url, clock, wire)
}

class ModbusLink implements RegisterLink {
  readonly url: string
  readonly #clock: Clock
  readonly #host: string
  readonly #port: number
  readonly #unit: number
  readonly #state: LinkState
  readonly #wire: WireTap | undefined
  #socket: Socket | undefined
  #client: ModbusClient | undefined

  constructor(url: string, clock: Clock, wire: WireTap | undefined) {
    this.url = url
    this.#clock = clock
    this.#wire = wire
    const { host, port, query } = parseLinkUrl(url, 'modbus+tcp', ['unit'], 502)
    this.#host = host
    this.#port = port
    this.#unit = numberOption(url, query, 'unit', 1, 0, 255)
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
    const { default: modbus } = await import('modbus-serial')
    // The socket is ours, so that its end is seen whatever the library's `isOpen` says.
    const socket = connect({ host: this.#host, port: this.#port, noDelay: true })
    this.#wire?.socket(socket)
    try {
      await this.#clock.within(`open ${this.url}`, OPEN_LIMIT, () => connected(socket), signal)
      const client = new modbus.default()
      client.on('error', () => undefined)
      client.setID(this.#unit)
      await client.linkTCP(socket, { port: this.#port })
      this.#client = client
    } catch (error) {
      socket.destroy()
      throw disconnected(this.url, sentence(error), error)
    }
    this.#socket = socket
    socket.on('error', (error) => this.#lose(socket, error.message))
    socket.on('close', () => this.#lose(socket, 'the far end closed the connection'))
    this.#state.set(true, 'open')
    if (socket.destroyed) this.#lose(socket, 'the far end closed the connection')
  }

  close(): Promise<void> {
    if (this.#socket !== undefined) this.#lose(this.#socket, 'closed')
    return Promise.resolve()
  }

  read(space: RegisterSpace, address: number, count: number, signal: AbortSignal): Promise<number[]> {
    return this.#request(`read ${space} ${address} x ${count}`, signal, (client) =>
      readRegisters(client, space, address, count)
    )
  }

  write(
    space: RegisterSpace,
    address: number,
    values: readonly number[],
    signal: AbortSignal
  ): Promise<void> {
    return this.#request(`write ${space} ${address} x ${values.length}`, signal, (client) =>
      writeRegisters(client, space, address, values)
    )
  }

  modify(): Promise<number> {
    return Promise.reject(noModify())
  }

  identification(signal: AbortSignal): Promise<readonly string[]> {
    return this.#request('identification (43/14)', signal, readIdentification)
  }

  async #request<T>(
    name: string,
    signal: AbortSignal,
    work: (client: ModbusClient) => Promise<T>
  ): Promise<T> {
    const socket = this.#socket
    try {
      return await this.#state.whileOpen(() =>
        this.#clock.within(`${this.url} ${name}`, REQUEST_LIMIT, () => work(this.#client!), signal)
      )
    } catch (error) {
      const failure = asModbusError(this.url, name, error)
      const isAnswer = failure.code === ErrorCode.refused || failure.code === ErrorCode.notPermitted
      if (!isAnswer && socket !== undefined) this.#lose(socket, failure.message)
      throw failure
    }
  }

  #lose(socket: Socket, why: string): void {
    if (socket !== this.#socket) return
    this.#socket = undefined
    this.#client = undefined
    socket.destroy()
    this.#state.set(false, why)
  }
}

function connected(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('connect', resolve)
    socket.on('error', reject)
  })
}
