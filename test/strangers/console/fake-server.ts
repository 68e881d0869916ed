import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { extname, join, normalize } from 'node:path'
import type { AddressInfo } from 'node:net'
import { WebSocketServer, type WebSocket } from 'ws'
import type {
  ApiError,
  Command,
  CommandResult,
  Histogram,
  LiveMessage,
  Snapshot
} from '../../../console/api/api.ts'

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8'
}

export type CommandAnswer = { status: 200; body: CommandResult } | { status: 400; body: ApiError }

/**
 * A controller's face made of a script: serves the built pages from a folder and speaks console/api/api.ts,
 * so that a test says what a page is told and sees what it asks. It has no state machine of its own.
 */
export class FakeServer {
  /** what the next question and the next connection get */
  snapshot: Snapshot
  histograms: Histogram[] = []
  /** commands in order of arrival */
  readonly commands: Command[] = []
  /** GET /api/snapshot so far */
  snapshotRequests = 0
  /** false: every request of the API is cut off, as if the process were gone */
  isUp = true
  /** how a command is answered; a promise holds the answer back */
  answer: (command: Command) => CommandAnswer | Promise<CommandAnswer>

  readonly #folder: string
  readonly #http: Server
  readonly #feed: WebSocketServer
  readonly #listeners = new Set<() => void>()

  private constructor(folder: string, snapshot: Snapshot) {
    this.#folder = folder
    this.snapshot = snapshot
    this.answer = () => ({ status: 200, body: { accepted: true, state: this.snapshot.run.state } })
    this.#http = createServer((request, response) => {
      void this.#serve(request, response)
    })
    this.#feed = new WebSocketServer({ noServer: true })
    this.#http.on('upgrade', (request, socket, head) => {
      if (!this.isUp || request.url !== '/api/live') {
        socket.destroy()
        return
      }
      this.#feed.handleUpgrade(request, socket, head, (client) => {
        sendTo(client, { kind: 'snapshot', snapshot: this.#stamped() })
        this.#heard()
      })
    })
  }

  /** Listens on a free port of the loopback; `folder` holds the built pages. */
  static async start(folder: string, snapshot: Snapshot): Promise<FakeServer> {
    const server = new FakeServer(folder, snapshot)
    server.#http.listen(0, '127.0.0.1')
    await once(server.#http, 'listening')
    return server
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}/`
  }

  /** Pages that are connected. */
  get pages(): number {
    return this.#feed.clients.size
  }

  /** Changes the snapshot and tells every page. */
  change(change: Partial<Omit<Snapshot, 'n' | 'utc'>>): void {
    const message = this.#advance(change)
    for (const client of this.#feed.clients) sendTo(client, message)
  }

  /** Changes the snapshot and tells nobody: the next change leaves a gap. */
  changeUnheard(change: Partial<Omit<Snapshot, 'n' | 'utc'>>): void {
    this.#advance(change)
  }

  sendHistograms(histograms: Histogram[]): void {
    this.histograms = histograms
    const message: LiveMessage = { kind: 'histograms', utc: new Date().toISOString(), histograms }
    for (const client of this.#feed.clients) sendTo(client, message)
  }

  /** Cuts every page off and answers nobody any more. */
  goDown(): void {
    this.isUp = false
    for (const client of this.#feed.clients) client.terminate()
  }

  comeBack(): void {
    this.isUp = true
  }

  /** Resolves when `holds` does; looks after every request and connection. The test's own limit bounds it. */
  async until(holds: () => boolean): Promise<void> {
    if (holds()) return
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (!holds()) return
        this.#listeners.delete(look)
        resolve()
      }
      this.#listeners.add(look)
    })
  }

  async close(): Promise<void> {
    for (const client of this.#feed.clients) client.terminate()
    this.#http.closeAllConnections()
    this.#http.close()
    await once(this.#http, 'close')
  }

  #advance(change: Partial<Omit<Snapshot, 'n' | 'utc'>>): LiveMessage {
    const n = this.snapshot.n + 1
    const utc = new Date().toISOString()
    this.snapshot = { ...this.snapshot, ...change, n, utc }
    return { kind: 'change', n, utc, change }
  }

  #stamped(): Snapshot {
    return { ...this.snapshot, utc: new Date().toISOString() }
  }

  #heard(): void {
    for (const look of this.#listeners) look()
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '/').split('?')[0] ?? '/'
    if (!path.startsWith('/api/')) {
      await this.#serveFile(path, response)
      return
    }
    if (!this.isUp) {
      request.socket.destroy()
      return
    }
    if (path === '/api/snapshot') {
      this.snapshotRequests++
      json(response, 200, this.#stamped())
    } else if (path === '/api/histograms') {
      json(response, 200, this.histograms)
    } else if (path === '/api/command' && request.method === 'POST') {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      const command = JSON.parse(Buffer.concat(chunks).toString()) as Command
      this.commands.push(command)
      this.#heard()
      const { status, body } = await this.answer(command)
      json(response, status, body)
    } else {
      json(response, 404, { code: 'not-found', message: `no ${path}` })
    }
    this.#heard()
  }

  async #serveFile(path: string, response: ServerResponse): Promise<void> {
    const name = normalize(path === '/' ? '/index.html' : path)
    try {
      const body = await readFile(join(this.#folder, name))
      response.writeHead(200, { 'content-type': TYPES[extname(name)] ?? 'application/octet-stream' })
      response.end(body)
    } catch {
      response.writeHead(404)
      response.end()
    }
  }
}

function sendTo(client: WebSocket, message: LiveMessage): void {
  client.send(JSON.stringify(message))
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}
