import type { Clock } from '../../../core/clock.ts'
import { ErrorCode, isCode, sentence, SpillwayError } from '../../../core/errors.ts'
import { milliseconds, seconds } from '../../../core/units.ts'
import type { ByteLink } from '../../link/link.ts'
import { RequestQueue } from '../../link/request-queue.ts'
import { parseDone, parseIdentification, type Identification } from './answers.ts'
import { LineFramer } from './line-framer.ts'

/** A module answers within milliseconds; the longest answer takes 0.7 s at 9600 baud. */
const ANSWER_LIMIT = seconds(1)
/** answer, and before it resynchronisation where that is due */
const REQUEST_LIMIT = seconds(3)
/** No byte for this long: nothing is on the way any more (20 characters at 9600 baud). */
const QUIET = milliseconds(20)
const QUIET_WAIT_MAX = milliseconds(500)
/** Consecutive failures after which the supply is gone, whatever the line says: adapters hide an unplugged cable. */
const FAILURES_MAX = 3

/**
 * One line at a time over a byte link: a request in flight, answers without any number that says which request
 * they belong to. After a request that went wrong the port therefore resynchronises before the next one: it waits
 * for silence, asks `*IDN?` and drops every line until the identification comes. A module answers in order, so no
 * answer to an older request comes after that.
 *
 * Modules with `:CONF:SERIAL:ECHO 1` send every command back before its answer; the echo is recognised and dropped.
 */
export class ScpiPort {
  /** lines that came when none was asked for, and late ones */
  strayLines = 0
  readonly #link: ByteLink
  readonly #clock: Clock
  readonly #queue: RequestQueue
  readonly #onDead: (why: string) => void
  readonly #framer = new LineFramer()
  /** takes lines until it says that it has what it wants */
  #waiting: { take(line: string): boolean; reject(error: unknown): void } | undefined
  /** commands sent whose echo may still come, in order */
  #echoes: string[] = []
  #lastByteAt = 0
  #isDirty = false
  #failures = 0

  /** @param onDead called when the module has not answered several times in a row */
  constructor(id: string, link: ByteLink, clock: Clock, onDead: (why: string) => void) {
    this.#link = link
    this.#clock = clock
    this.#onDead = onDead
    this.#queue = new RequestQueue(id, clock)
    link.receive((bytes) => {
      this.#lastByteAt = clock.now()
      this.#framer.push(bytes, (line) => this.#take(line))
    })
    link.onState((isOpen, why) => {
      if (!isOpen) this.#waiting?.reject(new SpillwayError(ErrorCode.disconnected, `${id}: ${why}`))
    })
  }

  /** bytes that were no part of a line */
  get garbageBytes(): number {
    return this.#framer.garbageBytes
  }

  /** First exchange after opening: whatever is still on the line is dropped. */
  identify(signal: AbortSignal): Promise<Identification> {
    this.#failures = 0
    return this.#queue.run('*IDN?', REQUEST_LIMIT, (inner) => this.#resynchronise(inner), signal)
  }

  /** Asks, and asks once more when the answer is missing or senseless: reading changes nothing. */
  async query<T>(command: string, parse: (line: string) => T | undefined, signal: AbortSignal): Promise<T> {
    try {
      return await this.#run(command, parse, [], signal)
    } catch (error) {
      const isWorthRepeating = isCode(error, ErrorCode.timeout) || isCode(error, ErrorCode.protocol)
      if (!isWorthRepeating || !this.#link.isOpen) throw error
      return this.#run(command, parse, [], signal)
    }
  }

  /** Sends a command once, and resolves when the module says that it is done; what it did must be read back. */
  async command(command: string, signal: AbortSignal): Promise<void> {
    await this.#run('*OPC?', parseDone, [command], signal)
  }

  async #run<T>(
    question: string,
    parse: (line: string) => T | undefined,
    before: readonly string[],
    signal: AbortSignal
  ): Promise<T> {
    const name = [...before, question].join(' ')
    try {
      const value = await this.#queue.run(
        name,
        REQUEST_LIMIT,
        (inner) => this.#exchange(question, parse, before, inner),
        signal
      )
      this.#failures = 0
      return value
    } catch (error) {
      if (isCode(error, ErrorCode.timeout) || isCode(error, ErrorCode.protocol)) this.#failed(error)
      throw error
    }
  }

  async #exchange<T>(
    question: string,
    parse: (line: string) => T | undefined,
    before: readonly string[],
    signal: AbortSignal
  ): Promise<T> {
    if (this.#isDirty) await this.#resynchronise(signal)
    // until the answer is here, however this ends
    this.#isDirty = true
    this.#echoes = []
    this.#framer.reset()
    for (const command of before) await this.#send(command)
    const value = await this.#answer(question, parse, signal)
    this.#isDirty = false
    return value
  }

  /** Noise may come before the answer; only when nothing better comes is it the failure. */
  async #answer<T>(
    question: string,
    parse: (line: string) => T | undefined,
    signal: AbortSignal
  ): Promise<T> {
    let odd: string | undefined
    const pick = (line: string): T | undefined => {
      const value = parse(line)
      if (value === undefined) {
        this.strayLines++
        odd = line
      }
      return value
    }
    try {
      return await this.#ask(question, pick, signal)
    } catch (error) {
      if (odd === undefined || !isCode(error, ErrorCode.timeout)) throw error
      throw new SpillwayError(ErrorCode.protocol, `${question}: the answer makes no sense`, {
        request: question,
        got: odd
      })
    }
  }

  async #resynchronise(signal: AbortSignal): Promise<Identification> {
    this.#isDirty = true
    await this.#silence(signal)
    this.#framer.reset()
    this.#echoes = []
    const identification = await this.#answer('*IDN?', parseIdentification, signal)
    // The request that went wrong may have been this one: then its answer came first, and ours comes now.
    await this.#silence(signal)
    this.#isDirty = false
    return identification
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

  /** @param pick what the line is to the asker; undefined: not the one, another will come */
  #ask<T>(question: string, pick: (line: string) => T | undefined, signal: AbortSignal): Promise<T> {
    return this.#clock.within(
      `answer to ${question}`,
      ANSWER_LIMIT,
      async (inner) => {
        const answer = this.#nextLine(pick, inner)
        // the line may end before the write does; its rejection is the one that counts
        answer.catch(() => undefined)
        await this.#send(question)
        return answer
      },
      signal
    )
  }

  #nextLine<T>(pick: (line: string) => T | undefined, signal: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      const take = (line: string): boolean => {
        const found = pick(line)
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

  async #send(command: string): Promise<void> {
    this.#echoes.push(command)
    await this.#link.write(Buffer.from(`${command}\r\n`, 'latin1'))
  }

  #take(line: string): void {
    if (line === '') return
    if (line === this.#echoes[0]) {
      this.#echoes.shift()
      return
    }
    if (this.#waiting === undefined) this.strayLines++
    else if (this.#waiting.take(line)) this.#waiting = undefined
  }

  #failed(error: unknown): void {
    this.#failures++
    if (this.#failures >= FAILURES_MAX)
      this.#onDead(`no usable answer ${this.#failures} times in a row, the last time: ${sentence(error)}`)
  }
}
