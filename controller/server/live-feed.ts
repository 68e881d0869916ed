import type { LiveMessage, Snapshot } from '../../console/api/api.ts'

type Fields = Omit<Snapshot, 'n' | 'utc'>

/** One page that listens: `send` must not throw; `backlog` is what it has not taken yet, in bytes. */
export interface LiveClient {
  send(text: string): void
  backlog(): number
  cutOff(): void
}

/**
 * The numbered stream of changes: a client gets the snapshot, then whole fields as they change. A client that
 * does not keep up is cut off (its page says so and comes back) instead of making the others wait.
 */
export class LiveFeed {
  readonly #take: () => Fields
  readonly #backlogMax: number
  readonly #clients = new Set<LiveClient>()
  readonly #sent = new Map<string, string>()
  #n = 0
  #fields: Fields
  #utc = ''

  constructor(take: () => Fields, backlogMax: number) {
    this.#take = take
    this.#backlogMax = backlogMax
    this.#fields = take()
    this.#remember()
  }

  get clients(): number {
    return this.#clients.size
  }

  snapshot(utc: Date): Snapshot {
    this.update(utc)
    return { n: this.#n, utc: utc.toISOString(), ...this.#fields }
  }

  join(client: LiveClient, utc: Date): () => void {
    client.send(JSON.stringify({ kind: 'snapshot', snapshot: this.snapshot(utc) } satisfies LiveMessage))
    this.#clients.add(client)
    return () => this.#clients.delete(client)
  }

  /** Takes the state anew and sends what changed. */
  update(utc: Date): void {
    this.#fields = this.#take()
    this.#utc = utc.toISOString()
    const change: Record<string, unknown> = {}
    for (const [field, value] of Object.entries(this.#fields)) {
      const text = JSON.stringify(value)
      if (this.#sent.get(field) === text) continue
      this.#sent.set(field, text)
      change[field] = value
    }
    // An empty change says that the controller lives: the page shows the age of the newest datum.
    this.#n++
    this.send({ kind: 'change', n: this.#n, utc: this.#utc, change })
  }

  send(message: LiveMessage): void {
    if (this.#clients.size === 0) return
    const text = JSON.stringify(message)
    for (const client of [...this.#clients]) {
      if (client.backlog() > this.#backlogMax) {
        this.#clients.delete(client)
        client.cutOff()
      } else client.send(text)
    }
  }

  #remember(): void {
    for (const [field, value] of Object.entries(this.#fields)) this.#sent.set(field, JSON.stringify(value))
  }
}
