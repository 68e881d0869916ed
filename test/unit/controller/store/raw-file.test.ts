// Raw files: what is written comes back frame by frame and fragment by fragment; a cut-off or damaged file gives what
// is whole in it; a writer without room or disk says so.
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { zstdCompressSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SpillwayError } from '../../../../core/errors.ts'
import { FragmentStatus } from '../../../../core/fragment.ts'
import { DateWriter } from '../../../../controller/store/date-writer.ts'
import { decodeFile, parseSources } from '../../../../controller/store/decode.ts'
import { readRawFile } from '../../../../controller/store/raw-file-reader.ts'
import { rawFileName, RawFileWriter } from '../../../../controller/store/raw-file-writer.ts'
import { replayRawFile, type ReplayStep } from '../../../../controller/store/raw-replay.ts'
import type { WordBuffer } from '../../../../controller/store/word-buffer.ts'
import { frameLength } from '../../../../controller/store/zstd-frames.ts'
import { type FakeEvent, fill, fragment, SOURCES } from './block-fixture.ts'
import { equipment36, event36, multiplexer, NUMBERS, slink } from './date-fixture.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'raw-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

const EVENTS: FakeEvent[] = [
  { number: 1, sources: [700, 600, 601] },
  { number: 2, sources: [700, 601], fragmentStatus: FragmentStatus.afterGap },
  { number: 3, sources: [] },
  { number: 4, sources: [700, 600, 601], type: 8 }
]
const FORMATS = parseSources('700=trigger,600=msadc,601=msadc')

/** Two spills of two blocks, each frame a buffer of its own. */
async function writeRun(path: string, isSynchronous = false): Promise<RawFileWriter> {
  const writer = RawFileWriter.open({ path, level: 1, isSynchronous })
  const date = new DateWriter(12)
  const frame = (write: (out: WordBuffer) => void): void => {
    const out = writer.begin()!
    write(out)
    writer.submit(out)
  }
  frame((out) => date.startOfRun(10, out))
  for (const spill of [1, 2]) {
    frame((out) => date.startOfSpill(spill, 20 * spill, out))
    frame((out) => date.appendBlock(fill(12, spill, 4 * spill - 3, EVENTS.slice(0, 2)), SOURCES, out))
    frame((out) => date.appendBlock(fill(12, spill, 4 * spill - 1, EVENTS.slice(2)), SOURCES, out))
    frame((out) => date.endOfSpill(spill, 20 * spill + 5, out))
    await writer.endSpill()
  }
  await writer.close()
  return writer
}

interface Fragment {
  source: number
  spill: number
  event: number
  bytes: Buffer
  status: number
}
function replay(path: string): { steps: ReplayStep[]; fragments: Fragment[] } {
  const fragments: Fragment[] = []
  const receive = (source: number, spill: number, event: number, bytes: Uint8Array, status: number): void => {
    fragments.push({ source, spill, event, bytes: Buffer.from(bytes), status })
  }
  return { steps: [...replayRawFile(path, receive)], fragments }
}
const expected = (spill: number): Fragment[] =>
  EVENTS.flatMap((event) =>
    event.sources.map((source) => ({
      ...{ source, spill, event: event.number, bytes: fragment(event, source, spill) },
      status: source === event.sources.at(-1) ? (event.fragmentStatus ?? 0) : 0
    }))
  )
const brief = (step: ReplayStep): string =>
  step.kind === 'fault'
    ? step.fault.code
    : step.kind === 'event'
      ? `event ${step.spill}/${step.event} ${step.eventInRun} ${step.fragments}`
      : step.kind === 'start'
        ? `start ${step.run}/${step.spill} ${step.time}`
        : `end ${step.spill} ${step.isClosed}`

