import type { SimFault } from '../device/face.ts'
import { faultNumber } from './wire.ts'

/** How the next sends of a TCP wire are cut: nothing that a receiver may rely on. */
export class Cutting {
  #bytes = 0
  #split = 0
  #join = 0

  /** `wire-split`: the next `count` sends in pieces of `bytes`; `wire-join`: the next `count` sends in one. */
  disturb(fault: SimFault): boolean {
    const count = faultNumber(fault, 'count', 1)
    if (fault.kind === 'wire-split') {
      this.#split = count
      this.#bytes = Math.max(1, faultNumber(fault, 'bytes', 1))
    } else if (fault.kind === 'wire-join') this.#join = count
    else return false
    return true
  }

  /** bytes of a piece of this send; 0: whole */
  takePiece(): number {
    if (this.#split === 0) return 0
    this.#split--
    return this.#bytes
  }

  /** this send waits for the next one */
  takeJoin(): boolean {
    if (this.#join === 0) return false
    return --this.#join > 0
  }
}

/** Hands bytes to `write` in order, cut as the wire is told; pieces go out one per turn of the event loop. */
export class Segments {
  readonly #cutting: Cutting
  readonly #write: (bytes: Buffer) => void
  readonly #pending: Buffer[] = []
  #held: Buffer[] = []
  #atEnd: (() => void) | undefined

  constructor(cutting: Cutting, write: (bytes: Buffer) => void) {
    this.#cutting = cutting
    this.#write = write
  }

  /** @param bytes are not used again by the caller */
  send(bytes: Buffer): void {
    this.#held.push(bytes)
    if (this.#cutting.takeJoin()) return
    const whole = this.#held.length === 1 ? bytes : Buffer.concat(this.#held)
    this.#held = []
    const piece = this.#cutting.takePiece()
    if (piece === 0 && this.#pending.length === 0) {
      this.#write(whole)
      return
    }
    const isIdle = this.#pending.length === 0
    const step = piece === 0 ? whole.length : piece
    for (let at = 0; at < whole.length; at += step) this.#pending.push(whole.subarray(at, at + step))
    if (isIdle) setImmediate(() => this.#next())
  }

  /** Everything that was sent, and then `end`. */
  finish(end: () => void): void {
    const isIdle = this.#pending.length === 0
    this.#pending.push(...this.#held)
    this.#held = []
    this.#atEnd = end
    if (isIdle) this.#next()
  }

  #next(): void {
    const piece = this.#pending.shift()
    if (piece !== undefined) this.#write(piece)
    if (this.#pending.length > 0) setImmediate(() => this.#next())
    else this.#atEnd?.()
  }
}
