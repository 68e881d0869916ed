import type { TimingMark } from '../contract/beam-instrument.ts'
import { MARKS } from './messages.ts'

/**
 * Which marks are news. A lost mark is none of its business (the sequencer knows what to do without WWE); a mark
 * that comes twice, or after its time, would begin or end a spill that is none.
 */
export class MarkOrder {
  #latest: TimingMark | undefined

  /** Remembers `mark` if it is `new`. */
  check(mark: TimingMark): 'new' | 'duplicate' | 'late' {
    const latest = this.#latest
    if (latest !== undefined && mark.cycle === latest.cycle) {
      const ahead = MARKS.indexOf(mark.mark) - MARKS.indexOf(latest.mark)
      if (ahead === 0) return 'duplicate'
      if (ahead < 0) return 'late'
    }
    // The cycle number may start again with the gateway, but then the time goes on.
    if (latest !== undefined && mark.cycle < latest.cycle && mark.utc <= latest.utc) return 'late'
    this.#latest = mark
    return 'new'
  }
}
