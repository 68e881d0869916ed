import { abortedError, type Clock } from '../../core/clock.ts'
import { hex32 } from '../../core/bytes.ts'
import { ErrorCode, isCode, SpillwayError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { milliseconds } from '../../core/units.ts'
import { LinkState } from './link-state.ts'
import type { RegisterLink, RegisterSpace } from './link.ts'

export type MemoryRegisterRefusal =
  'illegal-function' | 'illegal-address' | 'illegal-value' | 'device-failure' | 'silent'

/** What stands at the connector of a device in the same process; a simulated device's face has this shape. */
export interface MemoryRegisterFace {
  read(space: RegisterSpace, address: number, count: number): number[] | MemoryRegisterRefusal
  write(space: RegisterSpace, address: number, values: readonly number[]): undefined | MemoryRegisterRefusal
}

/** as long as the real links bear silence before they call the device gone */
const SILENCE_MS = limits.ipbusReplyMs * limits.ipbusRounds * 2

/**
 * A register link without a wire. A face that stays `silent` ends as on the wire: the request waits for its
 * signal, and without one the link goes down with `timeout`.
 */
export function makeMemoryRegisterLink(url: string, face: MemoryRegisterFace, clock: Clock): RegisterLink {
  return new MemoryRegisterLink(url, face, clock)
}

class MemoryRegisterLink implements RegisterLink {
  readonly url: string
  readonly #face: MemoryRegisterFace
  readonly #clock: Clock
  readonly #state: LinkState

  constructor(url: string, face: MemoryRegisterFace, clock: Clock) {
    this.url = url
    this.#face = face
    this.#clock = clock
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
    await Promise.resolve()
    if (signal.aborted) throw abortedError(this.url, signal)
    this.#state.set(true, 'connected')
  }

  close(): Promise<void> {
    this.#state.set(false, 'closed by us')
    return Promise.resolve()
  }

  read(space: RegisterSpace, address: number, count: number, signal: AbortSignal): Promise<number[]> {
    return this.#request('read', address, signal, () => this.#face.read(space, address, count))
  }

  async write(
    space: RegisterSpace,
    address: number,
    values: readonly number[],
    signal: AbortSignal
  ): Promise<void> {
    await this.#request('write', address, signal, () => this.#face.write(space, address, values) ?? [])
  }

  async modify(address: number, and: number, or: number, signal: AbortSignal): Promise<number> {
    const before = await this.#request('modify', address, signal, () => {
      const old = this.#face.read('bus', address, 1)
      if (typeof old === 'string') return old
      return this.#face.write('bus', address, [((old[0]! & and) | or) >>> 0]) ?? old
    })
    return before[0]!
  }

  async #request(
    verb: string,
    address: number,
    signal: AbortSignal,
    work: () => number[] | MemoryRegisterRefusal
  ): Promise<number[]> {
    const name = `${this.url}: ${verb} at ${hex32(address)}`
    try {
      return await this.#state.whileOpen(async () => {
        if (signal.aborted) throw abortedError(name, signal)
        // as on a wire, nothing is answered before the caller awaits
        await Promise.resolve()
        const answer = work()
        if (answer === 'silent') return await this.#silence(name, signal)
        if (typeof answer === 'string')
          throw new SpillwayError(ErrorCode.refused, `${name} was refused`, { got: answer })
        return answer
      })
    } catch (error) {
      if (isCode(error, ErrorCode.timeout)) this.#state.set(false, error.message)
      throw error
    }
  }

  async #silence(name: string, signal: AbortSignal): Promise<never> {
    await this.#clock.sleep(`${name}: no answer`, milliseconds(SILENCE_MS), signal)
    throw new SpillwayError(ErrorCode.timeout, `${name}: no answer within ${SILENCE_MS} ms`)
  }
}
