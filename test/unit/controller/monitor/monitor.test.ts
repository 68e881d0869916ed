/** The monitor: clean physics events enter the energy histograms, pulses the others, and the cut flow ends with the spill. */
import { describe, expect, it } from 'vitest'
import { loadExperiment } from '../../../../config/load.ts'
import { Monitor } from '../../../../controller/monitor/monitor.ts'
import { BlockHeader, EventStatus, HitStatus, makeBlock } from '../../../../core/block.ts'

const experiment = loadExperiment('na64mu-2022')
const sums = experiment.reconstruction.calorimeter.sums.length

function block() {
  const made = makeBlock({ events: 4, sources: 1, rawBytes: 4, hits: 4, samples: 32, sums })
  made.header[BlockHeader.eventCount] = 3
  made.header[BlockHeader.hitCount] = 2
  made.eventType.set([7, 7, 8])
  made.eventStatus.set([0, EventStatus.partial, 0])
  made.sums.set([0.5, 0.6, 0.7])
  made.hitStatus.set([0, HitStatus.empty])
  made.amplitude.set([100, 2])
  made.timeNs.set([120, 0])
  made.cutMask.set([0b11, 0b10, 0b01])
  return made
}

describe('monitor', () => {
  it('fills energies of clean physics events and pulses that are no noise', () => {
    const monitor = new Monitor(experiment)
    monitor.fill(block())
    const entries = Object.fromEntries(monitor.histograms().map((h) => [h.name, h.entries]))
    expect(entries).toMatchObject({
      'energy/ecal': 1,
      'energy/ecal/close-up': 1,
      'pulse/amplitude': 1,
      'pulse/time': 1
    })
    monitor.clear()
    expect(monitor.histograms().every((h) => h.entries === 0)).toBe(true)
  })

  it('keeps the cut flow of the last spill', () => {
    const monitor = new Monitor(experiment)
    monitor.fill(block())
    expect(monitor.cutFlow()).toEqual([])
    monitor.endOfSpill()
    expect(monitor.cutFlow().slice(0, 2)).toMatchObject([{ passed: 2 }, { passed: 1 }])
    monitor.endOfSpill()
    expect(monitor.cutFlow()[0]).toMatchObject({ passed: 0 })
  })
})
