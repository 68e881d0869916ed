import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import fastifyStatic from '@fastify/static'
import fastifyWebsocket from '@fastify/websocket'
import fastify, { type FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { ApiError, Command, CommandResult, Histogram } from '../../console/api/api.ts'
import type { Clock } from '../../core/clock.ts'
import { ErrorCode, sentence, SpillwayError } from '../../core/errors.ts'
import { LiveFeed } from './live-feed.ts'

export interface ServerOptions {
  readonly clock: Clock
  readonly feed: LiveFeed
  readonly histograms: () => Histogram[]
  readonly command: (command: Command) => CommandResult
}

const commandSchema = z.discriminatedUnion('name', [
  z.strictObject({
    name: z.literal('start'),
    spills: z.number().int().min(1).max(1_000_000).optional(),
    note: z.string().max(2000).optional()
  }),
  z.strictObject({ name: z.literal('stop') }),
  z.strictObject({ name: z.literal('make-safe'), reason: z.string().min(1).max(500) }),
  z.strictObject({ name: z.literal('recover') })
])

/** Only a page of this server, or a program on this machine, may command: no other origin, no other name. */
function isOurs(host: string | undefined, origin: string | undefined): boolean {
  const name = (host ?? '').replace(/:\d+$/, '')
  if (name !== '127.0.0.1' && name !== 'localhost' && name !== '[::1]') return false
  return origin === undefined || origin === `http://${host ?? ''}`
}

const HTTP_STATUS: Partial<Record<ErrorCode, number>> = {
  [ErrorCode.usage]: 400,
  [ErrorCode.notPermitted]: 409,
  [ErrorCode.notFound]: 404,
  [ErrorCode.timeout]: 504
}

/** The HTTP face of the controller, on the loopback interface; not listening yet. */
export async function makeServer(options: ServerOptions): Promise<FastifyInstance> {
  const { clock, feed } = options
  const server = fastify({ bodyLimit: 64 << 10, forceCloseConnections: true })
  await server.register(fastifyWebsocket, { options: { maxPayload: 64 << 10 } })

  server.addHook('onRequest', async (request, reply) => {
    if (isOurs(request.headers.host, request.headers.origin)) return
    const error: ApiError = { code: ErrorCode.notPermitted, message: 'only pages of this server may ask' }
    await reply.code(403).send(error)
  })
  server.setErrorHandler(async (error, _request, reply) => {
    const known = error instanceof SpillwayError
    const answer: ApiError = { code: known ? error.code : ErrorCode.usage, message: sentence(error) }
    if (known && error.details.hint !== undefined) answer.hint = error.details.hint
    await reply.code(known ? (HTTP_STATUS[error.code] ?? 500) : 400).send(answer)
  })

  server.get('/api/snapshot', () => feed.snapshot(clock.utc()))
  server.get('/api/histograms', () => options.histograms())
  server.post('/api/command', (request) => {
    const parsed = commandSchema.safeParse(request.body)
    if (!parsed.success) throw new SpillwayError(ErrorCode.usage, z.prettifyError(parsed.error))
    return options.command(parsed.data as Command)
  })
  server.get('/api/live', { websocket: true }, (socket) => {
    const leave = feed.join(
      {
        send: (text) => socket.send(text),
        backlog: () => socket.bufferedAmount,
        cutOff: () => socket.close(1013, 'too slow')
      },
      clock.utc()
    )
    socket.on('close', leave)
    socket.on('error', leave)
  })

  const pages = ['../../console/dist/', '../../../console/dist/']
    .map((path) => fileURLToPath(new URL(path, import.meta.url)))
    .find((path) => existsSync(path))
  if (pages !== undefined) await server.register(fastifyStatic, { root: pages })
  else
    server.get('/', async (_request, reply) =>
      reply.code(503).send('The console is not built: run `npm ci` (or `node build.js`) in the repository.')
    )
  return server
}

/** Listens on 127.0.0.1. A port that was asked for and is taken is an error that says so. */
export async function listen(server: FastifyInstance, port: number, isDefault: boolean): Promise<string> {
  try {
    return await server.listen({ host: '127.0.0.1', port })
  } catch (error) {
    const isTaken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
    if (isTaken && isDefault) return server.listen({ host: '127.0.0.1', port: 0 })
    throw new SpillwayError(ErrorCode.usage, `port ${port} of 127.0.0.1 cannot be used: ${sentence(error)}`, {
      hint: 'choose another one with --port, or 0 for any',
      cause: error
    })
  }
}
