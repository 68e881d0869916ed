import { getEventListeners } from 'node:events'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { BeamInstrument } from '../../../drivers/beam/contract/beam-instrument.ts'
import type { LinkedSignal } from '../../../drivers/link/device-connection.ts'

/** One instrument, its far end, and the time of both. */
export interface BeamBench {
  readonly device: BeamInstrument & { readonly signals: readonly LinkedSignal[] }
  /** name -> unit of every signal */
  readonly units: Readonly<Record<string, string>>
  /** a signal that a refresh confirms */
  readonly witness: string
  /** time in the hall */
  utc(): Date
  /** brings time to the end of `work`, whatever clock the device has */
  run<T>(work: Promise<T>): Promise<T>
  /** time passes at both ends */
  pass(ms: number): Promise<void>
  /** The source tells everything once: because it is asked, or by itself. */
  refresh(signal: AbortSignal): Promise<void>
  /** The far end says nothing any more, or speaks again; the link does not know. */
  silence(isSilent: boolean): void
  /** how long a report may be on its way after its source fell silent: the interval of a subscription */
  readonly underWayMs: number
  /** Whether a poll of a silent far end fails: not for those that report by themselves. */
  readonly isPolled: boolean
  /** The far end is gone; resolves when the link has noticed, which may take a poll. */
  takeAway(): Promise<void>
  bringBack(): Promise<void>
  /** who listens to the link now */
  listeners(): number
  /** losses in the test of reconnections */
  readonly losses: number
  end(): Promise<void>
}

/** What every beam instrument does, over a wire or not. */
export function describeBeamInstrument(name: string, make: () => Promise<BeamBench>): void {
  describe(`${name}: the contract of beam instruments`, () => {
    let bench: BeamBench
    let caller: AbortController
    beforeEach(async () => {
      bench = await make()
      caller = new AbortController()
    })
    afterEach(async () => {
      await bench.end()
    })

    const connect = () => bench.run(bench.device.connect(caller.signal))
    const reading = (signal: string) =>
      bench.device.signals.find(({ path }) => path === `${bench.device.id}/${signal}`)?.latest()
    const limitMs = () =>
      bench.device.signals.find(({ path }) => path.endsWith(`/${bench.witness}`))!.meta.staleAfterMs

    it('connects, says who it is, and gives every value with unit and source time', async () => {
      expect(bench.device.state.kind).toBe('disconnected')
      const states: string[] = []
      const stop = bench.device.onState(({ kind }) => states.push(kind))
      const identity = await connect()
      expect(Object.values(identity).every((word) => typeof word === 'string' && word !== '')).toBe(true)
      expect(bench.device.state).toEqual({ kind: 'connected', identity })
      expect(states).toEqual(['connecting', 'connected'])
      await bench.refresh(caller.signal)
      await bench.run(bench.device.poll(caller.signal))
      const units = bench.device.signals.map(({ path, meta }) => [path.split('/')[1], meta.unit])
      expect(Object.fromEntries(units)).toEqual(bench.units)
      const readings = bench.device.signals.flatMap((signal) => signal.latest() ?? [])
      expect(readings.length).toBeGreaterThan(0)
      for (const { utc, quality } of readings) {
        expect(quality).toBe('good')
        expect(Math.abs(utc.getTime() - bench.utc().getTime())).toBeLessThan(60_000)
      }
      expect(reading(bench.witness)).toBeDefined()
      stop()
      await bench.device.makeSafe('test')
      await bench.device.disconnect()
      expect(states).toEqual(['connecting', 'connected'])
    })

    it('is stale within its limit when its source goes quiet, every time, and good again after', async () => {
      await connect()
      for (let n = 0; n < 3; n++) {
        await bench.refresh(caller.signal)
        expect(reading(bench.witness)?.quality).toBe('good')
        bench.silence(true)
        await bench.pass(limitMs() - 500)
        expect(reading(bench.witness)?.quality).toBe('good')
        await bench.pass(501 + bench.underWayMs)
        expect(reading(bench.witness)?.quality).toBe('stale')
        bench.silence(false)
      }
      await bench.refresh(caller.signal)
      expect(reading(bench.witness)?.quality).toBe('good')
    })

    it('loses its link and connects again any number of times, and nobody listens twice', async () => {
      await connect()
      await bench.refresh(caller.signal)
      const listeners = bench.listeners()
      expect(listeners).toBeGreaterThan(0)
      for (let n = 0; n < bench.losses; n++) {
        await bench.takeAway()
        expect(bench.device.state.kind).toBe('disconnected')
        for (const signal of bench.device.signals)
          expect(signal.latest()?.quality ?? 'stale').toMatch(/^(stale|bad)$/)
        if (n === 0) await expect(connect()).rejects.toMatchObject({ name: 'SpillwayError' })
        await bench.bringBack()
        await connect()
        await bench.refresh(caller.signal)
        expect(reading(bench.witness)?.quality).toBe('good')
        expect(bench.listeners()).toBe(listeners)
      }
      expect(getEventListeners(caller.signal, 'abort')).toEqual([])
    })

    it('gives up for a caller who does not want it any more', async () => {
      const impatient = AbortSignal.abort()
      await expect(bench.run(bench.device.connect(impatient))).rejects.toBeDefined()
      expect(bench.device.state.kind).toBe('disconnected')
      await connect()
      expect(bench.device.state.kind).toBe('connected')
    })
  })
}

/** Only where time is virtual: a far end that is silent costs whole deadlines. */
export function describeSilence(name: string, make: () => Promise<BeamBench>): void {
  it(`${name}: a poll of a silent far end fails in time and leaves nothing good`, async () => {
    const bench = await make()
    const caller = new AbortController()
    try {
      await bench.run(bench.device.connect(caller.signal))
      if (!bench.isPolled) return
      bench.silence(true)
      await expect(bench.run(bench.device.poll(caller.signal))).rejects.toMatchObject({
        name: 'SpillwayError'
      })
      for (const signal of bench.device.signals)
        expect(signal.latest()?.quality ?? 'stale').toMatch(/^(stale|bad)$/)
      bench.silence(false)
      await bench.device.disconnect()
      await bench.run(bench.device.connect(caller.signal))
      expect(getEventListeners(caller.signal, 'abort')).toEqual([])
    } finally {
      await bench.end()
    }
  })
}
