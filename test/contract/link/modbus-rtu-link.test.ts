// Links of Modbus RTU on a real pseudo terminal with our own units at its far end: several units share one line without
// a word of each other's, and whatever goes wrong on it is told as what it is.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SystemClock } from '../../../core/clock.ts'
import { ErrorCode } from '../../../core/errors.ts'
import type { RegisterLink } from '../../../drivers/link/link.ts'
import { makeRtuLinks } from '../../../drivers/link/modbus-rtu.ts'
import type { RegisterFace } from '../../../hil-sim/device/face.ts'
import { serveModbusRtu } from '../../../hil-sim/wire/modbus-rtu.ts'
import type { Wire } from '../../../hil-sim/wire/wire.ts'

const clock = new SystemClock()
const never = new AbortController().signal

/** A unit whose register n holds `base + n`; keeps what is written. */
class Unit implements RegisterFace {
  readonly kind = 'registers'
  readonly identification = ['Maker', 'Model', '1.0']
  readonly writes: [number, readonly number[]][] = []
  isSilent = false
  underWay = 0
  readonly #base: number

  constructor(base: number) {
    this.#base = base
  }
  read(_space: string, address: number, count: number) {
    if (this.isSilent) return 'silent' as const
    if (address >= 1000) return 'illegal-address' as const
    return Array.from({ length: count }, (_, i) => this.#base + address + i)
  }
  write(_space: string, address: number, values: readonly number[]) {
    if (this.isSilent) return 'silent' as const
    if (address >= 1000) return 'illegal-address' as const
    this.writes.push([address, values])
    return undefined
  }
}

describe('Modbus RTU', () => {
  let folder: string
  let wire: Wire
  let units: Map<number, Unit>
  let links: (url: string) => RegisterLink
  let one: RegisterLink
  let two: RegisterLink

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'rtu-'))
    units = new Map([
      [1, new Unit(0)],
      [2, new Unit(2000)]
    ])
    wire = await serveModbusRtu(units, { path: join(folder, 'line') })
    links = makeRtuLinks(clock)
    one = links(`${wire.url}&unit=1`)
    two = links(`${wire.url}&unit=2`)
    await Promise.all([one.open(never), two.open(never)])
  })
  afterEach(async () => {
    await one.close()
    await two.close()
    await wire.close()
    rmSync(folder, { recursive: true })
  })
  const fault = (kind: string, count = 1) => expect(wire.disturb!({ kind: `wire-${kind}`, count })).toBe(true)

  it('reads and writes all that Modbus has', async () => {
    expect(await one.read('holding', 5, 3, never)).toEqual([5, 6, 7])
    expect(await two.read('input', 5, 125, never)).toEqual(Array.from({ length: 125 }, (_, i) => 2005 + i))
    expect(await one.read('coil', 0, 9, never)).toHaveLength(9)
    await one.write('holding', 4, [77], never)
    await one.write('holding', 4, [1, 2, 3], never)
    await one.write('coil', 9, [1], never)
    expect(units.get(1)!.writes).toEqual([
      [4, [77]],
      [4, [1, 2, 3]],
      [9, [1]]
    ])
    expect(await one.identification?.(never)).toEqual(['Maker', 'Model', '1.0'])
    await expect(one.modify(1, 0, 0, never)).rejects.toMatchObject({ code: ErrorCode.notPermitted })
    await expect(one.read('holding', 0, 126, never)).rejects.toMatchObject({ code: ErrorCode.notPermitted })
  })

  it('serves the units of one line one after the other, each with its own', async () => {
    const asked = Array.from({ length: 24 }, (_, i) =>
      (i % 2 === 0 ? one : two).read('holding', i, 1 + (i % 5), never)
    )
    const got = await Promise.all(asked)
    got.forEach((values, i) => {
      const base = i % 2 === 0 ? 0 : 2000
      expect(values).toEqual(Array.from({ length: 1 + (i % 5) }, (_, k) => base + i + k))
    })
  })

  it('tells an exception as a refusal, and goes on', async () => {
    await expect(one.read('holding', 1000, 1, never)).rejects.toMatchObject({
      code: ErrorCode.refused,
      details: { got: 'illegal-data-address' }
    })
    expect(one.isOpen).toBe(true)
    expect(await one.read('holding', 1, 1, never)).toEqual([1])
  })

  it.each([
    ['bad-crc', 'CRC'],
    ['half-reply', 'ends after']
  ])('reads once more after %s, and tells it when it comes again', async (kind, words) => {
    fault(kind)
    expect(await one.read('holding', 3, 4, never)).toEqual([3, 4, 5, 6])
    fault(kind, 2)
    await expect(one.read('holding', 3, 4, never)).rejects.toMatchObject({
      code: ErrorCode.protocol,
      message: expect.stringContaining(words) as string
    })
    expect(one.isOpen).toBe(true)
    expect(await one.read('holding', 3, 1, never)).toEqual([3])
    expect(await two.read('holding', 3, 1, never)).toEqual([2003])
  })

  it('does not write twice for a damaged reply', async () => {
    fault('bad-crc')
    await expect(one.write('holding', 4, [1], never)).rejects.toMatchObject({ code: ErrorCode.protocol })
    expect(units.get(1)!.writes).toHaveLength(1)
  })

  it('finds the reply behind noise', async () => {
    fault('noise', 3)
    for (let n = 0; n < 3; n++) expect(await one.read('holding', n, 2, never)).toEqual([n, n + 1])
  })

  it('takes no other unit for the one that was asked', async () => {
    fault('wrong-unit', 2)
    await expect(one.read('holding', 3, 1, never)).rejects.toMatchObject({
      code: ErrorCode.protocol,
      message: expect.stringContaining('unit 2 answered') as string
    })
    expect(await one.read('holding', 3, 1, never)).toEqual([3])
  })

  it('loses a silent unit and not its neighbours, and takes it back', async () => {
    const states: string[] = []
    one.onState((isOpen) => states.push(isOpen ? 'open' : 'closed'))
    units.get(1)!.isSilent = true
    const lost = expect(one.read('holding', 3, 1, never)).rejects.toMatchObject({ code: ErrorCode.timeout })
    const waiting = expect(one.write('holding', 4, [1], never)).rejects.toMatchObject({
      code: ErrorCode.disconnected
    })
    const others = Promise.all(Array.from({ length: 5 }, (_, i) => two.read('holding', i, 1, never)))
    await lost
    await waiting
    expect(await others).toEqual([[2000], [2001], [2002], [2003], [2004]])
    expect([one.isOpen, two.isOpen]).toEqual([false, true])
    await expect(one.read('holding', 3, 1, never)).rejects.toMatchObject({ code: ErrorCode.disconnected })
    units.get(1)!.isSilent = false
    await one.open(never)
    expect(await one.read('holding', 3, 1, never)).toEqual([3])
    expect(states).toEqual(['closed', 'open'])
    expect(units.get(1)!.writes).toEqual([])
  })

  it('lets a caller go at once, and keeps a late reply from the next', async () => {
    const caller = new AbortController()
    const asked = expect(one.read('holding', 3, 1, caller.signal)).rejects.toMatchObject({
      code: ErrorCode.aborted
    })
    setImmediate(() => caller.abort())
    await asked
    expect(await one.read('holding', 9, 1, never)).toEqual([9])
    await expect(one.read('holding', 3, 1, AbortSignal.abort())).rejects.toMatchObject({
      code: ErrorCode.aborted
    })
  })

  it('says that the line is gone, to all of its units', async () => {
    const lost = [one, two].map(
      (link) => new Promise<void>((resolve) => void link.onState((isOpen) => !isOpen && resolve()))
    )
    await wire.close()
    await Promise.all(lost)
    await expect(one.open(never)).rejects.toMatchObject({ code: ErrorCode.disconnected })
    wire = await serveModbusRtu(units, { path: join(folder, 'line') })
    await Promise.all([one.open(never), two.open(never)])
    expect(await two.read('holding', 3, 1, never)).toEqual([2003])
  })

  it('closes the line with its last link', async () => {
    await one.close()
    expect(await two.read('holding', 3, 1, never)).toEqual([2003])
    await two.close()
    await two.close()
    await expect(two.read('holding', 3, 1, never)).rejects.toMatchObject({ code: ErrorCode.disconnected })
    await two.open(never)
    expect(await two.read('holding', 3, 1, never)).toEqual([2003])
  })

  it('refuses URLs that cannot be meant', () => {
    for (const bad of ['?unit=0', '?unit=248', '?unit=x', '?baud=9600'])
      expect(() => links(`modbus+serial:///dev/ttyX${bad}`)).toThrow(
        expect.objectContaining({ code: ErrorCode.configuration }) as Error
      )
    expect(() => links('modbus+serial://ttyX?unit=1')).toThrow(/no host/)
    links('modbus+serial:///dev/ttyX?baudRate=9600&unit=1')
    expect(() => links('modbus+serial:///dev/ttyX?baudRate=19200&unit=2')).toThrow(/other settings/)
  })
})
