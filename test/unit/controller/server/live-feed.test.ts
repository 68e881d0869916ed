import { expect, test } from 'vitest'
import type { LiveMessage, Snapshot } from '../../../../console/api/api.ts'
import { type LiveClient, LiveFeed } from '../../../../controller/server/live-feed.ts'

// Numbered changes: a client that applies them to its snapshot has the state; a slow client is cut off, alone.

type Fields = Omit<Snapshot, 'n' | 'utc'>
const at = (s: number): Date => new Date(1_700_000_000_000 + s * 1000)

function feedOf(): { state: { title: string; simulated: boolean }; feed: LiveFeed } {
  const state = { title: 'a', simulated: true }
  return { state, feed: new LiveFeed(() => ({ ...state }) as unknown as Fields, 1000) }
}

function client(backlog = 0): LiveClient & { messages: LiveMessage[]; isCut: boolean } {
  const messages: LiveMessage[] = []
  const self = {
    messages,
    isCut: false,
    send: (text: string) => void messages.push(JSON.parse(text) as LiveMessage),
    backlog: () => backlog,
    cutOff: () => void (self.isCut = true)
  }
  return self
}

test('a client gets the snapshot, then only what changed, numbered without a gap', () => {
  const { state, feed } = feedOf()
  const page = client()
  feed.join(page, at(0))
  state.title = 'b'
  feed.update(at(1))
  feed.update(at(2))
  state.title = 'c'
  feed.update(at(3))
  const [first, ...changes] = page.messages
  expect(first).toMatchObject({ kind: 'snapshot', snapshot: { n: 1, title: 'a' } })
  expect(changes).toMatchObject([
    { kind: 'change', n: 2, change: { title: 'b' } },
    { kind: 'change', n: 3, change: {} },
    { kind: 'change', n: 4, change: { title: 'c' } }
  ])
  expect(changes[0]).not.toHaveProperty('change.simulated')
})

test('one that joins later starts from the newest state and number', () => {
  const { state, feed } = feedOf()
  state.title = 'z'
  feed.update(at(1))
  const page = client()
  feed.join(page, at(2))
  expect(page.messages[0]).toMatchObject({ snapshot: { n: 2, title: 'z', utc: at(2).toISOString() } })
})

test('a client that does not take its messages is cut off and the others go on', () => {
  const { feed } = feedOf()
  const slow = client(5000)
  const quick = client()
  feed.join(slow, at(0))
  feed.join(quick, at(0))
  feed.update(at(1))
  expect(slow.isCut).toBe(true)
  expect(slow.messages).toHaveLength(1)
  expect(quick.messages).toHaveLength(2)
  expect(feed.clients).toBe(1)
})
