// Spill timing against a gateway in memory: marks reach the listeners once and in order, nonsense is counted and
// harmless, and a gateway that goes offline is a device that is not there.
import { beforeEach, describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../core/errors.ts'
import { silentLog } from '../../../core/log.ts'
import { seconds } from '../../../core/units.ts'
import { VirtualClock } from '../../../core/virtual-clock.ts'
import { MqttSpillTiming } from '../../../drivers/beam/spill-timing/spill-timing.ts'
import { MemoryTopicBus, makeMemoryTopicLink } from '../../../drivers/link/memory-topics.ts'
import { linksOf } from '../hv/link-factory.ts'

const never = new AbortController().signal

describe('spill timing', () => {
  let clock: VirtualClock
  let bus: MemoryTopicBus
  let link: ReturnType<typeof makeMemoryTopicLink>
  let timing: MqttSpillTiming
  let marks: string[]

  beforeEach(() => {
    clock = new VirtualClock(new Date('2026-07-01T12:00:00.000Z'))
    bus = new MemoryTopicBus()
    timing = new MqttSpillTiming(
      { id: 'timing', role: 'essential', url: 'mqtt://broker', prefix: 'na64/ehn2' },
      { clock, links: linksOf({ topics: (url) => (link = makeMemoryTopicLink(url, bus)) }), log: silentLog }
    )
    marks = []
    timing.onMark(({ mark, cycle }) => marks.push(`${mark} ${cycle}`))
  })

  const on = <T>(work: Promise<T>): Promise<T> => clock.resolve(work, seconds(60))
  const connect = () => on(timing.connect(never))
  const say = (name: string, payload: unknown, retain = false): Promise<void> => {
    bus.publish(
      `na64/ehn2/beam/${name}`,
      typeof payload === 'string' ? payload : JSON.stringify(payload),
      retain
    )
    return clock.advance(0)
  }
  const t = () => clock.utc().toISOString()
  const mark = (name: string, cycle: number) => say('mark', { mark: name, cycle, t: t() })
  const reading = (name: string) => timing.signals.find(({ path }) => path === `timing/${name}`)?.latest()

  it('passes marks on in order, each once', async () => {
    await say('status', 'online', true)
    await connect()
    for (const [name, cycle] of [
      ['WWE', 7],
      ['WE', 7],
      ['SOE', 7],
      ['SOE', 7],
      ['EOE', 7],
      ['WE', 7]
    ] as const)
      await mark(name, cycle)
    expect(marks).toEqual(['WWE 7', 'WE 7', 'SOE 7', 'EOE 7'])
    expect(reading('duplicate-marks')?.value).toBe(1)
    expect(reading('late-marks')?.value).toBe(1)
  })

  it('knows the cycle, from the retained message on', async () => {
    await say('status', 'online', true)
    await say('cycle', { cycle: 7, cycleLengthMs: 14400, extractionMs: 4800, nextStart: t(), t: t() }, true)
    await connect()
    expect(timing.latestCycle()).toMatchObject({ cycle: 7, cycleLengthMs: 14400, extractionMs: 4800 })
    expect(reading('cycle-length')).toMatchObject({ value: 14400, quality: 'good' })
  })

  it('counts what it cannot use and goes on', async () => {
    await say('status', 'online', true)
    await connect()
    for (const [topic, payload] of [
      ['mark', '{"mark":'],
      ['mark', { mark: 'NOW', cycle: 1, t: t() }],
      ['cycle', { cycle: 7 }],
      ['info/momentum', { v: 'fast', t: t(), q: 'good' }],
      ['status', 'asleep']
    ] as const)
      await say(topic, payload)
    expect(reading('bad-messages')?.value).toBe(5)
    expect(marks).toEqual([])
    await mark('WWE', 8)
    expect(marks).toEqual(['WWE 8'])
    expect(timing.state.kind).toBe('connected')
  })

  it('shows beam information with the quality and the time of the source', async () => {
    await say('status', 'online', true)
    await connect()
    const source = new Date(clock.utc().getTime() - 3000).toISOString()
    await say('info/t6-intensity', { v: 30.1, t: source, q: 'good', u: '1e11' }, true)
    expect(reading('t6-intensity')).toEqual({ value: 30.1, utc: new Date(source), quality: 'good' })
    await say('info/t6-intensity', { v: 30.2, t: source, q: 'bad', u: '1e11' }, true)
    expect(reading('t6-intensity')?.quality).toBe('bad')
    await say('info/momentum', { v: 160_000, t: source, q: 'good', u: 'MeV/c' }, true)
    expect(reading('momentum')?.quality).toBe('suspect')
    await say('info/t6-symmetry', { v: 80, t: '2026-07-01T08:00:00Z', q: 'good', u: '%' }, true)
    expect(reading('t6-symmetry')?.quality).toBe('stale')
    await say('info/unheard-of', { v: 1, t: source, q: 'good' }, true)
    expect(reading('bad-messages')?.value).toBe(0)
  })

  it('is not connected while the gateway is offline or says nothing, whatever the broker does', async () => {
    await expect(connect()).rejects.toMatchObject({ code: ErrorCode.timeout })
    await say('status', 'offline', true)
    await expect(connect()).rejects.toMatchObject({ code: ErrorCode.disconnected })
    expect(timing.state.kind).toBe('disconnected')
    await say('status', 'online', true)
    await connect()
    expect(timing.state.kind).toBe('connected')
  })

  it('is disconnected when the gateway goes offline, and its signals are stale', async () => {
    await say('status', 'online', true)
    await connect()
    await say('info/momentum', { v: 160, t: t(), q: 'good', u: 'GeV/c' }, true)
    await say('status', 'offline', true)
    expect(timing.state).toMatchObject({ kind: 'disconnected' })
    expect(reading('momentum')?.quality).toBe('stale')
  })

  it('survives the loss of the broker any number of times and hears each mark once', async () => {
    await say('status', 'online', true)
    for (let cycle = 1; cycle <= 4; cycle++) {
      await connect()
      await mark('WWE', cycle)
      link.cut('the broker is gone')
      expect(timing.state.kind).toBe('disconnected')
      await expect(connect()).rejects.toMatchObject({ code: ErrorCode.disconnected })
      link.restore()
      await clock.advance(seconds(14))
    }
    expect(marks).toEqual(['WWE 1', 'WWE 2', 'WWE 3', 'WWE 4'])
    expect(reading('bad-messages')?.value).toBe(0)
  })
})
