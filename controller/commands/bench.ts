import { runBench } from '../../bench/main.ts'
import { Exit, print, printJson, tell } from './output.ts'

const compact = (value: number | undefined, unit: string): string =>
  value === undefined
    ? ''
    : `${value >= 1e6 ? `${(value / 1e6).toFixed(2)} M` : `${(value / 1e3).toFixed(1)} k`}${unit}`

/** `bench`: the hot path, and how much of this machine's memory copy it reaches. Figures are of this machine, now. */
export async function benchCommand(
  names: readonly string[],
  seconds: number,
  asJson: boolean
): Promise<number> {
  tell(`measuring for ${seconds} s each`)
  const results = await runBench(names, { seconds })
  if (asJson) {
    await printJson({ node: process.version, results })
    return Exit.done
  }
  for (const r of results)
    print(
      [
        r.name.padEnd(20),
        compact(r.eventsPerS, 'events/s').padStart(18),
        (r.usPerEvent === undefined ? '' : `${r.usPerEvent.toFixed(2)} us/event`).padStart(18),
        compact(r.waveformsPerS, 'waveforms/s').padStart(20),
        compact(r.bytesPerS, 'B/s').padStart(16),
        (r.ofCopy === undefined ? '' : `${(100 * r.ofCopy).toFixed(1)} % of copy`).padStart(18),
        `  ${r.what}`
      ].join('')
    )
  return Exit.done
}
