// What goes wrong with the three instruments of issue 3's beam line, at the twin and in memory under virtual time: each
// fault is told by the driver in its own words, no value stays good that is not, and all is well when the fault ends.
import { beforeEach, describe, expect, it } from 'vitest'
import { silentLog } from '../../../core/log.ts'
import { milliseconds, seconds } from '../../../core/units.ts'
import { VirtualClock } from '../../../core/virtual-clock.ts'
import { makeMemoryByteLink } from '../../../drivers/link/memory-bytes.ts'
import { makeMemoryRegisterLink } from '../../../drivers/link/memory-registers.ts'
import type { SpillTiming } from '../../../drivers/beam/contract/beam-instrument.ts'
import type { ByteFace, RegisterFace, SimFault } from '../../../hil-sim/device/face.ts'
import { makeSimBench, type SimBench } from '../../unit/hil-sim/device/sim-bench.ts'
import { linksOf } from '../hv/link-factory.ts'
import { kindOf } from './beam-benches.ts'
import type { BeamBench } from './beam-instrument.ts'

const never = new AbortController().signal

describe.each(['hall-probe', 'temperature-module', 'spill-pulses'])('%s', (name) => {
  const kind = kindOf(name)
  let clock: VirtualClock
  let sim: SimBench
  let device: BeamBench['device']

  beforeEach(async () => {
    clock = new VirtualClock(new Date(Date.UTC(2026, 6, 1, 12)))
    sim = makeSimBench(kind.twin, kind.kind, kind.settings)
    const face = sim.device.faces['control']!
    device = kind.driver('memory://device', {
      clock,
      log: silentLog,
      links: linksOf({
        bytes: (url) => makeMemoryByteLink(url, face as ByteFace),
        registers: (url) => makeMemoryRegisterLink(url, face as RegisterFace, clock)
      })
    })
    await on(device.connect(never))
  })

  /** Both ends live until `work` is done. */
  const on = async <T>(work: Promise<T>): Promise<T> => {
    const done = new AbortController()
    const live = async (): Promise<void> => {
      for (;;) {
        await clock.sleep('twin', milliseconds(10), done.signal)
        sim.advance(0.01, 0.01)
      }
    }
    live().catch(() => undefined)
    return clock.resolve(
      work.finally(() => done.abort()),
      seconds(600)
    )
  }
  const poll = () => on(device.poll(never))
  const pass = (s: number) => on(clock.sleep('test', seconds(s)))
  const inject = (fault: SimFault) => expect(sim.device.inject?.(fault)).toBe(true)
  const clear = () => inject({ kind: 'clear' })
  const signal = (path: string) => device.signals.find((one) => one.path === `device/${path}`)!
  const reading = (path: string) => signal(path).latest()

  if (name === 'hall-probe') {
    it.each([
      ['over-range', 'OVER RANGE'],
      ['no-probe', 'NO PROBE']
    ])('%s makes the field bad, with its last value', async (fault, words) => {
      const before = reading('field')!.value
      inject({ kind: fault })
      await poll()
      expect(reading('field')).toMatchObject({ value: before, quality: 'bad' })
      expect(reading('field')?.reason).toContain(words)
      expect(reading('temperature')?.quality).toBe('good')
      clear()
      await poll()
      expect(reading('field')?.quality).toBe('good')
    })

    it('a probe without a thermometer costs the temperature only', async () => {
      inject({ kind: 'no-temperature' })
      await poll()
      expect([reading('temperature')?.quality, reading('field')?.quality]).toEqual(['bad', 'good'])
    })

    it('a field that stands still to its last digit for a minute is suspect, and good when it moves', async () => {
      inject({ kind: 'frozen' })
      for (let n = 0; n < 59; n++) {
        await pass(1)
        await poll()
      }
      expect(reading('field')?.quality).toBe('good')
      for (let n = 0; n < 4; n++) {
        await pass(1)
        await poll()
      }
      expect(reading('field')).toMatchObject({ quality: 'suspect' })
      clear()
      // one measurement may by chance have the frozen digits
      for (let n = 0; n < 5; n++) {
        await pass(1)
        await poll()
      }
      expect(reading('field')?.quality).toBe('good')
    })

    it('a teslameter that waits for triggers is suspect at once', async () => {
      inject({ kind: 'triggered' })
      await poll()
      expect(reading('field')?.quality).toBe('suspect')
      expect(reading('mode')?.value).toBe('steady triggered')
    })

    it('garbage before each answer is counted and costs nothing', async () => {
      inject({ kind: 'garbage' })
      for (let n = 0; n < 3; n++) {
        await poll()
        expect(reading('field')?.quality).toBe('good')
      }
      expect(reading('stray')?.value).toBeGreaterThan(0)
    })

    it('a slow answer is waited for; one that is too slow is no answer to the next question', async () => {
      inject({ kind: 'slow-reply', delayMs: 400 })
      await poll()
      expect(reading('field')?.quality).toBe('good')
      inject({ kind: 'slow-reply', delayMs: 1500 })
      await expect(poll()).rejects.toMatchObject({ code: 'timeout' })
      expect(reading('field')?.quality).toBe('stale')
      clear()
      for (let n = 0; n < 3; n++) await poll()
      expect(reading('range')?.value).toBe(3)
      expect(reading('field')?.value).toBeCloseTo(1.4, 2)
    })

    it('half an answer is a loss of the link, or of the answer', async () => {
      inject({ kind: 'half-reply' })
      await expect(poll()).rejects.toMatchObject({ name: 'SpillwayError' })
      expect(reading('field')?.quality).toBe('stale')
      clear()
      await device.disconnect()
      await on(device.connect(never))
      expect(reading('field')?.quality).toBe('good')
    })

    it('a field off nominal is in the zone that says so', async () => {
      const zones = () =>
        signal('field')
          .meta.zones.filter(
            ({ lower = -Infinity, upper = Infinity }) =>
              Number(reading('field')!.value) > lower && Number(reading('field')!.value) < upper
          )
          .map(({ severity }) => severity)
      await pass(0.2)
      await poll()
      expect(zones()).toEqual([])
      inject({ kind: 'offset', byT: 0.005 })
      await pass(0.2)
      await poll()
      expect(zones()).toEqual(['warning'])
      inject({ kind: 'offset', byT: -0.05 })
      await pass(0.2)
      await poll()
      expect(zones()).toEqual(['critical'])
    })
  }

  if (name === 'temperature-module') {
    it.each(['target', 'rack'])('a broken sensor of %s costs that channel only', async (channel) => {
      inject({ kind: 'sensor', channel })
      await poll()
      for (const one of ['target', 'ecal-rear', 'rack'])
        expect(reading(one)?.quality).toBe(one === channel ? 'bad' : 'good')
      clear()
      await poll()
      expect(reading(channel)?.quality).toBe('good')
    })

    it('a failing module is a refusal and leaves nothing good', async () => {
      inject({ kind: 'device-failure' })
      await expect(poll()).rejects.toMatchObject({ code: 'refused' })
      expect(reading('target')?.quality).toBe('stale')
    })

    it('shows what the module measures', async () => {
      inject({ kind: 'hot', channel: 'ecal-rear', byDegC: 40 })
      await poll()
      const truth = sim.device.truth() as { degC: Record<string, number> }
      for (const one of ['target', 'ecal-rear', 'rack'])
        expect(reading(one)?.value).toBeCloseTo(truth.degC[one]!, 2)
      expect(Number(reading('ecal-rear')?.value)).toBeGreaterThan(55)
    })
  }

  if (name === 'spill-pulses') {
    const cycle = async (number: number): Promise<void> => {
      for (const mark of ['WWE', 'WE', 'SOE', 'EOE'] as const) {
        await pass(1)
        sim.mark(mark, number)
        await poll()
      }
    }
    const counts = () =>
      Object.fromEntries(
        ['lost-pulses', 'missing-marks', 'doubled-marks', 'bad-datagrams', 'daemon-restarts'].flatMap(
          (one) => (reading(one)?.value === 0 ? [] : [[one, reading(one)?.value]])
        )
      )
    const timing = () => device as unknown as SpillTiming
    let marks: string[]
    beforeEach(() => {
      marks = []
      timing().onMark(({ mark, cycle: number }) => marks.push(`${mark} ${number}`))
    })

    it('passes each mark, and measures the cycle', async () => {
      await cycle(1)
      await cycle(2)
      expect(marks).toEqual([1, 2].flatMap((n) => ['WWE', 'WE', 'SOE', 'EOE'].map((mark) => `${mark} ${n}`)))
      expect(counts()).toEqual({})
      const { cycleLengthMs, extractionMs, cycle: number } = timing().latestCycle()!
      expect(number).toBe(2)
      expect(cycleLengthMs).toBeGreaterThan(3900)
      expect(extractionMs).toBeGreaterThan(900)
      expect(extractionMs).toBeLessThan(cycleLengthMs)
    })

    it.each([
      ['lost-mark', 'SOE', { 'lost-pulses': 1, 'missing-marks': 1 }, 3],
      ['missing-mark', 'SOE', { 'missing-marks': 1 }, 3],
      ['doubled-mark', 'WE', { 'doubled-marks': 1 }, 4]
    ] as const)('%s is counted, and told once', async (fault, mark, expected, heard) => {
      inject({ kind: fault, mark })
      await cycle(1)
      expect(counts()).toEqual(expected)
      expect(marks).toHaveLength(heard)
    })

    it('a daemon that began anew, and rubbish, are counted and lose no mark', async () => {
      await cycle(1)
      inject({ kind: 'restart' })
      await poll()
      inject({ kind: 'garbage' })
      await cycle(2)
      expect(marks).toHaveLength(8)
      expect(counts()).toMatchObject({ 'daemon-restarts': 1 })
      expect(Number(reading('bad-datagrams')?.value)).toBeGreaterThanOrEqual(8)
    })

    it('a clock that jumps is seen in its offset', async () => {
      inject({ kind: 'clock-jump', byMs: -5000 })
      await poll()
      expect(Number(reading('clock-offset')?.value)).toBeGreaterThan(4000)
    })

    it('bears a lost alive, and misses a silent daemon after three', async () => {
      inject({ kind: 'silent', forMs: 1500 })
      await poll()
      expect(reading('clock-offset')?.quality).toBe('good')
      inject({ kind: 'silent' })
      await expect(poll()).rejects.toMatchObject({ code: 'timeout' })
      expect(reading('lost-pulses')?.quality).toBe('stale')
    })
  }
})
