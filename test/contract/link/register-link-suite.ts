import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../core/errors.ts'
import type { RegisterLink } from '../../../drivers/link/link.ts'
import type { MemoryRegisterFace, MemoryRegisterRefusal } from '../../../drivers/link/memory-registers.ts'
import { never } from './far-ends.ts'

/** A bus register link and what stands at its far end. */
export interface RegisterBench {
  readonly link: RegisterLink
  /** brings time to the end of `work`, whatever clock the link has */
  run<T>(work: Promise<T>): Promise<T>
  end(): Promise<void>
}

/** 2000 registers of 32 bits from address 0; every write is kept in order. */
export class ScriptedRegisterFace implements MemoryRegisterFace {
  readonly registers = Array.from({ length: 2000 }, (_, i) => i)
  readonly writes: [address: number, value: number][] = []
  isSilent = false
  onRead: () => void = () => undefined

  read(_space: string, address: number, count: number): number[] | MemoryRegisterRefusal {
    this.onRead()
    if (this.isSilent) return 'silent'
    if (address + count > this.registers.length) return 'illegal-address'
    return this.registers.slice(address, address + count)
  }

  write(_space: string, address: number, values: readonly number[]): undefined | MemoryRegisterRefusal {
    if (this.isSilent) return 'silent'
    if (address + values.length > this.registers.length) return 'illegal-address'
    values.forEach((value, i) => {
      this.registers[address + i] = value
      this.writes.push([address + i, value])
    })
    return undefined
  }
}

/** What every link to bus registers does, over a wire or not. */
export function describeRegisterLink(
  name: string,
  make: (face: MemoryRegisterFace) => Promise<RegisterBench>
): void {
  describe(`${name}: the contract of register links`, () => {
    let face: ScriptedRegisterFace
    let bench: RegisterBench
    let link: RegisterLink
    let states: string[]
    const open = (): Promise<void> => bench.run(link.open(never))

    beforeEach(async () => {
      face = new ScriptedRegisterFace()
      bench = await make(face)
      link = bench.link
      states = []
      link.onState((isOpen) => states.push(isOpen ? 'open' : 'closed'))
    })
    afterEach(async () => {
      await link.close()
      await bench.end()
    })

    it('refuses requests while it is down and never sends them', async () => {
      expect(link.isOpen).toBe(false)
      await expect(link.write('bus', 5, [1], never)).rejects.toMatchObject({ code: ErrorCode.disconnected })
      await expect(link.read('bus', 5, 1, never)).rejects.toMatchObject({ code: ErrorCode.disconnected })
      await open()
      await bench.run(link.read('bus', 0, 1, never))
      expect(face.writes).toEqual([])
      expect(states).toEqual(['open'])
    })

    it('reads, writes and modifies 32 bits', async () => {
      await open()
      await bench.run(link.write('bus', 10, [0xffff_ffff, 0, 0x8000_0001], never))
      expect(await bench.run(link.read('bus', 9, 5, never))).toEqual([9, 0xffff_ffff, 0, 0x8000_0001, 13])
      expect(await bench.run(link.modify(10, 0xffff_0000, 0x8000_1234, never))).toBe(0xffff_ffff)
      expect(await bench.run(link.modify(10, 0xffff_ffff, 0, never))).toBe(0xffff_1234)
      expect(face.registers[10]).toBe(0xffff_1234)
    })

    it('reads and writes any number of registers, each once and in order', async () => {
      await open()
      const values = Array.from({ length: 1500 }, (_, i) => 0xffff_ffff - i)
      await bench.run(link.write('bus', 100, values, never))
      expect(face.writes).toEqual(values.map((value, i) => [100 + i, value]))
      expect(await bench.run(link.read('bus', 100, 1500, never))).toEqual(values)
      expect(await bench.run(link.read('bus', 0, 2000, never))).toEqual(face.registers)
    })

    it('answers requests that are made at once, each with its own', async () => {
      await open()
      const all = Promise.all(Array.from({ length: 20 }, (_, i) => link.read('bus', 40 * i, 2, never)))
      expect(await bench.run(all)).toEqual(Array.from({ length: 20 }, (_, i) => [40 * i, 40 * i + 1]))
    })

    it('says which address was refused, and goes on', async () => {
      await open()
      const refused: (() => Promise<unknown>)[] = [
        () => link.read('bus', 0x0fff, 1, never),
        () => link.write('bus', 0x0fff, [1], never),
        () => link.modify(0x0fff, 0, 1, never)
      ]
      for (const request of refused) {
        const error = await bench.run(request()).catch((e: unknown) => e)
        expect(error).toMatchObject({
          code: ErrorCode.refused,
          message: expect.stringContaining('0x00000fff') as unknown
        })
      }
      expect(await bench.run(link.read('bus', 7, 1, never))).toEqual([7])
      expect(link.isOpen).toBe(true)
    })

    it('does nothing for a caller who has given up before', async () => {
      await open()
      await expect(link.write('bus', 5, [1], AbortSignal.abort())).rejects.toMatchObject({
        code: ErrorCode.aborted
      })
      await bench.run(link.read('bus', 0, 1, never))
      expect(face.writes).toEqual([])
    })

    it('lets a caller go at once when the device is silent, and works when it speaks again', async () => {
      await open()
      face.isSilent = true
      const caller = new AbortController()
      face.onRead = () => caller.abort()
      await expect(bench.run(link.read('bus', 1, 1, caller.signal))).rejects.toMatchObject({
        code: ErrorCode.aborted
      })
      face.onRead = () => undefined
      face.isSilent = false
      // a target that took the request and will never answer it costs the opening, and the next one is good
      const next = await bench.run(link.read('bus', 2, 1, never)).catch((error: unknown) => error)
      if (link.isOpen) expect(next).toEqual([2])
      else {
        expect(next).toMatchObject({ code: ErrorCode.disconnected })
        await open()
        expect(await bench.run(link.read('bus', 2, 1, never))).toEqual([2])
      }
    })

    it('goes down by silence, says so, and can be opened again', async () => {
      await open()
      face.isSilent = true
      const request = link.write('bus', 3, [33], never)
      await expect(bench.run(request)).rejects.toMatchObject({ code: ErrorCode.timeout })
      expect(states).toEqual(['open', 'closed'])
      await expect(link.read('bus', 3, 1, never)).rejects.toMatchObject({ code: ErrorCode.disconnected })
      face.isSilent = false
      await open()
      expect(await bench.run(link.read('bus', 3, 1, never))).toEqual([3])
    })

    it('ends what waits when it is closed, and closes quietly', async () => {
      await open()
      face.isSilent = true
      const waiting = expect(link.read('bus', 3, 1, never)).rejects.toMatchObject({
        code: ErrorCode.disconnected
      })
      await link.close()
      await link.close()
      await waiting
      expect(states).toEqual(['open', 'closed'])
    })
  })
}
