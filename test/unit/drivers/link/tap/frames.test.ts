// The frame readers against messages written down from the manuals: cut at every point, one byte at a time, with
// garbage around, truncated and repeated they find the same messages and tell every byte that is none; random
// bytes never make them fail.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { TapEvent } from '../../../../../drivers/link/tap/event.ts'
import { FrameDecoder } from '../../../../../drivers/link/tap/frames.ts'
import { lineFramer, slinkFramer } from '../../../../../drivers/link/tap/frames/bytes.ts'
import type { Frame, StreamFramer } from '../../../../../drivers/link/tap/frames/frame.ts'
import { ipbusFrame } from '../../../../../drivers/link/tap/frames/ipbus.ts'
import { modbusFramer } from '../../../../../drivers/link/tap/frames/modbus.ts'
import { mqttFramer } from '../../../../../drivers/link/tap/frames/mqtt.ts'
import { encodeFrame, FrameKind } from '../../../../../drivers/link/slink-frame.ts'
import { fromHex, goldenIpbus } from '../../../../golden/wire/golden.ts'

const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'))
const block = new Uint8Array(new Uint32Array([(600 << 16) | 3, (2 << 20) | 77, 0x0800]).buffer)

/** A protocol: how it is read, messages with what is said of them, and bytes that can begin none. */
interface Case {
  readonly make: () => StreamFramer
  readonly messages: readonly (readonly [bytes: Uint8Array, type: string, text: string])[]
  readonly garbage: Uint8Array
}

const cases: Record<string, Case> = {
  'Modbus requests': {
    make: () => modbusFramer('out'),
    messages: [
      [
        hex('0001 0000 0006 01 03 0010 0002'),
        'request',
        'transaction 1 unit 1: read holding registers 16 x 2'
      ],
      [hex('0002 0000 0006 01 06 0020 0007'), 'request', 'transaction 2 unit 1: write register 32 = 7'],
      [
        hex('0003 0000 000b 01 10 0020 0002 04 0007 0008'),
        'request',
        'transaction 3 unit 1: write registers 32 = 7 8'
      ]
    ],
    garbage: hex('ffff ffff ffff ffff')
  },
  'Modbus replies': {
    make: () => modbusFramer('in'),
    messages: [
      [
        hex('0001 0000 0007 01 03 04 002a 0007'),
        'reply',
        'transaction 1 unit 1: read holding registers 42 7'
      ],
      [
        hex('0002 0000 0003 01 83 02'),
        'exception',
        'transaction 2 unit 1: read holding registers exception 2'
      ]
    ],
    garbage: hex('ffff ffff ffff ffff')
  },
  'MQTT 3.1.1': {
    make: () => mqttFramer('out', { is5: false }),
    messages: [
      [hex('10 0d 0004 4d515454 04 02 000a 0001 61'), 'CONNECT', 'version 3.1.1'],
      [hex('82 06 0001 0001 61 01'), 'SUBSCRIBE', 'packet 1: a'],
      [hex('30 05 0001 61 6869'), 'PUBLISH', 'a: hi'],
      [hex('33 07 0001 61 0002 6869'), 'PUBLISH', 'a qos 1 retained: hi'],
      [hex('40 02 0002'), 'PUBACK', 'packet 2'],
      [hex('c0 00'), 'PINGREQ', '']
    ],
    garbage: hex('0f 0f 0f')
  },
  'MQTT 5': {
    make: () => mqttFramer('out', { is5: false }),
    messages: [
      [hex('10 0e 0004 4d515454 05 02 000a 00 0001 61'), 'CONNECT', 'version 5'],
      [hex('30 0c 0001 61 05 11 0000000a 6869 21'), 'PUBLISH', 'a: hi!'],
      [hex('82 07 0001 00 0001 61 01'), 'SUBSCRIBE', 'packet 1: a']
    ],
    garbage: hex('0f 0f 0f')
  },
  'S-LINK frames': {
    make: () => slinkFramer('in'),
    messages: [
      [
        encodeFrame(FrameKind.hello, 0, Buffer.from('{"sources":[600]}')),
        'hello',
        'frame 0: {"sources":[600]}'
      ],
      [
        encodeFrame(FrameKind.startOfSpill, 1, hex('02000000 09000000 0000000000000000')),
        'startOfSpill',
        'frame 1: spill 2'
      ],
      [encodeFrame(FrameKind.data, 2, block), 'data', 'frame 2: source 600 spill 2 event 77, 12 bytes'],
      [encodeFrame(FrameKind.heartbeat, 3), 'heartbeat', 'frame 3']
    ],
    garbage: hex('534c 4e00 0011 2233')
  }
}

