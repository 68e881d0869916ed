// The hall gives the same bytes for the same seed however time is cut, what its crate counts is what its boards
// send, and an independent reader finds in the data what the world put there.
import { describe, expect, it } from 'vitest'
import type { Experiment } from '../../../config/schema.ts'
import { Hall } from '../../../hil-sim/hall.ts'
import { arm, busOf, Listener, makeExperiment } from './hall-experiment.ts'
import { type Block, readBlock, readFrames, readModules } from './independent-reader.ts'

const start = new Date('2026-07-01T12:00:00Z')

function makeHall(
  experiment: Experiment = makeExperiment(),
  seed = 7
): { hall: Hall; listeners: Listener[] } {
  const hall = new Hall({ experiment, seed, cycle: 'fast', start })
  return { hall, listeners: hall.devices.map((device) => new Listener(device)) }
}

function runSpills(hall: Hall, spills: number, stepNs = Number.POSITIVE_INFINITY): void {
  while (hall.truth().spills.length < spills) hall.advance(Math.min(stepNs, hall.untilNextNs()))
}

const blocksOf = (listener: Listener): Block[] =>
  readFrames(listener.bytes())
    .frames.filter((f) => f.kind === 1)
    .map((f) => readBlock(f.payload))

describe('Hall', () => {
  it('sends the same bytes in steps of 0.3, 10 and 1000 ms, heartbeats included', () => {
    const bytes = [0.3e6, 10e6, 1000e6].map((stepNs) => {
      const { hall, listeners } = makeHall()
      arm(hall.devices, makeExperiment())
      // 8 cycles of 300 ms: two heartbeats fall in
      for (let t = 0; t < 2400e6; t += stepNs) hall.advance(Math.min(stepNs, 2400e6 - t))
      return listeners.map((listener) => Buffer.from(listener.bytes()))
    })
    for (let i = 0; i < 3; i++) {
      expect(bytes[0]![i]!.length).toBeGreaterThan(10_000)
      expect(bytes[0]![i]!.equals(bytes[1]![i]!)).toBe(true)
      expect(bytes[0]![i]!.equals(bytes[2]![i]!)).toBe(true)
    }
  })

  it('gives other spills for another seed, and other spills for the next run', () => {
    const accepted = (seed: number): number[] => {
      const { hall } = makeHall(makeExperiment(), seed)
      arm(hall.devices, makeExperiment())
      runSpills(hall, 2)
      const crate = busOf(hall.devices[2]!)
      crate.write('bus', 4, [0])
      crate.write('bus', 5, [2])
      crate.write('bus', 4, [1])
      runSpills(hall, 4)
      expect(hall.truth().spills.map((s) => [s.ordinal, s.run, s.spill])).toEqual([
        [1, 1, 1],
        [1, 1, 2],
        [2, 2, 1],
        [2, 2, 2]
      ])
      return hall.truth().spills.map((s) => s.counts.muons)
    }
    const first = accepted(7)
    expect(accepted(7)).toEqual(first)
    expect(accepted(8)).not.toEqual(first)
    expect(new Set(first).size).toBe(4)
  })

  it('counts in the crate what every source sends and says to have sent', () => {
    const { hall, listeners } = makeHall()
    arm(hall.devices, makeExperiment())
    runSpills(hall, 2)
    const crate = busOf(hall.devices[2]!)
    const accepted = crate.read('bus', 0x101, 1) as number[]
    expect(crate.read('bus', 0x100, 1)).toEqual([2])
    const truth = hall.truth().spills
    expect(accepted).toEqual([truth[1]!.counts.accepted])
    for (const listener of listeners) {
      const { frames, garbage } = readFrames(listener.bytes())
      expect(garbage).toBe(0)
      expect(frames.map((f) => f.sequence)).toEqual(frames.map((_, i) => i))
      expect(frames[0]!.kind).toBe(0)
      const kinds = frames.filter((f) => f.kind !== 4).map((f) => f.kind)
      expect([kinds.indexOf(2), kinds.at(-1)]).toEqual([1, 3])
      for (const spill of [1, 2]) {
        const blocks = blocksOf(listener).filter((b) => b.spill === spill)
        const n = truth[spill - 1]!.counts.accepted
        expect(blocks.map((b) => b.event)).toEqual(Array.from({ length: n }, (_, i) => i + 1))
        const end = frames.filter((f) => f.kind === 3)[spill - 1]!.payload
        expect([end.readUInt32LE(0), end.readUInt32LE(4)]).toEqual([spill, 1])
        expect([end.readUInt32LE(8), end.readUInt32LE(12), Number(end.readBigUInt64LE(16))]).toEqual([
          blocks[0]!.source,
          n,
          blocks.reduce((sum, b) => sum + b.words, 0)
        ])
      }
    }
  })

  it('says when and in which machine cycle a spill starts', () => {
    const { hall, listeners } = makeHall()
    arm(hall.devices, makeExperiment())
    runSpills(hall, 1)
    const { payload } = readFrames(listeners[0]!.bytes()).frames.find((f) => f.kind === 2)!
    expect([payload.readUInt32LE(0), payload.readUInt32LE(4)]).toEqual([1, 1])
    // fast cycle: extraction after the pause of 100 ms
    expect(payload.readBigUInt64LE(8)).toBe(BigInt(start.getTime() + 100) * 1_000_000n)
  })

  it('sends well-formed modules of all cabled channels, with the sums of their samples', () => {
    const { hall, listeners } = makeHall()
    arm(hall.devices, makeExperiment())
    runSpills(hall, 1)
    const blocks = blocksOf(listeners[0]!)
    expect(blocks.length).toBeGreaterThan(50)
    for (const block of blocks) {
      expect(block).toMatchObject({ source: 600, tcsError: 8, format: 0, words: block.payload.length + 3 })
      const modules = readModules(block.payload)
      expect(modules.map((m) => [m.key, m.port, m.adc, m.event, m.size])).toEqual([
        [3, 0, 0, block.event, 1 + 9 * 17],
        [3, 0, 1, block.event, 1 + 9 * 17]
      ])
      for (const { channels } of modules) {
        expect(channels.map((c) => c.number)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
        for (const c of channels) expect(c.sum).toBe(c.samples.reduce((a, b) => a + b, 0) % 65536)
      }
    }
  })

  it("describes each trigger in the crate's own block", () => {
    const { hall, listeners } = makeHall()
    arm(hall.devices, makeExperiment())
    runSpills(hall, 1)
    const blocks = blocksOf(listeners[2]!)
    const { counts } = hall.truth().spills[0]!
    let before = -1
    for (const { format, payload, words } of blocks) {
      const [mask, time, busy, type] = payload as [number, number, number, number]
      expect([format, words]).toEqual([0x30, 7])
      expect(time).toBeGreaterThan(before)
      expect(time / 38.88e6).toBeLessThan(0.2)
      expect(busy).toBeLessThan(time + 1)
      // only the random line is calibration
      expect(type).toBe(mask === 4 ? 8 : 7)
      before = time
    }
    counts.lines.forEach((l, i) =>
      expect(blocks.filter((b) => b.payload[0]! & (1 << i))).toHaveLength(l.accepted)
    )
  })

  it('shows the muon in one target cell, pedestals that differ between even and odd samples elsewhere', () => {
    const { hall, listeners } = makeHall(makeExperiment(20_000))
    arm(hall.devices, makeExperiment())
    runSpills(hall, 4)
    const triggers = new Map(blocksOf(listeners[2]!).map((b) => [`${b.spill}/${b.event}`, b.payload[0]!]))
    const oddEven: number[][] = Array.from({ length: 9 }, () => [])
    let hits = 0
    let beams = 0
    const amplitudes: number[] = []
    for (const block of blocksOf(listeners[0]!)) {
      const [main] = readModules(block.payload)
      const mask = triggers.get(`${block.spill}/${block.event}`)!
      if (mask === 2) beams++
      for (const { number, samples } of main!.channels) {
        const mean = (offset: number): number =>
          (samples[offset]! + samples[offset + 2]! + samples[offset + 4]!) / 3
        if (mask === 4) oddEven[number]!.push(mean(1) - mean(0))
        const peak = Math.max(...samples.slice(12, 18)) - (mean(0) + mean(1)) / 2
        if (mask === 2 && peak > 40) {
          hits++
          amplitudes.push(peak)
        }
      }
    }
    expect(beams).toBeGreaterThan(100)
    expect(hits / beams).toBeGreaterThan(0.95)
    expect(hits / beams).toBeLessThan(1.2)
    amplitudes.sort((a, b) => a - b)
    // most probable 100 counts, Landau width 12: the median lies at 100 (1 + 0.12 (1.356 + 0.223)) = 119
    expect(amplitudes[amplitudes.length >> 1]! / 119).toBeCloseTo(1, 1)
    const differences = oddEven.map((list) => list.reduce((a, b) => a + b, 0) / list.length)
    expect(Math.max(...differences.map(Math.abs))).toBeGreaterThan(1.5)
    expect(Math.max(...differences.map(Math.abs))).toBeLessThan(15)
  })

  it('leaves the veto without plain muons and gives it the energy of interactions', () => {
    const { hall, listeners } = makeHall()
    arm(hall.devices, makeExperiment())
    runSpills(hall, 2)
    const masks = new Map(blocksOf(listeners[2]!).map((b) => [`${b.spill}/${b.event}`, b.payload[0]!]))
    let beam = 0
    let physics = 0
    for (const block of blocksOf(listeners[1]!)) {
      const veto = readModules(block.payload)[0]!.channels.find((c) => c.number === 9)!.samples
      const isHit = Math.max(...veto) - veto[0]! > 30
      const mask = masks.get(`${block.spill}/${block.event}`)!
      if (isHit && mask === 2) beam++
      if (isHit && (mask & 1) !== 0) physics++
    }
    expect(beam).toBeLessThan(3)
    expect(physics).toBeGreaterThan(10)
  })

  it('suppresses channels without signal and sends a module with none as its header alone', () => {
    const experiment = makeExperiment()
    const { hall, listeners } = makeHall(experiment)
    const board = busOf(hall.devices[0]!)
    board.write('bus', 0x100, new Array<number>(32).fill(20))
    arm(hall.devices, experiment)
    board.write('bus', 4, [0])
    board.write('bus', 4, [3])
    runSpills(hall, 1)
    const blocks = blocksOf(listeners[0]!)
    const channels = blocks.flatMap((b) => readModules(b.payload)).map((m) => m.channels.length)
    expect(channels.filter((n) => n === 0).length).toBeGreaterThan(10)
    expect(channels.filter((n) => n === 1).length).toBeGreaterThan(50)
    for (const m of blocks.flatMap((b) => readModules(b.payload)))
      if (m.channels.length === 0) expect(m.size).toBe(1)
  })

  it('keeps silent without run enable, and begins with spill 1 at the next start of extraction', () => {
    const { hall, listeners } = makeHall()
    hall.advance(150e6)
    // now in the first extraction
    arm(hall.devices, makeExperiment())
    hall.advance(150e6)
    expect(hall.truth().spills).toEqual([])
    expect(blocksOf(listeners[0]!)).toEqual([])
    runSpills(hall, 1)
    expect(hall.truth().spills[0]).toMatchObject({ spill: 1, cycle: 2 })
  })

  it('makes artificial spills of the length that commands give, with random triggers only', () => {
    const experiment = makeExperiment()
    const { hall, listeners } = makeHall(experiment)
    arm(hall.devices, experiment, 0b101)
    const crate = busOf(hall.devices[2]!)
    hall.advance(1000e6)
    expect(hall.truth().spills).toEqual([])
    crate.write('bus', 8, [1])
    expect((crate.read('bus', 3, 1) as number[])[0]! & 4).toBe(4)
    hall.advance(330e6)
    crate.write('bus', 8, [0])
    const { counts, spill } = hall.truth().spills[0]!
    expect([spill, counts.lengthNs, counts.muons]).toEqual([1, 330e6, 0])
    expect(counts.accepted).toBeGreaterThan(10)
    hall.advance(1e6)
    expect(blocksOf(listeners[0]!)).toHaveLength(counts.accepted)
    expect(blocksOf(listeners[2]!).every((b) => b.payload[3] === 8)).toBe(true)
  })

  it('counts on its run ordinal after a restart with what it saved', () => {
    const { hall } = makeHall()
    arm(hall.devices, makeExperiment())
    runSpills(hall, 1)
    const saved: unknown = JSON.parse(JSON.stringify(hall.save()))
    const { hall: second } = makeHall()
    second.restore(saved)
    arm(second.devices, makeExperiment())
    runSpills(second, 1)
    expect(second.truth().spills[0]!.ordinal).toBe(2)
    expect(second.truth().spills[0]!.counts).not.toEqual(hall.truth().spills[0]!.counts)
  })
})
