import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../core/errors.ts'
import type { TriggerCrate, TriggerSettings } from '../../../drivers/trigger/contract/trigger-crate.ts'
import { CollectingSink } from '../front-end.ts'

/** One trigger crate with a far end that the suite can command. */
export interface TriggerBench {
  readonly source: number
  readonly counters: number
  readonly lines: number
  /** a driver of it; `wrong`: one whose configuration does not fit the crate */
  make(wrong?: 'source'): TriggerCrate
  /** while a spill goes on: about that many triggers of line 0 (a crate with real dead time takes fewer) */
  fire(count: number): Promise<void>
  /** the extraction lines announce the start, the end of a machine spill */
  extraction(isOn: boolean): Promise<void>
  /** the data connection breaks; it can be made again at once */
  cutData(): Promise<void>
  run<T>(work: Promise<T>): Promise<T>
  end(): Promise<void>
}

const never = new AbortController().signal

export function describeTriggerCrate(name: string, makeBench: () => Promise<TriggerBench>): void {
  describe(`${name}: the contract of trigger crates`, () => {
    let bench: TriggerBench
    let crate: TriggerCrate
    let sink: CollectingSink

    beforeEach(async () => {
      bench = await makeBench()
      sink = new CollectingSink()
      crate = bench.make()
      crate.data.attach(sink)
    })
    afterEach(async () => {
      await crate.disconnect()
      await bench.end()
    })

    const connect = (): Promise<unknown> => bench.run(crate.connect(never))
    const apply = (settings: TriggerSettings): Promise<unknown> => bench.run(crate.apply(settings, never))
    const ends = (count: number): Promise<void> => bench.run(sink.until((s) => s.ends.length >= count))
    const menu = (): TriggerSettings => ({
      thresholds: Array.from({ length: bench.counters }, (_, i) => 100 + i),
      lines: [{ line: 0, require: 0b11, veto: 0b100, prescale: 1, randomRateHz: 0 }],
      deadTimeNs: 200
    })
    /** the crate, connected, with a menu and a run of local spills */
    async function enabled(run = 17): Promise<void> {
      await connect()
      await apply(menu())
      await bench.run(crate.enable(run, 'local', never))
    }
    async function localSpill(triggers: number): Promise<void> {
      await bench.run(crate.startSpill(never))
      await bench.fire(triggers)
      await bench.run(crate.endSpill(never))
    }

    it('connects, says who it is, and triggers nothing by that', async () => {
      const identity = await connect()
      expect(crate.state).toEqual({ kind: 'connected', identity })
      expect(sink.connections).toEqual([true])
      expect(crate.data.sources).toEqual([bench.source])
      await expect(bench.run(crate.startSpill(never))).rejects.toMatchObject({ code: ErrorCode.refused })
      expect(sink.starts).toEqual([])
    })

    it('names a crate with another source as wrong', async () => {
      crate = bench.make('source')
      crate.data.attach(sink)
      await expect(bench.run(crate.connect(never))).rejects.toMatchObject({ code: ErrorCode.protocol })
      expect(crate.state).toMatchObject({ kind: 'disconnected' })
    })

    it('writes the whole menu and finds it as written', async () => {
      await connect()
      expect(await apply(menu())).toEqual([])
    })

    it('lists each setting that the crate does not keep', async () => {
      await connect()
      const thresholds = menu().thresholds.map((value, i) => (i === 2 ? 4096 + 7 : value))
      const lines = [{ ...menu().lines[0]!, prescale: 0x1_00_0003 }]
      expect(await apply({ ...menu(), thresholds, lines })).toEqual([
        { setting: 'threshold of counter 2', wanted: 4103, got: 7 },
        { setting: 'prescale of line 0', wanted: 0x1_00_0003, got: 3 }
      ])
    })

    it('refuses a menu that is larger than the crate', async () => {
      await connect()
      const lines = [{ ...menu().lines[0]!, line: bench.lines }]
      await expect(apply({ ...menu(), lines })).rejects.toMatchObject({ code: ErrorCode.usage })
      const thresholds = Array<number>(bench.counters + 1).fill(1)
      await expect(apply({ ...menu(), thresholds })).rejects.toMatchObject({ code: ErrorCode.usage })
    })

    it('takes no menu while a run is enabled', async () => {
      await enabled()
      await expect(apply(menu())).rejects.toMatchObject({ code: ErrorCode.notPermitted })
      await bench.run(crate.disable(never))
      expect(await apply(menu())).toEqual([])
    })

    it('sends a block for every trigger of a local spill, and counts spills from 1 in each run', async () => {
      await enabled()
      await localSpill(20)
      await localSpill(10)
      await ends(2)
      expect(sink.starts.map(({ spill }) => spill)).toEqual([1, 2])
      const of = (spill: number): number[] =>
        sink.fragments.filter((f) => f.spill === spill).map(({ event }) => event)
      for (const [i, record] of sink.ends.entries()) {
        expect(record).toMatchObject({ source: bench.source, spill: i + 1 })
        expect(of(i + 1)).toEqual(Array.from({ length: record.eventsSent }, (_, n) => n + 1))
        expect(record.eventsSent).toBeGreaterThan(0)
      }
      await bench.run(crate.disable(never))
      await bench.run(crate.enable(18, 'local', never))
      await localSpill(5)
      await ends(3)
      expect(sink.starts.at(-1)).toMatchObject({ spill: 1 })
      expect(sink.faults).toEqual([])
    })

    it('follows the extraction lines when enabled for them, and no local command', async () => {
      await connect()
      await apply(menu())
      await bench.run(crate.enable(3, 'sps', never))
      await expect(bench.run(crate.startSpill(never))).rejects.toMatchObject({ code: ErrorCode.refused })
      await bench.extraction(true)
      await bench.fire(8)
      await bench.extraction(false)
      await ends(1)
      expect(sink.ends).toMatchObject([{ spill: 1 }])
    })

    it('gives the scalers of the spill that is asked for, and of no other', async () => {
      await enabled()
      await localSpill(30)
      await ends(1)
      const scalers = await bench.run(crate.scalers(1, never))
      expect(scalers).toMatchObject({ spill: 1, accepted: sink.ends[0]!.eventsSent })
      expect(scalers.counters).toHaveLength(bench.counters)
      expect(scalers.lines).toHaveLength(bench.lines)
      for (const line of scalers.lines) {
        expect(line.attempts).toBeGreaterThanOrEqual(line.prescaled)
        expect(line.prescaled).toBeGreaterThanOrEqual(line.accepted)
      }
      expect(scalers.lines[0]!.accepted).toBe(scalers.accepted)
      expect(scalers.beam).toBeGreaterThanOrEqual(scalers.beamLive)
      expect(scalers.spillLengthUs).toBeGreaterThanOrEqual(scalers.liveTimeUs)
      await expect(bench.run(crate.scalers(2, never))).rejects.toMatchObject({
        code: ErrorCode.notFound,
        details: { expected: 'spill 2', got: 'spill 1' }
      })
    })

    it('takes no trigger after inhibit, also as the safe state, until it is enabled again', async () => {
      for (const stop of [() => crate.inhibit(never), () => crate.makeSafe('a test')]) {
        await enabled()
        await bench.run(crate.startSpill(never))
        await bench.run(stop())
        const before = sink.ends.length
        await bench.fire(10)
        await bench.run(crate.endSpill(never))
        await ends(before + 1)
        expect(sink.ends.at(-1)).toMatchObject({ eventsSent: 0 })
        await bench.run(crate.disable(never))
      }
      await enabled()
      await localSpill(10)
      await ends(3)
      expect(sink.ends.at(-1)!.eventsSent).toBeGreaterThan(0)
    })

    it('refuses to begin a run in a spill', async () => {
      await enabled()
      await bench.run(crate.startSpill(never))
      await expect(bench.run(crate.enable(18, 'local', never))).rejects.toMatchObject({
        code: ErrorCode.refused
      })
      await bench.run(crate.endSpill(never))
      await bench.run(crate.enable(18, 'local', never))
    })

    it('does not claim to be safe when it cannot be reached', async () => {
      await expect(bench.run(crate.makeSafe('a test'))).rejects.toMatchObject({
        code: ErrorCode.disconnected
      })
    })

    it('is lost with its data connection and can be connected again', async () => {
      await connect()
      const lost = new Promise<void>((resolve) => {
        crate.onState((state) => {
          if (state.kind === 'disconnected') resolve()
        })
      })
      await bench.cutData()
      await bench.run(lost)
      expect(sink.connections).toEqual([true, false])
      await expect(crate.inhibit(never)).rejects.toMatchObject({ code: ErrorCode.disconnected })
      await connect()
      expect(sink.connections).toEqual([true, false, true])
    })
  })
}
