/**
 * The raw file of a real run in the hands of strangers: Debian's zstd decompresses it, and a reader in Python's standard
 * library (read_date.py, written from the layout alone) finds the same events, trigger masks, channels and samples
 * in it as `spillway decode`. The reader itself is held to golden files, whose content another program wrote down.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DataFolder, soon, Spillway } from '../integration/spillway.ts'
import { describeWith, program, python } from './programs.ts'

/** modules, channels, samples, and the sum of all samples */
type MsadcTotals = [number, number, number, number]
interface FoundEvent {
  readonly type: number
  readonly run: number
  readonly in_run: number
  readonly spill: number
  readonly in_spill: number
  readonly mask: number
  readonly blocks: [number, MsadcTotals | number[] | number][]
}

interface Slink {
  readonly src: number
  readonly blocks?: Slink[]
  readonly payload?: {
    readonly kind: string
    readonly modules?: { readonly channels: { readonly samples: string }[] }[]
    readonly mask?: number
    readonly timeTicks?: number
    readonly busyTicks?: number
    readonly eventType?: number
  }
}
interface DecodedEvent {
  readonly type: number
  readonly run: number
  readonly nbInRun: number
  readonly spill: number
  readonly nbInSpill: number
  readonly trigger: number
  readonly subs: { readonly equipments: { readonly slink: Slink }[] }[]
  readonly faults?: unknown[]
}

const PHYSICS = 7
const CALIBRATION = 8
const END_OF_SPILL = 6
const isTriggered = ({ type }: { type: number }): boolean => type === PHYSICS || type === CALIBRATION

/** Every data block of an event, those inside multiplexers too. */
function blocksOf(event: DecodedEvent): Slink[] {
  const flat = (slink: Slink): Slink[] => slink.blocks?.flatMap(flat) ?? [slink]
  return event.subs.flatMap(({ equipments }) => equipments.flatMap(({ slink }) => flat(slink)))
}

function totalsOf({ payload }: Slink): MsadcTotals {
  const channels = (payload?.modules ?? []).flatMap((module) => module.channels)
  const samples = channels.flatMap(({ samples }) => samples.match(/.{3}/g) ?? [])
  const sum = samples.reduce((total, digits) => total + Number.parseInt(digits, 16), 0)
  return [payload?.modules?.length ?? 0, channels.length, samples.length, sum]
}

const wanted = { zstd: program('zstd'), python: python() }

