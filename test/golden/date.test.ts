// The reference files of the collaboration's decoder: what they hold comes out value for value, every fault that the
// decoder reports is reported on the same event and source, and what it keeps is kept.
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { decodeFile, type DecodedEvent, type DecodedSlink, parseSources } from '../../controller/store/decode.ts'

const folder = `${import.meta.dirname}/date`
const formats = parseSources('600=msadc,601=msadc,610=apv,620=f1,621=f1')
const decode = (name: string): ReturnType<typeof decodeFile> => decodeFile(`${folder}/${name}.date`, formats)
const readJson = (name: string): unknown => JSON.parse(readFileSync(`${folder}/${name}.json`, 'utf8'))

interface ReferenceError {
  n: string
  SOURCE_ID?: number
  PORT?: number
  CHIP?: number
  CHANNEL?: number
  COUNTER?: number
  EVENT_N?: number
  SL_EVENT_N?: number
}
interface ReferenceEvent {
  eventGood: boolean
  errors: ReferenceError[]
  digitsPerSource: Record<string, number>
  channelsWithFewerSamples?: { src: number; port: number; adc: number; ch: number; samplesKept: number }[]
}
interface Variant {
  bytes: number
  eventsRead?: number
  event2?: ReferenceEvent
  event3?: ReferenceEvent
}
const variants = readJson('variants') as Record<string, Variant>

const slinksOf = (event: DecodedEvent): DecodedSlink[] =>
  event.subs
    .flatMap((sub) => sub.equipments)
    .flatMap(({ slink }) => (slink === null ? [] : 'blocks' in slink ? slink.blocks : [slink]))

function digitsOf({ payload }: DecodedSlink): number {
  switch (payload.kind) {
    case 'msadc':
      return payload.modules.flatMap((module) => module.channels).length
    case 'apv':
      return payload.adcs.flatMap((adc) => adc.apvs).flatMap((apv) => apv.data).length
    case 'f1debug':
      return payload.ports.flatMap((port) => port.hits).length
    case 'f1sparse':
      return payload.hits.length
    default:
      return 0
  }
}

function digitsPerSource(event: DecodedEvent): Record<string, number> {
  const digits = slinksOf(event).map((slink) => [String(slink.src), digitsOf(slink)] as const)
  return Object.fromEntries(digits.filter(([, count]) => count > 0))
}

/** physics events by their number in the spill */
const physics = (events: readonly DecodedEvent[]): Map<number, DecodedEvent> =>
  new Map(events.filter((event) => event.type === 7).map((event) => [event.nbInSpill, event]))

test.each(['good', 'small'])('%s.date is its JSON, value for value', (name) => {
  const decoded = decode(name)
  const bare = { ...decoded, events: decoded.events.map(({ faults: _, ...event }) => event) }
  expect(bare).toEqual(readJson(name))
})

test('a good file has no faults but the sources missing in a bare end of spill', () => {
  expect(decode('good').events.flatMap((event) => event.faults)).toEqual([])
  const faults = decode('small').events.flatMap((event) => event.faults.map((f) => [event.type, f.code, f.source]))
  expect(faults).toEqual([600, 601, 610, 620, 621].map((source) => [6, 'EVENT_MISSING_SRCID', source]))
})

describe.each(Object.entries(variants))('%s', (name, variant) => {
  const decoded = decode(name)

  test('has the announced bytes, and every event that the reference reads', () => {
    expect(decoded.bytes).toBe(variant.bytes)
    expect(decoded.events.length).toBeGreaterThanOrEqual(variant.eventsRead ?? 7)
  })

  const found = physics(decoded.events)
  const judged = ([2, 3] as const).flatMap((number) => {
    const reference = variant[`event${number}`]
    return reference === undefined ? [] : [{ number, reference, event: found.get(number)! }]
  })
  test.each(judged)('event $number: every fault of the reference, on its source', ({ reference, event }) => {
    const left = [...event.faults]
    for (const error of reference.errors) {
      const isApv = error.n.startsWith('APV')
      const index = left.findIndex(
        (fault) =>
          fault.code === error.n &&
          fault.source === error.SOURCE_ID &&
          (error.PORT === undefined || (isApv ? fault.adc : fault.port) === error.PORT) &&
          (error.CHIP === undefined || (isApv ? fault.chip : fault.adc) === error.CHIP) &&
          (error.CHANNEL === undefined || fault.channel === error.CHANNEL) &&
          (error.COUNTER === undefined || fault.got === error.COUNTER) &&
          (error.EVENT_N === undefined || fault.got === error.EVENT_N) &&
          (error.SL_EVENT_N === undefined || fault.dateEvent === error.SL_EVENT_N)
      )
      expect(index, JSON.stringify(error)).toBeGreaterThanOrEqual(0)
      left.splice(index, 1)
    }
    expect(event.faults.some((fault) => fault.severity === 'severe')).toBe(!reference.eventGood)
  })

  test.each(judged)('event $number: keeps what the reference keeps', ({ reference, event }) => {
    expect(digitsPerSource(event)).toEqual(reference.digitsPerSource)
    for (const short of reference.channelsWithFewerSamples ?? []) {
      const payload = slinksOf(event).find((slink) => slink.src === short.src)!.payload
      const modules = payload.kind === 'msadc' ? payload.modules : []
      const module = modules.find((m) => m.port === short.port && m.adc === short.adc)!
      const channel = module.channels.find(({ ch }) => ch === short.ch)!
      expect(channel.samples).toHaveLength(3 * short.samplesKept)
    }
  })

  test('events without damage are untouched', () => {
    const good = physics(decode('small').events)
    const same = [1, 3].filter((number) => !(number === 3 && ['lost-after-empty', 'truncated'].includes(name)))
    const strip = (event: DecodedEvent): unknown => slinksOf(event)
    for (const number of same) {
      expect(found.get(number)!.faults).toEqual([])
      expect(strip(found.get(number)!)).toEqual(strip(good.get(number)!))
    }
  })
})

test('a cut-off file gives the complete part of its last event and says where it ends', () => {
  const { events, faults } = decode('truncated')
  expect(faults).toMatchObject([{ code: 'FILE_TRUNCATED', offset: 3348, bytes: 364 }])
  const last = events.at(-1)!
  expect(last.faults[0]!.code).toBe('EVENT_TRUNCATED')
  expect(digitsPerSource(last)).toEqual({ 600: 4 })
})

test('an event without its magic word is reported and read, and reading goes on', () => {
  const { events, faults } = decode('bad-magic')
  expect(faults).toBeUndefined()
  expect(events.map((event) => event.faults.map((fault) => fault.code))).toMatchObject([
    [],
    [],
    [],
    ['EVENT_BAD_MAGIC'],
    [],
    Array(5).fill('EVENT_MISSING_SRCID'),
    []
  ])
  expect(digitsPerSource(events[3]!)).toEqual({ 600: 4, 601: 6, 610: 6, 620: 4, 621: 4 })
})

test('block size 0, on which the reference never returns, costs its source alone', () => {
  const event = physics(decode('zero-block-size').events).get(2)!
  expect(event.faults).toMatchObject([{ code: 'SADC_H_ADC_BAD_SIZE', source: 601, port: 0, adc: 1, got: 0 }])
  expect(digitsPerSource(event)).toEqual({ 600: 4, 610: 6, 620: 4, 621: 4 })
})
