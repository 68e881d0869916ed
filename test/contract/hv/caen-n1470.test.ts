// What is peculiar to CAEN chains, in memory under virtual time: absent boards cost the others nothing, LOCAL mode is said
// to those who can leave it, lost confirmations and late replies are never taken for something else. And on a serial
// line the system stops and goes on by XON/XOFF.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SystemClock } from '../../../core/clock.ts'
import { ErrorCode } from '../../../core/errors.ts'
import { silentLog } from '../../../core/log.ts'
import type { Signal } from '../../../core/signal.ts'
import { milliseconds, seconds } from '../../../core/units.ts'
import { VirtualClock } from '../../../core/virtual-clock.ts'
import { CaenN1470 } from '../../../drivers/hv/caen-n1470/caen-n1470.ts'
import { makeMemoryByteLink } from '../../../drivers/link/memory-bytes.ts'
import { makeSerialLink } from '../../../drivers/link/serial.ts'
import { makeCaenN1470 } from '../../../hil-sim/device/caen-n1470/caen-n1470.ts'
import type { ByteFace, SimFault } from '../../../hil-sim/device/face.ts'
import { servePty } from '../../../hil-sim/wire/pty.ts'
import { makeSimBench, type SimBench } from '../../unit/hil-sim/device/sim-bench.ts'
import { linksOf } from './link-factory.ts'

const never = new AbortController().signal
const permit = { by: 'shift leader' }
const channel = (name: string, number: number) => ({
  number,
  name,
  limitV: 500,
  nominalV: 400,
  rampVPerS: 50,
  currentLimitUa: 100,
  provenance: 'A: test'
})
const BOARDS = [
  { number: 0, channels: [channel('A0', 0), channel('A1', 1)] },
  { number: 7, channels: [channel('B2', 2)] }
]
const makeTwin = (): SimBench =>
  makeSimBench(makeCaenN1470, 'caen-n1470', { boards: BOARDS, toleranceV: 2, simulatedInitially: 'off' })

interface ChainTruth {
  boards: { channels: { drive: string; demandV: number; outputV: number; powerDown: string }[] }[]
}

