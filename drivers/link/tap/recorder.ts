import type { Clock } from '../../../core/clock.ts'
import { limits } from '../../../core/limits.ts'
import type { LinkKind, TapEvent, TapSink } from './event.ts'
import type { Recording, TapEntry } from './recording.ts'

export interface RecorderOptions {
  /** of all links together, about */
  readonly bytesMax?: number
  /** what is kept when the bound is reached; a replay needs the beginning. Default: oldest */
  readonly keep?: 'newest' | 'oldest'
}

/** What an entry takes besides its bytes and words, about. */
const ENTRY_BYTES = 200

interface Track {
  readonly url: string
  readonly kind: LinkKind
  readonly entries: TapEntry[]
  dropped: number
}

/** Keeps what the taps of one session hear, in bounded memory. */
export class TapRecorder {
  readonly #clock: Clock
  readonly #start: number
  readonly #startUtc: Date
  readonly #bytesMax: number
  readonly #keep: 'newest' | 'oldest'
  readonly #tracks: Track[] = []
  /** every entry in order, with its track: what is dropped first */
  #order: Track[] = []
  #bytes = 0

  constructor(clock: Clock, { bytesMax = limits.tapBytesMax, keep = 'oldest' }: RecorderOptions = {}) {
    this.#clock = clock
    this.#start = clock.now()
    this.#startUtc = clock.utc()
    this.#bytesMax = bytesMax
    this.#keep = keep
  }

  /** The sink for one link; fits the link factory's `tap`. */
  sink(url: string, kind: LinkKind): TapSink {
    const track: Track = { url, kind, entries: [], dropped: 0 }
    this.#tracks.push(track)
    return { record: (event) => this.#record(track, event) }
  }

  /** What was heard until now, link by link in the order in which they were made. */
  session(): Recording[] {
    return this.#tracks.map(({ url, kind, entries, dropped }) => ({
      url,
      kind,
      startUtc: this.#startUtc,
      dropped,
      kept: this.#keep,
      entries: [...entries]
    }))
  }

  #record(track: Track, event: TapEvent): void {
    const size = sizeOf(event)
    if (this.#keep === 'oldest' && (track.dropped > 0 || this.#bytes + size > this.#bytesMax)) {
      track.dropped++
      return
    }
    track.entries.push({ at: Math.round(this.#clock.now() - this.#start), event })
    this.#order.push(track)
    this.#bytes += size
    if (this.#bytes > this.#bytesMax) this.#dropOldest()
  }

  /** A quarter at once, so that the rest is not moved for every entry. */
  #dropOldest(): void {
    const wanted = this.#bytesMax * 0.75
    const goes = new Map<Track, number>()
    let gone = 0
    while (this.#bytes > wanted && gone < this.#order.length) {
      const track = this.#order[gone++]!
      const index = goes.get(track) ?? 0
      this.#bytes -= sizeOf(track.entries[index]!.event)
      goes.set(track, index + 1)
    }
    this.#order = this.#order.slice(gone)
    for (const [track, count] of goes) {
      track.entries.splice(0, count)
      track.dropped += count
    }
  }
}

function sizeOf(event: TapEvent): number {
  switch (event.what) {
    case 'bytes':
    case 'wire':
      return ENTRY_BYTES + event.bytes.length
    case 'message':
      return ENTRY_BYTES + 2 * (event.topic.length + event.payload.length)
    case 'request':
      return ENTRY_BYTES + event.args.reduce<number>((sum, arg) => sum + sizeOfValue(arg), 0)
    case 'answer':
      return ENTRY_BYTES + sizeOfValue(event.value)
    default:
      return ENTRY_BYTES
  }
}

function sizeOfValue(value: unknown): number {
  if (value instanceof Uint8Array) return value.length
  if (Array.isArray(value)) return value.reduce<number>((sum, of) => sum + sizeOfValue(of), 0)
  return typeof value === 'string' ? 2 * value.length : typeof value === 'object' && value !== null ? 100 : 8
}
