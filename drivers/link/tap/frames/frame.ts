import { hexDump } from '../../../../core/bytes.ts'
import type { Direction } from '../event.ts'

/** One message of a protocol as a person at the bench reads it. */
export interface Frame {
  readonly dir: Direction
  readonly protocol: string
  /** what kind of message, in the protocol's own words */
  readonly type: string
  readonly text: string
}

/** Reads one direction of a byte stream. Every byte ends in a frame; those that fit none are of type `garbage`. */
export interface StreamFramer {
  push(bytes: Uint8Array): Frame[]
}

/** What a protocol makes of the beginning of `buffer`. */
export type Cut =
  /** a whole frame of so many bytes */
  | { readonly length: number; readonly type: string; readonly text: string }
  /** it is no frame; the next may begin after so many bytes */
  | { readonly skip: number }
  /** so many bytes belong to no frame and are none the worse for it */
  | { readonly pass: number }
  /** more bytes are needed */
  | undefined

/**
 * Frames of a protocol that says where a frame ends. What `cut` skips is gathered and told before the next frame
 * that is one. It keeps as much as `cut` waits for.
 */
export class CuttingFramer implements StreamFramer {
  readonly #dir: Direction
  readonly #protocol: string
  readonly #cut: (buffer: Uint8Array) => Cut
  #buffer: Uint8Array = new Uint8Array(0)
  #garbage: Uint8Array[] = []

  constructor(dir: Direction, protocol: string, cut: (buffer: Uint8Array) => Cut) {
    this.#dir = dir
    this.#protocol = protocol
    this.#cut = cut
  }

  push(bytes: Uint8Array): Frame[] {
    this.#buffer = this.#buffer.length === 0 ? new Uint8Array(bytes) : Buffer.concat([this.#buffer, bytes])
    const frames: Frame[] = []
    let at = 0
    for (;;) {
      const rest = this.#buffer.subarray(at)
      const cut = rest.length === 0 ? undefined : this.#cut(rest)
      if (cut === undefined) break
      if ('pass' in cut) {
        at += cut.pass
        continue
      }
      if ('skip' in cut) {
        this.#garbage.push(rest.slice(0, cut.skip))
        at += cut.skip
        continue
      }
      this.#tellGarbage(frames)
      frames.push({ dir: this.#dir, protocol: this.#protocol, type: cut.type, text: cut.text })
      at += cut.length
    }
    this.#buffer = this.#buffer.slice(at)
    this.#tellGarbage(frames)
    return frames
  }

  #tellGarbage(frames: Frame[]): void {
    if (this.#garbage.length === 0) return
    const bytes = Buffer.concat(this.#garbage)
    this.#garbage = []
    frames.push({
      dir: this.#dir,
      protocol: this.#protocol,
      type: 'garbage',
      text: `${bytes.length} bytes: ${hexDump(bytes)}`
    })
  }
}
