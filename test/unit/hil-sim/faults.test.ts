// Every fault of the plan is seen on the wire as its name says, at the spill and event that it names, and the
// source goes on counting what it had to send. The reader is independent of both ends.
import { describe, expect, it } from 'vitest'
import { ErrorCode, isCode } from '../../../core/errors.ts'
import type { FaultInput } from '../../../hil-sim/fault/fault.ts'
import { Hall } from '../../../hil-sim/hall.ts'
import { loadScenario, parseScenario, scenarioNames } from '../../../hil-sim/scenario/scenario.ts'
import { SlinkBridge } from '../../../hil-sim/device/slink-bridge.ts'
import { arm, busOf, Listener, makeExperiment } from './hall-experiment.ts'
import { type Block, readBlock, readFrames, readModules } from './independent-reader.ts'

const BOARD = 'msadc-a'
const at = { spill: 2, event: 5 }

interface Outcome {
  readonly hall: Hall
  readonly listener: Listener
  readonly garbage: number
  /** data frames of spill 2 in the order of the wire */
  readonly blocks: readonly Block[]
  readonly sequences: readonly number[]
  /** [spill, events sent] of every end-of-spill frame */
  readonly ends: readonly (readonly number[])[]
  /** events of spill 2 */
  readonly accepted: number
}

function strike(fault: FaultInput | undefined, spills = 3): Outcome {
  const experiment = makeExperiment()
  const hall = new Hall({ experiment, seed: 3, cycle: 'fast', start: new Date(0) })
  const listener = new Listener(hall.devices[0]!)
  if (fault !== undefined) hall.inject({ device: BOARD, ...fault })
  arm(hall.devices, experiment)
  for (let i = 0; i < spills; i++) hall.advance(300e6)
  const { frames, garbage } = readFrames(listener.bytes())
  // by the start-of-spill frames, since a block's own number may be the fault
  let spill = 0
  const blocks: Block[] = []
  for (const { kind, payload } of frames) {
    if (kind === 2) spill = payload.readUInt32LE(0)
    if (kind === 1 && spill === 2) blocks.push(readBlock(payload))
  }
  return {
    hall,
    listener,
    garbage,
    blocks,
    sequences: frames.map((f) => f.sequence),
    ends: frames
      .filter((f) => f.kind === 3)
      .map(({ payload }) => [payload.readUInt32LE(0), payload.readUInt32LE(12)]),
    accepted: hall.truth().spills[1]!.counts.accepted
  }
}

const good = strike(undefined)
const goodEvents = good.blocks.map((b) => b.event)
const fifth = (outcome: Outcome): Block[] => outcome.blocks.filter((b) => b.event === 5)

