import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../core/errors.ts'
import type { Digitiser, DigitiserSettings } from '../../../drivers/digitiser/contract/digitiser.ts'
import { CollectingSink } from '../front-end.ts'

/** One digitiser with a far end that the suite can command. */
export interface DigitiserBench {
  readonly source: number
  readonly modules: readonly { readonly port: number; readonly adc: number }[]
  /** a driver of it; `wrong`: one whose configuration does not fit the board */
  make(wrong?: 'source' | 'modules'): Digitiser
  /** a whole spill with that many triggers passes at the board */
  spill(spill: number, events: number): Promise<void>
  /** the data connection breaks; it can be made again at once */
  cutData(): Promise<void>
  /** from now on the board answers nothing / answers again */
  silence(isSilent: boolean): void
  run<T>(work: Promise<T>): Promise<T>
  end(): Promise<void>
}

const never = new AbortController().signal

export function describeDigitiser(name: string, makeBench: () => Promise<DigitiserBench>): void {
  describe(`${name}: the contract of digitisers`, () => {
    let bench: DigitiserBench
    let board: Digitiser
    let sink: CollectingSink
    let states: string[]

    beforeEach(async () => {
      bench = await makeBench()
      sink = new CollectingSink()
      states = []
      board = use(bench.make())
    })
    afterEach(async () => {
      await board.disconnect()
      await bench.end()
    })

    function use(digitiser: Digitiser): Digitiser {
      digitiser.data.attach(sink)
      digitiser.onState((state) => states.push(state.kind))
      return digitiser
    }
    const connect = (): Promise<unknown> => bench.run(board.connect(never))
    const arm = (): Promise<void> => bench.run(board.acquire.arm(never))
    const heard = (holds: (s: CollectingSink) => boolean): Promise<void> => bench.run(sink.until(holds))
    const settings = (thresholdCounts = 25): DigitiserSettings => ({
      latencySamples: 77,
      samplesPerEvent: 32,
      zeroSuppression: true,
      thresholds: bench.modules.flatMap((module) =>
        Array.from({ length: 16 }, (_, channel) => ({ ...module, channel, thresholdCounts }))
      )
    })
    const stateChange = (kind: string): Promise<void> =>
      bench.run(
        new Promise((resolve) => {
          if (board.state.kind === kind) resolve()
          else
            board.onState((state) => {
              if (state.kind === kind) resolve()
            })
        })
      )

    it('connects, says who it is, and writes nothing by that', async () => {
      expect(board.state.kind).toBe('disconnected')
      const identity = await connect()
      expect(board.state).toEqual({ kind: 'connected', identity })
      expect(Object.values(identity as object).every((part) => typeof part === 'string')).toBe(true)
      expect(states).toEqual(['connecting', 'connected'])
      expect(sink.connections).toEqual([true])
      expect(board.data.sources).toEqual([bench.source])
      await bench.spill(1, 3)
      expect(sink.fragments).toEqual([])
    })

    it.each(['source', 'modules'] as const)('names a board with another %s as wrong', async (what) => {
      board = use(bench.make(what))
      const error = await bench.run(board.connect(never)).catch((e: unknown) => e)
      expect(error).toMatchObject({
        code: ErrorCode.protocol,
        details: {
          device: board.id,
          expected: expect.any(String) as unknown,
          got: expect.any(String) as unknown
        }
      })
      expect(board.state).toMatchObject({ kind: 'disconnected' })
      expect(sink.connections).toEqual([])
    })

    it('writes all settings and finds them as written', async () => {
      await connect()
      expect(await bench.run(board.trigger.apply(settings(), never))).toEqual([])
      expect(await bench.run(board.trigger.apply(settings(4095), never))).toEqual([])
    })

    it('lists each setting that the board does not keep', async () => {
      await connect()
      const wanted = settings()
      const [first] = wanted.thresholds
      const thresholds = [{ ...first!, thresholdCounts: 5000 }, ...wanted.thresholds.slice(1)]
      const differences = await bench.run(board.trigger.apply({ ...wanted, thresholds }, never))
      expect(differences).toEqual([
        { setting: expect.stringContaining('channel 0') as unknown, wanted: 5000, got: 5000 & 0xfff }
      ])
    })

    it('refuses thresholds of a module that it does not have', async () => {
      await connect()
      const thresholds = [{ port: 7, adc: 2, channel: 0, thresholdCounts: 1 }]
      await expect(
        bench.run(board.trigger.apply({ ...settings(), thresholds }, never))
      ).rejects.toMatchObject({ code: ErrorCode.usage })
    })

    it('takes no settings while armed', async () => {
      await connect()
      await arm()
      await expect(bench.run(board.trigger.apply(settings(), never))).rejects.toMatchObject({
        code: ErrorCode.notPermitted
      })
    })

    it('sends a spill when armed, with its own account at the end, and none when disarmed', async () => {
      await connect()
      await arm()
      await bench.spill(5, 40)
      await heard((s) => s.ends.length > 0)
      expect(sink.starts).toMatchObject([{ source: bench.source, spill: 5 }])
      expect(sink.fragments.map(({ event }) => event)).toEqual(Array.from({ length: 40 }, (_, i) => i + 1))
      expect(sink.fragments.every((f) => f.spill === 5 && f.source === bench.source && f.status === 0)).toBe(
        true
      )
      const wordsSent = sink.fragments.reduce((sum, f) => sum + f.bytes.length / 4, 0)
      expect(sink.ends).toMatchObject([{ source: bench.source, spill: 5, eventsSent: 40, wordsSent }])
      await bench.run(board.acquire.disarm(never))
      await bench.spill(6, 3)
      await arm()
      await bench.spill(7, 1)
      await heard((s) => s.ends.length > 1)
      expect(sink.ends.map(({ spill }) => spill)).toEqual([5, 7])
      expect(sink.faults).toEqual([])
    })

    it('is held back by pause, and brings everything after resume', async () => {
      await connect()
      await arm()
      board.data.pause()
      await bench.spill(1, 100)
      for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
      expect(sink.fragments).toEqual([])
      board.data.resume()
      await heard((s) => s.ends.length > 0)
      expect(sink.fragments).toHaveLength(100)
      expect(sink.faults).toEqual([])
    })

    it('is not armed any more when made safe', async () => {
      await connect()
      await arm()
      await bench.run(board.makeSafe('a test'))
      await bench.spill(1, 3)
      expect(await bench.run(board.trigger.apply(settings(), never))).toEqual([])
      expect(sink.fragments).toEqual([])
    })

    it('does not claim to be safe when it cannot be reached', async () => {
      await expect(bench.run(board.makeSafe('a test'))).rejects.toMatchObject({
        code: ErrorCode.disconnected
      })
    })

    it('is lost with its data connection, and comes back with its settings', async () => {
      await connect()
      await bench.run(board.trigger.apply(settings(), never))
      await bench.cutData()
      await stateChange('disconnected')
      expect(sink.connections).toEqual([true, false])
      await expect(board.acquire.arm(never)).rejects.toMatchObject({ code: ErrorCode.disconnected })
      await connect()
      expect(sink.connections).toEqual([true, false, true])
      expect(states).toEqual(['connecting', 'connected', 'disconnected', 'connecting', 'connected'])
      await arm()
      await bench.spill(1, 2)
      await heard((s) => s.ends.length > 0)
      expect(sink.fragments).toHaveLength(2)
    })

    it('is lost when its registers do not answer any more, and its signals are stale then', async () => {
      await connect()
      const status = board.signals.find((signal) => signal.path.endsWith('/status'))!
      await bench.run(
        new Promise<void>((resolve) => {
          if (status.latest() === undefined) status.watch(() => resolve())
          else resolve()
        })
      )
      expect(status.latest()).toMatchObject({ quality: 'good' })
      bench.silence(true)
      await expect(bench.run(board.acquire.arm(never))).rejects.toMatchObject({ code: ErrorCode.timeout })
      await stateChange('disconnected')
      expect(status.latest()).toMatchObject({ quality: 'stale' })
      bench.silence(false)
      await connect()
      expect(board.state.kind).toBe('connected')
    })

    it('disconnects quietly, and forgets nothing that it needs to connect again', async () => {
      await board.disconnect()
      await connect()
      await board.disconnect()
      await board.disconnect()
      expect(board.state).toMatchObject({ kind: 'disconnected' })
      expect(sink.connections).toEqual([true, false])
      await connect()
      expect(board.state.kind).toBe('connected')
    })
  })
}
