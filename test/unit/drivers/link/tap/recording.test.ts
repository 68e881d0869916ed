// The recorder keeps what a tap heard with its time, in bounded memory; the file of JSON lines gives it back value by
// value; damaged files are refused with the line; and a link that is not tapped as its kind is not replayed.
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ErrorCode, SpillwayError } from '../../../../../core/errors.ts'
import { milliseconds } from '../../../../../core/units.ts'
import { VirtualClock } from '../../../../../core/virtual-clock.ts'
import type { ByteLink } from '../../../../../drivers/link/link.ts'
import { LinkState } from '../../../../../drivers/link/link-state.ts'
import { tapped } from '../../../../../drivers/link/tap.ts'
import type { TapEvent } from '../../../../../drivers/link/tap/event.ts'
import { TapRecorder } from '../../../../../drivers/link/tap/recorder.ts'
import { parseRecording, type Recording, recordingLines } from '../../../../../drivers/link/tap/recording.ts'

const never = new AbortController().signal
const bytes = (n: number): TapEvent => ({ dir: 'in', what: 'bytes', bytes: new Uint8Array(n) })
const fileOf = (session: readonly Recording[]): string => [...recordingLines(session)].join('')

/** A byte link that hands out its inside. */
class BareLink implements ByteLink {
  readonly url = 'tcp://bare:1'
  readonly state = new LinkState(this.url)
  receiver: (bytes: Uint8Array) => void = () => undefined
  extra = 'kept'
  get isOpen(): boolean {
    return this.state.isOpen
  }
  open(): Promise<void> {
    this.state.set(true, 'yes')
    return Promise.resolve()
  }
  close(): Promise<void> {
    this.state.set(false, 'no')
    return Promise.resolve()
  }
  onState(listener: (isOpen: boolean, why: string) => void): () => void {
    return this.state.onState(listener)
  }
  write(): Promise<void> {
    return Promise.reject(new SpillwayError(ErrorCode.refused, 'full', { got: 'XOFF', cause: 'a cause' }))
  }
  receive(receiver: (bytes: Uint8Array) => void): void {
    this.receiver = receiver
  }
  pause(): void {
    this.extra = 'paused'
  }
  resume(): void {
    this.extra = 'resumed'
  }
}

describe('a tap', () => {
  it('records requests, answers, failures, bytes and states in order and with their time', async () => {
    const clock = new VirtualClock()
    const recorder = new TapRecorder(clock)
    const bare = new BareLink()
    const link: ByteLink = tapped(bare, recorder.sink(bare.url, 'bytes'))
    let heard = ''
    link.receive((b) => (heard += Buffer.from(b).toString()))
    await link.open(never)
    await clock.advance(milliseconds(5))
    const buffer = Buffer.from('out')
    await expect(link.write(buffer)).rejects.toMatchObject({ code: ErrorCode.refused })
    buffer.fill(0)
    const inbound = Buffer.from('in')
    bare.receiver(inbound)
    inbound.fill(0)
    await link.close()
    expect(heard).toBe('in')
    const failure = { code: 'refused', message: 'full', got: 'XOFF' }
    expect(recorder.session()[0]!.entries).toEqual([
      { at: 0, event: { dir: 'out', what: 'request', id: 1, verb: 'open', args: [] } },
      { at: 0, event: { dir: 'in', what: 'state', isOpen: true, why: 'yes' } },
      { at: 0, event: { dir: 'in', what: 'answer', id: 1, value: undefined } },
      {
        at: 5e6,
        event: {
          dir: 'out',
          what: 'request',
          id: 2,
          verb: 'write',
          args: [new Uint8Array(Buffer.from('out'))]
        }
      },
      { at: 5e6, event: { dir: 'in', what: 'failure', id: 2, error: failure } },
      { at: 5e6, event: { dir: 'in', what: 'bytes', bytes: new Uint8Array(Buffer.from('in')) } },
      { at: 5e6, event: { dir: 'out', what: 'request', id: 3, verb: 'close', args: [] } },
      { at: 5e6, event: { dir: 'in', what: 'state', isOpen: false, why: 'no' } },
      { at: 5e6, event: { dir: 'in', what: 'answer', id: 3, value: undefined } }
    ])
  })

  it('leaves everything else of the link as it is', () => {
    const bare = new BareLink()
    const link = tapped(bare, { record: () => undefined })
    link.pause()
    expect(link.extra).toBe('paused')
    link.resume()
    expect(bare.extra).toBe('resumed')
    expect([link.url, link.isOpen]).toEqual(['tcp://bare:1', false])
    expect('identification' in link).toBe(false)
  })
})

