// The capture file of a recording, read by a few lines written from the formats' descriptions: its header, the times,
// the bytes of both directions in order, sequence numbers that follow, and addresses for what has none. (Checksums and
// protocols are checked by tshark in test/strangers.)
import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../../../core/errors.ts'
import type { TapEvent } from '../../../../../drivers/link/tap/event.ts'
import { writePcap } from '../../../../../drivers/link/tap/pcap.ts'
import type { Recording } from '../../../../../drivers/link/tap/recording.ts'

interface Packet {
  readonly timeUs: number
  readonly protocol: number
  readonly from: string
  readonly to: string
  readonly flags: string
  readonly sequence: number
  readonly acknowledged: number
  readonly payload: string
}

function packetsOf(file: Uint8Array): Packet[] {
  const bytes = Buffer.from(file)
  expect(bytes.subarray(0, 24).toString('hex')).toBe('d4c3b2a102000400000000000000000000000400' + '65000000')
  const packets: Packet[] = []
  for (let at = 24; at < bytes.length;) {
    const length = bytes.readUInt32LE(at + 8)
    expect(bytes.readUInt32LE(at + 12)).toBe(length)
    const ip = bytes.subarray(at + 16, at + 16 + length)
    expect([ip[0], ip.readUInt16BE(2)]).toEqual([0x45, length])
    const isTcp = ip[9] === 6
    const end = (where: number, port: number): string =>
      `${[...ip.subarray(where, where + 4)].join('.')}:${ip.readUInt16BE(port)}`
    packets.push({
      timeUs: bytes.readUInt32LE(at) * 1e6 + bytes.readUInt32LE(at + 4),
      protocol: ip[9]!,
      from: end(12, 20),
      to: end(16, 22),
      flags: isTcp ? ['F', 'S', 'R', 'P', 'A'].filter((_, bit) => (ip[33]! & (1 << bit)) !== 0).join('') : '',
      sequence: isTcp ? ip.readUInt32BE(24) : 0,
      acknowledged: isTcp ? ip.readUInt32BE(28) : 0,
      payload: ip.subarray(isTcp ? 40 : 28).toString('latin1')
    })
    at += 16 + length
  }
  return packets
}

const START = new Date('2026-07-01T12:00:00.250Z')
const recording = (url: string, kind: Recording['kind'], events: readonly TapEvent[]): Recording => ({
  url,
  kind,
  startUtc: START,
  dropped: 0,
  kept: 'oldest',
  entries: events.map((event, i) => ({ at: i * 1e6, event }))
})
const text = (words: string): Uint8Array => Buffer.from(words, 'latin1')
const write = (id: number, words: string): TapEvent => ({
  dir: 'out',
  what: 'request',
  id,
  verb: 'write',
  args: [text(words)]
})
const heard = (words: string): TapEvent => ({ dir: 'in', what: 'bytes', bytes: text(words) })
const state = (isOpen: boolean): TapEvent => ({ dir: 'in', what: 'state', isOpen, why: '' })
const failure = (id: number): TapEvent => ({
  dir: 'in',
  what: 'failure',
  id,
  error: { code: 'disconnected', message: '' }
})

