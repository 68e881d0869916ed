/**
 * Modbus with two programs that nobody here wrote: mbpoll and pymodbus read and write the simulated interlock PLC,
 * and our driver reads a PLC that pymodbus serves. The registers are those of docs/hardware/plc.md.
 */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { SystemClock } from '../../core/clock.ts'
import { ErrorCode } from '../../core/errors.ts'
import { silentLog } from '../../core/log.ts'
import { type RunNs, seconds } from '../../core/units.ts'
import { ModbusInterlockPlc } from '../../drivers/beam/interlock-plc/interlock-plc.ts'
import { makeModbusLink } from '../../drivers/link/modbus.ts'
import type { RegisterFace } from '../../hil-sim/device/face.ts'
import { makeInterlockPlc } from '../../hil-sim/device/interlock-plc/interlock-plc.ts'
import { serveModbus } from '../../hil-sim/wire/modbus-tcp.ts'
import type { Wire } from '../../hil-sim/wire/wire.ts'
import { linksOf } from '../contract/hv/link-factory.ts'
import { makeSimBench, type SimBench } from '../unit/hil-sim/device/sim-bench.ts'
import { Conversation } from './conversation.ts'
import { freePort } from './free-port.ts'
import { describeWith, program, python } from './programs.ts'

const never = new AbortController().signal
const ILLEGAL_FUNCTION = { exception: 1 }
const ILLEGAL_ADDRESS = { exception: 2 }

let bench: SimBench
let wire: Wire
let port: string

const openTwin = async (): Promise<void> => {
  bench = makeSimBench(makeInterlockPlc, 'interlock-plc', { unit: 1 })
  wire = await serveModbus(bench.device.faces['control'] as RegisterFace, { unit: 1 })
  port = new URL(wire.url).port
  bench.advance(3)
}
const closeTwin = (): Promise<void> => wire.close()

/** What the manual says that the registers hold, of what the twin knows. */
const truth = (): Record<string, number> => bench.device.truth() as Record<string, number>
const tenths = (name: string): number => Math.round(truth()[name]! * 10)

describeWith('mbpoll on the simulated PLC', { mbpoll: program('mbpoll') }, ({ mbpoll }) => {
  beforeEach(openTwin)
  afterEach(closeTwin)

  /** @returns all that it prints, and whether it was content */
  const poll = async (
    first: number,
    options: string[],
    values: number[] = []
  ): Promise<[string, boolean]> => {
    const where = ['-m', 'tcp', '-a', '1', '-0', '-1', '-p', port, '-r', `${first}`]
    try {
      const { stdout, stderr } = await promisify(execFile)(
        mbpoll,
        [...where, ...options, '127.0.0.1', ...values.map(String)],
        { timeout: 10_000 }
      )
      return [stdout + stderr, true]
    } catch (error) {
      const { stdout, stderr } = error as { stdout: string; stderr: string }
      return [stdout + stderr, false]
    }
  }
  const read = async (first: number, count: number, type = '4'): Promise<number[]> => {
    const [said] = await poll(first, ['-t', type, '-c', `${count}`])
    return [...said.matchAll(/^\[\d+\]:\s+(\S+)/gm)].map(([, value]) => Number(value))
  }

  it('reads every register, and the float with the low word first', async () => {
    expect(await read(0, 5)).toEqual([6, 0, 0b1111, 0, 0])
    const air = ['hall-temperature', 'humidity', 'pressure', 'gas-flow', 'rack-temperature'].map(tenths)
    expect(await read(10, 5)).toEqual(air)
    const [dewPoint] = await read(20, 1, '4:float')
    expect(dewPoint).toBeCloseTo(truth()['dew-point']!, 3)
  })

  it('writes our heartbeat, and the reset whose edge clears a latched fault', async () => {
    bench.device.inject?.({ kind: 'interlock', loop: 'gas', forMs: 500 })
    bench.advance(2)
    expect(await read(2, 2)).toEqual([0b1111, 0b1010])
    expect((await poll(1, ['-t', '4'], [77]))[1]).toBe(true)
    expect((await poll(4, ['-t', '4'], [1]))[1]).toBe(true)
    expect(await read(0, 5)).toEqual([10, 77, 0b1111, 0, 1])
  })

  it.each<[string, number, string[], number[], string]>([
    ['a read beyond the registers', 5, ['-t', '4'], [], 'Illegal data address'],
    ['a read across a gap', 12, ['-t', '4', '-c', '4'], [], 'Illegal data address'],
    ['half a float', 21, ['-t', '4', '-c', '2'], [], 'Illegal data address'],
    ['a write to the interlocks', 2, ['-t', '4'], [15], 'Illegal data address'],
    ['a write over the end of what is writable', 1, ['-t', '4'], [1, 2], 'Illegal data address'],
    ['an input register', 0, ['-t', '3'], [], 'Illegal function'],
    ['a coil', 0, ['-t', '0'], [], 'Illegal function']
  ])('is refused %s', async (_, first, options, values, exception) => {
    const [said] = await poll(first, options, values)
    expect(said).toContain(exception)
    expect(await read(0, 4)).toEqual([6, 0, 0b1111, 0])
  })

  it('is told by the gateway exception that another unit is not there', async () => {
    const [said] = await poll(0, ['-t', '4', '-a', '9'])
    expect(said).toContain('Target device failed to respond')
  })
})