describe('faults of one fragment', () => {
  const without = (event: number): number[] => goodEvents.filter((e) => e !== event)
  const firstHeader = (kind: string): number => fifth(strike({ kind, at }))[0]!.payload[0]!
  const goodHeader = fifth(good)[0]!.payload[0]!

  it('has nothing to show without a fault', () => {
    expect(good.garbage).toBe(0)
    expect(goodEvents).toEqual(Array.from({ length: good.accepted }, (_, i) => i + 1))
    expect(good.ends.map(([spill]) => spill)).toEqual([1, 2, 3])
  })

  it('wrong-event: the ADC header carries another event than S-LINK', () => {
    expect(firstHeader('wrong-event') % 4096).toBe(6)
  })

  it('block-size: the first module claims more words than there are', () => {
    const header = firstHeader('block-size')
    expect((header >>> 12) % 4096).toBeGreaterThan(fifth(good)[0]!.payload.length)
    expect(header % 4096).toBe(5)
  })

  it('zero-block-size: the first module claims no words', () => {
    expect((firstHeader('zero-block-size') >>> 12) % 4096).toBe(0)
  })

  it('module-missing: key 00 and size 1, the other module stays', () => {
    const modules = readModules(fifth(strike({ kind: 'module-missing', at }))[0]!.payload)
    expect(modules.map((m) => [m.key, m.size])).toEqual([
      [0, 1],
      [3, 154]
    ])
    expect(goodHeader >>> 30).toBe(3)
  })

  it('drop-fragment: never sent, no gap in the sequence, counted as sent', () => {
    const outcome = strike({ kind: 'drop-fragment', at })
    expect(outcome.blocks.map((b) => b.event)).toEqual(without(5))
    expect(outcome.sequences).toEqual(outcome.sequences.map((_, i) => i))
    expect(outcome.ends).toEqual(good.ends)
  })

  it('lost-frame: the sequence shows one missing', () => {
    const outcome = strike({ kind: 'lost-frame', at })
    expect(outcome.blocks.map((b) => b.event)).toEqual(without(5))
    expect(outcome.sequences.at(-1)! - outcome.sequences.length).toBe(0)
    expect(outcome.ends).toEqual(good.ends)
  })

  it('bad-checksum: bytes without a frame, one frame missing', () => {
    const outcome = strike({ kind: 'bad-checksum', at })
    expect(outcome.blocks.map((b) => b.event)).toEqual(without(5))
    expect(outcome.garbage).toBe(20 + 4 * fifth(good)[0]!.words)
  })

  it('duplicate-fragment: twice the same, counted once', () => {
    const outcome = strike({ kind: 'duplicate-fragment', at })
    expect(fifth(outcome)).toEqual([fifth(good)[0], fifth(good)[0]])
    expect(outcome.ends).toEqual(good.ends)
  })

  it('source-twice: a second block of the source for the event, without data', () => {
    const blocks = fifth(strike({ kind: 'source-twice', at }))
    expect(blocks.map((b) => [b.source, b.words])).toEqual([
      [600, 311],
      [600, 3]
    ])
  })

  it('late-fragment: after the number of later ones that the fault says', () => {
    const outcome = strike({ kind: 'late-fragment', at, with: { after: 3 } })
    expect(outcome.blocks.slice(3, 9).map((b) => b.event)).toEqual([4, 6, 7, 8, 5, 9])
    expect(fifth(outcome)).toEqual(fifth(good))
  })

  it('late-fragment: at the end of the spill when nothing comes after', () => {
    const outcome = strike({ kind: 'late-fragment', at: { spill: 2, event: good.accepted - 1 } })
    expect(outcome.blocks.at(-1)!.event).toBe(good.accepted - 1)
    expect(outcome.ends).toEqual(good.ends)
  })

  it('wrong-spill: the S-LINK header of another spill', () => {
    expect(fifth(strike({ kind: 'wrong-spill', at }))[0]!.spill).toBe(3)
  })

  it('slink-event: the S-LINK header of another event, the modules of their own', () => {
    const outcome = strike({ kind: 'slink-event', at, with: { by: 3 } })
    expect(outcome.blocks[4]!.event).toBe(8)
    expect(outcome.blocks[4]!.payload).toEqual(fifth(good)[0]!.payload)
    expect(outcome.blocks[5]).toEqual(good.blocks[5])
  })

  it('wrong-source: a source id that is not 600', () => {
    expect(fifth(strike({ kind: 'wrong-source', at }))[0]!.source).toBe(856)
  })

  it('bad-length: the frame announces what never comes; all others are behind it', () => {
    const outcome = strike({ kind: 'bad-length', at })
    expect(outcome.blocks.map((b) => b.event)).toEqual(without(5))
    expect(outcome.garbage).toBe(20 + 4 * fifth(good)[0]!.words)
  })

  it('slink-size: the size word disagrees with the block', () => {
    const [block] = fifth(strike({ kind: 'slink-size', at }))
    expect(block!.words).toBe(block!.payload.length + 3 + 2)
  })

  it('tcs-error: the error byte is not the good value', () => {
    expect(fifth(strike({ kind: 'tcs-error', at }))[0]!.tcsError).toBe(0x49)
  })

  it('garbage: bytes between frames, all frames found', () => {
    const outcome = strike({ kind: 'garbage', at, count: 2 })
    expect(outcome.garbage).toBe(50)
    expect(outcome.blocks).toEqual(good.blocks)
  })

  it('empty-with-trailer: header and one word, then nothing more in this spill', () => {
    const outcome = strike({ kind: 'empty-with-trailer', at })
    expect(outcome.blocks.map((b) => b.event)).toEqual([1, 2, 3, 4, 5])
    expect(fifth(outcome)[0]!.payload).toHaveLength(1)
    expect(fifth(outcome)[0]!.words).toBe(4)
    expect(outcome.ends).toEqual(good.ends)
  })

  it('strikes as many events in a row as it counts, and other events not at all', () => {
    const outcome = strike({ kind: 'drop-fragment', at, count: 3 })
    expect(outcome.blocks.map((b) => b.event)).toEqual(goodEvents.filter((e) => e < 5 || e > 7))
  })
})

