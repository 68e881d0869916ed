/**
 * The MSADC decoder: sound blocks give every sample; every kind of damage gives its own fault, flags what it
 * touches, and costs no more than it must. It ends on any bytes, and never writes beyond its event's share.
 */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  bytesOf,
  channelWords,
  msadcPayload,
  msadcWords,
  slinkWords
} from '../../../../bench/slink-writer.ts'
import { BlockHeader, EventStatus, HitStatus, makeBlock, NO_CHANNEL } from '../../../../core/block.ts'
import { DecodeFault, decodeFaultNames, MSADC_MAP_LENGTH, msadcAddress } from '../../../../core/decoder.ts'
import { decodeMsadc } from '../../../../drivers/digitiser/slink-msadc/decode.ts'

const EVENT = 5
const HITS = 24
const ramp = (n: number, from = 100): number[] => Array.from({ length: n }, (_, i) => from + i)
const map = new Uint16Array(MSADC_MAP_LENGTH).fill(NO_CHANNEL)
for (let channel = 0; channel < 16; channel++) {
  map[msadcAddress(0, 1, channel)] = channel
  map[msadcAddress(0, 2, channel)] = 16 + channel
}

interface Hit {
  channel: number
  status: number
  samples: number[]
}

function decode(words: readonly number[]): { faults: string[]; hits: Hit[]; status: number } {
  const block = makeBlock({ events: 1, sources: 1, rawBytes: 8192, hits: HITS, samples: HITS * 32, sums: 1 })
  const bytes = bytesOf(words)
  block.raw.set(bytes)
  block.fragmentBytes[0] = bytes.length
  block.samples.fill(0xffff)
  const faults = decodeMsadc(block, 0, 0, map)
  const hits: Hit[] = []
  for (let h = 0; h < block.header[BlockHeader.hitCount]!; h++) {
    const from = block.sampleBegin[h]!
    expect(from % 8).toBe(0)
    const end = from + block.sampleCount[h]!
    for (let i = end; i % 8 !== 0; i++) expect(block.samples[i]).toBe(0)
    hits.push({
      channel: block.hitChannel[h]!,
      status: block.hitStatus[h]!,
      samples: Array.from(block.samples.subarray(from, end))
    })
  }
  expect(block.header[BlockHeader.hitCount]).toBeLessThanOrEqual(HITS)
  expect(block.header[BlockHeader.sampleCount]).toBeLessThanOrEqual(HITS * 32)
  return { faults: decodeFaultNames(faults), hits, status: block.eventStatus[0]! }
}

const module1 = { port: 0, adc: 1, channels: [0, 3, 15].map((channel) => ({ channel, samples: ramp(32) })) }
const module2 = { port: 0, adc: 2, channels: [{ channel: 7, samples: ramp(32, 900) }] }
const sound = msadcWords(601, 3, EVENT, [module1, module2])
/** words of `sound`: 3 headers, module 1 at 3, its channels at 4, 21, 38, module 2 at 55 */
const MODULE_1 = 3
const CHANNEL_3 = 21
const MODULE_2 = 55
const change = (at: number, to: (word: number) => number): number[] =>
  sound.map((word, i) => (i === at ? to(word) >>> 0 : word))

describe('sound blocks', () => {
  it('gives every channel of every module with its samples', () => {
    const { faults, hits, status } = decode(sound)
    expect(faults).toEqual([])
    expect(status).toBe(0)
    expect(hits.map((h) => h.channel)).toEqual([0, 3, 15, 23])
    expect(hits.every((h) => h.status === 0)).toBe(true)
    expect(hits[1]!.samples).toEqual(ramp(32))
    expect(hits[3]!.samples).toEqual(ramp(32, 900))
  })

  it('takes a module with all channels suppressed, and a source with no module', () => {
    expect(decode(msadcWords(601, 3, EVENT, [{ port: 0, adc: 1, channels: [] }, module2]))).toMatchObject({
      faults: [],
      hits: [{ channel: 23 }]
    })
    expect(decode(msadcWords(601, 3, EVENT, []))).toEqual({ faults: [], hits: [], status: 0 })
  })

  it('takes an odd number of samples', () => {
    const odd = { port: 0, adc: 1, channels: [{ channel: 2, samples: ramp(31) }] }
    expect(decode(msadcWords(601, 3, EVENT, [odd])).hits[0]!.samples).toEqual(ramp(31))
  })

  it('compares the low 12 bits of the event number', () => {
    expect(decode(msadcWords(601, 3, 0xabcde, [module1])).faults).toEqual([])
  })

  it('flags a channel that is not in the map, which is no fault', () => {
    const other = { port: 5, adc: 1, channels: [{ channel: 2, samples: ramp(32) }] }
    const { faults, hits } = decode(msadcWords(601, 3, EVENT, [other]))
    expect(faults).toEqual([])
    expect(hits[0]).toMatchObject({ channel: NO_CHANNEL, status: HitStatus.unmapped })
  })

  it('takes no hits from the first event of a run, which holds the configuration', () => {
    expect(decode(slinkWords(601, 3, EVENT, [1, 2, 3], 0x8000_0000))).toMatchObject({ faults: [], hits: [] })
  })
})

