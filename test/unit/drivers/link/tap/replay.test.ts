// A replayed link answers as recorded and says at which request a driver first does something else. The drivers of a
// supply and of the spill timing, given a recording of themselves, do and show the same as they did.
import { beforeEach, describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../../../core/errors.ts'
import { silentLog } from '../../../../../core/log.ts'
import { milliseconds, seconds } from '../../../../../core/units.ts'
import { VirtualClock } from '../../../../../core/virtual-clock.ts'
import { MqttSpillTiming } from '../../../../../drivers/beam/spill-timing/spill-timing.ts'
import { IsegScpi } from '../../../../../drivers/hv/iseg-scpi/iseg-scpi.ts'
import { makeMemoryByteLink } from '../../../../../drivers/link/memory-bytes.ts'
import { makeMemoryRegisterLink } from '../../../../../drivers/link/memory-registers.ts'
import { makeMemoryTopicLink, MemoryTopicBus } from '../../../../../drivers/link/memory-topics.ts'
import { tapped } from '../../../../../drivers/link/tap.ts'
import { TapRecorder } from '../../../../../drivers/link/tap/recorder.ts'
import type { Recording } from '../../../../../drivers/link/tap/recording.ts'
import { makeReplayLink } from '../../../../../drivers/link/tap/replay.ts'
import { IsegFarEnd } from '../../../../contract/hv/iseg-far-end.ts'
import { linksOf } from '../../../../contract/hv/link-factory.ts'
import { ScriptedRegisterFace } from '../../../../contract/link/register-link-suite.ts'

const never = new AbortController().signal

describe('a replayed register link', () => {
  let recording: Recording

  beforeEach(async () => {
    const clock = new VirtualClock()
    const recorder = new TapRecorder(clock)
    const url = 'ipbus+udp://memory:1'
    const link = tapped(
      makeMemoryRegisterLink(url, new ScriptedRegisterFace(), clock),
      recorder.sink(url, 'registers')
    )
    await link.open(never)
    await link.write('bus', 5, [1, 2], never)
    await link.read('bus', 4, 3, never)
    await link.read('bus', 5000, 1, never).catch(() => undefined)
    recording = recorder.session()[0]!
  })

  it('answers and refuses as recorded', async () => {
    const link = makeReplayLink(recording, 'registers')
    const states: boolean[] = []
    link.onState((isOpen) => states.push(isOpen))
    await link.open(never)
    expect(states).toEqual([true])
    await link.write('bus', 5, [1, 2], never)
    expect(await link.read('bus', 4, 3, never)).toEqual([4, 1, 2])
    await expect(link.read('bus', 5000, 1, never)).rejects.toMatchObject({
      code: ErrorCode.refused,
      details: { got: 'illegal-address' }
    })
    await link.done()
    expect(link.isDone).toBe(true)
    await link.close()
    expect(states).toEqual([true, false])
  })

  it('says at the first difference what was expected and what came, and goes down', async () => {
    const link = makeReplayLink(recording, 'registers')
    await link.open(never)
    await link.write('bus', 5, [1, 2], never)
    const difference = {
      code: ErrorCode.protocol,
      message: expect.stringContaining('request 3') as unknown,
      details: { expected: 'read "bus" 4 3', got: 'read "bus" 4 2' }
    }
    await expect(link.read('bus', 4, 2, never)).rejects.toMatchObject(difference)
    expect(link.isOpen).toBe(false)
    await expect(link.read('bus', 4, 3, never)).rejects.toMatchObject(difference)
    await expect(link.done()).rejects.toMatchObject(difference)
    expect(link.difference).toMatchObject(difference)
    await link.close()
  })

  it('says so when a request comes after the end', async () => {
    const { entries } = recording
    const end = entries.findIndex(({ event }) => event.what === 'request' && event.verb === 'write')
    const link = makeReplayLink({ ...recording, entries: entries.slice(0, end) }, 'registers')
    await link.open(never)
    await expect(link.read('bus', 0, 1, never)).rejects.toMatchObject({
      details: { expected: 'the end of the recording', got: 'read "bus" 0 1' }
    })
  })

  it('lets a caller go who gives up', async () => {
    const cut = recording.entries.filter(({ event }) => !(event.what === 'answer' && event.id === 2))
    const link = makeReplayLink({ ...recording, entries: cut }, 'registers')
    await link.open(never)
    const caller = new AbortController()
    const written = link.write('bus', 5, [1, 2], caller.signal)
    caller.abort()
    await expect(written).rejects.toMatchObject({ code: ErrorCode.aborted })
    expect(await link.read('bus', 4, 3, never)).toEqual([4, 1, 2])
  })

  it('is of the recorded kind, and needs the beginning', () => {
    const usage = expect.objectContaining({ code: ErrorCode.usage }) as Error
    expect(() => makeReplayLink(recording, 'topics')).toThrow(usage)
    expect(() => makeReplayLink({ ...recording, dropped: 1, kept: 'newest' }, 'registers')).toThrow(usage)
    expect(() => makeReplayLink({ ...recording, dropped: 1 }, 'registers')).not.toThrow()
  })
})

describe('a driver on its own recording', () => {
  const settings = { number: 0, name: 'matrix', limitV: 1500, rampVPerS: 50, currentLimitUa: 500 }
  const makeSupply = (
    clock: VirtualClock,
    link: (url: string) => ReturnType<typeof makeMemoryByteLink>
  ): IsegScpi =>
    new IsegScpi(
      { id: 'hv', role: 'required', url: 'tcp://hv:10001', toleranceV: 2, channels: [settings] },
      { clock, links: linksOf({ bytes: link }), log: silentLog }
    )
  const use = async (supply: IsegScpi, demandV: number): Promise<unknown[]> => {
    await supply.connect(never)
    await supply.channels[0]!.demand.set(demandV, never)
    await supply.channels[0]!.energise({ by: 'the test' }, never)
    await supply.channels[0]!.rampOff(never)
    await supply.poll(never)
    const shown = supply.signals.map((signal) => [signal.path, signal.latest()?.value])
    await supply.disconnect()
    return shown
  }
  const record = async (): Promise<{ recording: Recording; shown: unknown[] }> => {
    const clock = new VirtualClock()
    const recorder = new TapRecorder(clock)
    const far = new IsegFarEnd(clock, 1)
    const supply = makeSupply(clock, (url) =>
      tapped(makeMemoryByteLink(url, far), recorder.sink(url, 'bytes'))
    )
    const shown = await clock.resolve(use(supply, 300), seconds(900))
    return { recording: recorder.session()[0]!, shown }
  }

  it('ramps a supply again, and shows the same', async () => {
    const { recording, shown } = await record()
    const clock = new VirtualClock()
    const replay = makeReplayLink(recording, 'bytes', { clock })
    const again = makeSupply(clock, () => replay)
    expect(await clock.resolve(use(again, 300), seconds(900))).toEqual(shown)
    expect(shown).toContainEqual(['hv/ch0/demand', 300])
    await replay.done()
  })

  it('that does something else is told what', async () => {
    const { recording } = await record()
    const clock = new VirtualClock()
    const replay = makeReplayLink(recording, 'bytes', { clock })
    const outcome = clock.resolve(
      use(
        makeSupply(clock, () => replay),
        301
      ),
      seconds(900)
    )
    await expect(outcome).rejects.toBeDefined()
    expect(replay.difference?.details).toEqual({
      expected: 'write ":VOLT 300,(@0)\\r\\n"',
      got: 'write ":VOLT 301,(@0)\\r\\n"'
    })
  })

  it('hears the marks of the machine at their times', async () => {
    const makeTiming = (clock: VirtualClock, topics: () => ReturnType<typeof makeMemoryTopicLink>) => {
      const timing = new MqttSpillTiming(
        { id: 'timing', role: 'required', url: 'mqtt://broker', prefix: 'na64' },
        { clock, links: linksOf({ topics }), log: silentLog }
      )
      const marks: string[] = []
      timing.onMark(({ mark }) => marks.push(`${mark} at ${clock.now() / 1e6} ms`))
      return { timing, marks }
    }
    const clock = new VirtualClock()
    const bus = new MemoryTopicBus()
    const recorder = new TapRecorder(clock)
    const first = makeTiming(clock, () => {
      const link = makeMemoryTopicLink('mqtt://broker', bus)
      return tapped(link, recorder.sink(link.url, 'topics'))
    })
    bus.publish('na64/beam/status', 'online', true)
    await clock.resolve(first.timing.connect(never))
    for (const mark of ['WWE', 'WE', 'SOE']) {
      await clock.advance(milliseconds(250))
      const payload = JSON.stringify({ mark, cycle: 1, t: clock.utc().toISOString() })
      bus.publish('na64/beam/mark', payload, false)
    }
    await clock.advance(0)

    const later = new VirtualClock()
    const replay = makeReplayLink(recorder.session()[0]!, 'topics', { clock: later })
    const second = makeTiming(later, () => replay as unknown as ReturnType<typeof makeMemoryTopicLink>)
    await later.resolve(second.timing.connect(never))
    await later.advance(seconds(1))
    expect(second.marks).toEqual(first.marks)
    expect(first.marks).toEqual(['WWE at 250 ms', 'WE at 500 ms', 'SOE at 750 ms'])
    await replay.done()
  })
})