describe('faults of a connection', () => {
  it('hang-up: closes, refuses until the extractions it counts are over, then serves the next spill', () => {
    const { hall, listener, ends, blocks } = strike({ kind: 'hang-up', at, count: 2 })
    expect([listener.hangUps, ends.length]).toEqual([1, 1])
    expect(blocks.map((b) => b.event)).toEqual([1, 2, 3, 4])
    const second = new Listener(hall.devices[0]!)
    // the third extraction was the second after the hang-up
    hall.advance(300e6)
    expect(second.hangUps).toBe(0)
    const { frames } = readFrames(second.bytes())
    expect(frames.filter((f) => f.kind !== 1).map((f) => f.kind)).toEqual([0, 2, 3])
    expect(frames[0]!.sequence).toBe(0)
  })

  it('hang-up: refuses whoever connects meanwhile', () => {
    const { hall } = strike({ kind: 'hang-up', at, count: 3 })
    const second = new Listener(hall.devices[0]!)
    expect([second.hangUps, second.bytes().length]).toEqual([1, 0])
  })

  it('hang-up with count 0: who reconnects inside the spill is served from there on, the loss is exact', () => {
    const experiment = makeExperiment()
    const hall = new Hall({ experiment, seed: 3, cycle: 'fast', start: new Date(0) })
    hall.inject({ device: BOARD, kind: 'hang-up', at, count: 0 })
    const listener = new Listener(hall.devices[0]!)
    arm(hall.devices, experiment)
    while (listener.hangUps === 0) hall.advance(1e6)
    const before = listener.pieces.length
    listener.again()
    hall.advance(600e6 - hall.utc().getTime() * 1e6)
    const { frames } = readFrames(new Uint8Array(Buffer.concat(listener.pieces.slice(before))))
    const kinds = frames.map((f) => f.kind)
    expect([kinds[0], kinds[1], kinds.at(-1)]).toEqual([0, 1, 3])
    const events = frames.filter((f) => f.kind === 1).map((f) => readBlock(f.payload).event)
    expect(events).toEqual(goodEvents.slice(-events.length))
    expect(events.length).toBeGreaterThan(good.accepted - 15)
    expect(frames.at(-1)!.payload.readUInt32LE(12)).toBe(good.accepted)
  })

  it('who connects first inside a spill gets data from the next start of spill on', () => {
    const experiment = makeExperiment()
    const hall = new Hall({ experiment, seed: 3, cycle: 'fast', start: new Date(0) })
    arm(hall.devices, experiment)
    hall.advance(200e6)
    const listener = new Listener(hall.devices[0]!)
    hall.advance(400e6)
    const { frames } = readFrames(listener.bytes())
    expect(frames.filter((f) => f.kind !== 1).map((f) => f.kind)).toEqual([0, 2, 3])
    expect(new Set(frames.filter((f) => f.kind === 1).map((f) => readBlock(f.payload).spill))).toEqual(
      new Set([2])
    )
  })

  it('silent: connected, but not a byte in that spill', () => {
    const outcome = strike({ kind: 'silent', at })
    expect(outcome.listener.hangUps).toBe(0)
    expect(outcome.ends.map(([spill]) => spill)).toEqual([1, 3])
    expect(outcome.garbage).toBe(0)
  })

  it('no-end-of-spill: all data but no record', () => {
    const outcome = strike({ kind: 'no-end-of-spill', at })
    expect(outcome.blocks).toEqual(good.blocks)
    expect(outcome.ends.map(([spill]) => spill)).toEqual([1, 3])
  })
})

describe('faults of a source for a whole spill', () => {
  it('no-start-of-spill: all data and the record, but no start', () => {
    const { listener, ends, accepted } = strike({ kind: 'no-start-of-spill', at })
    const { frames } = readFrames(listener.bytes())
    expect(frames.filter((f) => f.kind === 2).map((f) => f.payload.readUInt32LE(0))).toEqual([1, 3])
    expect(ends).toEqual(good.ends)
    expect(accepted).toBe(good.accepted)
  })

  it('spill-miscounted: start, blocks and record with a number too large, once', () => {
    const { listener, ends } = strike({ kind: 'spill-miscounted', at, with: { by: 40 } })
    const { frames } = readFrames(listener.bytes())
    expect(frames.filter((f) => f.kind === 2).map((f) => f.payload.readUInt32LE(0))).toEqual([1, 42, 3])
    expect(ends.map(([spill]) => spill)).toEqual([1, 42, 3])
    const numbers = frames.filter((f) => f.kind === 1).map((f) => readBlock(f.payload).spill)
    expect([...new Set(numbers)]).toEqual([1, 42, 3])
  })

  it('counter-not-reset: event numbers begin behind those before, in S-LINK and modules', () => {
    const { blocks, ends } = strike({ kind: 'counter-not-reset', at, with: { from: 500 } })
    expect(blocks.map((b) => b.event)).toEqual(goodEvents.map((e) => e + 500))
    for (const block of blocks) expect(block.payload[0]! % 4096).toBe(block.event % 4096)
    expect(ends).toEqual(good.ends)
  })
})