const read = (framer: StreamFramer, chunks: readonly Uint8Array[]): Frame[] =>
  chunks.flatMap((chunk) => framer.push(chunk))
const said = (frames: readonly Frame[]): [string, string][] =>
  frames.filter(({ type }) => type !== 'garbage').map(({ type, text }) => [type, text])
const garbageBytes = (frames: readonly Frame[]): number =>
  frames.filter(({ type }) => type === 'garbage').reduce((sum, { text }) => sum + Number.parseInt(text), 0)

describe.each(Object.entries(cases))('%s', (_name, { make, messages, garbage }) => {
  const wire = new Uint8Array(Buffer.concat(messages.map(([bytes]) => bytes)))
  const wanted = messages.map(([, type, text]) => [type, text])

  it('are told as the manual means them', () => {
    expect(said(read(make(), [wire]))).toEqual(wanted)
  })

  it('are the same cut at every point and byte by byte', () => {
    for (let cut = 0; cut <= wire.length; cut++) {
      const frames = read(make(), [wire.subarray(0, cut), wire.subarray(cut)])
      expect(said(frames)).toEqual(wanted)
      expect(garbageBytes(frames)).toBe(0)
    }
    const bytes = Array.from(wire, (_, i) => wire.subarray(i, i + 1))
    expect(said(read(make(), bytes))).toEqual(wanted)
  })

  it('come twice when they were sent twice', () => {
    expect(said(read(make(), [wire, wire]))).toEqual([...wanted, ...wanted])
  })

  it('are found after garbage, all of which is told', () => {
    const frames = read(make(), [garbage, wire, garbage, wire])
    expect(said(frames)).toEqual([...wanted, ...wanted])
    expect(garbageBytes(frames)).toBe(2 * garbage.length)
  })

  it('that are cut off say nothing of the last', () => {
    for (let length = 0; length < wire.length; length++) {
      const frames = said(read(make(), [wire.subarray(0, length)]))
      expect(frames).toEqual(wanted.slice(0, frames.length))
      expect(frames.length).toBeLessThan(wanted.length)
    }
  })

  it('are read out of any bytes without failing', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 8 }), (chunks) => {
        read(make(), chunks)
      }),
      { numRuns: 200 }
    )
  })
})

describe('lines', () => {
  it('end with any line end, wherever they are cut, and show what is not text', () => {
    const wire = Buffer.from('*IDN?\r\n\r\na\x01b\n\xff\r', 'latin1')
    for (let cut = 0; cut <= wire.length; cut++) {
      const frames = read(lineFramer('out'), [wire.subarray(0, cut), wire.subarray(cut)])
      expect(frames.map(({ text }) => text)).toEqual(['*IDN?', 'a\\x01b', '\\xff'])
    }
  })

  it('are told in pieces where they have no end', () => {
    const frames = read(lineFramer('in'), [new Uint8Array(10_000).fill(0x61)])
    expect(frames.reduce((sum, { text }) => sum + text.length, 0)).toBe(10_000)
  })
})