const pymodbus = python('python3-pymodbus python3-serial-asyncio', 'pymodbus.server')

describeWith('pymodbus on the simulated PLC', { pymodbus }, (paths) => {
  let client: Conversation
  beforeEach(async () => {
    await openTwin()
    client = await Conversation.start(paths.pymodbus, 'modbus_client.py', port)
  })
  afterEach(async () => {
    await client.kill()
    await closeTwin()
  })

  it('reads every register and the float, and is told who answers', async () => {
    expect(await client.ask({ do: 'read', address: 0, count: 5 })).toEqual([6, 0, 0b1111, 0, 0])
    const air = ['hall-temperature', 'humidity', 'pressure', 'gas-flow', 'rack-temperature'].map(tenths)
    expect(await client.ask({ do: 'read', address: 10, count: 5 })).toEqual(air)
    expect(await client.ask({ do: 'float', address: 20 })).toBeCloseTo(truth()['dew-point']!, 5)
    expect(await client.ask({ do: 'identify' })).toEqual(['Spillway', 'Interlock and environment PLC', '1.0'])
  })

  it('writes one register, several, and reads in the same request what it wrote', async () => {
    expect(await client.ask({ do: 'write', address: 1, values: [513] })).toBe(513)
    expect(await client.ask({ do: 'write-many', address: 4, values: [1] })).toBe(1)
    expect(await client.ask({ do: 'write-and-read', address: 0, count: 5, values: [65535] })).toEqual([
      6, 65535, 0b1111, 0, 1
    ])
  })

  it('is refused what the manual does not name, and then answered as before', async () => {
    for (const [address, count] of [
      [5, 1],
      [4, 2],
      [15, 1],
      [22, 1],
      [65535, 1]
    ] as const)
      expect(await client.ask({ do: 'read', address, count }), `${address}`).toEqual(ILLEGAL_ADDRESS)
    for (const address of [0, 2, 3, 10, 20])
      expect(await client.ask({ do: 'write', address, values: [1] }), `${address}`).toEqual(ILLEGAL_ADDRESS)
    expect(await client.ask({ do: 'write-many', address: 0, values: [1, 2] })).toEqual(ILLEGAL_ADDRESS)
    expect(await client.ask({ do: 'read-input', address: 0 })).toEqual(ILLEGAL_FUNCTION)
    expect(await client.ask({ do: 'read-coils', address: 0 })).toEqual(ILLEGAL_FUNCTION)
    expect(await client.ask({ do: 'read', address: 0, count: 5 })).toEqual([6, 0, 0b1111, 0, 0])
  })

  it('is answered when its request comes byte by byte, and when several come in one piece', async () => {
    expect(await client.ask({ do: 'byte-by-byte', address: 0, count: 3 })).toEqual([6, 0, 0b1111])
    expect(await client.ask({ do: 'joined', address: 0, count: 4 })).toEqual([[6], [0], [0b1111], [0]])
  })
})

/** Time passes by itself, and more of it when the test says so. */
class SkippingClock extends SystemClock {
  #skipped: RunNs = 0

  override now(): RunNs {
    return super.now() + this.#skipped
  }

  skip(timeNs: number): void {
    this.#skipped += timeNs
  }
}