describe('faults of the control face', () => {
  it('register-stuck: one register takes no value any more, its neighbours do', () => {
    const experiment = makeExperiment()
    const hall = new Hall({ experiment, seed: 3, cycle: 'fast', start: new Date(0) })
    hall.inject({ device: BOARD, kind: 'register-stuck', at: { spill: 0 }, with: { address: 0x101 } })
    const board = busOf(hall.devices[0]!)
    expect(board.write('bus', 0x100, [7, 8, 9])).toBeUndefined()
    expect(board.read('bus', 0x100, 3)).toEqual([7, 0, 9])
    hall.advance(2e9)
    board.write('bus', 0x101, [8])
    expect(board.read('bus', 0x101, 1)).toEqual([0])
  })

  it.each([
    ['register-silent', 'silent'],
    ['register-refuse', 'illegal-value']
  ])('%s: from the start of the spill to the next warning', (kind, answer) => {
    const experiment = makeExperiment()
    const hall = new Hall({ experiment, seed: 3, cycle: 'fast', start: new Date(0) })
    hall.inject({ device: BOARD, kind, at })
    arm(hall.devices, experiment)
    const board = busOf(hall.devices[0]!)
    hall.advance(390e6)
    expect(board.read('bus', 0, 1)).toEqual([0x4d534144])
    hall.advance(100e6)
    expect(board.read('bus', 0, 1)).toBe(answer)
    expect(board.write('bus', 4, [0])).toBe(answer)
    hall.advance(150e6)
    expect(board.read('bus', 0, 1)).toBe(answer)
    hall.advance(50e6)
    expect(board.read('bus', 0, 1)).toEqual([0x4d534144])
  })
})

describe('faults of the machine, seen by the crate', () => {
  const spillsWith = (kind: string, seconds = 1.5) => {
    const experiment = makeExperiment()
    const hall = new Hall({ experiment, seed: 3, cycle: 'fast', start: new Date(0) })
    hall.inject({ kind, at: { spill: 2 } })
    arm(hall.devices, experiment)
    hall.advance(seconds * 1e9)
    return hall.truth().spills
  }

  it('doubled-soe: one spill, not two', () => {
    expect(spillsWith('doubled-soe').map((s) => [s.spill, s.cycle])).toEqual(
      [1, 2, 3, 4, 5].map((n) => [n, n])
    )
  })

  it('missing-eoe: the spill ends when the next extraction is announced, its muons with the beam', () => {
    const spills = spillsWith('missing-eoe')
    expect(spills.map((s) => [s.spill, s.cycle])).toEqual([1, 2, 3, 4, 5].map((n) => [n, n]))
    expect(spills[1]!.counts.lengthNs).toBe(220e6)
    expect(spills[1]!.counts.muons).toBeLessThan(60_000)
  })

  it('spill-without-beam: random triggers only', () => {
    const spills = spillsWith('spill-without-beam')
    expect(spills[1]!.counts.muons).toBe(0)
    expect(Object.keys(spills[1]!.acceptedByProcess)).toEqual(['random'])
    expect(spills[2]!.counts.muons).toBeGreaterThan(30_000)
  })
})

