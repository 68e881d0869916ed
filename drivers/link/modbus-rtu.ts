import { abortedError, type Clock, isAborted } from '../../core/clock.ts'
import { ErrorCode, isCode, SpillwayError } from '../../core/errors.ts'
import type { RegisterLink, RegisterSpace } from './link.ts'
import { LinkState } from './link-state.ts'
import { numberOption, parseLinkUrl } from './link-url.ts'
import {
  asModbusError,
  type ModbusClient,
  noModify,
  readIdentification,
  readRegisters,
  writeRegisters
} from './modbus-requests.ts'
import { RtuBus } from './modbus-rtu-bus.ts'

const SCHEME = 'modbus+serial'
const LINE_OPTIONS = ['baudRate', 'dataBits', 'stopBits', 'parity'] as const

/**
 * Makes links of Modbus RTU: `modbus+serial:///dev/ttyUSB0?baudRate=9600&unit=1`, further options as of `serial://`.
 * Links with one path share one bus, on which one request is under way at a time; they must agree on the line.
 *
 * `open` means that the line is there; the first request shows whether the unit answers. Silence (1 s) rejects with
 * `timeout` and closes the link of this unit, not the bus. A damaged reply rejects with `protocol` and leaves the link
 * open; a read is tried once more before. An exception rejects with `refused`, as over TCP.
 */
export function makeRtuLinks(clock: Clock): (url: string) => RegisterLink {
  const buses = new Map<string, RtuBus>()
  return (url) => {
    const { host, path, query } = parseLinkUrl(url, SCHEME, ['unit', ...LINE_OPTIONS])
    if (host !== '')
      throw new SpillwayError(ErrorCode.configuration, `${url}: a serial line has no host`, {
        hint: `three slashes before an absolute path: ${SCHEME}:///dev/ttyUSB0`
      })
    const unit = numberOption(url, query, 'unit', 1, 1, 247)
    const options = LINE_OPTIONS.flatMap((key) => (query[key] === undefined ? [] : [`${key}=${query[key]}`]))
    const lineUrl = `serial://${path}?${options.join('&')}`
    const bus = buses.get(path) ?? new RtuBus(lineUrl, clock)
    if (bus.lineUrl !== lineUrl)
      throw new SpillwayError(
        ErrorCode.configuration,
        `${url}: another unit of this line has other settings`,
        {
          expected: bus.lineUrl,
          got: lineUrl,
          hint: 'all units of a line have one speed and format'
        }
      )
    buses.set(path, bus)
    return new RtuLink(url, unit, bus)
  }
}

class RtuLink implements RegisterLink {
  readonly url: string
  readonly #unit: number
  readonly #bus: RtuBus
  readonly #state: LinkState
  /** the same function at every opening: the bus knows the link by it */
  readonly #onLost = (why: string): void => this.#lose(why)
  /** ends what waits for its turn on the bus when the link goes: nothing is asked later for a link that was down */
  #opening = new AbortController()

  constructor(url: string, unit: number, bus: RtuBus) {
    this.url = url
    this.#unit = unit
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
    if (this.#state.isOpen) return
    if (isAborted(signal)) throw abortedError(this.url, signal)
    await this.#bus.join(this.#onLost)
    if (isAborted(signal)) {
      await this.#bus.leave(this.#onLost)
      throw abortedError(this.url, signal)
    }
    this.#opening = new AbortController()
    this.#state.set(true, 'open')
  }

  async close(): Promise<void> {
    this.#state.set(false, 'closed')
    this.#opening.abort()
    await this.#bus.leave(this.#onLost)
  }

  async read(space: RegisterSpace, address: number, count: number, signal: AbortSignal): Promise<number[]> {
    const once = (): Promise<number[]> =>
      this.#request(`read ${space} ${address} x ${count}`, signal, (client) =>
        readRegisters(client, space, address, count)
      )
    try {
      return await once()
    } catch (error) {
      if (!isCode(error, ErrorCode.protocol) || !this.isOpen) throw error
      return once()
    }
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
    const wanted = AbortSignal.any([signal, this.#opening.signal])
    try {
      return await this.#state.whileOpen(() => this.#bus.request(this.#unit, name, work, wanted))
    } catch (error) {
      const failure = asModbusError(this.url, name, error)
      if (failure.code === ErrorCode.timeout) this.#lose(failure.message)
      throw failure
    }
  }

  #lose(why: string): void {
    this.#state.set(false, why)
    this.#opening.abort()
    void this.#bus.leave(this.#onLost)
  }
}
