import { afterEach, expect, test } from 'vitest'
import type { FastifyInstance } from 'fastify'
import type { Command, Snapshot } from '../../../../console/api/api.ts'
import { LiveFeed } from '../../../../controller/server/live-feed.ts'
import { listen, makeServer } from '../../../../controller/server/server.ts'
import { SystemClock } from '../../../../core/clock.ts'
import { ErrorCode, SpillwayError } from '../../../../core/errors.ts'

// The routes without a port: what they answer, what they refuse. One test listens, on a free port.

let server: FastifyInstance
const taken: Command[] = []
async function make(command: (c: Command) => void = (c) => void taken.push(c)): Promise<FastifyInstance> {
  const feed = new LiveFeed(() => ({ title: 'test' }) as unknown as Omit<Snapshot, 'n' | 'utc'>, 1000)
  server = await makeServer({
    clock: new SystemClock(),
    feed,
    histograms: () => [],
    command: (c) => {
      command(c)
      return { accepted: true, state: 'configuring' }
    }
  })
  return server
}
afterEach(async () => {
  taken.length = 0
  await server.close()
})
const local = { host: '127.0.0.1:8064' }

test('gives the snapshot to a page of its own and to programs of this machine', async () => {
  await make()
  const answer = await server.inject({ url: '/api/snapshot', headers: local })
  expect(answer.statusCode).toBe(200)
  expect(answer.json()).toMatchObject({ n: 1, title: 'test' })
})

test.each([
  ['another origin', { ...local, origin: 'http://evil.example' }],
  ['another name for this address', { host: 'rebound.example:8064' }]
])('refuses %s', async (_name, headers) => {
  await make()
  const command = { name: 'stop' }
  const answer = await server.inject({ method: 'POST', url: '/api/command', headers, payload: command })
  expect(answer.statusCode).toBe(403)
  expect(taken).toEqual([])
})

test.each([
  [{ name: 'start', spills: 0 }],
  [{ name: 'start', spills: 3, voltage: 1000 }],
  [{ name: 'make-safe' }],
  [{ name: 'energise' }],
  ['not json']
])('a malformed command %j is refused with a sentence and nothing happens', async (payload) => {
  await make()
  const answer = await server.inject({
    method: 'POST',
    url: '/api/command',
    headers: { ...local, 'content-type': 'application/json' },
    payload: typeof payload === 'string' ? payload : JSON.stringify(payload)
  })
  expect(answer.statusCode).toBe(400)
  expect(answer.json<{ message: string }>().message.length).toBeGreaterThan(10)
  expect(taken).toEqual([])
})

test('a command that the state forbids is 409 with the reason', async () => {
  await make(() => {
    throw new SpillwayError(ErrorCode.notPermitted, 'cannot start: the state is safe: recover first')
  })
  const payload = { name: 'start' }
  const answer = await server.inject({ method: 'POST', url: '/api/command', headers: local, payload })
  expect(answer.statusCode).toBe(409)
  expect(answer.json()).toMatchObject({
    code: 'not-permitted',
    message: expect.stringContaining('recover') as string
  })
})

test('a port that is taken is an error with a hint when it was asked for, and another port when it was not', async () => {
  const first = await make()
  const port = Number(new URL(await listen(first, 0, false)).port)
  const second = await make()
  await expect(listen(second, port, false)).rejects.toMatchObject({
    code: ErrorCode.usage,
    details: { hint: expect.stringContaining('--port') as string }
  })
  const third = await make()
  expect(Number(new URL(await listen(third, port, true)).port)).not.toBe(port)
  await Promise.all([first.close(), second.close()])
})