describe('XOFF', () => {
  const command = (kind: number): Uint8Array => {
    // frames of a controller, made by a bridge of its own that believes to send heartbeats
    const sent: Uint8Array[] = []
    const peer = new SlinkBridge({
      identity: { maker: '', model: '', serial: '', firmware: '' },
      sources: []
    })
    peer.attach(
      (bytes) => sent.push(bytes.slice()),
      () => undefined
    )
    peer.advance(1e9)
    peer.flush()
    const frame = Buffer.from(sent.at(-1)!)
    frame.writeUInt16LE(kind, 6)
    frame.writeUInt32LE(crc(frame.subarray(0, 16)), 16)
    return frame
  }
  const crc = (bytes: Uint8Array): number => {
    let c = ~0
    for (const b of bytes) {
      c ^= b
      for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0x82f63b78 : c >>> 1
    }
    return ~c >>> 0
  }

  it('keeps the data and sends them after XON in order; heartbeats and status go on', () => {
    const experiment = makeExperiment()
    const hall = new Hall({ experiment, seed: 3, cycle: 'fast', start: new Date(0) })
    const listener = new Listener(hall.devices[0]!)
    arm(hall.devices, experiment)
    hall.advance(350e6)
    const before = listener.bytes().length
    // cut into single bytes, garbage before
    listener.session.receive(Uint8Array.of(1, 2, 3, 0x53))
    for (const byte of command(5)) listener.session.receive(Uint8Array.of(byte))
    expect((busOf(hall.devices[0]!).read('bus', 3, 1) as number[])[0]! & 8).toBe(8)
    hall.advance(700e6)
    const quiet = readFrames(listener.bytes().subarray(before))
    expect(quiet.frames.map((f) => f.kind)).toEqual([4])
    listener.session.receive(command(6))
    const { frames } = readFrames(listener.bytes())
    expect(frames.map((f) => f.sequence)).toEqual(frames.map((_, i) => i))
    const spillTwo = frames.filter((f) => f.kind === 1).map((f) => readBlock(f.payload))
    expect(spillTwo.filter((b) => b.spill === 2)).toEqual(good.blocks)
  })

  it('drops data beyond its buffer, says so, and still sends the marks of the spill', () => {
    const sent: Uint8Array[] = []
    const bridge = new SlinkBridge({
      identity: { maker: '', model: '', serial: '', firmware: '' },
      sources: [600],
      bufferBytesMax: 250
    })
    const session = bridge.attach(
      (bytes) => sent.push(bytes.slice()),
      () => undefined
    )
    session.receive(command(5))
    bridge.startOfSpill(1, 1, 0n)
    for (let i = 0; i < 5; i++) bridge.data(new Uint8Array(100).fill(i))
    bridge.endOfSpill(1, [{ source: 600, eventsSent: 5, wordsSent: 125, busyNs: 0 }])
    expect(bridge.hasOverflowed).toBe(true)
    session.receive(command(6))
    expect(readFrames(Buffer.concat(sent)).frames.map((f) => f.kind)).toEqual([0, 2, 1, 1, 3])
  })
})

describe('a second connection', () => {
  it('replaces the first', () => {
    const { hall, listener } = strike(undefined, 2)
    const second = new Listener(hall.devices[0]!)
    expect(listener.hangUps).toBe(1)
    const before = listener.pieces.length
    hall.advance(300e6)
    expect(listener.pieces).toHaveLength(before)
    expect(readFrames(second.bytes()).frames.length).toBeGreaterThan(20)
  })
})

describe('fault plans', () => {
  it('are refused when nobody knows them', () => {
    const hall = new Hall({ experiment: makeExperiment(), seed: 1, cycle: 'fast', start: new Date(0) })
    const attempts: FaultInput[] = [
      { kind: 'garbage', at },
      { device: BOARD, kind: 'lost-wwe', at },
      { device: 'nobody', kind: 'garbage', at },
      { device: 'slink-msadc:5', kind: 'garbage', at },
      { device: 'crate', kind: 'block-size', at }
    ]
    for (const fault of attempts) {
      let thrown: unknown
      try {
        hall.inject(fault)
      } catch (error) {
        thrown = error
      }
      expect(isCode(thrown, ErrorCode.usage)).toBe(true)
    }
    expect(() => hall.inject({ device: 'slink-msadc:1', kind: 'garbage', at })).not.toThrow()
  })

  it('come with the product as scenarios that all load', () => {
    expect(scenarioNames()).toEqual(['bad-input', 'board-fails', 'default', 'low-intensity', 'noisy-stream'])
    for (const name of scenarioNames()) expect(loadScenario(name).about).not.toBe('')
    expect(loadScenario('board-fails').faults[0]).toMatchObject({ kind: 'hang-up', at: { spill: 3 } })
  })

  it('tell every fault of a wrong scenario at once', () => {
    let thrown: unknown
    try {
      parseScenario('about: x\nbeam: { muons: 5 }\nfaults: [{ kind: garbage, at: { spill: -1 } }]', 'x.yaml')
    } catch (error) {
      thrown = error
    }
    expect(isCode(thrown, ErrorCode.configuration) && thrown.details.faults?.length).toBe(2)
  })

  it('of a scenario strike in a hall made with it', () => {
    const scenario = parseScenario(
      `{ about: x, faults: [{ device: 'slink-msadc:0', kind: no-end-of-spill, at: { spill: 1 } }] }`,
      'x.yaml'
    )
    const experiment = makeExperiment()
    const hall = new Hall({ experiment, seed: 3, cycle: 'fast', start: new Date(0), scenario })
    const listener = new Listener(hall.devices[0]!)
    arm(hall.devices, experiment)
    hall.advance(300e6)
    expect(readFrames(listener.bytes()).frames.some((f) => f.kind === 3)).toBe(false)
  })
})