describe('damage', () => {
  it.each([
    ['block size 0', change(MODULE_1, (w) => w & ~(0xfff << 12)), ['blockSize'], []],
    ['block size beyond the data', change(MODULE_2, (w) => w | (0xfff << 12)), ['blockSize'], [0, 3, 15]],
    ['a key that does not exist', change(MODULE_2, (w) => w & ~(1 << 31)), ['key'], [0, 3, 15]],
    ['a size that is too short', change(MODULE_1, (w) => w - (17 << 12)), ['key'], [0, 3]],
    ['a bad channel header', change(CHANNEL_3, (w) => w | (1 << 31)), ['channelHeader'], [0, 23]],
    ['a channel with 0 samples', change(CHANNEL_3, (w) => w & ~(0x1ff << 16)), ['channelHeader'], [0, 23]],
    ['an S-LINK size that disagrees', change(0, (w) => w - 1), ['size'], [0, 3, 15, 23]]
  ])('%s costs what is behind it and no more', (_, words, faults, channels) => {
    const result = decode(words)
    expect(result.faults).toEqual(faults)
    expect(result.hits.map((h) => h.channel)).toEqual(channels)
  })

  it('flags the hits of a module with another event number, and reads the next module', () => {
    const { faults, hits } = decode(change(MODULE_1, (w) => w ^ 1))
    expect(faults).toEqual(['wrongEvent'])
    expect(hits.map((h) => h.status)).toEqual([...Array<number>(3).fill(HitStatus.wrongEvent), 0])
  })

  it('flags the hits of a module with the error bit', () => {
    const { faults, hits } = decode(change(MODULE_2, (w) => w | (1 << 24)))
    expect(faults).toEqual(['moduleError'])
    expect(hits.map((h) => h.status)).toEqual([0, 0, 0, HitStatus.moduleError])
  })

  it('reads on after a module that is missing', () => {
    const missing = (EVENT | (1 << 12) | (3 << 25)) >>> 0
    const words = slinkWords(601, 3, EVENT, [missing, ...msadcPayload(EVENT, [module2])])
    expect(decode(words)).toMatchObject({ faults: ['moduleMissing'], hits: [{ channel: 23, status: 0 }] })
  })

  it('keeps a channel up to a bad sample word, and reads the next one', () => {
    const { faults, hits } = decode(change(CHANNEL_3 + 4, () => 0))
    expect(faults).toEqual(['sampleWord'])
    expect(hits.map((h) => [h.channel, h.status, h.samples.length])).toEqual([
      [0, 0, 32],
      [3, HitStatus.truncated, 6],
      [15, 0, 32],
      [23, 0, 32]
    ])
  })

  it('keeps what there is of a channel that announces more, and goes on at the header it meets', () => {
    const { faults, hits } = decode(change(CHANNEL_3, (w) => w + (8 << 16)))
    expect(faults).toEqual(['sampleWord'])
    expect(hits.map((h) => [h.channel, h.status, h.samples.length])).toEqual([
      [0, 0, 32],
      [3, HitStatus.truncated, 32],
      [15, 0, 32],
      [23, 0, 32]
    ])
  })

  it('flags channels that do not rise, and a module that comes twice', () => {
    const falling = { ...module1, channels: [...module1.channels].reverse() }
    expect(decode(msadcWords(601, 3, EVENT, [falling]))).toMatchObject({
      faults: ['channelOrder'],
      hits: [{ status: 0 }, { status: HitStatus.channelOrder }, { status: HitStatus.channelOrder }]
    })
    expect(decode(msadcWords(601, 3, EVENT, [module2, module2]))).toMatchObject({
      faults: ['moduleTwice'],
      hits: [{ status: 0 }, { status: HitStatus.channelOrder }]
    })
  })

  it('stops at the share of one event, and says so', () => {
    const full = { port: 0, adc: 1, channels: ramp(16, 0).map((channel) => ({ channel, samples: ramp(32) })) }
    const { faults, hits, status } = decode(msadcWords(601, 3, EVENT, [full, { ...full, adc: 2 }]))
    expect(faults).toEqual(['overflow'])
    expect(hits).toHaveLength(HITS)
    expect(status).toBe(EventStatus.overflow)
    expect(DecodeFault.overflow).toBeGreaterThan(0)
  })

  it('ends on every prefix, and keeps whole channels before the cut', () => {
    for (let words = 0; words <= sound.length; words++) {
      const { hits, faults } = decode(sound.slice(0, words))
      expect(hits.length).toBeLessThanOrEqual(4)
      if (words < sound.length) expect(faults.length).toBeGreaterThan(0)
    }
  })

  it('ends on any words, within its share', () => {
    const word = fc.oneof(
      fc.integer({ min: 0, max: 0xffffffff }),
      fc.nat(0xffff).map((n) => 0xc000_0000 + EVENT + ((n % 40) << 12)),
      fc.nat(15).map((c) => channelWords(c, [1, 2])[0]!)
    )
    fc.assert(
      fc.property(fc.array(word, { maxLength: 120 }), (payload) => {
        decode(slinkWords(601, 3, EVENT, payload))
      }),
      { numRuns: 500 }
    )
  })

  it('finds every flipped bit of a header, or gives the same channels', () => {
    for (const at of [MODULE_1, CHANNEL_3, MODULE_2])
      for (let bit = 0; bit < 32; bit++) {
        const words = change(at, (w) => w ^ (1 << bit))
        const { faults, hits } = decode(words)
        const isAddress = hits.some((h) => (h.status & HitStatus.unmapped) !== 0)
        // bits 0..15 of a channel header are the sum, which nobody checks
        const isUnchecked = at === CHANNEL_3 && (bit < 16 || (bit >= 26 && bit < 30))
        if (!isUnchecked && !isAddress)
          expect([at, bit, faults.length > 0 || hits[0]!.channel !== 0]).toEqual([at, bit, true])
      }
  })
})

