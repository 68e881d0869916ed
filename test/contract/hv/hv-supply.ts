import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Clock } from '../../../core/clock.ts'
import { ErrorCode } from '../../../core/errors.ts'
import type { Reading } from '../../../core/signal.ts'
import { seconds, toSeconds } from '../../../core/units.ts'
import type { HvChannel, HvSupply } from '../../../drivers/hv/contract/hv-supply.ts'
import type { SimFault } from '../../../hil-sim/device/face.ts'

/** What the twin's channel really does. */
export interface TrueOutput {
  readonly isOn: boolean
  /** switched off, on its way down */
  readonly isRampingDown: boolean
  readonly demandV: number
  readonly outputV: number
}

/**
 * A supply with two channels and its twin, on a link that can be cut. Found with both channels on at 400 V; our limit is
 * 500 V, the current limit 100 uA, the tolerance 2 V.
 */
export interface HvBench {
  readonly supply: HvSupply
  readonly clock: Clock
  readonly rampVPerS: number
  /** Waits for the supply while time passes at both ends. */
  on<T>(work: Promise<T>): Promise<T>
  pass(seconds: number): Promise<void>
  /** what the twin was told to change since the last call */
  told(): string[]
  inject(fault: SimFault): void
  outputs(): TrueOutput[]
  cut(): Promise<void>
  repair(): Promise<void>
  /** nothing is answered any more although the link is open; absent where that cannot be had */
  mute?(isMute: boolean): void
  /** the twin goes on answering the old values, where it can */
  freeze?(isFrozen: boolean): void
  close(): Promise<void>
}

const never = new AbortController().signal
const permit = { by: 'shift leader' }
const LIMIT_V = 500
const TOLERANCE_V = 2

export interface HvGrade {
  /** time costs nothing: long waits are tested too, and what is the twin's business rather than the wire's */
  readonly isVirtual: boolean
  /** the bench can be mute */
  readonly isMutable: boolean
}

