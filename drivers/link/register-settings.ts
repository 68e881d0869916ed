import type { RegisterLink } from './link.ts'

/** One setting that lives in one register of the bus. */
export interface RegisterSetting {
  /** as people read it: "threshold port 2 adc 1 channel 5" */
  readonly setting: string
  readonly address: number
  readonly value: number
}

export interface RegisterDifference {
  readonly setting: string
  readonly wanted: number
  readonly got: number
}

/**
 * Writes all settings, reads all back and returns those that differ. Neighbouring addresses go in one request.
 * Rejects with what the link says; then some settings may be written and others not.
 */
export async function writeAndReadBack(
  link: RegisterLink,
  settings: readonly RegisterSetting[],
  signal: AbortSignal
): Promise<RegisterDifference[]> {
  const runs = neighbours(settings)
  for (const run of runs)
    await link.write(
      'bus',
      run[0]!.address,
      run.map((setting) => setting.value),
      signal
    )
  const differences: RegisterDifference[] = []
  for (const run of runs) {
    const got = await link.read('bus', run[0]!.address, run.length, signal)
    run.forEach(({ setting, value: wanted }, i) => {
      if (got[i] !== wanted) differences.push({ setting, wanted, got: got[i] ?? Number.NaN })
    })
  }
  return differences
}

/** In order of address, cut where an address is left out. Of two with one address the later one counts. */
function neighbours(settings: readonly RegisterSetting[]): RegisterSetting[][] {
  const byAddress = [...new Map(settings.map((setting) => [setting.address, setting])).values()].sort(
    (a, b) => a.address - b.address
  )
  const runs: RegisterSetting[][] = []
  for (const setting of byAddress) {
    const run = runs.at(-1)
    if (run !== undefined && run.at(-1)!.address + 1 === setting.address) run.push(setting)
    else runs.push([setting])
  }
  return runs
}