describe('a whole file', () => {
  test.each([true, false])(
    'gives every event and fragment again (synchronous: %s)',
    async (isSynchronous) => {
      const path = join(folder, 'new', rawFileName(12, true))
      const writer = await writeRun(path, isSynchronous)
      expect(writer.bytesWritten).toBe(readFileSync(path).length)
      const { steps, fragments } = replay(path)
      expect(steps.map(brief)).toEqual(
        [1, 2].flatMap((spill) => [
          `start 12/${spill} ${20 * spill}`,
          `event ${spill}/1 ${4 * spill - 3} 3`,
          `event ${spill}/2 ${4 * spill - 2} 2`,
          `event ${spill}/4 ${4 * spill} 3`,
          `end ${spill} true`
        ])
      )
      expect(fragments).toEqual([...expected(1), ...expected(2)])
      expect(decodeFile(path, FORMATS).events.map((event) => event.type)).toEqual([
        1, 5, 7, 7, 8, 6, 5, 7, 7, 8, 6
      ])
    }
  )

  test('is the same to the byte whether compressed in the pool or at once', async () => {
    await writeRun(join(folder, 'a'), true)
    await writeRun(join(folder, 'b'), false)
    expect(readFileSync(join(folder, 'a'))).toEqual(readFileSync(join(folder, 'b')))
  })

  test('and a plain DATE file, in chunks of any size, give the same', async () => {
    const path = join(folder, 'raw')
    await writeRun(path)
    const pieces = [...readRawFile(path)].map((item) =>
      item.kind === 'piece' ? item.bytes : Buffer.alloc(0)
    )
    expect(pieces).toHaveLength(9)
    const plain = join(folder, 'plain')
    writeFileSync(plain, Buffer.concat(pieces))
    expect(replay(plain)).toEqual(replay(path))
    for (const size of [1000, 64]) {
      const chunks = [...readRawFile(plain, size)]
      expect(
        Buffer.concat(chunks.map((item) => (item.kind === 'piece' ? item.bytes : [])) as Uint8Array[])
      ).toEqual(Buffer.concat(pieces))
    }
  })

  test('of another data acquisition: multiplexers are taken apart, a spill without its marks is one all the same', () => {
    const blocks = [slink({ source: 610, tcs: 0x48 }, 1), slink({ source: 620, format: 0x80 }, 2)]
    const body = equipment36(multiplexer(900, ...blocks))
    const path = join(folder, 'foreign')
    const next = { ...NUMBERS, spill: 4 }
    writeFileSync(
      path,
      zstdCompressSync(
        Buffer.concat([
          event36(NUMBERS, event36(NUMBERS, body, false), true),
          event36(next, Buffer.alloc(0), false)
        ])
      )
    )
    const { steps, fragments } = replay(path)
    expect(steps.map(brief)).toEqual([
      'start 5/3 1700000000',
      'event 3/9 40 2',
      'end 3 false',
      'start 5/4 1700000000',
      'event 4/9 40 0',
      'end 4 false'
    ])
    expect(fragments.map(({ source, bytes, status }) => [source, bytes, status])).toEqual([
      [610, blocks[0], FragmentStatus.tcsError],
      [620, blocks[1], FragmentStatus.firstOfRun]
    ])
  })
})

describe('a file that is not whole', () => {
  test('cut anywhere gives the complete frames and says that it is cut', async () => {
    const path = join(folder, 'raw')
    await writeRun(path)
    const bytes = readFileSync(path)
    const ends: number[] = []
    for (let at = 0; at < bytes.length; at += frameLength(bytes, at)) ends.push(at + frameLength(bytes, at))
    const whole = replay(path).fragments
    const cutFile = join(folder, 'cut')
    // fewer than four bytes are no frame that could be recognised
    for (let cut = 4; cut < bytes.length; cut += 23) {
      writeFileSync(cutFile, bytes.subarray(0, cut))
      const items = [...readRawFile(cutFile)]
      const complete = ends.filter((end) => end <= cut).length
      expect(items.filter((item) => item.kind === 'piece')).toHaveLength(complete)
      const isCut = !ends.includes(cut)
      const codes = items.flatMap((item) => (item.kind === 'fault' ? [item.fault.code] : []))
      expect(codes, `cut ${cut}`).toEqual(isCut ? ['FRAME_TRUNCATED'] : [])
      expect(replay(cutFile).fragments).toEqual(whole.slice(0, replay(cutFile).fragments.length))
    }
  })

  test('with a damaged frame gives the others', async () => {
    const path = join(folder, 'raw')
    await writeRun(path)
    const bytes = readFileSync(path)
    let at = 0
    for (let frame = 0; frame < 2; frame++) at += frameLength(bytes, at)
    bytes[at + frameLength(bytes, at) - 2]! ^= 0xff
    writeFileSync(path, bytes)
    const { steps, fragments } = replay(path)
    expect(steps.map(brief)).toContain('FRAME_DAMAGED')
    expect(fragments).toEqual([...expected(1).slice(5), ...expected(2)])
  })

  test('that is not there is named', () => {
    expect(() => [...readRawFile(join(folder, 'none'))]).toThrow(/none/)
  })
})

