/** The benchmarks run, measure the machine's memory copy with them, and know their names. */
import { describe, expect, it } from 'vitest'
import { benchNames, runBench } from '../../../bench/main.ts'

describe('benchmarks', () => {
  it('measures events and waveforms, with the memory copy of the same run beside them', async () => {
    const [copy, builder, kernel] = await runBench(['builder', 'waveform-kernel'], { seconds: 0.01 })
    expect([copy!.name, builder!.name, kernel!.name]).toEqual(['copy', 'builder', 'waveform-kernel'])
    expect(copy!.bytesPerS).toBeGreaterThan(0)
    expect(builder!.ofCopy).toBeCloseTo(builder!.bytesPerS! / copy!.bytesPerS!)
    expect(builder!.usPerEvent! * builder!.eventsPerS!).toBeCloseTo(1e6, 0)
    expect(kernel!.waveformsPerS).toBeGreaterThan(0)
  })

  it('refuses a name that it does not know, and says which there are', async () => {
    await expect(runBench(['wavefrom'], { seconds: 0.01 })).rejects.toMatchObject({
      code: 'usage',
      details: { hint: `there are ${benchNames.join(', ')}` }
    })
  })
})