describeWith('a reader of DATE files in Python', wanted, (paths) => {
  const reader = fileURLToPath(new URL('read_date.py', import.meta.url))
  const read = (plain: Buffer, msadc: string, triggers: string): { bytes: number; events: FoundEvent[] } => {
    const words = ['-BEs', reader, msadc, triggers]
    const said = execFileSync(paths.python, words, { input: plain, maxBuffer: 1 << 28, encoding: 'utf8' })
    return JSON.parse(said) as { bytes: number; events: FoundEvent[] }
  }
  const golden = (name: string): Buffer => readFileSync(new URL(`../golden/date/${name}`, import.meta.url))

  it('finds in the golden file what its maker wrote down', () => {
    const { events } = read(golden('good.date'), '600,601', '700')
    const truth = (JSON.parse(golden('good.json').toString()) as { events: DecodedEvent[] }).events
    expect(events.map(({ type, in_spill, mask }) => [type, in_spill, mask])).toEqual(
      truth.map(({ type, nbInSpill, trigger }) => [type, nbInSpill, trigger])
    )
    const expected = truth.map((event) => blocksOf(event).map((block) => block.src))
    expect(events.map(({ blocks }) => blocks.map(([source]) => source))).toEqual(expected)
    for (const [i, event] of truth.entries())
      for (const [b, block] of blocksOf(event).entries())
        if (block.payload?.kind === 'msadc') expect(events[i]!.blocks[b]![1]).toEqual(totalsOf(block))
  })

  it.each([
    'bad-key.date',
    'zero-block-size.date',
    'truncated.date',
    'wrong-event-slink.date',
    'bad-magic.date'
  ])('says where %s is damaged', (name) => {
    const { status, stderr } = spawnSync(paths.python, ['-BEs', reader, '600,601', '700'], {
      input: golden(name),
      encoding: 'utf8'
    })
    expect(status).toBe(1)
    expect(stderr).toMatch(/Damaged: .* at byte \d+/)
  })

  describe('on the file of a run', () => {
    const folder = new DataFolder()
    let plain: Buffer
    let found: FoundEvent[]
    let decoded: DecodedEvent[]
    let built: number

    beforeAll(async () => {
      const program = folder.run('na64mu-2022', '--spills', '1', '--scenario', 'low-intensity', '--json')
      const { code, stdout, stderr } = await soon('run', program.ended)
      expect(code, stderr).toBe(0)
      const { runs } = JSON.parse(stdout) as { runs: { eventsBuilt: number; files: string[] }[] }
      built = runs[0]!.eventsBuilt
      const file = runs[0]!.files[0]!
      plain = execFileSync(paths.zstd, ['-dc', file], { maxBuffer: 1 << 28 })
      found = read(plain, '600,601,602', '700').events
      const sources = '600=msadc,601=msadc,602=msadc,700=trigger'
      const decode = new Spillway(['decode', file, '--sources', sources, '--json'])
      decoded = (JSON.parse((await soon('decode', decode.ended)).stdout) as { events: DecodedEvent[] }).events
    }, 200_000)
    afterAll(() => folder.remove())

    it('finds every event of a run, with its numbers and trigger mask, where decode finds it', () => {
      expect(found.filter(isTriggered).length).toBe(built)
      expect(found.filter(({ type }) => type === PHYSICS).length).toBeGreaterThan(50)
      expect(
        found.map(({ type, run, in_run, spill, in_spill, mask }) => [
          type,
          run,
          in_run,
          spill,
          in_spill,
          mask
        ])
      ).toEqual(decoded.map((e) => [e.type, e.run, e.nbInRun, e.spill, e.nbInSpill, e.trigger]))
      expect(decoded.flatMap(({ faults }) => faults ?? [])).toEqual([])
    })

    it('finds the same modules, channels, samples and sums of each source in every event', () => {
      const ofSource = new Map<number, MsadcTotals>()
      for (const [i, event] of decoded.entries())
        for (const [b, block] of blocksOf(event).entries()) {
          const [source, content] = found[i]!.blocks[b]!
          expect(source).toBe(block.src)
          if (block.payload?.kind !== 'msadc') continue
          expect(content, `event ${event.nbInSpill}, source ${source}`).toEqual(totalsOf(block))
          const totals = ofSource.get(source) ?? [0, 0, 0, 0]
          ofSource.set(source, totals.map((n, k) => n + (content as MsadcTotals)[k]!) as MsadcTotals)
        }
      expect([...ofSource.keys()].sort()).toEqual([600, 601, 602])
      for (const [, channels, samples, sum] of ofSource.values()) {
        expect(channels).toBeGreaterThan(50)
        expect(samples).toBe(32 * channels)
        expect(sum / samples).toBeGreaterThan(50)
      }
    })

    it("finds the trigger crate's own words, which agree with the header of the event", () => {
      for (const [i, event] of decoded.entries()) {
        if (!isTriggered(event)) continue
        const { payload } = blocksOf(event).find(({ src }) => src === 700)!
        const [, words] = found[i]!.blocks.find(([source]) => source === 700)!
        expect(words).toEqual([payload?.mask, payload?.timeTicks, payload?.busyTicks, payload?.eventType])
        expect((words as number[])[0]).toBe(found[i]!.mask)
        expect((words as number[])[3]).toBe(found[i]!.type)
      }
    })

    it('finds a block of every source in every event, and at the end of the spill', () => {
      const complete = found.filter((event) => isTriggered(event) || event.type === END_OF_SPILL)
      expect(new Set(complete.map(({ blocks }) => blocks.map(([source]) => source).join()))).toEqual(
        new Set(['600,601,602,700'])
      )
    })
  })
})