describe('a chain of two boards', () => {
  let clock: VirtualClock
  let twin: SimBench
  let supply: CaenN1470
  let end: AbortController
  let heard: string[]
  /** takes the place of the next replies, in order; undefined: none comes */
  let instead: (string | undefined)[]
  let say: (text: string) => void

  beforeEach(() => {
    clock = new VirtualClock()
    twin = makeTwin()
    heard = []
    instead = []
    const face = twin.device.faces['control'] as ByteFace
    const link = makeMemoryByteLink('memory://hv', {
      attach: (send, hangUp) => {
        say = (text) => send(Buffer.from(text, 'latin1'))
        const session = face.attach((bytes) => {
          if (instead.length === 0) send(bytes)
          else {
            const text = instead.shift()
            if (text !== undefined) say(text)
          }
        }, hangUp)
        return {
          receive: (bytes) => {
            heard.push(...Buffer.from(bytes).toString('latin1').trimEnd().split('\r\n'))
            session.receive(bytes)
          },
          closed: () => session.closed()
        }
      }
    })
    supply = new CaenN1470(
      { id: 'hv', role: 'required', url: 'memory://hv', boards: BOARDS, toleranceV: 2 },
      { clock, links: linksOf({ bytes: () => link }), log: silentLog }
    )
    end = new AbortController()
    const loop = async (): Promise<void> => {
      for (;;) {
        await clock.sleep('twin', milliseconds(10), end.signal)
        twin.advance(0.01, 0.01)
      }
    }
    loop().catch(() => undefined)
  })
  afterEach(() => end.abort())

  const on = <T>(work: Promise<T>): Promise<T> => clock.resolve(work, seconds(300))
  const connect = () => on(supply.connect(never))
  const poll = () => on(supply.poll(never))
  const inject = (fault: SimFault): void => void twin.device.inject?.(fault)
  const outputs = () => (twin.device.truth() as ChainTruth).boards.map(({ channels }) => channels)
  const commands = () => heard.filter((line) => line.includes('CMD:SET'))
  const latest = (path: string) => supply.signals.find((one: Signal) => one.path === path)?.latest()
  const [A0, A1, B2] = [0, 1, 2]
  const at = (index: number) => supply.channels[index]!

  it('says what it is, board by board', async () => {
    expect(await connect()).toEqual({
      maker: 'CAEN',
      model: 'N1419',
      serial: 'SIM-device-0 SIM-device-7',
      firmware: '1.08'
    })
    expect(supply.channels.map(({ demand }) => demand.path)).toEqual([
      'hv/bd0/ch0/demand',
      'hv/bd0/ch1/demand',
      'hv/bd7/ch2/demand'
    ])
    expect(latest('hv/bd7/answers')).toMatchObject({ value: true, quality: 'good' })
    expect(latest('hv/bd0/control')?.value).toBe('REMOTE')
  })

  it('sends each number with the decimals that the board told', async () => {
    await connect()
    await on(at(B2).demand.set(123.46, never))
    await on(at(B2).energise(permit, never))
    expect(commands()).toEqual([
      '$BD:07,CMD:SET,CH:2,PAR:VSET,VAL:123.4',
      '$BD:07,CMD:SET,CH:2,PAR:ISET,VAL:100.00',
      '$BD:07,CMD:SET,CH:2,PAR:RUP,VAL:50',
      '$BD:07,CMD:SET,CH:2,PAR:RDW,VAL:50',
      '$BD:07,CMD:SET,CH:2,PAR:PDWN,VAL:RAMP',
      '$BD:07,CMD:SET,CH:2,PAR:ON'
    ])
  })

  it('goes on without a board that is not there, and finds it when it comes', async () => {
    inject({ kind: 'absent', board: 7 })
    await connect()
    expect(at(A0).voltage.latest()?.quality).toBe('good')
    expect(at(B2).voltage.latest()).toBeUndefined()
    expect(latest('hv/bd7/answers')?.value).toBe(false)
    // asked once in a while only
    const began = clock.now()
    for (let n = 0; n < 3; n++) await poll()
    expect(clock.now() - began).toBeLessThan(seconds(3))
    await expect(on(at(B2).demand.set(10, never))).rejects.toMatchObject({ code: ErrorCode.timeout })
    inject({ kind: 'clear' })
    await clock.advance(seconds(11))
    await poll()
    expect(latest('hv/bd7/answers')?.value).toBe(true)
    expect(at(B2).voltage.latest()?.quality).toBe('good')
    await on(at(B2).demand.set(10, never))
  })

  it('turns the signals of a board stale that falls silent, and of no other', async () => {
    await connect()
    inject({ kind: 'absent', board: 0 })
    await poll()
    expect(supply.state.kind).toBe('connected')
    expect(at(A1).voltage.latest()?.quality).toBe('stale')
    expect(at(B2).voltage.latest()?.quality).toBe('good')
  })

  it('is disconnected when no board answers any more, although the line is open', async () => {
    await connect()
    inject({ kind: 'silent' })
    for (let n = 0; n < 3; n++)
      await expect(poll()).rejects.toMatchObject({
        code: ErrorCode.timeout,
        message: expect.stringContaining('silent') as string
      })
    expect(supply.state).toMatchObject({ kind: 'disconnected' })
  })

  it('says of LOCAL mode what somebody must do, and goes on reading', async () => {
    await connect()
    inject({ kind: 'local', board: 0 })
    const isLocal = {
      code: ErrorCode.notPermitted,
      details: { hint: expect.stringContaining('REMOTE on its front panel') as string }
    }
    await expect(on(at(A0).demand.set(100, never))).rejects.toMatchObject(isLocal)
    await expect(on(at(A0).energise(permit, never))).rejects.toMatchObject(isLocal)
    await expect(on(at(A0).clearTrip(permit, never))).rejects.toMatchObject(isLocal)
    await expect(on(supply.makeSafe('test'))).rejects.toMatchObject({ code: ErrorCode.several })
    await poll()
    expect(latest('hv/bd0/control')?.value).toBe('LOCAL')
    expect(at(A0).voltage.latest()?.quality).toBe('good')
    await on(at(B2).demand.set(100, never))
  })

  it('keeps below the cap of the board, whatever our limit', async () => {
    await connect()
    twin.device.restore?.(withCap(twin.device.save?.(), 300))
    await expect(on(at(A0).demand.set(350, never))).rejects.toMatchObject({
      code: ErrorCode.notPermitted,
      message: expect.stringContaining('300 V') as string
    })
    expect(commands()).toEqual([])
    await on(at(A0).demand.set(300, never))
  })

  it('never kills a voltage when it ramps off: a board set to KILL is set to RAMP first', async () => {
    await connect()
    await on(at(A0).demand.set(200, never))
    await on(at(A0).energise(permit, never))
    twin.device.restore?.(withPowerDown(twin.device.save?.(), 'kill'))
    const off = at(A0).rampOff(never)
    await clock.advance(seconds(1.5))
    expect(outputs()[0]![0]!.outputV).toBeGreaterThan(100)
    await on(off)
    expect(outputs()[0]![0]).toMatchObject({ drive: 'off', powerDown: 'ramp' })
  })

  it('clears a trip for the whole board, as the board does, and switches nothing on', async () => {
    await connect()
    inject({ kind: 'trip', board: 0 })
    await poll()
    expect([at(A0), at(A1)].map(({ state }) => state.latest()?.value)).toEqual(['tripped', 'tripped'])
    expect(latest('hv/bd0/alarm')?.value).toBe(15)
    await on(at(A0).clearTrip(permit, never))
    expect([at(A0), at(A1)].map(({ state }) => state.latest()?.value)).toEqual(['off', 'off'])
    expect(commands()).toEqual(['$BD:00,CMD:SET,PAR:BDCLR'])
  })

  it('lets the readback decide when a demand is not confirmed', async () => {
    await connect()
    inject({ kind: 'unconfirmed' })
    expect((await on(at(A0).demand.set(77, never))).value).toBe(77)
    inject({ kind: 'clear' })
    // the cap is read; then the command is lost, neither obeyed nor confirmed
    const setting = on(at(A0).demand.set(88, never))
    setting.catch(() => undefined)
    await clock.advance(milliseconds(0))
    inject({ kind: 'local', board: 0 })
    instead.push('#BD:00,CMD:OK,VAL:510\r\n', undefined)
    await expect(setting).rejects.toMatchObject({
      code: ErrorCode.readback,
      details: { expected: '88 V', got: '77 V' }
    })
    expect(commands().filter((line) => line.includes('VAL:88'))).toHaveLength(1)
  })

  it('switches nothing on that was not confirmed to the end', async () => {
    await connect()
    await on(at(A0).demand.set(100, never))
    inject({ kind: 'unconfirmed' })
    await expect(on(at(A0).energise(permit, never))).rejects.toMatchObject({ code: ErrorCode.timeout })
    expect(commands().some((line) => line.endsWith('PAR:ON'))).toBe(false)
  })

  it('never takes a late reply for the reply to another request', async () => {
    await connect()
    await on(at(A0).demand.set(111, never))
    // the reply to VSET comes when the name is awaited, and is no name
    instead.push(undefined, '#BD:00,CMD:OK,VAL:999.9;999.9;999.9;999.9\r\n#BD:00,CMD:OK,VAL:N1419\r\n')
    await poll()
    expect(at(A0).demand.latest()).toMatchObject({ value: 111, quality: 'good' })
    expect(at(A0).voltage.latest()!.value).toBeLessThan(2)
  })

  it('reads through garbage, halves and replies of other boards, and counts them', async () => {
    await connect()
    await on(at(A0).demand.set(50, never))
    const before = Number(latest('hv/garbage')?.value)
    say('\x00\xff?\r\n#BD:00,CMD:OK,VAL:05')
    say('#BD:07,CMD:OK,VAL:0000.0\r\n')
    await poll()
    expect(at(A0).demand.latest()).toMatchObject({ value: 50, quality: 'good' })
    expect(Number(latest('hv/garbage')?.value) - before).toBe(5 + 20 + 1)
    inject({ kind: 'garbage' })
    await poll()
    expect(at(A0).demand.latest()).toMatchObject({ value: 50, quality: 'good' })
  })

  it('refuses a chain whose boards have fewer channels than it was told', async () => {
    const other = new CaenN1470(
      {
        id: 'hv',
        role: 'required',
        url: 'memory://hv',
        boards: [{ number: 0, channels: [channel('A9', 9)] }],
        toleranceV: 2
      },
      {
        clock,
        links: linksOf({
          bytes: (url) => makeMemoryByteLink(url, twin.device.faces['control'] as ByteFace)
        }),
        log: silentLog
      }
    )
    await expect(on(other.connect(never))).rejects.toMatchObject({
      code: ErrorCode.protocol,
      message: expect.stringContaining('no channel 9') as string
    })
  })
})