describe('IPbus packets', () => {
  it('are told as the golden conversation has them', () => {
    const told = goldenIpbus().conversation.flatMap(({ request, reply }) => [
      ipbusFrame('out', fromHex(request)),
      ...(reply === null ? [] : [ipbusFrame('in', fromHex(reply))])
    ])
    expect(told.some(({ type }) => type === 'garbage')).toBe(false)
    expect(told.slice(0, 12).map(({ type, text }) => `${type} ${text}`)).toEqual([
      'status request ',
      'status reply next packet 1',
      'control request packet 1: read 0x00000000 x 3',
      'control reply packet 1: read 0x4d534144 0x00010002 0x00000258',
      'control request packet 2: write 0x00000005 0x00000014 0x00000020',
      'control reply packet 2: write done',
      'control request packet 3: modify 0x00000004 0xffffffff 0x00000001',
      'control reply packet 3: modify 0x00000002',
      'control request packet 4: read 0x00000fff x 1',
      'control reply packet 4: read failed, info 4, after 0 words',
      'control request packet 5: write 0x000002ff 0x00000028 0x00000029',
      'control reply packet 5: write failed, info 5, after 1 words'
    ])
    expect(told.map(({ type, text }) => `${type} ${text}`)).toContain('resend request packet 2')
  })

  it('are garbage when they are none', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        const { type } = ipbusFrame('in', bytes)
        if (bytes.length % 4 !== 0) expect(type).toBe('garbage')
      })
    )
  })
})

describe('a frame decoder', () => {
  const feed = (url: string, events: readonly TapEvent[]): string[] => {
    const decoder = new FrameDecoder(url)
    return events
      .flatMap((event) => decoder.feed(event))
      .map(({ dir, type, text }) => `${dir} ${type} ${text}`)
  }
  const written = (text: string): TapEvent => ({
    dir: 'out',
    what: 'request',
    id: 2,
    verb: 'write',
    args: [Buffer.from(text)]
  })
  const open: TapEvent = { dir: 'in', what: 'state', isOpen: true, why: 'connected' }
  const bytes = (content: Uint8Array): TapEvent => ({ dir: 'in', what: 'bytes', bytes: content })

  it('reads lines on a link that speaks text, and frames where a bridge says hello', () => {
    expect(feed('serial:///dev/hv', [open, written('*IDN?\r\n'), bytes(Buffer.from('iseg\r\n'))])).toEqual([
      'in open connected',
      'out line *IDN?',
      'in line iseg'
    ])
    expect(feed('tcp://bridge:1', [open, bytes(encodeFrame(FrameKind.heartbeat, 0))])).toEqual([
      'in open connected',
      'in heartbeat frame 0'
    ])
  })

  it('reads each datagram by itself', () => {
    expect(feed('udp://receiver:1', [bytes(hex('53504c50 0001')), bytes(hex('0a'))])).toEqual([
      'in datagram 53 50 4c 50 00 01',
      'in datagram 0a'
    ])
  })

  it('begins anew with each connection', () => {
    expect(
      feed('tcp://hv:1', [open, bytes(Buffer.from('half a li')), open, bytes(Buffer.from('line\n'))])
    ).toEqual(['in open connected', 'in open connected', 'in line line'])
  })

  it('tells requests where it has no bytes of the wire, and packets where it has', () => {
    const request: TapEvent = { dir: 'out', what: 'request', id: 1, verb: 'read', args: ['holding', 16, 2] }
    const answer: TapEvent = { dir: 'in', what: 'answer', id: 1, value: [42, 7] }
    expect(feed('modbus+tcp://plc:502', [request, answer])).toEqual([
      'out request 1: read "holding" 16 2',
      'in answer 1: [42, 7]'
    ])
    const wire: TapEvent[] = [
      { dir: 'out', what: 'wire-open', connection: 1, protocol: 'tcp', local: ['a', 1], remote: ['b', 2] },
      request,
      { dir: 'out', what: 'wire', connection: 1, bytes: hex('0001 0000 0006 01 03 0010 0002') },
      answer
    ]
    expect(feed('modbus+tcp://plc:502', wire)).toEqual([
      'out request transaction 1 unit 1: read holding registers 16 x 2'
    ])
  })
})
