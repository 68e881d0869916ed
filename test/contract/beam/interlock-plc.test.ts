// The PLC driver against registers that follow the manual, in memory under virtual time and over Modbus TCP: reads
// and decodes, keeps our heartbeat going, and takes a PLC that no longer counts for what it is.
import { createServer, type Socket } from 'node:net'
import { server as modbusServers } from 'jsmodbus'
import { beforeEach, describe, expect, it } from 'vitest'
import { SystemClock } from '../../../core/clock.ts'
import { ErrorCode } from '../../../core/errors.ts'
import { silentLog } from '../../../core/log.ts'
import { milliseconds, seconds } from '../../../core/units.ts'
import { VirtualClock } from '../../../core/virtual-clock.ts'
import { ModbusInterlockPlc } from '../../../drivers/beam/interlock-plc/interlock-plc.ts'
import { makeMemoryRegisterLink } from '../../../drivers/link/memory-registers.ts'
import { makeModbusLink } from '../../../drivers/link/modbus.ts'
import { linksOf } from '../hv/link-factory.ts'

const never = new AbortController().signal
const options = { id: 'plc', role: 'essential', url: 'modbus+tcp://plc:502' } as const

/** registers 0 to 4, 10 to 14, 20 and 21 of a quiet hall */
const QUIET: readonly [number, number[]][] = [
  [0, [100, 0, 0b1111, 0, 0]],
  [10, [215, 455, 9652, 123, 315]],
  [20, [0x0000, 0x40e8]]
]

describe('the interlock PLC', () => {
  let clock: VirtualClock
  let words: Map<number, number>
  let isRunning: boolean
  let isSilent: boolean
  let plc: ModbusInterlockPlc

  beforeEach(() => {
    clock = new VirtualClock()
    words = new Map(QUIET.flatMap(([at, values]) => values.map((value, index) => [at + index, value])))
    isRunning = true
    isSilent = false
    const count = (): void => {
      if (isRunning) words.set(0, (100 + Math.floor(clock.now() / milliseconds(500))) & 0xffff)
    }
    const face = {
      read: (space: string, address: number, length: number) => {
        if (isSilent) return 'silent' as const
        count()
        const found = Array.from({ length }, (_, index) => words.get(address + index))
        const isWhole = space === 'holding' && found.every((word) => word !== undefined)
        return isWhole ? found : ('illegal-address' as const)
      },
      write: (_space: string, address: number, [value]: readonly number[]) => {
        if (address !== 1 && address !== 4) return 'illegal-address' as const
        words.set(address, value!)
        return undefined
      }
    }
    plc = new ModbusInterlockPlc(options, {
      clock,
      links: linksOf({ registers: (url) => makeMemoryRegisterLink(url, face, clock) }),
      log: silentLog
    })
  })

  const on = <T>(work: Promise<T>): Promise<T> => clock.resolve(work, seconds(60))
  const reading = (name: string) => plc.signals.find(({ path }) => path === `plc/${name}`)?.latest()

  it('is read on connecting: interlocks, environment, floats', async () => {
    await on(plc.connect(never))
    expect(plc.openInterlocks()).toEqual([])
    expect(reading('hall-temperature')).toMatchObject({ value: 21.5, quality: 'good' })
    expect(reading('pressure')?.value).toBe(965.2)
    expect(reading('dew-point')?.value).toBe(7.25)
    expect(reading('door-closed')?.value).toBe(true)
    expect(plc.state.kind).toBe('connected')
  })

  it('tells which interlocks are open, and nothing before it is known', async () => {
    expect(plc.openInterlocks()).toBeUndefined()
    words.set(2, 0b0110)
    await on(plc.connect(never))
    expect(plc.openInterlocks()).toEqual(['door', 'hv-permit'])
    expect(reading('door-closed')?.value).toBe(false)
  })

  it('hears our heartbeat at each poll', async () => {
    await on(plc.connect(never))
    const first = words.get(1)
    await on(plc.poll(never))
    expect(words.get(1)).toBe(first! + 1)
  })

  it('is not trusted when it stops counting, and trusted again when it counts', async () => {
    await on(plc.connect(never))
    isRunning = false
    for (let n = 0; n < 3; n++) {
      await clock.advance(seconds(1))
      await on(plc.poll(never))
    }
    expect(plc.openInterlocks()).toBeUndefined()
    expect(reading('hall-temperature')).toMatchObject({ quality: 'suspect' })
    expect(reading('hall-temperature')?.reason).toContain('heartbeat')
    isRunning = true
    await on(plc.poll(never))
    expect(plc.openInterlocks()).toEqual([])
  })

  it('is unknown when nobody has polled it for a while', async () => {
    await on(plc.connect(never))
    await clock.advance(seconds(6))
    expect(plc.openInterlocks()).toBeUndefined()
    expect(reading('humidity')?.quality).toBe('stale')
  })

  it('is disconnected when it does not answer, and connects again', async () => {
    await on(plc.connect(never))
    isSilent = true
    await expect(on(plc.poll(never))).rejects.toBeDefined()
    expect(plc.openInterlocks()).toBeUndefined()
    expect(reading('door-closed')?.quality).toBe('stale')
    isSilent = false
    await on(plc.disconnect())
    await on(plc.connect(never))
    expect(plc.openInterlocks()).toEqual([])
  })

  it('reports the exception when a register is missing', async () => {
    words.delete(20)
    await expect(on(plc.connect(never))).rejects.toMatchObject({ code: ErrorCode.refused })
    expect(plc.state.kind).toBe('disconnected')
  })
})

describe('the interlock PLC over Modbus TCP', () => {
  it('is read, hears our heartbeat, is lost and comes back', async () => {
    const holding = Buffer.alloc(44)
    for (const [at, values] of QUIET)
      for (const [index, value] of values.entries()) holding.writeUInt16BE(value, 2 * (at + index))
    const sockets = new Set<Socket>()
    const listener = createServer((socket) => sockets.add(socket))
    new modbusServers.TCP(listener, { holding })
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', () => resolve()))
    const { port } = listener.address() as { port: number }
    const clock = new SystemClock()
    const plc = new ModbusInterlockPlc(
      { ...options, url: `modbus+tcp://127.0.0.1:${port}?unit=1` },
      { clock, links: linksOf({ registers: (url) => makeModbusLink(url, clock) }), log: silentLog }
    )
    for (let n = 0; n < 3; n++) {
      await plc.connect(never)
      expect(plc.openInterlocks()).toEqual([])
      expect(holding.readUInt16BE(2)).toBe(n + 1)
      const lost = new Promise<void>((resolve) => {
        const stop = plc.onState(({ kind }) => {
          if (kind !== 'disconnected') return
          stop()
          resolve()
        })
      })
      for (const socket of sockets) socket.destroy()
      await lost
      expect(plc.openInterlocks()).toBeUndefined()
    }
    await new Promise<void>((resolve) => listener.close(() => resolve()))
  })
})
