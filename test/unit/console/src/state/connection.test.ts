/** The live feed over scripted wires: what it asks, when it says that it is lost, when it tries again. */
import { describe, expect, it } from 'vitest'
import type { LiveMessage, Snapshot } from '../../../../../console/api/api.ts'
import type { LiveView } from '../../../../../console/src/logic/live.ts'
import {
  ANSWER_MS,
  BACKOFF_MAX_MS,
  backoffMs,
  Connection,
  type LinkState,
  SILENT_MS,
  type Wires
} from '../../../../../console/src/state/connection.ts'
import { snapshotOf, utcAt } from '../fixtures.ts'

interface Socket {
  readonly on: { message: (text: string) => void; closed: () => void }
  isOpen: boolean
}

/** Wires whose time moves by `pass` and whose far end is the test. */
class Bench implements Wires {
  readonly sockets: Socket[] = []
  readonly links: LinkState[] = []
  view: LiveView | undefined
  fetches = 0
  answer: () => unknown = () => undefined
  readonly connection: Connection
  #now = 1000
  #timers: { at: number; then: () => void }[] = []

  constructor() {
    this.connection = new Connection(this, {
      view: (view) => (this.view = view),
      link: (link) => this.links.push(link)
    })
  }

  openSocket(on: Socket['on']): { close(): void } {
    const socket: Socket = { on, isOpen: true }
    this.sockets.push(socket)
    return { close: () => (socket.isOpen = false) }
  }
  async fetchSnapshot(): Promise<unknown> {
    this.fetches++
    return Promise.resolve().then(this.answer)
  }
  now(): number {
    return this.#now
  }
  after(ms: number, then: () => void): () => void {
    const timer = { at: this.#now + ms, then }
    this.#timers.push(timer)
    return () => (this.#timers = this.#timers.filter((t) => t !== timer))
  }

  async pass(ms: number): Promise<void> {
    const until = this.#now + ms
    for (;;) {
      await settle()
      const next = this.#timers.filter((t) => t.at <= until).sort((a, b) => a.at - b.at)[0]
      if (next === undefined) break
      this.#timers = this.#timers.filter((t) => t !== next)
      this.#now = next.at
      next.then()
    }
    this.#now = until
  }
  say(message: LiveMessage): void {
    this.sockets.at(-1)!.on.message(JSON.stringify(message))
  }
  get link(): LinkState {
    return this.connection.link
  }
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const snapshot = (n: number): LiveMessage => ({ kind: 'snapshot', snapshot: snapshotOf(n) })
const change = (n: number, part: Partial<Snapshot> = {}): LiveMessage => ({
  kind: 'change',
  n,
  utc: utcAt(n),
  change: part
})

function live(n: number): Bench {
  const bench = new Bench()
  bench.connection.connect()
  bench.say(snapshot(n))
  return bench
}

describe('connection', () => {
  it('is live with the first snapshot, not with the socket', () => {
    const bench = new Bench()
    bench.connection.connect()
    expect(bench.link.kind).toBe('connecting')
    bench.say(snapshot(1))
    expect(bench.link.kind).toBe('live')
    expect(bench.view?.snapshot?.n).toBe(1)
  })

  it('gives up a socket that says nothing, and opens another', async () => {
    const bench = new Bench()
    bench.connection.connect()
    await bench.pass(ANSWER_MS)
    expect(bench.link).toMatchObject({ kind: 'connecting', nextTry: 1000 + ANSWER_MS + backoffMs(0) })
    expect(bench.sockets[0]?.isOpen).toBe(false)
    await bench.pass(backoffMs(0))
    expect(bench.sockets.length).toBe(2)
  })

  it('fetches once at a gap, and shows both changes', async () => {
    const bench = live(1)
    bench.answer = () => snapshotOf(3)
    bench.say(change(3))
    bench.say(change(4, { title: 'four' }))
    await bench.pass(0)
    expect(bench.fetches).toBe(1)
    expect(bench.view?.snapshot).toMatchObject({ n: 4, title: 'four' })
    expect(bench.link.kind).toBe('live')
  })

  it('starts anew when the gap does not close', async () => {
    const bench = live(1)
    bench.answer = () => snapshotOf(1)
    bench.say(change(9))
    await bench.pass(3000)
    expect(bench.fetches).toBeLessThanOrEqual(6)
    expect(bench.sockets.length).toBeGreaterThan(1)
  })

  it('is lost at once when the socket closes, since the last word, and tries with growing, bounded pauses', async () => {
    const bench = live(1)
    await bench.pass(700)
    bench.sockets[0]!.on.closed()
    expect(bench.link).toEqual({ kind: 'lost', since: 1000, nextTry: 1700 + backoffMs(0) })
    for (let attempt = 1; attempt < 12; attempt++) {
      const pause = (bench.link as { nextTry: number }).nextTry - bench.now()
      await bench.pass(pause)
      expect(bench.sockets.length).toBe(attempt + 1)
      bench.sockets.at(-1)!.on.closed()
      expect((bench.link as { nextTry: number }).nextTry - bench.now()).toBe(backoffMs(attempt))
    }
    expect(backoffMs(12)).toBe(BACKOFF_MAX_MS)
    expect(backoffMs(1e6)).toBe(BACKOFF_MAX_MS)
    // what it knew stays, and its time with it
    expect(bench.view?.snapshot?.n).toBe(1)
    expect(bench.link).toMatchObject({ kind: 'lost', since: 1000 })
    bench.connection.connect()
    bench.say(snapshot(50))
    expect(bench.link.kind).toBe('live')
    bench.sockets.at(-1)!.on.closed()
    expect((bench.link as { nextTry: number }).nextTry - bench.now()).toBe(backoffMs(0))
  })

  it('asks on a silent line, and believes a quiet system', async () => {
    const bench = live(1)
    bench.answer = () => snapshotOf(1)
    await bench.pass(SILENT_MS * 4)
    expect(bench.fetches).toBe(4)
    expect(bench.sockets.length).toBe(1)
    expect(bench.link.kind).toBe('live')
  })

  it('opens a feed anew that keeps silent while the world moves on', async () => {
    const bench = live(1)
    bench.answer = () => snapshotOf(5)
    await bench.pass(SILENT_MS)
    expect(bench.view?.snapshot?.n).toBe(5)
    expect(bench.sockets.length).toBe(2)
    bench.say(snapshot(6))
    expect(bench.link.kind).toBe('live')
  })

  it('is lost when the question on a silent line is not answered', async () => {
    const bench = live(1)
    bench.answer = () => Promise.reject(new TypeError('fetch failed'))
    await bench.pass(SILENT_MS)
    expect(bench.link).toMatchObject({ kind: 'lost', since: 1000 })
  })

  it('does not listen to a socket that it gave up', async () => {
    const bench = live(1)
    bench.sockets[0]!.on.closed()
    bench.sockets[0]!.on.message(JSON.stringify(change(2, { title: 'ghost' })))
    expect(bench.view?.snapshot?.title).toBe('bench')
    await bench.pass(backoffMs(0))
    bench.sockets[0]!.on.closed()
    expect(bench.sockets.length).toBe(2)
    expect(bench.sockets[1]?.isOpen).toBe(true)
  })

  it('asks when it hears something that it does not understand', async () => {
    const bench = live(1)
    bench.answer = () => snapshotOf(2)
    bench.sockets[0]!.on.message('<html>proxy error</html>')
    await bench.pass(0)
    expect(bench.fetches).toBe(1)
    expect(bench.view?.snapshot?.n).toBe(2)
  })
})