/** What every high-voltage supply does, whoever made it. Its tests share one bench, and begin with all channels off. */
export function hvSupplySuite(name: string, make: () => Promise<HvBench>, grade: HvGrade): void {
  describe(`${name}: a high-voltage supply`, () => {
    let bench: HvBench
    beforeAll(async () => {
      bench = await make()
    })
    afterAll(() => bench.close())

    const channel = (): HvChannel => bench.supply.channels[0]!
    const other = (): HvChannel => bench.supply.channels[1]!
    const poll = (): Promise<void> => bench.on(bench.supply.poll(never))
    const energise = (volts: number, which = channel()): Promise<Reading<number>> =>
      bench.on(which.demand.set(volts, never).then(() => which.energise(permit, never)))

    it('adopts what the hardware does and writes nothing on connecting', async () => {
      const identity = await bench.on(bench.supply.connect(never))
      expect(identity.model).not.toBe('')
      expect(bench.supply.state).toEqual({ kind: 'connected', identity })
      await bench.pass(1.5)
      await poll()
      expect(bench.told()).toEqual([])
      expect(channel().demand.latest()).toMatchObject({ value: 400, quality: 'good' })
      expect(channel().voltage.latest()?.value).toBeCloseTo(400, -0.5)
      expect(channel().current.latest()?.value).toBeGreaterThan(20)
      expect(channel().current.latest()?.value).toBeLessThan(60)
      expect(channel().state.latest()?.value).toBe('on')
      expect(bench.outputs().map(({ isOn }) => isOn)).toEqual([true, true])
    })

    describe('with its channels off', () => {
      beforeEach(async () => {
        bench.inject({ kind: 'clear' })
        await bench.on(bench.supply.connect(never))
        for (const one of [channel(), other()])
          if (one.state.latest()?.value === 'tripped') await bench.on(one.clearTrip(permit, never))
        const isQuiet = bench.outputs().every(({ isOn, outputV }) => !isOn && outputV < TOLERANCE_V)
        if (!isQuiet) await bench.on(bench.supply.makeSafe('test begins'))
        bench.told()
      })

      it('refuses a demand beyond our limit before anything is written', async () => {
        for (const demand of [LIMIT_V + 1, -1, Number.NaN, Number.POSITIVE_INFINITY])
          await expect(bench.on(channel().demand.set(demand, never))).rejects.toMatchObject({
            code: ErrorCode.notPermitted
          })
        expect(bench.told()).toEqual([])
      })

      it('resolves a demand when it reads back, and leaves the channel off', async () => {
        const set = await bench.on(channel().demand.set(123.4, never))
        expect(set).toMatchObject({ quality: 'good' })
        expect(set.value).toBeCloseTo(123.4, 1)
        expect(bench.outputs()[0]).toMatchObject({ isOn: false })
        expect(bench.outputs()[0]!.demandV).toBeCloseTo(123.4, 1)
        expect(bench.told().length).toBeGreaterThan(0)
      })

      it('energises for nobody who is not named', async () => {
        for (const by of ['', '  '])
          await expect(bench.on(channel().energise({ by }, never))).rejects.toMatchObject({
            code: ErrorCode.notPermitted
          })
        expect(bench.told()).toEqual([])
      })

      it('ramps to the demand, by its own ramp, and touches no other channel', async () => {
        const reached = await energise(200)
        expect(Math.abs(reached.value - 200)).toBeLessThanOrEqual(TOLERANCE_V)
        expect(bench.outputs()).toMatchObject([{ isOn: true, outputV: 200 }, { isOn: false }])
        expect(channel().state.latest()?.value).toBe('on')
        await bench.on(channel().demand.set(150, never))
        await bench.pass(1.5 + 100 / bench.rampVPerS)
        await poll()
        expect(Math.abs(channel().voltage.latest()!.value - 150)).toBeLessThanOrEqual(TOLERANCE_V)
      })

      it('leaves a channel off that trips on the way up, until a person clears it', async () => {
        await bench.on(channel().demand.set(450, never))
        const energising = channel().energise(permit, never)
        energising.catch(() => undefined)
        await bench.on(waitFor(bench, () => bench.outputs()[0]!.isOn))
        bench.inject({ kind: 'trip', channel: 0 })
        await expect(bench.on(energising)).rejects.toMatchObject({
          code: ErrorCode.refused,
          message: expect.stringContaining('trip') as string
        })
        expect(bench.outputs()[0]!.isOn).toBe(false)
        expect(channel().state.latest()?.value).toBe('tripped')
        bench.told()
        await expect(bench.on(channel().energise(permit, never))).rejects.toMatchObject({
          code: ErrorCode.notPermitted,
          message: expect.stringContaining('trip') as string
        })
        await expect(bench.on(channel().clearTrip({ by: ' ' }, never))).rejects.toMatchObject({
          code: ErrorCode.notPermitted
        })
        expect(bench.told()).toEqual([])
        await bench.on(channel().clearTrip(permit, never))
        expect(bench.outputs()[0]!.isOn).toBe(false)
        expect(channel().state.latest()?.value).toBe('off')
        await energise(100)
        expect(bench.outputs()[0]!.isOn).toBe(true)
      })

      it('ramps off without anybody’s permission and resolves when the voltage is gone', async () => {
        await energise(200)
        const began = bench.clock.now()
        await bench.on(channel().rampOff(never))
        const tookS = toSeconds(bench.clock.now() - began)
        expect(tookS).toBeGreaterThan((0.8 * 200) / bench.rampVPerS)
        expect(bench.outputs()[0]).toMatchObject({ isOn: false })
        expect(bench.outputs()[0]!.outputV).toBeLessThan(TOLERANCE_V)
        expect(channel().state.latest()?.value).toBe('off')
      })

      it('is made safe by a controlled ramp of all channels together', async () => {
        await energise(300)
        await energise(200, other())
        const began = bench.clock.now()
        const safe = bench.supply.makeSafe('test')
        safe.catch(() => undefined)
        const areRampingDown = (): boolean => bench.outputs().every(({ isRampingDown }) => isRampingDown)
        await bench.on(waitFor(bench, areRampingDown))
        expect(areRampingDown()).toBe(true)
        await bench.on(safe)
        expect(toSeconds(bench.clock.now() - began)).toBeLessThan(4 + 1.5 * (300 / bench.rampVPerS))
        expect(bench.outputs().map(({ isOn }) => isOn)).toEqual([false, false])
        expect(bench.outputs()[0]!.outputV).toBeLessThan(TOLERANCE_V)
      })

      it('loses its signals with the link and comes back without writing', async () => {
        await energise(100)
        bench.told()
        const states: string[] = []
        const unsubscribe = bench.supply.onState(({ kind }) => states.push(kind))
        await bench.cut()
        await bench.on(waitFor(bench, () => bench.supply.state.kind === 'disconnected'))
        expect(channel().voltage.latest()?.quality).toBe('stale')
        expect(channel().demand.latest()?.quality).toBe('stale')
        const isDisconnected = { code: ErrorCode.disconnected }
        await expect(bench.on(channel().demand.set(50, never))).rejects.toMatchObject(isDisconnected)
        await expect(poll()).rejects.toMatchObject(isDisconnected)
        await bench.repair()
        await bench.on(bench.supply.connect(never))
        expect(bench.told()).toEqual([])
        expect(states).toEqual(['disconnected', 'connecting', 'connected'])
        expect(channel().demand.latest()).toMatchObject({ value: 100, quality: 'good' })
        expect(channel().state.latest()?.value).toBe('on')
        unsubscribe()
      })

      if (grade.isMutable)
        it('is missed within the deadline when it falls silent', async () => {
          bench.mute?.(true)
          const began = bench.clock.now()
          await expect(bench.on(bench.supply.poll(never))).rejects.toMatchObject({ code: ErrorCode.timeout })
          expect(bench.clock.now() - began).toBeLessThan(seconds(5))
          await bench.supply.disconnect()
          expect(channel().voltage.latest()?.quality).toBe('stale')
          bench.mute?.(false)
          await bench.on(bench.supply.connect(never))
          expect(channel().voltage.latest()?.quality).toBe('good')
        })

      if (!grade.isVirtual) return

      it('reports a channel that an overcurrent switched off', async () => {
        await energise(100)
        bench.inject({ kind: 'overcurrent', channel: 0, microamps: 400 })
        await bench.pass(3)
        bench.inject({ kind: 'clear' })
        await poll()
        expect(bench.outputs()[0]!.isOn).toBe(false)
        expect(channel().state.latest()?.value).toBe('tripped')
        await bench.on(channel().clearTrip(permit, never))
      })

      it('is held off by the interlock, and comes back by a person only', async () => {
        await energise(100)
        bench.inject({ kind: 'interlock' })
        await bench.pass(1.5)
        await poll()
        expect(channel().state.latest()?.value).toBe('inhibited')
        expect(bench.outputs()[0]!.isOn).toBe(false)
        await expect(bench.on(channel().energise(permit, never))).rejects.toMatchObject({
          code: ErrorCode.notPermitted
        })
        bench.inject({ kind: 'clear' })
        await bench.pass(1.5)
        expect(bench.outputs()[0]!.isOn).toBe(false)
        await bench.on(channel().clearTrip(permit, never))
        await bench.on(other().clearTrip(permit, never))
        await energise(100)
        expect(bench.outputs()[0]!.isOn).toBe(true)
      })

      it('turns its signals stale by its own clock when nobody asks any more', async () => {
        await poll()
        bench.freeze?.(true)
        expect(channel().voltage.latest()?.quality).toBe('good')
        await bench.pass(15)
        expect(channel().voltage.latest()?.quality).toBe('stale')
        bench.freeze?.(false)
      })

      it('gives up on a ramp that is stuck', async () => {
        await bench.on(channel().demand.set(100, never))
        bench.inject({ kind: 'ramp-stuck' })
        await expect(bench.on(channel().energise(permit, never))).rejects.toMatchObject({
          code: ErrorCode.timeout
        })
        bench.inject({ kind: 'clear' })
      })
    })
  })
}

/** Looks again and again, on the clock of the bench. */
async function waitFor(bench: HvBench, isSo: () => boolean): Promise<void> {
  for (let n = 0; n < 500 && !isSo(); n++) await bench.clock.sleep('look again', seconds(0.03))
}