describe('a recorder', () => {
  const fill = (keep: 'newest' | 'oldest'): Recording[] => {
    const recorder = new TapRecorder(new VirtualClock(), { bytesMax: 10_000, keep })
    const [a, b] = [recorder.sink('tcp://a:1', 'bytes'), recorder.sink('tcp://b:1', 'bytes')]
    for (let n = 0; n < 100; n++) (n % 2 === 0 ? a : b).record(bytes(n))
    return recorder.session()
  }
  const lengths = ({ entries }: Recording): number[] =>
    entries.flatMap(({ event }) => (event.what === 'bytes' ? [event.bytes.length] : []))

  it('keeps the oldest entries, and counts what it dropped', () => {
    const session = fill('oldest')
    const kept = session.map(lengths)
    expect(kept[0]).toEqual(Array.from({ length: kept[0]!.length }, (_, i) => 2 * i))
    expect(kept[1]).toEqual(Array.from({ length: kept[1]!.length }, (_, i) => 2 * i + 1))
    expect(session.map(({ dropped, entries }) => dropped + entries.length)).toEqual([50, 50])
    expect(kept.flat().reduce((sum, n) => sum + n + 200, 0)).toBeLessThanOrEqual(10_000)
  })

  it('keeps the newest entries where that is asked for', () => {
    const session = fill('newest')
    const kept = session.map(lengths)
    expect([kept[0]!.at(-1), kept[1]!.at(-1)]).toEqual([98, 99])
    expect(session.map(({ dropped, entries }) => dropped + entries.length)).toEqual([50, 50])
    expect(session.every(({ dropped }) => dropped > 0)).toBe(true)
    expect(kept.flat().reduce((sum, n) => sum + n + 200, 0)).toBeLessThanOrEqual(10_000)
  })
})

