import type { Clock } from '../../../core/clock.ts'
import { ErrorCode, isCode, SpillwayError } from '../../../core/errors.ts'
import { milliseconds, seconds } from '../../../core/units.ts'
import type { ByteLink } from '../../link/link.ts'
import { RequestQueue } from '../../link/request-queue.ts'
import { ReplyFramer } from './reply-framer.ts'
import { parseModel, parseReply, type Reply, type ReplyError } from './reply.ts'

/** A board answers within 50 ms; a board that is not there never does. */
const REPLY_LIMIT = seconds(1)
/** reply, and before it resynchronisation where that is due */
const REQUEST_LIMIT = seconds(3)
/** No byte for this long: nothing is on the way any more. */
const QUIET = milliseconds(30)
const QUIET_WAIT_MAX = milliseconds(500)

/** Where a parameter lives; `channel` undefined: on the board itself. */
export interface Place {
  readonly board: number
  readonly channel?: number
}

/**
 * One request at a time over the line that a chain of boards shares. A reply names its board but neither channel nor
 * parameter: after a request that went wrong, the next reply of that board may belong to it. Such a board is asked
 * for its name first, whose form no other value has, and everything that it says before is dropped: a board answers in
 * order. Replies of other boards are told apart by their number, so one silent board costs the others nothing but time.
 */
export class CaenPort {
  /** replies that came when none was asked for, and late ones */
  strayReplies = 0
  readonly #id: string
  readonly #link: ByteLink
  readonly #clock: Clock
  readonly #queue: RequestQueue
  readonly #framer = new ReplyFramer()
  /** boards whose next reply may belong to an older request */
  readonly #dirty = new Set<number>()
  /** takes replies until it says that it has what it wants */
  #waiting: { take(reply: Reply): boolean; reject(error: unknown): void } | undefined
  #lastByteAt = 0

  constructor(id: string, link: ByteLink, clock: Clock) {
    this.#id = id
    this.#link = link
    this.#clock = clock
    this.#queue = new RequestQueue(id, clock)
    link.receive((bytes) => {
      this.#lastByteAt = clock.now()
      this.#framer.push(bytes, (line) => this.#take(line))
    })
    link.onState((isOpen, why) => {
      if (!isOpen) this.#waiting?.reject(new SpillwayError(ErrorCode.disconnected, `${id}: ${why}`))
    })
  }

  /** bytes that were no part of a reply */
  get garbageBytes(): number {
    return this.#framer.garbageBytes
  }

