import { EventEmitter } from 'node:events'
import type { Clock } from '../../core/clock.ts'
import { ErrorCode, isCode, SpillwayError } from '../../core/errors.ts'
import { type DurationNs, milliseconds, seconds } from '../../core/units.ts'
import type { ByteLink } from './link.ts'
import { numberOption, parseLinkUrl } from './link-url.ts'
import type { ModbusClient } from './modbus-requests.ts'
import { findRtuReply, RTU_FRAME_BYTES_MAX } from './modbus-rtu-frame.ts'
import { RequestQueue } from './request-queue.ts'
import { makeSerialLink } from './serial.ts'

const REPLY_LIMIT = seconds(1)
/** reply and the silence before the request */
const REQUEST_LIMIT = seconds(2)
/** Adapters hand bytes over in lumps up to 16 ms apart; a reply with a longer hole in it has ended. */
const REPLY_QUIET_MIN = milliseconds(20)
/** Above 19200 baud the silence between frames does not shrink any more (Modbus over serial line 1.02, 2.5.1.1). */
const FRAME_SILENCE_MIN = milliseconds(1.75)
const BUFFER_BYTES_MAX = 2 * RTU_FRAME_BYTES_MAX

interface Exchange {
  readonly unit: number
  readonly code: number
  readonly reject: (error: SpillwayError) => void
}

const never = new AbortController().signal

/**
 * One serial line with Modbus RTU on it: who uses it, one request at a time, silence between frames. The library makes
 * requests and reads replies; frames are found here, because its own port keeps the rest of a damaged reply, which then
 * stands before every later one.
 *
 * A reply carries no number. After a request without a reply the same unit is therefore left alone for the time that
 * a late one may take, or until it came; other units go on.
 */
