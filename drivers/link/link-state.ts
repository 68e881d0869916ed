import { ErrorCode, SpillwayError } from '../../core/errors.ts'

/** The open-or-not of one link: tells listeners of changes and ends requests that wait when the link goes. */
export class LinkState {
  readonly #url: string
  readonly #listeners = new Set<(isOpen: boolean, why: string) => void>()
  readonly #waiting = new Set<(error: SpillwayError) => void>()
  #isOpen = false

  constructor(url: string) {
    this.#url = url
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  onState(listener: (isOpen: boolean, why: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Does nothing unless it is a change. */
  set(isOpen: boolean, why: string): void {
    if (this.#isOpen === isOpen) return
    this.#isOpen = isOpen
    if (!isOpen) {
      const waiting = [...this.#waiting]
      this.#waiting.clear()
      for (const reject of waiting) reject(disconnected(this.#url, why))
    }
    for (const listener of [...this.#listeners]) listener(isOpen, why)
  }

  /** `work`, or a rejection with `disconnected` at once when the link is down or as soon as it goes. */
  async whileOpen<T>(work: () => Promise<T>): Promise<T> {
    if (!this.#isOpen) throw disconnected(this.#url, 'the link is not open')
    let stopWaiting = (): void => undefined
    const lost = new Promise<never>((_, reject) => {
      this.#waiting.add(reject)
      stopWaiting = () => this.#waiting.delete(reject)
    })
    try {
      return await Promise.race([work(), lost])
    } finally {
      stopWaiting()
    }
  }
}

export function disconnected(url: string, why: string, cause?: unknown): SpillwayError {
  return new SpillwayError(ErrorCode.disconnected, `${url}: ${why}`, cause === undefined ? {} : { cause })
}