describeWith('our driver on a PLC by pymodbus', { pymodbus }, (paths) => {
  let server: Conversation
  let serverPort: string
  let clock: SkippingClock
  let plc: ModbusInterlockPlc
  const start = async (...leftOut: string[]): Promise<void> => {
    server = await Conversation.start(paths.pymodbus, 'modbus_server.py', serverPort, ...leftOut)
  }
  const reading = (name: string) => plc.signals.find(({ path }) => path === `plc/${name}`)?.latest()
  /** Polls until it holds; fails after some seconds of polling. */
  const pollUntil = async (what: string, isTrue: () => boolean): Promise<void> => {
    for (let polls = 0; polls < 2000; polls++) {
      if (isTrue()) return
      await plc.poll(never)
    }
    expect.fail(`${what} did not come`)
  }

  beforeEach(async () => {
    serverPort = `${await freePort()}`
    clock = new SkippingClock()
    plc = new ModbusInterlockPlc(
      { id: 'plc', role: 'essential', url: `modbus+tcp://127.0.0.1:${serverPort}?unit=1` },
      { clock, links: linksOf({ registers: (url) => makeModbusLink(url, clock) }), log: silentLog }
    )
  })
  afterEach(async () => {
    await plc.disconnect()
    await server.kill()
  })

  it('reads who it is and what it measures', async () => {
    await start()
    expect(await plc.connect(never)).toMatchObject({ maker: 'pymodbus', model: 'PLC', firmware: '3.0' })
    expect(plc.openInterlocks()).toEqual([])
    const values = ['hall-temperature', 'humidity', 'pressure', 'gas-flow', 'rack-temperature', 'dew-point']
    expect(values.map((name) => reading(name)?.value)).toEqual([-5.5, 45.5, 965.2, 12.3, 31.5, -3.625])
  })

  it('follows its heartbeat over the wrap and lets it hear ours', async () => {
    await start()
    await plc.connect(never)
    await pollUntil('the wrap', () => (reading('heartbeat')?.value as number) < 65530)
    expect(reading('heartbeat')?.quality).toBe('good')
    const [before] = await server.ask<number[]>({ do: 'get', address: 1 })
    await plc.poll(never)
    expect(await server.ask({ do: 'get', address: 1 })).toEqual([before! + 1])
  })

  it('tells which interlock opened, and what stays latched', async () => {
    await start()
    await plc.connect(never)
    await server.ask({ do: 'set', address: 2, values: [0b0110, 0b1000_0000_0000_1001] })
    await plc.poll(never)
    expect(plc.openInterlocks()).toEqual(['door', 'hv-permit'])
    expect(reading('latched-faults')?.value).toBe('door hv-permit controller-lost')
  })

  it('does not trust it when its program stops, and does again when it runs', async () => {
    await start()
    await plc.connect(never)
    await server.ask({ do: 'count', values: [0] })
    // a count that was on its way may still come
    for (let polls = 0; polls < 3; polls++) {
      await plc.poll(never)
      clock.skip(seconds(2.5))
    }
    await plc.poll(never)
    expect(plc.openInterlocks()).toBeUndefined()
    expect(reading('hall-temperature')).toMatchObject({ value: -5.5, quality: 'suspect' })
    await server.ask({ do: 'count', values: [1] })
    await pollUntil('trust', () => plc.openInterlocks() !== undefined)
    expect(reading('hall-temperature')?.quality).toBe('good')
  })

  it('knows nothing any more when the server is killed, and everything when it is back', async () => {
    await start()
    await plc.connect(never)
    const lost = new Promise<void>((resolve) => {
      plc.onState(({ kind }) => {
        if (kind === 'disconnected') resolve()
      })
    })
    await server.kill()
    await lost
    expect(plc.openInterlocks()).toBeUndefined()
    expect(reading('humidity')?.quality).toBe('stale')
    await expect(plc.connect(never)).rejects.toMatchObject({ code: ErrorCode.disconnected })
    await start()
    await plc.connect(never)
    expect(plc.openInterlocks()).toEqual([])
    expect(reading('humidity')).toMatchObject({ value: 45.5, quality: 'good' })
  })

  it('says which register the server refuses', async () => {
    await start('20')
    await expect(plc.connect(never)).rejects.toMatchObject({
      code: ErrorCode.refused,
      details: { request: 'read holding 20 x 2', got: 'illegal-data-address' }
    })
    expect(plc.state.kind).toBe('disconnected')
  })
})
