/** Replays recordings of the contract suites: a puppet does what was done, and must hear what was heard. */
import { afterEach, beforeEach, expect } from 'vitest'
import { SystemClock } from '../../../core/clock.ts'
import { tapped } from '../../../drivers/link/tap.ts'
import type { TapEvent, Verb } from '../../../drivers/link/tap/event.ts'
import { TapRecorder } from '../../../drivers/link/tap/recorder.ts'
import { parseRecording, type Recording, recordingLines } from '../../../drivers/link/tap/recording.ts'
import { makeReplayLink } from '../../../drivers/link/tap/replay.ts'

const TURNS_MAX = 2000

/** A recorder for every test of a file; what it recorded is written, read and replayed after the test. */
export function recordAndReplayEachTest(): { readonly recorder: () => TapRecorder } {
  let recorder = new TapRecorder(new SystemClock())
  beforeEach(() => {
    recorder = new TapRecorder(new SystemClock())
  })
  afterEach(async () => {
    const session = recorder.session()
    const read = parseRecording([...recordingLines(session)].join(''))
    expect(read).toEqual(session)
    for (const recording of read) {
      const again = await replayed(recording)
      expect(of('out', again)).toEqual(of('out', recording))
      expect(of('in', again)).toEqual(of('in', recording))
    }
  })
  return { recorder: () => recorder }
}

const of = (dir: string, { entries }: Recording): TapEvent[] =>
  entries.flatMap(({ event }) => (event.dir === dir ? [event] : []))

type Call = (...args: unknown[]) => Promise<unknown>

/** The recording of a replay, by a puppet that makes the recorded requests when what came before them has come. */
export async function replayed(recording: Recording): Promise<Recording> {
  const recorder = new TapRecorder(new SystemClock())
  const replay = makeReplayLink(recording, recording.kind)
  const link = tapped(replay, recorder.sink(recording.url, recording.kind))
  const callers = new Map<number, AbortController>()
  let came = 0
  for (const { event } of recording.entries) {
    if (event.dir === 'in') came++
    else if (event.what === 'abort') callers.get(event.id)!.abort()
    else if (event.what === 'request') {
      await until(() => of('in', recorder.session()[0]!).length >= came)
      const caller = new AbortController()
      callers.set(event.id, caller)
      const call = (link as unknown as Record<Verb, Call>)[event.verb].bind(link)
      call(...event.args, ...more(event.verb, caller.signal)).catch(() => undefined)
    }
  }
  await until(() => replay.isDone)
  await replay.done()
  return recorder.session()[0]!
}

function more(verb: Verb, signal: AbortSignal): unknown[] {
  if (verb === 'subscribe' || verb === 'watch') return [() => undefined]
  return verb === 'close' || verb === 'publish' ? [] : [signal]
}

async function until(holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < TURNS_MAX && !holds(); turn++)
    await new Promise((resolve) => setImmediate(resolve))
  expect(holds()).toBe(true)
}
