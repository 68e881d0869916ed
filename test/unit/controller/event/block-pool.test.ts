/** The pool: a block has one owner, and the shape holds whatever the sources may send. */
import { describe, expect, it } from 'vitest'
import { loadExperiment } from '../../../../config/load.ts'
import { attachBlocks, makePool, shapeFor } from '../../../../controller/event/block-pool.ts'
import { dataSourcesOf } from '../../../../controller/event/source.ts'
import { blockBytes } from '../../../../core/block.ts'
import { spillFixture } from '../../../../bench/spill-fixture.ts'

const experiment = loadExperiment('na64mu-2022')
const sources = dataSourcesOf(experiment)
const shape = shapeFor(sources, 3, 4)

describe('block pool', () => {
  it('gives each block to one owner, and refuses to take one back twice', () => {
    const pool = makePool(shape, 2)
    const taken = [pool.tryTake(), pool.tryTake()]
    expect([...taken].sort()).toEqual([0, 1])
    expect(pool.tryTake()).toBeUndefined()
    pool.giveBack(1)
    expect(() => pool.giveBack(1)).toThrow('not taken')
    expect(pool.freeCount).toBe(1)
  })

  it('is the same memory for whoever attaches, and blocks do not overlap', () => {
    const pool = makePool(shape, 2)
    const other = attachBlocks(pool.layout)
    pool.blocks[0]!.raw.fill(7)
    expect(other[0]!.raw[0]).toBe(7)
    expect(other[1]!.raw[0]).toBe(0)
    expect(pool.blocks[1]!.offset).toBe(blockBytes(shape))
    for (const column of [pool.blocks[1]!.samples, pool.blocks[1]!.amplitude, pool.blocks[1]!.raw])
      expect(column.byteOffset % 64).toBe(0)
  })

  it('has room for every event without zero suppression', () => {
    const spill = spillFixture(experiment, 1, 2, 'room')
    const bytes = spill.fragments.reduce((sum, list) => sum + list[0]!.length, 0)
    expect(shape.rawBytes).toBeGreaterThanOrEqual(4 * bytes)
    expect(shape.hits).toBe(4 * sources.reduce((sum, source) => sum + source.hitsMax, 0))
    spill.fragments.forEach((list, s) => expect(list[0]!.length).toBeLessThan(sources[s]!.maximumBlockBytes))
  })
})
