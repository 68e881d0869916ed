import { createSocket, type Socket } from 'node:dgram'
import { hex32 } from '../../core/bytes.ts'
import { abortedError, type Clock, isAborted } from '../../core/clock.ts'
import { assert, ErrorCode, isCode, sentence, SpillwayError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { milliseconds, seconds } from '../../core/units.ts'
import {
  controlHeader,
  decodeControl,
  decodeStatus,
  encodeControl,
  followingId,
  packetsFor,
  resendRequest,
  STATUS_HEADER,
  statusRequest,
  type TargetStatus,
  type Transaction,
  wordsOf
} from './ipbus-packet.ts'
import { disconnected, LinkState } from './link-state.ts'
import { parseLinkUrl } from './link-url.ts'
import type { RegisterLink, RegisterSpace } from './link.ts'
import { RequestQueue } from './request-queue.ts'
import type { WireConnection, WireTap } from './tap/wire.ts'

export interface IpbusOptions {
  /** wait for one reply */
  readonly replyMs?: number
  /** unanswered rounds (packet and status request) before the target counts as gone */
  readonly rounds?: number
}

const DEFAULT_PORT = 50001
/** registers of one call; the whole map of a board is far below */
const REGISTERS_MAX = 65536
/** a request is bounded by its rounds; this bound is for a device that answers, but only just */
const REQUEST_BOUND = seconds(60)

/**
 * IPbus 2.0 over UDP, `ipbus+udp://host:port`, as docs/hardware/ipbus.md says. One packet is in flight. A
 * caller who gives up does not stop the packet that is on its way: its fate is settled before the next one is
 * sent, so that ids agree and every write happens once. A target that started again takes the link down,
 * because its registers are no longer what the driver wrote.
 */
export function makeIpbusLink(
  url: string,
  clock: Clock,
  options: IpbusOptions = {},
  wire?: WireTap
): RegisterLink {
  return new IpbusLink(url, clock, options, wire)
}

/** One opening of the link: what ends with it. */
interface Opening {
  readonly socket: Socket
  readonly end: AbortController
  /** who listens to the datagrams, from when the socket has its addresses */
  tap: WireConnection | undefined
  nextId: number
  /** why it ended */
  why: string
  awaited: { readonly header: number; readonly resolve: (words: number[]) => void } | undefined
}

class IpbusLink implements RegisterLink {
  readonly url: string
  readonly #host: string
  readonly #port: number
  readonly #clock: Clock
  readonly #replyNs: number
  readonly #rounds: number
  readonly #state: LinkState
  readonly #queue: RequestQueue
  readonly #wire: WireTap | undefined
  #opening: Opening | undefined

  constructor(url: string, clock: Clock, options: IpbusOptions, wire: WireTap | undefined) {
    const { host, port } = parseLinkUrl(url, 'ipbus+udp', [], DEFAULT_PORT)
    this.url = url
    this.#host = host
    this.#port = port
    this.#clock = clock
    this.#replyNs = milliseconds(options.replyMs ?? limits.ipbusReplyMs)
    this.#rounds = options.rounds ?? limits.ipbusRounds
    this.#state = new LinkState(url)
    this.#queue = new RequestQueue(url, clock)
    this.#wire = wire
  }

  get isOpen(): boolean {
    return this.#state.isOpen
  }

  onState(listener: (isOpen: boolean, why: string) => void): () => void {
    return this.#state.onState(listener)
  }

  async open(signal: AbortSignal): Promise<void> {
    if (this.isOpen) return
    assert(this.#opening === undefined, `${this.url} is opened twice at once`)
    if (signal.aborted) throw abortedError(this.url, signal)
    const opening: Opening = {
      socket: createSocket(this.#host.includes(':') ? 'udp6' : 'udp4'),
      end: new AbortController(),
      tap: undefined,
      nextId: 1,
      why: 'the link went down',
      awaited: undefined
    }
    this.#opening = opening
    const giveUp = (): void => opening.end.abort()
    signal.addEventListener('abort', giveUp, { once: true })
    try {
      await this.#connect(opening)
      for (let round = 0; round < this.#rounds; round++) {
        const status = await this.#status(opening)
        if (status === undefined) continue
        opening.nextId = status.nextId
        this.#state.set(true, `connected, next packet ${status.nextId}`)
        return
      }
      throw new SpillwayError(ErrorCode.timeout, `${this.url}: nobody answers`, {
        request: 'status packet',
        hint: 'is the device on, and is the address right?'
      })
    } catch (error) {
      this.#lose(opening, sentence(error))
      throw isAborted(signal) ? abortedError(this.url, signal) : error
    } finally {
      signal.removeEventListener('abort', giveUp)
    }
  }

  async close(): Promise<void> {
    const opening = this.#opening
    if (opening === undefined) return
    const closed = new Promise<void>((resolve) => opening.socket.once('close', () => resolve()))
    this.#lose(opening, 'closed by us')
    await closed
  }

  read(space: RegisterSpace, address: number, count: number, signal: AbortSignal): Promise<number[]> {
    return this.#request(space, { type: 'read', address, count }, signal)
  }

  async write(
    space: RegisterSpace,
    address: number,
    values: readonly number[],
    signal: AbortSignal
  ): Promise<void> {
    await this.#request(space, { type: 'write', address, values }, signal)
  }

  async modify(address: number, and: number, or: number, signal: AbortSignal): Promise<number> {
    const before = await this.#request('bus', { type: 'modify', address, and, or }, signal)
    return before[0]!
  }

  async #request(space: RegisterSpace, whole: Transaction, signal: AbortSignal): Promise<number[]> {
    const name = `${this.url}: ${whole.type} at ${hex32(whole.address)}`
    if (space !== 'bus')
      throw new SpillwayError(ErrorCode.usage, `${name}: IPbus has one space, bus, and no ${space} registers`)
    const packets = packetsFor(whole)
    assert(packets.flat().length * 255 <= REGISTERS_MAX, `${name}: too many registers`)
    const opening = this.#opening
    if (opening === undefined || !this.isOpen) throw disconnected(this.url, 'the link is not open')
    const work = async (): Promise<number[]> => {
      const values: number[] = []
      for (const packet of packets) {
        // its caller went while it waited: never sent
        if (isAborted(signal)) throw abortedError(name, signal)
        values.push(...(await this.#exchange(opening, name, packet)))
      }
      return values
    }
    // the caller's signal ends the wait, not the exchange
    const inTurn = (): Promise<number[]> => this.#queue.run(whole.type, REQUEST_BOUND, work)
    return this.#clock.within(name, REQUEST_BOUND, inTurn, signal)
  }

  /** Brings one packet to the target and its reply back, whatever is lost on the way. */
  async #exchange(opening: Opening, name: string, transactions: readonly Transaction[]): Promise<number[]> {
    const id = opening.nextId
    const packet = encodeControl(id, transactions)
    let next = packet
    for (let round = 0; round < this.#rounds; round++) {
      const reply = await this.#ask(opening, next, controlHeader(id))
      if (reply !== undefined) {
        opening.nextId = followingId(id)
        return this.#valuesOf(name, reply, transactions)
      }
      const status = await this.#status(opening)
      // the same id again does no harm: the target takes it only when it did not take it before
      if (status === undefined || status.nextId === id) next = packet
      else if (status.nextId === followingId(id)) next = resendRequest(id)
      else {
        const why = `the target was started again (expects packet ${status.nextId}, not ${id})`
        this.#lose(opening, why)
        throw new SpillwayError(ErrorCode.disconnected, `${name}: ${why}`, {
          hint: 'nobody knows whether it was done; connect again and write the settings anew'
        })
      }
    }
    const why = `no answer in ${this.#rounds} rounds`
    this.#lose(opening, why)
    throw new SpillwayError(ErrorCode.timeout, `${name}: ${why}; the link is down`)
  }

  #valuesOf(name: string, reply: readonly number[], transactions: readonly Transaction[]): number[] {
    const answer = decodeControl(reply, transactions)
    switch (answer.kind) {
      case 'done':
        return answer.values
      case 'refused':
        throw new SpillwayError(
          ErrorCode.refused,
          `${this.url}: ${answer.text} at address ${hex32(answer.address)}`,
          { request: name, got: `info code ${answer.info}` }
        )
      case 'malformed':
        throw new SpillwayError(ErrorCode.protocol, `${name}: the reply is not one to this request`, {
          expected: answer.expected,
          got: answer.got
        })
    }
  }

  async #status(opening: Opening): Promise<TargetStatus | undefined> {
    const reply = await this.#ask(opening, statusRequest(), STATUS_HEADER)
    return reply === undefined ? undefined : decodeStatus(reply)
  }

  /** Sends a packet and waits for the reply with that header; undefined when none comes in time. */
  async #ask(opening: Opening, packet: Uint8Array, header: number): Promise<number[] | undefined> {
    if (this.#opening !== opening) throw disconnected(this.url, opening.why)
    const reply = new Promise<number[]>((resolve) => (opening.awaited = { header, resolve }))
    opening.tap?.bytes('out', packet)
    opening.socket.send(packet, (error) => {
      if (error) this.#lose(opening, unreachable(error))
    })
    try {
      return await this.#clock.within(`${this.url}: reply`, this.#replyNs, () => reply, opening.end.signal)
    } catch (error) {
      if (isCode(error, ErrorCode.timeout)) return undefined
      throw disconnected(this.url, opening.why, error)
    } finally {
      opening.awaited = undefined
    }
  }

  #connect(opening: Opening): Promise<void> {
    const { socket } = opening
    socket.on('message', (bytes) => {
      opening.tap?.bytes('in', bytes)
      const words = wordsOf(bytes)
      const { awaited } = opening
      // anything else is late, repeated or damaged, and the target is asked again
      if (words !== undefined && awaited !== undefined && words[0] === awaited.header) awaited.resolve(words)
    })
    return new Promise((resolve, reject) => {
      opening.end.signal.addEventListener('abort', () => reject(disconnected(this.url, opening.why)), {
        once: true
      })
      socket.on('error', (error) => this.#lose(opening, unreachable(error)))
      socket.connect(this.#port, this.#host, () => {
        const [from, to] = [socket.address(), socket.remoteAddress()]
        opening.tap = this.#wire?.open({
          protocol: 'udp',
          local: [from.address, from.port],
          remote: [to.address, to.port]
        })
        resolve()
      })
    })
  }

  #lose(opening: Opening, why: string): void {
    if (this.#opening !== opening) return
    this.#opening = undefined
    opening.why = why
    opening.end.abort()
    opening.socket.close()
    opening.tap?.closed()
    this.#state.set(false, why)
  }
}

/** A connected UDP socket hears when nobody listens at the port. */
function unreachable(error: Error): string {
  return `${error.message}: nobody listens there`
}