describe('a capture of a byte link over TCP', () => {
  const long = 'x'.repeat(40_000)
  const packets = packetsOf(
    writePcap([
      recording('tcp://10.64.1.20:5600', 'bytes', [
        state(true),
        write(1, 'question'),
        heard(long),
        write(2, 'never sent'),
        failure(2),
        state(false),
        state(true),
        heard('again')
      ])
    ])
  )
  const [ours, again, theirs] = ['127.0.0.1:49152', '127.0.0.1:49153', '10.64.1.20:5600']
  const stream = (from: string, to: string): string =>
    packets
      .filter((p) => p.from === from && p.to === to)
      .map(({ payload }) => payload)
      .join('')

  it('holds the bytes of both directions, connection by connection, and not what failed', () => {
    expect(stream(ours, theirs)).toBe('question')
    expect(stream(theirs, ours)).toBe(long)
    expect(stream(theirs, again)).toBe('again')
    expect(Math.max(...packets.map(({ payload }) => payload.length))).toBeLessThanOrEqual(1460)
  })

  it('begins and ends connections as TCP does, at their times', () => {
    const first = packets.filter(({ from, to }) => from === ours || to === ours)
    expect(first.map(({ flags }) => flags).slice(0, 3)).toEqual(['S', 'SA', 'A'])
    expect(first.map(({ flags }) => flags).slice(-3)).toEqual(['FA', 'FA', 'A'])
    expect(first[0]!.timeUs).toBe(START.getTime() * 1000)
    expect(first.at(-1)!.timeUs).toBe(START.getTime() * 1000 + 5000)
  })

  it('has sequence numbers that follow, and acknowledges what came', () => {
    const next = new Map<string, number>()
    for (const { from, to, flags, sequence, acknowledged, payload } of packets) {
      const way = `${from} ${to}`
      if (flags.includes('S')) next.set(way, sequence)
      expect(sequence).toBe(next.get(way))
      if (flags.includes('A')) expect(acknowledged).toBe(next.get(`${to} ${from}`))
      next.set(way, sequence + payload.length + (/[SF]/.test(flags) ? 1 : 0))
    }
  })
})

describe('a capture', () => {
  const wire = (protocol: 'tcp' | 'udp', host: string): TapEvent[] => [
    {
      dir: 'out',
      what: 'wire-open',
      connection: 1,
      protocol,
      local: ['::ffff:10.0.0.1', 4000],
      remote: [host, 50001]
    },
    { dir: 'out', what: 'wire', connection: 1, bytes: text('ask') },
    { dir: 'in', what: 'wire', connection: 1, bytes: text('answer') },
    { dir: 'in', what: 'wire-close', connection: 1 }
  ]

  it('of datagrams has one packet for each', () => {
    const packets = packetsOf(
      writePcap([recording('ipbus+udp://10.0.0.2', 'registers', wire('udp', '10.0.0.2'))])
    )
    expect(packets.map(({ protocol, from, to, payload }) => [protocol, from, to, payload])).toEqual([
      [17, '10.0.0.1:4000', '10.0.0.2:50001', 'ask'],
      [17, '10.0.0.2:50001', '10.0.0.1:4000', 'answer']
    ])
  })

  it('of a byte link over UDP has one packet for each piece', () => {
    const packets = packetsOf(
      writePcap([recording('udp://10.0.0.2:5', 'bytes', [state(true), write(1, 'a'), heard('b')])])
    )
    expect(packets.map(({ protocol, to, payload }) => [protocol, to, payload])).toEqual([
      [17, '10.0.0.2:5', 'a'],
      [17, '127.0.0.1:49152', 'b']
    ])
  })

  it.each([
    ['fe80::1', '192.0.2.1'],
    ['crate.hall', '192.0.2.1'],
    ['localhost', '127.0.0.1']
  ])('gives the host %s the address %s', (host, address) => {
    const [first] = packetsOf(writePcap([recording('modbus+tcp://plc', 'registers', wire('tcp', host))]))
    expect(first!.to).toBe(`${address}:50001`)
  })

  it('of several links is in the order of time', () => {
    const session = [
      recording('ipbus+udp://10.0.0.2', 'registers', wire('udp', '10.0.0.2')),
      recording('tcp://10.0.0.3:1', 'bytes', [state(true), heard('data')])
    ]
    const times = packetsOf(writePcap(session)).map(({ timeUs }) => timeUs)
    expect(times).toEqual([...times].sort((a, b) => a - b))
  })

  it.each([
    ['a serial line', recording('serial:///dev/hv', 'bytes', [heard('x')])],
    ['a link in memory', recording('mqtt://memory', 'topics', [state(true)])]
  ])('of %s is refused', (_what, of) => {
    expect(() => writePcap([of])).toThrow(expect.objectContaining({ code: ErrorCode.usage }) as Error)
  })
})
