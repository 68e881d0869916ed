import type { ActiveFaults } from './active-faults.ts'

/** Answers that wait for their time; a controller that asks on without listening loses the youngest. */
const WAITING_MAX = 64
const SLOW_MS = 500
const GARBAGE = Uint8Array.of(0x00, 0xff, 0x7e, 0x23, 0x0d, 0x0a)

export interface ReplyWire {
  reply(text: string): void
  closed(): void
}

export interface Replies {
  attach(send: (bytes: Uint8Array) => void, hangUp: () => void): ReplyWire
  advance(dtNs: number): void
}

/**
 * The way of an answer out of the device, and what goes wrong on it: `slow-reply` (`delayMs`), `garbage` (a line of
 * rubbish before each answer), `half-reply` (each answer is cut in the middle, then the connection is closed where
 * there is one).
 *
 * @param latencyNs how long the device takes for a reply; absent: none
 */
export function makeReplies(faults: ActiveFaults, latencyNs?: () => number): Replies {
  let waiting: { leftNs: number; readonly go: () => void }[] = []
  return {
    attach: (send, hangUp) => {
      let isOpen = true
      const deliver = (text: string): void => {
        if (!isOpen) return
        const bytes = Buffer.from(text, 'latin1')
        if (faults.has('garbage')) send(GARBAGE)
        if (!faults.has('half-reply')) {
          send(bytes)
          return
        }
        send(bytes.subarray(0, bytes.length >> 1))
        hangUp()
      }
      return {
        reply: (text) => {
          const slow = faults.get('slow-reply')
          if (slow === undefined && latencyNs === undefined && waiting.length === 0) {
            deliver(text)
            return
          }
          if (waiting.length >= WAITING_MAX) return
          const delayMs = slow?.['delayMs']
          const slowNs = slow === undefined ? 0 : 1e6 * (typeof delayMs === 'number' ? delayMs : SLOW_MS)
          const delayNs = slowNs + (latencyNs?.() ?? 0)
          waiting.push({ leftNs: delayNs, go: () => deliver(text) })
        },
        closed: () => {
          isOpen = false
        }
      }
    },
    advance: (dtNs) => {
      if (waiting.length === 0) return
      for (const answer of waiting) answer.leftNs -= dtNs
      // in the order of the questions
      const stays = waiting.findIndex(({ leftNs }) => leftNs > 0)
      const due = waiting.slice(0, stays < 0 ? waiting.length : stays)
      waiting = waiting.slice(due.length)
      for (const answer of due) answer.go()
    }
  }
}