  /** The board's model; whatever else it still had to say is dropped. */
  identify(board: number, signal: AbortSignal): Promise<string> {
    return this.#queue.run(
      `name of board ${board}`,
      REQUEST_LIMIT,
      (inner) => this.#resynchronise(board, inner),
      signal
    )
  }

  /** Asks for a value, and once more when the reply is missing or senseless: reading changes nothing. */
  async monitor<T>(
    place: Place,
    parameter: string,
    parse: (value: string) => T | undefined,
    signal: AbortSignal
  ): Promise<T> {
    const request = requestLine(place, 'MON', parameter)
    const ask = (): Promise<T> =>
      this.#run(place.board, request, (value) => (value === undefined ? undefined : parse(value)), signal)
    try {
      return await ask()
    } catch (error) {
      const isWorthRepeating = isCode(error, ErrorCode.timeout) || isCode(error, ErrorCode.protocol)
      if (!isWorthRepeating || !this.#link.isOpen) throw error
      return ask()
    }
  }

  /** Sends once, and resolves when the board has confirmed; what it did must be read back. */
  async set(place: Place, parameter: string, value: string | undefined, signal: AbortSignal): Promise<void> {
    const request = requestLine(place, 'SET', parameter, value)
    await this.#run(place.board, request, (said) => (said === undefined ? true : undefined), signal)
  }

  async #run<T>(
    board: number,
    request: string,
    pick: (value: string | undefined) => T | undefined,
    signal: AbortSignal
  ): Promise<T> {
    const outcome = await this.#queue.run(
      request,
      REQUEST_LIMIT,
      async (inner) => {
        if (this.#dirty.has(board)) await this.#resynchronise(board, inner)
        return this.#ask(board, request, pick, inner)
      },
      signal
    )
    if ('error' in outcome) throw this.#refusal(outcome.error, board, request)
    return outcome.value
  }

  async #resynchronise(board: number, signal: AbortSignal): Promise<string> {
    await this.#silence(signal)
    const request = requestLine({ board }, 'MON', 'BDNAME')
    const outcome = await this.#ask(
      board,
      request,
      (value) => (value === undefined ? undefined : parseModel(value)),
      signal,
      true
    )
    if ('error' in outcome) throw this.#refusal(outcome.error, board, request)
    // The request that went wrong may have been this one: then its reply came first, and ours comes now.
    await this.#silence(signal)
    return outcome.value
  }

  /** The board is dirty until its reply is here, however this ends. */
  async #ask<T>(
    board: number,
    request: string,
    pick: (value: string | undefined) => T | undefined,
    signal: AbortSignal,
    isSynchronising = false
  ): Promise<{ readonly value: T } | { readonly error: ReplyError }> {
    this.#dirty.add(board)
    let odd: string | undefined
    const choose = (reply: Reply): { value: T } | { error: ReplyError } | undefined => {
      if (reply.board !== board) return undefined
      // an older request's refusal says nothing about this one
      if (reply.error !== undefined) return isSynchronising ? undefined : { error: reply.error }
      const value = pick(reply.value)
      if (value === undefined) odd = reply.value ?? 'OK without a value'
      return value === undefined ? undefined : { value }
    }
    try {
      const outcome = await this.#clock.within(
        `reply to ${request}`,
        REPLY_LIMIT,
        async (inner) => {
          const reply = this.#nextReply(choose, inner)
          // the line may end before the write does; its rejection is the one that counts
          reply.catch(() => undefined)
          await this.#link.write(Buffer.from(`${request}\r\n`, 'latin1'))
          return reply
        },
        signal
      )
      this.#dirty.delete(board)
      return outcome
    } catch (error) {
      if (!isCode(error, ErrorCode.timeout)) throw error
      throw this.#unanswered(board, request, odd, error)
    }
  }

  #nextReply<T>(choose: (reply: Reply) => T | undefined, signal: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      const take = (reply: Reply): boolean => {
        const found = choose(reply)
        if (found !== undefined) resolve(found)
        return found !== undefined
      }
      const mine = { take, reject }
      this.#waiting = mine
      const stop = (): void => {
        if (this.#waiting === mine) this.#waiting = undefined
      }
      signal.addEventListener('abort', stop, { once: true })
    })
  }

  async #silence(signal: AbortSignal): Promise<void> {
    const until = this.#clock.now() + QUIET_WAIT_MAX
    for (;;) {
      const now = this.#clock.now()
      const rest = this.#lastByteAt + QUIET - now
      if (rest <= 0 || now >= until) return
      await this.#clock.sleep('silence on the line', rest, signal)
    }
  }

  #take(line: string): void {
    const reply = parseReply(line)
    if (reply !== undefined && this.#waiting?.take(reply) === true) this.#waiting = undefined
    else this.strayReplies++
  }

  #unanswered(board: number, request: string, odd: string | undefined, cause: unknown): SpillwayError {
    const details = { device: this.#id, request, cause }
    if (odd !== undefined)
      return new SpillwayError(
        ErrorCode.protocol,
        `${this.#id}: the reply of board ${board} makes no sense`,
        {
          ...details,
          got: odd
        }
      )
    return new SpillwayError(ErrorCode.timeout, `${this.#id}: board ${board} is silent`, {
      ...details,
      hint: 'it is off, not cabled, or has another number: look at its panel'
    })
  }

  #refusal(error: ReplyError, board: number, request: string): SpillwayError {
    const [code, what, hint] = REFUSALS[error]
    return new SpillwayError(code, `${this.#id}: board ${board} ${what}`, {
      device: this.#id,
      request,
      got: `${error}:ERR`,
      hint
    })
  }
}

const REFUSALS: Readonly<Record<ReplyError, readonly [ErrorCode, string, string]>> = {
  CMD: [ErrorCode.protocol, 'does not understand the request', 'its firmware speaks another dialect'],
  CH: [ErrorCode.notFound, 'has no such channel', 'compare the channels in devices.yaml with the module'],
  PAR: [ErrorCode.notFound, 'has no such parameter', 'its firmware is older than this driver expects'],
  VAL: [ErrorCode.refused, 'refuses the value', 'it is outside the limits of the module'],
  LOC: [
    ErrorCode.notPermitted,
    'is in LOCAL mode and takes no commands',
    'somebody must switch it to REMOTE on its front panel; then try again'
  ]
}

/** `$BD:00,CMD:SET,CH:1,PAR:VSET,VAL:100.0`, without the end of the line */
export function requestLine(
  { board, channel }: Place,
  command: 'MON' | 'SET',
  parameter: string,
  value?: string
): string {
  const fields = [`$BD:${String(board).padStart(2, '0')}`, `CMD:${command}`]
  if (channel !== undefined) fields.push(`CH:${channel}`)
  fields.push(`PAR:${parameter}`)
  if (value !== undefined) fields.push(`VAL:${value}`)
  return fields.join(',')
}