describe('the writer', () => {
  test('never touches a file that exists', async () => {
    const path = join(folder, 'raw')
    writeFileSync(path, 'precious')
    expect(() => RawFileWriter.open({ path, level: 1 })).toThrow(SpillwayError)
    expect(readFileSync(path, 'utf8')).toBe('precious')
    await Promise.resolve()
  })

  test('has a bounded queue, and says when there is room again', async () => {
    const writer = RawFileWriter.open({ path: join(folder, 'raw'), level: 1, pendingMax: 2 })
    const first = writer.begin()!
    const second = writer.begin()!
    expect(writer.begin()).toBeUndefined()
    let hasRoom = false
    const room = writer.room().then(() => (hasRoom = true))
    await Promise.resolve()
    expect(hasRoom).toBe(false)
    first.ensure(100_000)
    first.length = 100_000
    writer.submit(first)
    await room
    const third = writer.begin()!
    expect(writer.begin()).toBeUndefined()
    writer.submit(second)
    writer.submit(third)
    await writer.close()
    expect(writer.begin()).toBeUndefined()
    expect(
      [...readRawFile(join(folder, 'raw'))].map((item) => item.kind === 'piece' && item.bytes.length)
    ).toEqual([400_000])
  })

  test('keeps the order of the frames, whichever is compressed first', async () => {
    const path = join(folder, 'raw')
    const writer = RawFileWriter.open({ path, level: 6 })
    const sizes = [300_000, 10, 200_000, 1, 50_000, 3]
    sizes.forEach((size, n) => {
      const buffer = writer.begin()!
      buffer.ensure(size)
      for (let i = 0; i < size; i++) buffer.words[i] = Math.imul(i, 2654435761) ^ n
      buffer.length = size
      writer.submit(buffer)
    })
    await writer.close()
    const pieces = [...readRawFile(path)].flatMap((item) =>
      item.kind === 'piece' ? [item.bytes.length / 4] : []
    )
    expect(pieces).toEqual(sizes)
  })

  // Linux's /dev/full refuses every write as a full disk does
  test('a full disk is an error that says so; nothing is written after it', async () => {
    const writer = openFull()
    writer.submit(filled(writer))
    await expect(writer.endSpill()).rejects.toMatchObject({
      code: 'overflow',
      details: { hint: /disk is full/ }
    })
    expect(writer.failure?.code).toBe('overflow')
    expect(writer.begin()).toBeUndefined()
    await expect(writer.room()).rejects.toMatchObject({ code: 'overflow' })
    await expect(writer.close()).rejects.toMatchObject({ code: 'overflow' })
    await writer.close()
  })

  function openFull(): RawFileWriter {
    return RawFileWriter.on(openSync('/dev/full', 'w'), { path: '/dev/full', level: 1 })
  }
  function filled(writer: RawFileWriter): WordBuffer {
    const buffer = writer.begin()!
    buffer.ensure(10)
    buffer.length = 10
    return buffer
  }
})

test('file names sort by run and say when data are simulated', () => {
  expect([rawFileName(123, false), rawFileName(7, true)]).toEqual([
    'run-000123.date.zst',
    'simulated-run-000007.date.zst'
  ])
})