it('waits on a serial line while the boards say XOFF', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'caen-'))
  const clock = new SystemClock()
  const twin = makeTwin()
  const wire = await servePty(twin.device.faces['control'] as ByteFace, { path: join(folder, 'hv') })
  const end = new AbortController()
  const loop = async (): Promise<void> => {
    for (;;) {
      await clock.sleep('twin', milliseconds(5), end.signal)
      twin.advance(0.02, 0.02)
    }
  }
  loop().catch(() => undefined)
  const supply = new CaenN1470(
    { id: 'hv', role: 'required', url: `${wire.url}&xonxoff=true`, boards: BOARDS, toleranceV: 2 },
    { clock, links: linksOf({ bytes: (url) => makeSerialLink(url, clock) }), log: silentLog }
  )
  await supply.connect(never)
  twin.device.inject?.({ kind: 'busy', forMs: 1200 })
  await supply.channels[0]!.demand.set(100, never)
  expect((twin.device.truth() as ChainTruth).boards[0]!.channels[0]!.demandV).toBe(100)
  // neither lost on the line nor seen as garbage
  await supply.poll(never)
  expect(supply.signals.find(({ path }) => path === 'hv/garbage')?.latest()?.value).toBe(0)
  await supply.disconnect()
  end.abort()
  await wire.close()
  rmSync(folder, { recursive: true })
})

interface SavedChain {
  boards: { channels: Record<string, unknown>[] }[]
}
const changed = (saved: unknown, change: object): SavedChain => ({
  boards: (saved as SavedChain).boards.map((board) => ({
    ...board,
    channels: board.channels.map((one) => ({ ...one, ...change }))
  }))
})
/** somebody turned the cap at the panel */
const withCap = (saved: unknown, ceilingV: number): SavedChain => changed(saved, { ceilingV })
const withPowerDown = (saved: unknown, powerDown: 'kill' | 'ramp'): SavedChain =>
  changed(saved, { powerDown })
