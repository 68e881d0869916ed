import type { LiveMessage } from '../../api/api.ts'
import {
  EMPTY_VIEW,
  isSnapshot,
  type LiveView,
  parseMessage,
  receive,
  receiveFetched
} from '../logic/live.ts'

/** What the connection needs of the browser; tests hand in their own. */
export interface Wires {
  openSocket(on: { message: (text: string) => void; closed: () => void }): { close(): void }
  /** GET /api/snapshot, parsed; rejects when there is no answer within `limitMs` */
  fetchSnapshot(limitMs: number): Promise<unknown>
  /** ms */
  now(): number
  /** calls `then` after `ms`; returns how to call it off */
  after(ms: number, then: () => void): () => void
}

export type LinkState =
  | { readonly kind: 'live' }
  | {
      readonly kind: 'connecting' | 'lost'
      /** ms, page clock: since when nothing was heard */
      readonly since: number
      /** ms, page clock, of the next try; undefined: trying now */
      readonly nextTry: number | undefined
    }

/** A socket that says nothing for so long is checked by a question. */
export const SILENT_MS = 5000
/** Limit on every wait for an answer. */
export const ANSWER_MS = 5000
const BACKOFF_FIRST_MS = 500
export const BACKOFF_MAX_MS = 10_000
/** Questions in a row that may leave a gap open before the connection is made anew. */
const ASK_MAX = 5
const ASK_PAUSE_MS = 250

/** Pause before try `attempt` (from 0): doubling, bounded. */
export function backoffMs(attempt: number): number {
  return Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(attempt, 10))
}

/**
 * Keeps the live feed: a snapshot, then numbered changes; asks again at a gap; checks a silent line; after a
 * loss tries again for ever, with growing pauses up to BACKOFF_MAX_MS. Nothing is shown as live that was not
 * heard: `onLink` says so at the moment of the loss.
 */
export class Connection {
  readonly #wires: Wires
  readonly #onView: (view: LiveView, message: { utc: string }) => void
  readonly #onLink: (link: LinkState) => void
  #view: LiveView = EMPTY_VIEW
  #link: LinkState
  #heardAt: number
  #attempt = 0
  /** counts sockets: what an old one still says is not listened to */
  #epoch = 0
  #socket: { close(): void } | undefined
  /** epoch in which a question is on its way */
  #asking: number | undefined
  /** messages of the feed so far */
  #heardCount = 0
  #cancelTimer: () => void = () => undefined

  constructor(
    wires: Wires,
    on: {
      /** the data are new; `utc` is the server's time of the newest */
      view: (view: LiveView, message: { utc: string }) => void
      link: (link: LinkState) => void
    }
  ) {
    this.#wires = wires
    this.#onView = on.view
    this.#onLink = on.link
    this.#heardAt = wires.now()
    this.#link = { kind: 'connecting', since: this.#heardAt, nextTry: undefined }
  }

  get link(): LinkState {
    return this.#link
  }

  /** Opens the feed now, without waiting for the pause to end. Does nothing while it is live. */
  connect(): void {
    if (this.#link.kind === 'live') return
    this.#open()
  }

  #open(): void {
    const epoch = this.#newEpoch()
    this.#setLink({ ...this.#notLive(), nextTry: undefined })
    this.#socket = this.#wires.openSocket({
      message: (text) => {
        if (epoch === this.#epoch) this.#hear(text)
      },
      closed: () => {
        if (epoch === this.#epoch) this.#lose()
      }
    })
    this.#cancelTimer = this.#wires.after(ANSWER_MS, () => this.#lose())
  }

  #hear(text: string): void {
    const message = parseMessage(text)
    if (message === undefined) {
      // not ours: what it was cannot be known, so what is known may be old
      if (this.#link.kind === 'live') void this.#ask()
      return
    }
    this.#heardAt = this.#wires.now()
    this.#heardCount++
    const { view, ask } = receive(this.#view, message)
    this.#view = view
    if (message.kind === 'snapshot') {
      this.#attempt = 0
      this.#setLink({ kind: 'live' })
    }
    if (this.#link.kind === 'live') this.#watchSilence()
    this.#onView(view, { utc: utcOf(message) })
    if (ask) void this.#ask()
  }

  /** Fetches the snapshot until no gap is left. */
  async #ask(): Promise<void> {
    const epoch = this.#epoch
    if (this.#asking === epoch) return
    this.#asking = epoch
    try {
      for (let i = 0; i < ASK_MAX; i++) {
        const fetched = await this.#wires.fetchSnapshot(ANSWER_MS)
        if (epoch !== this.#epoch) return
        if (!isSnapshot(fetched)) break
        const { view, ask } = receiveFetched(this.#view, fetched)
        this.#view = view
        this.#heardAt = this.#wires.now()
        this.#onView(view, { utc: fetched.utc })
        if (!ask) return
        await new Promise<void>((resolve) => this.#wires.after(ASK_PAUSE_MS, resolve))
        if (epoch !== this.#epoch) return
      }
      this.#lose()
    } catch {
      // no answer: the loss is what the reader is told
      if (epoch === this.#epoch) this.#lose()
    } finally {
      if (this.#asking === epoch) this.#asking = undefined
    }
  }

  /**
   * Asks when nothing comes. A quiet system answers with the number that we have; when the answer is ahead
   * of the feed, the feed is dead and is opened anew.
   */
  #watchSilence(): void {
    this.#cancelTimer()
    this.#cancelTimer = this.#wires.after(SILENT_MS, () => void this.#probe())
  }

  async #probe(): Promise<void> {
    const epoch = this.#epoch
    const heardCount = this.#heardCount
    const known = this.#view.snapshot?.n
    await this.#ask()
    if (epoch !== this.#epoch || heardCount !== this.#heardCount) return
    if (this.#view.snapshot?.n === known) this.#watchSilence()
    else this.#open()
  }

  #lose(): void {
    this.#newEpoch()
    const pause = backoffMs(this.#attempt++)
    this.#setLink({ ...this.#notLive(), nextTry: this.#wires.now() + pause })
    this.#cancelTimer = this.#wires.after(pause, () => this.#open())
  }

  /** Ends the present socket and timer. */
  #newEpoch(): number {
    this.#cancelTimer()
    this.#epoch++
    this.#socket?.close()
    this.#socket = undefined
    return this.#epoch
  }

  #notLive(): { kind: 'connecting' | 'lost'; since: number } {
    return { kind: this.#view.snapshot === undefined ? 'connecting' : 'lost', since: this.#heardAt }
  }

  #setLink(link: LinkState): void {
    this.#link = link
    this.#onLink(link)
  }
}

function utcOf(message: LiveMessage): string {
  return message.kind === 'snapshot' ? message.snapshot.utc : message.utc
}
