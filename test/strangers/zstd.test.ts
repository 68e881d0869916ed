/**
 * A raw file in the hands of strangers: Debian's zstd checks, lists and decompresses it, and a reader written here
 * from the layout (test/golden/date/README.md), which shares nothing with the writer, finds every event in the result.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DateWriter } from '../../controller/store/date-writer.ts'
import { rawFileName, RawFileWriter } from '../../controller/store/raw-file-writer.ts'
import { type FakeEvent, fill, fragment, SOURCES } from '../unit/controller/store/block-fixture.ts'
import { describeWith, program } from './programs.ts'

/** The least that a reader of the layout has to know; anything out of order throws. */
function readDate(
  file: Buffer
): { type: number; spill: number; event: number; inRun: number; blocks: Buffer[] }[] {
  const events = []
  let at = 0
  while (at < file.length) {
    const word = (index: number): number => file.readUInt32LE(at + 4 * index)
    if (word(1) !== 0xda1e5afe || word(3) < 0xffff) expect.fail(`no event at ${at}`)
    const end = at + word(0)
    const blocks: Buffer[] = []
    const isSuper = (word(13) & 0x10) !== 0
    for (let sub = at + word(2); sub < end;) {
      if (!isSuper || file.readUInt32LE(sub + 4) !== 0xda1e5afe) expect.fail(`no sub-event at ${sub}`)
      for (const same of [12, 20, 24, 28])
        if (file.readUInt32LE(sub + same) !== file.readUInt32LE(at + same)) expect.fail(`numbers at ${sub}`)
      const subEnd = sub + file.readUInt32LE(sub)
      let equipment = sub + file.readUInt32LE(sub + 8)
      while (equipment < subEnd) {
        const size = file.readUInt32LE(equipment)
        const data = file.subarray(equipment + 28, equipment + size)
        if (4 * data.readUInt16LE(0) !== data.length) expect.fail(`S-LINK size at ${equipment}`)
        blocks.push(data)
        equipment += size
      }
      if (equipment !== subEnd) expect.fail(`sub-event at ${sub} does not close`)
      sub = subEnd
      if (sub > end) expect.fail(`event at ${at} does not close`)
    }
    events.push({
      type: word(4) & 0xffff,
      spill: word(7) >>> 20,
      event: word(7) & 0xfffff,
      inRun: word(6),
      blocks
    })
    at = end
  }
  return events
}

describeWith('a raw file', { zstd: program('zstd') }, ({ zstd }) => {
  const events: FakeEvent[] = Array.from({ length: 400 }, (_, i) => ({
    number: i + 1,
    sources: i % 50 === 7 ? [] : i % 9 === 4 ? [700, 601] : SOURCES,
    type: i % 10 === 0 ? 8 : 7
  }))
  const spills = [1, 2, 4095]
  let folder: string
  let path: string
  let frames = 0

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'zstd-'))
    path = join(folder, rawFileName(7, false))
    const writer = RawFileWriter.open({ path, level: 1 })
    const date = new DateWriter(7)
    const frame = async (
      write: (out: NonNullable<ReturnType<typeof writer.begin>>) => void
    ): Promise<void> => {
      await writer.room()
      const out = writer.begin()!
      write(out)
      writer.submit(out)
      frames++
    }
    await frame((out) => date.startOfRun(1, out))
    for (const [n, spill] of spills.entries()) {
      await frame((out) => date.startOfSpill(spill, 2, out))
      for (let i = 0; i < events.length; i += 8)
        await frame((out) => {
          date.appendBlock(fill(7, spill, 400 * n + i + 1, events.slice(i, i + 8)), SOURCES, out)
        })
      await frame((out) => date.endOfSpill(spill, 3, out))
      await writer.endSpill()
    }
    await frame((out) => date.endOfRun(4, out))
    await writer.close()
  })
  afterAll(() => {
    rmSync(folder, { recursive: true })
  })

  test('passes the check of zstd', () => {
    const checked = spawnSync(zstd, ['-t', path], { encoding: 'utf8' })
    expect(checked.stderr).toContain('.zst')
    expect(checked.status).toBe(0)
  })

  test('is listed with all its frames, the seek table as a skippable one, and its content size', () => {
    const plain = execFileSync(zstd, ['-dc', path], { maxBuffer: 1 << 28 })
    const listed = execFileSync(zstd, ['-lv', path], { encoding: 'utf8' })
    expect(/# Zstandard Frames: (\d+)/.exec(listed)?.[1]).toBe(String(frames))
    expect(/# Skippable Frames: (\d+)/.exec(listed)?.[1]).toBe('1')
    expect(/Decompressed Size:.*\((\d+) B\)/.exec(listed)?.[1]).toBe(String(plain.length))
    expect(listed).toMatch(/Check: XXH64/)
  })

  test('has a seek table that leads to each frame', () => {
    const file = readFileSync(path)
    expect(file.readUInt32LE(file.length - 4)).toBe(0x8f92eab1)
    const count = file.readUInt32LE(file.length - 9)
    expect(count).toBe(frames)
    const start = file.length - 9 - 12 * count - 8
    expect([file.readUInt32LE(start), file.readUInt32LE(start + 4)]).toEqual([0x184d2a5e, 12 * count + 9])
    let at = 0
    for (let i = 0; i < count; i++) {
      const entry = start + 8 + 12 * i
      const frame = file.subarray(at, at + file.readUInt32LE(entry))
      expect(frame.readUInt32LE(0)).toBe(0xfd2fb528)
      expect(frame.readUInt32LE(frame.length - 4)).toBe(file.readUInt32LE(entry + 8))
      at += frame.length
      if (i % 40 !== 0) continue
      writeFileSync(join(folder, 'one.zst'), frame)
      const content = execFileSync(zstd, ['-dc', join(folder, 'one.zst')], { maxBuffer: 1 << 28 })
      expect(content.length).toBe(file.readUInt32LE(entry + 4))
    }
    expect(at).toBe(start)
  })

  test('decompressed by zstd is a DATE file in which every event and fragment is found', () => {
    const found = readDate(execFileSync(zstd, ['-dc', path], { maxBuffer: 1 << 28 }))
    const expected = spills.flatMap((spill, n) => [
      { type: 5, spill, event: 0, blocks: [] },
      ...events
        .filter((event) => event.sources.length > 0)
        .map((event) => ({
          type: event.type,
          spill,
          event: event.number,
          inRun: 400 * n + event.number,
          blocks: event.sources.map((source) => fragment(event, source, spill & 0x7ff))
        })),
      { type: 6, spill, event: 0, blocks: [] }
    ])
    const whole = [{ type: 1, spill: 0 }, ...expected, { type: 2, spill: 0 }]
    expect(found).toHaveLength(whole.length)
    found.forEach((event, i) => expect(event).toMatchObject(whole[i]!))
  })

  test('cut off, gives zstd the complete frames', () => {
    const file = readFileSync(path)
    writeFileSync(join(folder, 'cut.zst'), file.subarray(0, Math.floor(file.length / 2)))
    const cut = spawnSync(zstd, ['-dc', join(folder, 'cut.zst')], { maxBuffer: 1 << 28 })
    expect(cut.status).not.toBe(0)
    expect(readDate(cut.stdout).length).toBeGreaterThan(500)
  })
})