describe('the file of a recording', () => {
  const plain = fc.oneof(
    fc.double({ noNaN: false }),
    fc.string(),
    fc.boolean(),
    fc.constant(null),
    fc.uint8Array()
  )
  const event: fc.Arbitrary<TapEvent> = fc.oneof(
    fc.record({
      dir: fc.constant('out' as const),
      what: fc.constant('request' as const),
      id: fc.nat(),
      verb: fc.constantFrom('read' as const, 'write' as const, 'publish' as const),
      args: fc.array(fc.oneof(plain, fc.array(plain)))
    }),
    fc.record({
      dir: fc.constant('in' as const),
      what: fc.constant('answer' as const),
      id: fc.nat(),
      value: fc.oneof(plain, fc.array(plain))
    }),
    fc.record({
      dir: fc.constant('in' as const),
      what: fc.constant('bytes' as const),
      bytes: fc.uint8Array()
    }),
    fc.record({
      dir: fc.constant('in' as const),
      what: fc.constant('report' as const),
      watch: fc.nat(),
      node: fc.string(),
      value: fc.record({
        value: fc.oneof(fc.double(), fc.string(), fc.boolean(), fc.constant(null)),
        sourceTime: fc.option(fc.date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) }), {
          nil: undefined
        }),
        quality: fc.constantFrom('good' as const, 'suspect' as const, 'bad' as const),
        status: fc.string()
      })
    }),
    fc.record({
      dir: fc.constantFrom('in' as const, 'out' as const),
      what: fc.constant('wire' as const),
      connection: fc.nat(),
      bytes: fc.uint8Array()
    })
  )
  /** JSON knows no -0 */
  const asJson = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value, (_, v: unknown) => v)) as unknown

  it('gives every entry back as it was', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 20 }), (events) => {
        const session: Recording[] = [
          {
            url: 'mqtt://x:1',
            kind: 'topics',
            startUtc: new Date('2026-07-01T12:00:00.000Z'),
            dropped: 0,
            kept: 'oldest',
            entries: events.map((e, i) => ({ at: i, event: e }))
          }
        ]
        const read = parseRecording(fileOf(session))
        expect(fileOf(read)).toBe(fileOf(session))
        expect(asJson(read)).toEqual(asJson(session))
      }),
      { numRuns: 200 }
    )
  })

  const two = (): Recording[] => {
    const recorder = new TapRecorder(new VirtualClock())
    recorder.sink('tcp://a:1', 'bytes').record(bytes(2))
    recorder.sink('mqtt://b:1', 'topics').record({ dir: 'in', what: 'state', isOpen: true, why: 'open' })
    return recorder.session()
  }

  it('holds the links of a session side by side', () => {
    expect(parseRecording(fileOf(two()))).toEqual(two())
  })

  it('is what the documentation says', () => {
    expect(fileOf(two()).split('\n')).toEqual([
      '{"format":"spillway-tap","version":1,"link":0,"url":"tcp://a:1","kind":"bytes","utc":"2022-09-15T00:00:00.000Z","dropped":0,"kept":"oldest"}',
      '{"format":"spillway-tap","version":1,"link":1,"url":"mqtt://b:1","kind":"topics","utc":"2022-09-15T00:00:00.000Z","dropped":0,"kept":"oldest"}',
      '{"link":0,"at":0,"dir":"in","what":"bytes","bytes":{"hex":"0000"}}',
      '{"link":1,"at":0,"dir":"in","what":"state","isOpen":true,"why":"open"}',
      ''
    ])
  })

  it('in the README can be read', () => {
    const readme = readFileSync(new URL('../../../../../drivers/link/README.md', import.meta.url), 'utf8')
    const lines = readme.split('\n').filter((line) => line.startsWith('    {'))
    const [recording] = parseRecording(`${lines.join('\n')}\n`.replaceAll('    {', '{'))
    expect(recording?.entries.map(({ event }) => event.what)).toEqual(['request', 'wire', 'answer'])
  })

  it('that was cut off is read up to its last whole line', () => {
    const file = fileOf(two())
    const header = file.split('\n')[0]!.length + 1
    for (let length = header; length <= file.length; length++) {
      const whole = file.slice(0, length).split('\n').length - 1
      const read = parseRecording(file.slice(0, length))
      expect(read.length + read.flatMap(({ entries }) => entries).length).toBe(whole)
    }
  })

  it.each([
    ['no JSON', 'line 5: it is no JSON', (file: string) => `${file}garbage\n`],
    ['a list', 'line 5: it is no JSON object', (file: string) => `${file}[]\n`],
    [
      'an unknown event',
      'line 5: what',
      (file: string) => `${file}{"link":0,"at":0,"dir":"in","what":"x"}\n`
    ],
    [
      'an unknown link',
      'line 5: link 7',
      (file: string) => `${file}{"link":7,"at":0,"dir":"out","what":"abort","id":1}\n`
    ],
    ['another version', 'line 1: version', (file: string) => file.replace('"version":1', '"version":2')],
    ['nothing', 'no header', () => '']
  ])('with %s is refused', (_what, says, damage) => {
    expect(() => parseRecording(damage(fileOf(two())))).toThrow(
      expect.objectContaining({
        code: ErrorCode.corrupt,
        message: expect.stringContaining(says) as unknown
      }) as Error
    )
  })
})