export class RtuBus {
  readonly lineUrl: string
  /** frames and bytes that nobody waited for */
  strayBytes = 0
  readonly #clock: Clock
  readonly #line: ByteLink
  readonly #queue: RequestQueue
  readonly #silence: DurationNs
  readonly #users = new Set<(why: string) => void>()
  readonly #port = Object.assign(new EventEmitter(), {
    isOpen: true,
    open: (done: () => void) => done(),
    write: (bytes: Uint8Array) => this.#write(bytes)
  })
  /** unit -> until when a late reply of it may come */
  readonly #owed = new Map<number, number>()
  #client: ModbusClient | undefined
  #exchange: Exchange | undefined
  #buffer: Uint8Array = new Uint8Array(0)
  /** who answered instead, in this exchange */
  readonly #strangers: number[] = []
  #lastByteAt = Number.NEGATIVE_INFINITY
  #isWatchingSilence = false
  #changing: Promise<void> = Promise.resolve()

  constructor(lineUrl: string, clock: Clock) {
    this.lineUrl = lineUrl
    this.#clock = clock
    this.#line = makeSerialLink(lineUrl, clock)
    this.#queue = new RequestQueue(lineUrl, clock)
    this.#silence = frameSilence(lineUrl)
    this.#line.receive((bytes) => this.#receive(bytes))
    this.#line.onState((isOpen, why) => {
      if (!isOpen) this.#lost(why)
    })
  }

  /** Opens the line for its first user. `onLost` is called once, when the line goes. */
  join(onLost: (why: string) => void): Promise<void> {
    return this.#change(async () => {
      await this.#line.open(never)
      if (this.#client === undefined) {
        const { default: modbus } = await import('modbus-serial')
        this.#client = new modbus.default(this.#port)
        this.#client.on('error', () => undefined)
        this.#client.open(() => undefined)
      }
      this.#users.add(onLost)
    })
  }

  /** Closes the line after its last user. Does nothing for who is no user. */
  leave(onLost: (why: string) => void): Promise<void> {
    return this.#change(async () => {
      this.#users.delete(onLost)
      if (this.#users.size === 0) await this.#line.close()
    })
  }

  async request<T>(
    unit: number,
    name: string,
    work: (client: ModbusClient) => Promise<T>,
    signal: AbortSignal
  ): Promise<T> {
    for (;;) {
      const wait = (this.#owed.get(unit) ?? 0) - this.#clock.now()
      if (wait >= 1) await this.#clock.sleep(`late reply of unit ${unit}`, wait, signal)
      this.#owed.delete(unit)
      const done = await this.#queue.run(
        name,
        REQUEST_LIMIT,
        // another request may have gone unanswered while this one waited for its turn
        async (inner) => {
          return this.#owed.has(unit) ? undefined : { value: await this.#perform(unit, name, work, inner) }
        },
        signal
      )
      if (done !== undefined) return done.value
    }
  }

  async #perform<T>(
    unit: number,
    name: string,
    work: (client: ModbusClient) => Promise<T>,
    signal: AbortSignal
  ): Promise<T> {
    const rest = this.#lastByteAt + this.#silence - this.#clock.now()
    if (rest > 0) await this.#clock.sleep('silence between frames', rest, signal)
    this.#strangers.length = 0
    try {
      return await this.#clock.within(name, REPLY_LIMIT, () => this.#talk(unit, work), signal)
    } catch (error) {
      const isUnanswered = isCode(error, ErrorCode.timeout) || isCode(error, ErrorCode.aborted)
      if (isUnanswered && this.#strangers.length === 0) this.#owed.set(unit, this.#clock.now() + REPLY_LIMIT)
      if (!isCode(error, ErrorCode.timeout) || this.#strangers.length === 0) throw error
      throw this.#damaged(`unit ${this.#strangers.join(', ')} answered instead of ${unit}`)
    } finally {
      this.#exchange = undefined
    }
  }

  /** Settles with the library's promise, or rejects when the line shows that there will be no reply. */
  #talk<T>(unit: number, work: (client: ModbusClient) => Promise<T>): Promise<T> {
    const client = this.#client!
    client.setID(unit)
    const damaged = Promise.withResolvers<never>()
    this.#startExchange = (code) => {
      this.#drop(this.#buffer.length)
      this.#exchange = { unit, code, reject: damaged.reject }
    }
    return Promise.race([work(client), damaged.promise])
  }

  #startExchange: (code: number) => void = () => undefined

  #write(bytes: Uint8Array): void {
    this.#startExchange(bytes[1] ?? 0)
    const exchange = this.#exchange
    this.#line.write(bytes).catch((error: unknown) => {
      exchange?.reject(
        error instanceof SpillwayError ? error : new SpillwayError(ErrorCode.internal, String(error))
      )
    })
  }

  #receive(bytes: Uint8Array): void {
    this.#lastByteAt = this.#clock.now()
    const all = Buffer.concat([this.#buffer, bytes])
    this.#buffer = all.length > BUFFER_BYTES_MAX ? all.subarray(all.length - BUFFER_BYTES_MAX) : all
    this.strayBytes += all.length - this.#buffer.length
    const exchange = this.#exchange
    if (exchange === undefined) {
      this.#owed.delete(this.#buffer[0] ?? 0)
      this.#drop(this.#buffer.length)
      return
    }
    const reply = findRtuReply(this.#buffer, exchange.unit, exchange.code)
    if ('frame' in reply) {
      this.strayBytes += this.#buffer.length - reply.frame.length
      this.#buffer = new Uint8Array(0)
      this.#exchange = undefined
      this.#port.emit('data', Buffer.from(reply.frame))
    } else if (reply.strangeUnit !== undefined) {
      // a late reply, if one is owed
      if (!this.#owed.delete(reply.strangeUnit)) this.#strangers.push(reply.strangeUnit)
      this.#drop(this.#buffer.length)
    } else void this.#watchSilence()
  }

  /** What is no reply when the line has fallen silent will never be one. */
  async #watchSilence(): Promise<void> {
    if (this.#isWatchingSilence) return
    this.#isWatchingSilence = true
    const quiet = Math.max(REPLY_QUIET_MIN, this.#silence)
    for (;;) {
      const rest = this.#lastByteAt + quiet - this.#clock.now()
      if (rest < 1) break
      await this.#clock.sleep('end of a reply', rest)
    }
    this.#isWatchingSilence = false
    const exchange = this.#exchange
    if (exchange === undefined || this.#buffer.length === 0) return
    const reply = findRtuReply(this.#buffer, exchange.unit, exchange.code)
    this.#drop(this.#buffer.length)
    this.#exchange = undefined
    if ('why' in reply) exchange.reject(this.#damaged(reply.why))
  }

  #damaged(why: string): SpillwayError {
    return new SpillwayError(ErrorCode.protocol, `${this.lineUrl}: ${why}`, {
      got: why,
      hint: 'look at wiring, termination, speed and unit numbers of the line'
    })
  }

  #drop(count: number): void {
    this.strayBytes += count
    this.#buffer = this.#buffer.subarray(count)
  }

  #lost(why: string): void {
    const users = [...this.#users]
    this.#users.clear()
    for (const onLost of users) onLost(why)
  }

  /** Opening and closing one after the other, whoever asks. */
  #change(work: () => Promise<void>): Promise<void> {
    const changed = this.#changing.then(work)
    this.#changing = changed.catch(() => undefined)
    return changed
  }
}

/** 3.5 characters of start, data, parity and stop bits */
function frameSilence(lineUrl: string): DurationNs {
  const { query } = parseLinkUrl(lineUrl, 'serial', ['baudRate', 'dataBits', 'stopBits', 'parity'])
  const baudRate = numberOption(lineUrl, query, 'baudRate', 9600, 50, 4_000_000)
  const parityBits = query.parity === undefined || query.parity === 'none' ? 0 : 1
  const bits = 1 + Number(query.dataBits ?? 8) + parityBits + Number(query.stopBits ?? 1)
  return Math.max(FRAME_SILENCE_MIN, seconds((3.5 * bits) / baudRate))
}