describe('reference file good.date', () => {
  interface GoldenModule {
    port: number
    adc: number
    channels: { ch: number; samples: string }[]
  }
  interface GoldenFile {
    events: {
      offset: number
      subs: { equipments: { slink: { payload?: { modules?: GoldenModule[] } } }[] }[]
    }[]
  }
  const folder = new URL('../../../golden/date/', import.meta.url)
  const bytes = readFileSync(new URL('good.date', folder))
  const golden = JSON.parse(readFileSync(new URL('good.json', folder), 'utf8')) as GoldenFile
  it('gives the same samples for every channel of both sources', () => {
    let channels = 0
    const identity = Uint16Array.from({ length: MSADC_MAP_LENGTH }, (_, i) => i)
    for (const event of golden.events) {
      let at = event.offset + 68
      for (const sub of event.subs) {
        at += 68
        for (const equipment of sub.equipments) {
          const size = bytes.readUInt32LE(at)
          const block = makeBlock({ events: 1, sources: 1, rawBytes: 8192, hits: 32, samples: 1024, sums: 1 })
          if (equipment.slink.payload?.modules !== undefined) {
            block.raw.set(bytes.subarray(at + 28, at + size))
            block.fragmentBytes[0] = size - 28
            expect(decodeMsadc(block, 0, 0, identity)).toBe(0)
            const found: [number, string][] = []
            for (let h = 0; h < block.header[BlockHeader.hitCount]!; h++) {
              const samples = block.samples.subarray(
                block.sampleBegin[h],
                block.sampleBegin[h]! + block.sampleCount[h]!
              )
              found.push([
                block.hitChannel[h]!,
                Array.from(samples, (s) => s.toString(16).padStart(3, '0')).join('')
              ])
            }
            const wanted = equipment.slink.payload.modules.flatMap((m) =>
              m.channels.map((c) => [msadcAddress(m.port, m.adc, c.ch), c.samples])
            )
            expect(found).toEqual(wanted)
            channels += found.length
          }
          at += size
        }
      }
    }
    expect(channels).toBeGreaterThan(400)
  })
})
