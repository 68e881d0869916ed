import type { Clock } from '../../../core/clock.ts'
import type { DeviceIdentity, DeviceRole, DeviceState } from '../../../core/device.ts'
import { ErrorCode, isCode, sentence, SpillwayError } from '../../../core/errors.ts'
import type { Log } from '../../../core/log.ts'
import { SignalCell } from '../../../core/signal-value.ts'
import { seconds } from '../../../core/units.ts'
import { DeviceConnection, type DriverDependencies, type LinkedSignal } from '../../link/device-connection.ts'
import type { ByteLink } from '../../link/link.ts'
import type { HvSupply } from '../contract/hv-supply.ts'
import { type RampedChannel, waitUntilAllOff } from '../contract/ramped-channel.ts'
import { type BoardIdentity, CaenBoard, type CaenBoardOptions } from './caen-board.ts'
import { CaenPort } from './caen-port.ts'

export interface CaenN1470Options {
  readonly id: string
  readonly role: DeviceRole
  /** `serial:///dev/...?baudRate=9600&xonxoff=true` or `tcp://host:1470` */
  readonly url: string
  /** the boards of the chain on this line, one or more */
  readonly boards: readonly CaenBoardOptions[]
  /** how near the measured voltage must be to the demand */
  readonly toleranceV: number
}

/** Ramping all channels down, the slowest included. */
const SAFE_LIMIT = seconds(600)
/** Polls in a row without any answer, after which the chain is gone whatever the line says. */
const FAILURES_MAX = 3

/**
 * CAEN N1470 boards, one or a chain of them, on a serial line or TCP. Connecting writes nothing: what the boards do is
 * read and taken over. A board that is silent loses its signals and is asked again now and then; the others go on. When
 * none answers any more the supply is disconnected, even when the line stays open.
 */
export class CaenN1470 implements HvSupply {
  readonly id: string
  readonly kind = 'caen-n1470'
  readonly role: DeviceRole
  readonly channels: readonly RampedChannel[]
  readonly signals: readonly LinkedSignal[]
  readonly #clock: Clock
  readonly #log: Log
  readonly #link: ByteLink
  readonly #port: CaenPort
  readonly #connection: DeviceConnection
  readonly #boards: readonly CaenBoard[]
  readonly #garbage: SignalCell<number>
  #failures = 0

  constructor(options: CaenN1470Options, { clock, links, log }: DriverDependencies) {
    const { id, role, url, boards, toleranceV } = options
    this.id = id
    this.role = role
    this.#clock = clock
    this.#log = log
    this.#link = links.bytes(url)
    this.#connection = new DeviceConnection(id, this.#link, log, () => this.signals)
    this.#port = new CaenPort(id, this.#link, clock)
    this.#boards = boards.map((board) => new CaenBoard(id, board, toleranceV, this.#port, clock))
    this.channels = this.#boards.flatMap((board) => board.channels)
    this.#garbage = new SignalCell<number>(clock, `${id}/garbage`, {
      unit: '',
      description: 'bytes and replies that nobody asked for; grows on a bad cable',
      staleAfterMs: 10_000,
      zones: []
    })
    this.signals = [...this.#boards.flatMap((board) => board.signals), this.#garbage]
  }

  get state(): DeviceState {
    return this.#connection.state
  }

  onState(listener: (state: DeviceState) => void): () => void {
    return this.#connection.onState(listener)
  }

  connect(signal: AbortSignal): Promise<DeviceIdentity> {
    return this.#connection.connect(async (inner) => {
      this.#failures = 0
      const identities: BoardIdentity[] = []
      let failure: unknown
      for (const board of this.#boards) {
        board.silence ??= 'the line was lost'
        try {
          identities.push(await board.greet(inner))
          await board.poll(inner)
        } catch (error) {
          if (!isCode(error, ErrorCode.timeout) || !this.#link.isOpen) throw error
          this.#missed(board, error)
          failure = error
        }
      }
      if (identities.length === 0) throw failure
      this.#garbage.update(this.#port.garbageBytes + this.#port.strayReplies)
      const all = (pick: (identity: BoardIdentity) => string): string =>
        [...new Set(identities.map(pick))].join(' ')
      return {
        maker: 'CAEN',
        model: all(({ model }) => model),
        serial: all(({ serial }) => serial),
        firmware: all(({ firmware }) => firmware)
      }
    }, signal)
  }

  disconnect(): Promise<void> {
    return this.#connection.disconnect()
  }

  /** Resolves when at least one board answered; `<id>/bd<n>/answers` tells of the others. */
  async poll(signal: AbortSignal): Promise<void> {
    let answered = 0
    let failure: unknown
    // alone, a silent board keeps nobody waiting
    const isAnyoneThere = this.#boards.some(({ silence }) => silence === undefined)
    for (const board of this.#boards) {
      if (isAnyoneThere && !board.isDue) continue
      const wasSilent = board.silence !== undefined
      try {
        await board.poll(signal)
        answered++
        if (wasSilent) this.#log.info({ device: this.id, board: board.number }, 'board answers again')
      } catch (error) {
        if (signal.aborted || !this.#link.isOpen) throw error
        this.#missed(board, error)
        failure = error
      }
    }
    this.#garbage.update(this.#port.garbageBytes + this.#port.strayReplies)
    if (answered > 0) {
      this.#failures = 0
      return
    }
    this.#failures++
    if (this.#failures >= FAILURES_MAX)
      await this.#connection.drop(`no board answers, the last reason: ${sentence(failure)}`)
    throw failure
  }

  /** Ramps every channel down and off; resolves when all voltages are gone. A board in LOCAL mode refuses. */
  async makeSafe(reason: string): Promise<void> {
    await this.#clock.within(`${this.id}: make safe, because ${reason}`, SAFE_LIMIT, async (signal) => {
      const failures: unknown[] = []
      const ramping: RampedChannel[] = []
      for (const board of this.#boards) {
        try {
          await board.switchOff(
            board.channels.map(({ number }) => number),
            signal
          )
          ramping.push(...board.channels)
        } catch (error) {
          failures.push(error)
        }
      }
      await waitUntilAllOff(this.id, ramping, signal, failures)
    })
  }

  #missed(board: CaenBoard, error: unknown): void {
    if (!(error instanceof SpillwayError)) throw error
    const why = sentence(error)
    if (board.silence === undefined)
      this.#log.warn({ device: this.id, board: board.number, why }, 'board lost')
    board.miss(why)
  }
}
