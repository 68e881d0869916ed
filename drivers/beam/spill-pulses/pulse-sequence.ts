import type { SpillMark } from '../contract/beam-instrument.ts'
import type { Pulse } from './datagrams.ts'

/** in the order in which one cycle brings them */
const ORDER: readonly SpillMark[] = ['WWE', 'WE', 'SOE', 'EOE']
/** counters of pulses that are remembered, to tell doubled datagrams from overtaken ones */
const REMEMBERED = 16
/** More cycles than this without a mark, and the numbers began anew. */
const CYCLES_MISSING_MAX = 100

export interface PulseCounts {
  /** pulses that did not arrive, by the counter */
  lost: number
  /** datagrams that came twice */
  duplicate: number
  /** datagrams that others overtook */
  swapped: number
  /** the daemon began to count anew */
  restarts: number
  /** marks of the usual order that did not come, lost ones included */
  missing: number
  /** marks that came twice as two pulses */
  doubled: number
  /** marks after their time */
  late: number
}

/** What became of each pulse: which marks are news, and what must have gone wrong on the way to them. */
export class PulseSequence {
  readonly counts: PulseCounts = {
    lost: 0,
    duplicate: 0,
    swapped: 0,
    restarts: 0,
    missing: 0,
    doubled: 0,
    late: 0
  }
  #last: { readonly counter: number; readonly ns: bigint } | undefined
  #recent: number[] = []
  #mark: { readonly mark: SpillMark; readonly cycle: number; readonly ns: bigint } | undefined

  /** After a loss of the link: what was missed meanwhile is not counted. Counts stay. */
  reset(): void {
    this.#last = undefined
    this.#recent = []
    this.#mark = undefined
  }

  /** True when the pulse is a mark that is news. */
  take(pulse: Pulse): boolean {
    if (!this.#count(pulse) || pulse.mark === 'alive') return false
    return this.#order(pulse.mark, pulse)
  }

  /** False for datagrams that came twice. */
  #count({ mark, counter, ns }: Pulse): boolean {
    const last = this.#last
    const ahead = last === undefined ? 0 : (counter - last.counter) | 0
    if (last !== undefined && (ahead < 0 || (ahead === 0 && mark !== 'alive')) && ns <= last.ns)
      return this.#comeLate(mark === 'alive', counter)
    if (last !== undefined && (ahead < 0 || (ahead === 0 && mark !== 'alive'))) {
      this.counts.restarts++
      this.#recent = []
    } else if (last !== undefined) this.counts.lost += mark === 'alive' ? ahead : ahead - 1
    this.#last = { counter, ns }
    if (mark !== 'alive') this.#remember(counter)
    return true
  }

  /** An old pulse that was counted as lost is not; an old `alive` says nothing. */
  #comeLate(isAlive: boolean, counter: number): boolean {
    if (isAlive) return true
    if (this.#recent.includes(counter)) {
      this.counts.duplicate++
      return false
    }
    this.counts.swapped++
    this.counts.lost = Math.max(0, this.counts.lost - 1)
    this.#remember(counter)
    return true
  }

  #remember(counter: number): void {
    this.#recent.push(counter)
    if (this.#recent.length > REMEMBERED) this.#recent.shift()
  }

  #order(mark: SpillMark, { cycle, ns }: Pulse): boolean {
    const last = this.#mark
    if (last !== undefined) {
      const cycles = cycle - last.cycle
      const ahead = cycles * ORDER.length + ORDER.indexOf(mark) - ORDER.indexOf(last.mark)
      if (ahead === 0) {
        this.counts.doubled++
        return false
      }
      // The cycle number may begin anew, but then the time goes on.
      if (ahead < 0 && (cycles === 0 || ns <= last.ns)) {
        this.counts.late++
        return false
      }
      if (ahead > 0 && cycles <= CYCLES_MISSING_MAX) this.counts.missing += ahead - 1
    }
    this.#mark = { mark, cycle, ns }
    return true
  }
}
