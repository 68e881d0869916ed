import type { Clock } from '../../../core/clock.ts'
import { ErrorCode, isCode, SpillwayError } from '../../../core/errors.ts'
import { milliseconds, seconds } from '../../../core/units.ts'
import type { ByteLink } from '../../link/link.ts'
import { RequestQueue } from '../../link/request-queue.ts'
import { type Complaint, isLineTrouble, type MeasuringMode, parseComplaint, parseMode } from './answers.ts'
import { LineFramer } from './line-framer.ts'

/** The device measures ten times a second and answers between two measurements. */
const ANSWER_LIMIT = seconds(1)
/** answer, and before it resynchronisation where that is due */
const REQUEST_LIMIT = seconds(3)
/** No byte for this long: nothing is on the way (20 characters at 9600 baud). */
const QUIET = milliseconds(20)
const QUIET_WAIT_MAX = milliseconds(500)

/** A value, or what the device says instead. */
export type Answer<T> = { readonly value: T } | { readonly complaint: Complaint }

/**
 * One question at a time over a byte link. Answers carry nothing that says which question they belong to; after one
 * that went wrong the port waits for silence, asks `IG`, whose answer looks like no other, and drops what comes before it.
 */
export class TeslameterPort {
  /** lines that were no answer to what was asked */
  strayLines = 0
  readonly #link: ByteLink
  readonly #clock: Clock
  readonly #queue: RequestQueue
  readonly #framer = new LineFramer()
  #command = ''
  #waiting: { take(line: string): boolean; reject(error: unknown): void } | undefined
  #lastByteAt = Number.NEGATIVE_INFINITY
  #isDirty = true

  constructor(id: string, link: ByteLink, clock: Clock) {
    this.#link = link
    this.#clock = clock
    this.#queue = new RequestQueue(id, clock)
    link.receive((bytes) => {
      this.#lastByteAt = clock.now()
      this.#framer.push(bytes, (line) => this.#take(line))
    })
    link.onState((isOpen, why) => {
      this.#isDirty = true
      if (!isOpen) this.#waiting?.reject(new SpillwayError(ErrorCode.disconnected, `${id}: ${why}`))
    })
  }

  /** bytes that were no part of a line */
  get garbageBytes(): number {
    return this.#framer.garbageBytes
  }

  mode(signal: AbortSignal): Promise<Answer<MeasuringMode>> {
    return this.ask('IG', parseMode, signal)
  }

  /** Asks, and asks once more when the answer is missing or senseless: reading changes nothing. */
  async ask<T>(
    command: string,
    parse: (line: string) => T | undefined,
    signal: AbortSignal
  ): Promise<Answer<T>> {
    const once = (): Promise<Answer<T>> =>
      this.#queue.run(command, REQUEST_LIMIT, (inner) => this.#exchange(command, parse, inner), signal)
    try {
      return await once()
    } catch (error) {
      if (!isCode(error, ErrorCode.protocol) || !this.#link.isOpen) throw error
      return once()
    }
  }

  async #exchange<T>(
    command: string,
    parse: (line: string) => T | undefined,
    signal: AbortSignal
  ): Promise<Answer<T>> {
    if (this.#isDirty) {
      await this.#silence(signal)
      this.#framer.reset()
      await this.#answer('IG', parseMode, signal)
    }
    // until the answer is here, however this ends
    this.#isDirty = true
    const answer = await this.#answer(command, parse, signal)
    this.#isDirty = false
    return answer
  }

  /** Noise may come before the answer; only when nothing better comes is it the failure. */
  async #answer<T>(
    command: string,
    parse: (line: string) => T | undefined,
    signal: AbortSignal
  ): Promise<Answer<T>> {
    let odd: string | undefined
    const garbageBefore = this.garbageBytes
    const pick = (line: string): Answer<T> | undefined => {
      const value = parse(line)
      if (value !== undefined) return { value }
      const complaint = parseComplaint(line)
      if (complaint !== undefined) return { complaint }
      this.strayLines++
      odd = line
      return undefined
    }
    try {
      const answer = await this.#clock.within(
        `answer to ${command}`,
        ANSWER_LIMIT,
        (inner) => this.#send(command, pick, inner),
        signal
      )
      if ('value' in answer || !isLineTrouble(answer.complaint)) return answer
      throw new SpillwayError(ErrorCode.protocol, `${command}: the question arrived broken`, {
        request: command,
        got: answer.complaint
      })
    } catch (error) {
      if (this.garbageBytes > garbageBefore) odd ??= `${this.garbageBytes - garbageBefore} bytes of garbage`
      if (odd === undefined || !isCode(error, ErrorCode.timeout)) throw error
      throw new SpillwayError(ErrorCode.protocol, `${command}: the answer makes no sense`, {
        request: command,
        got: odd
      })
    }
  }

  async #send<T>(command: string, pick: (line: string) => T | undefined, signal: AbortSignal): Promise<T> {
    const answer = Promise.withResolvers<T>()
    // the answer may be given up before the write ends; the rejection of the write is the one that counts
    answer.promise.catch(() => undefined)
    const waiting = {
      take: (line: string): boolean => {
        const found = pick(line)
        if (found !== undefined) answer.resolve(found)
        return found !== undefined
      },
      reject: (error: unknown) => answer.reject(error)
    }
    this.#command = command
    this.#waiting = waiting
    const stop = (): void => {
      if (this.#waiting === waiting) this.#waiting = undefined
    }
    signal.addEventListener('abort', stop, { once: true })
    await this.#link.write(Buffer.from(`${command}\r`, 'latin1'))
    return answer.promise
  }

  async #silence(signal: AbortSignal): Promise<void> {
    const until = this.#clock.now() + QUIET_WAIT_MAX
    for (;;) {
      const now = this.#clock.now()
      const rest = this.#lastByteAt + QUIET - now
      if (rest < 1 || now >= until) return
      await this.#clock.sleep('silence on the line', rest, signal)
    }
  }

  /** A loop sends the command back, as a line of its own or before the answer, which begins with a space. */
  #take(line: string): void {
    if (line === this.#command) return
    const answer = line.startsWith(`${this.#command} `) ? line.slice(this.#command.length) : line
    if (this.#waiting === undefined) this.strayLines++
    else if (this.#waiting.take(answer)) this.#waiting = undefined
  }
}
