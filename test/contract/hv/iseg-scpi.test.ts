// The iseg driver against a supply written from the manual, in memory under virtual time: adopts without writing,
// refuses what could hurt before it writes, reports trips in the crate's own words, and finds back to the line after
// garbage, late answers and silence. What matters is what the supply heard and what its channels do.
import { beforeEach, describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../core/errors.ts'
import { silentLog } from '../../../core/log.ts'
import { seconds } from '../../../core/units.ts'
import { VirtualClock } from '../../../core/virtual-clock.ts'
import { IsegScpi } from '../../../drivers/hv/iseg-scpi/iseg-scpi.ts'
import { makeMemoryByteLink } from '../../../drivers/link/memory-bytes.ts'
import { Bit, IsegFarEnd } from './iseg-far-end.ts'
import { linksOf } from './link-factory.ts'

const never = new AbortController().signal
const permit = { by: 'shift leader' }

describe('an iseg supply', () => {
  let clock: VirtualClock
  let far: IsegFarEnd
  let supply: IsegScpi

  beforeEach(() => {
    clock = new VirtualClock()
    far = new IsegFarEnd(clock, 3)
    supply = new IsegScpi(
      {
        id: 'hv-veto',
        role: 'required',
        url: 'serial:///dev/hv',
        toleranceV: 2,
        channels: [0, 2].map((number) => ({
          number,
          name: `VETO-${number}`,
          limitV: 1500,
          rampVPerS: 50,
          currentLimitUa: 500
        }))
      },
      { clock, links: linksOf({ bytes: (url) => makeMemoryByteLink(url, far) }), log: silentLog }
    )
  })

  const on = <T>(work: Promise<T>): Promise<T> => clock.resolve(work, seconds(900))
  const connect = () => on(supply.connect(never))
  const channel = () => supply.channels[0]!
  const commands = () => far.heard.filter((line) => !line.includes('?'))

  it('takes over what the supply does and writes nothing on connecting', async () => {
    Object.assign(far.channels[2]!, { setV: 1200, isOn: true, fromV: 1200 })
    const identity = await connect()
    expect(identity).toMatchObject({ model: 'NR042060r4050000200', serial: '8200002', firmware: '1.12' })
    expect(commands()).toEqual([])
    const adopted = supply.channels[1]!
    expect(adopted.demand.latest()).toMatchObject({ value: 1200, quality: 'good' })
    expect(adopted.voltage.latest()?.value).toBe(1200)
    expect(adopted.current.latest()?.value).toBeCloseTo(1.2)
    expect(adopted.state.latest()?.value).toBe('on')
    expect(channel().state.latest()?.value).toBe('off')
    expect(supply.state.kind).toBe('connected')
  })

  it('refuses to talk to something that is no iseg', async () => {
    far.identification = 'KEITHLEY INSTRUMENTS,MODEL 2410,1234,C33'
    await expect(connect()).rejects.toMatchObject({ code: ErrorCode.protocol })
    expect(supply.state).toMatchObject({ kind: 'disconnected' })
  })

  it('sets a demand, reads it back, and ramps when told to', async () => {
    await connect()
    const set = await on(channel().demand.set(1000, never))
    expect(set.value).toBe(1000)
    expect(far.voltageV(0)).toBe(0)
    const begin = clock.now()
    const reached = await on(channel().energise(permit, never))
    expect(reached.value).toBeCloseTo(1000, 0)
    expect(clock.now() - begin).toBeGreaterThan(seconds(20))
    expect(far.channels[0]).toMatchObject({ isOn: true, currentLimitA: 0.0005, rampVPerS: 50 })
    expect(channel().state.latest()?.value).toBe('on')
    expect(far.channels[2]!.isOn).toBe(false)
  })

  it('sends nothing for a demand outside our limit', async () => {
    await connect()
    for (const demand of [1501, -1, Number.NaN])
      await expect(on(channel().demand.set(demand, never))).rejects.toMatchObject({
        code: ErrorCode.notPermitted
      })
    expect(commands()).toEqual([])
  })

  it('energises for nobody who is not named, nor beyond our limit', async () => {
    await connect()
    const refused = { code: ErrorCode.notPermitted }
    await expect(on(channel().energise({ by: ' ' }, never))).rejects.toMatchObject(refused)
    far.channels[0]!.setV = 1800
    await expect(on(channel().energise(permit, never))).rejects.toMatchObject(refused)
    expect(commands()).toEqual([])
  })

  it('leaves a channel off that trips on the way up, and says so', async () => {
    await connect()
    await on(channel().demand.set(1000, never))
    const energise = channel().energise(permit, never)
    energise.catch(() => undefined)
    await clock.advance(seconds(5))
    far.trip(0)
    await expect(on(energise)).rejects.toMatchObject({
      code: ErrorCode.refused,
      message: expect.stringContaining('current-trip') as string
    })
    expect(far.channels[0]!.isOn).toBe(false)
    expect(channel().state.latest()?.value).toBe('tripped')
  })

  it('is blocked by a standing event until a person clears it', async () => {
    await connect()
    await on(channel().demand.set(100, never))
    far.trip(0)
    await expect(on(channel().energise(permit, never))).rejects.toMatchObject({
      code: ErrorCode.notPermitted,
      message: expect.stringContaining('current-trip') as string
    })
    expect(commands()).not.toContain(':VOLT ON,(@0)')
    expect(commands()).not.toContain(':EV CLEAR,(@0)')
    await expect(on(channel().clearTrip({ by: '' }, never))).rejects.toMatchObject({
      code: ErrorCode.notPermitted
    })
    await on(channel().clearTrip(permit, never))
    await on(channel().energise(permit, never))
    expect(far.channels[0]!.isOn).toBe(true)
  })

  it('says that a demand was not taken over, and why', async () => {
    await connect()
    far.trip(0)
    await expect(on(channel().demand.set(700, never))).rejects.toMatchObject({
      code: ErrorCode.readback,
      details: { hint: expect.stringContaining('current-trip') as string }
    })
  })

  it('does not clear an inhibit whose cause is still there', async () => {
    await connect()
    far.inhibit(0, true)
    await on(supply.poll(never))
    expect(channel().state.latest()?.value).toBe('inhibited')
    await expect(on(channel().clearTrip(permit, never))).rejects.toMatchObject({ code: ErrorCode.refused })
    far.inhibit(0, false)
    await on(channel().clearTrip(permit, never))
    expect(far.channels[0]!.events & (2 ** Bit.inhibit)).toBe(0)
  })

  it('switches off a module that ramps much faster than told', async () => {
    far.hasModuleRampOnly = true
    far.channels[0]!.rampVPerS = 300
    await connect()
    await on(channel().demand.set(1200, never))
    await expect(on(channel().energise(permit, never))).rejects.toMatchObject({ code: ErrorCode.readback })
    expect(far.channels[0]!.isOn).toBe(false)
  })

  it('ramps everything down to be safe, and only then says so', async () => {
    Object.assign(far.channels[0]!, { setV: 500, isOn: true, fromV: 500 })
    Object.assign(far.channels[2]!, { setV: 1200, isOn: true, fromV: 1200 })
    await connect()
    await on(supply.makeSafe('test'))
    expect([far.voltageV(0), far.voltageV(2)]).toEqual([0, 0])
    expect(clock.now()).toBeGreaterThan(seconds(11))
    expect(commands()).toEqual([':VOLT OFF,(@0,2)'])
    expect(supply.channels[1]!.state.latest()?.value).toBe('off')
  })

  it('speaks with a module that sends every command back', async () => {
    far.echoes = true
    await connect()
    await on(channel().demand.set(300, never))
    expect(far.channels[0]!.setV).toBe(300)
    expect(supply.signals.find(({ path }) => path === 'hv-veto/garbage')?.latest()?.value).toBe(0)
  })

  it('reads on after garbage on the line', async () => {
    await connect()
    far.channels[0]!.setV = 250
    far.send('\x00\xff\x80')
    await on(supply.poll(never))
    expect(channel().demand.latest()?.value).toBe(250)
    far.nextAnswers.push('#!?/')
    far.channels[0]!.setV = 260
    await on(supply.poll(never))
    expect(channel().demand.latest()?.value).toBe(260)
  })

  it('reads through a line of rubbish before every answer', async () => {
    await connect()
    far.rubbish = '?>#'
    far.channels[0]!.setV = 270
    await on(supply.poll(never))
    expect(channel().demand.latest()?.value).toBe(270)
    await on(channel().demand.set(280, never))
    expect(far.channels[0]!.setV).toBe(280)
    expect(supply.signals.find(({ path }) => path === 'hv-veto/garbage')?.latest()?.value).toBe(5)
  })

  it('never takes a late answer for the answer to another request', async () => {
    await connect()
    Object.assign(far.channels[0]!, { setV: 700, isOn: true, fromV: 650, since: clock.now(), rampVPerS: 0 })
    // the answer to the first request comes when the identification is awaited
    far.nextAnswers.push(undefined, `9.99000E2V,9.99000E2V\r\n${far.identification}`)
    await on(supply.poll(never))
    expect(channel().demand.latest()?.value).toBe(700)
    expect(channel().voltage.latest()?.value).toBe(650)
    expect(supply.signals.find(({ path }) => path === 'hv-veto/garbage')?.latest()?.value).toBe(1)
  })

  it('finds back when the identification itself was late', async () => {
    far.nextAnswers.push(undefined)
    await expect(connect()).rejects.toMatchObject({ code: ErrorCode.timeout })
    far.channels[0]!.setV = 123
    far.nextAnswers.push(`${far.identification}\r\n${far.identification}`)
    await connect()
    expect(channel().demand.latest()?.value).toBe(123)
  })

  it('repeats no command: one that gets no answer is reported', async () => {
    await connect()
    far.nextAnswers.push(undefined)
    await expect(on(channel().demand.set(400, never))).rejects.toMatchObject({ code: ErrorCode.timeout })
    expect(commands()).toEqual([':VOLT 400,(@0)'])
  })

  it('is disconnected when it falls silent although the line is open, and its signals are stale', async () => {
    await connect()
    far.isMute = true
    for (let n = 0; n < 3; n++) await expect(on(supply.poll(never))).rejects.toBeDefined()
    expect(supply.state).toMatchObject({ kind: 'disconnected' })
    expect(channel().voltage.latest()?.quality).toBe('stale')
    far.isMute = false
    await connect()
    expect(channel().voltage.latest()?.quality).toBe('good')
  })

  it('is disconnected with its line and connects again any number of times', async () => {
    const states: string[] = []
    supply.onState(({ kind }) => states.push(kind))
    for (let n = 0; n < 4; n++) {
      await connect()
      far.hangUp()
      await clock.advance(seconds(1))
      expect(supply.state.kind).toBe('disconnected')
      expect(channel().demand.latest()?.quality).toBe('stale')
    }
    expect(states).toEqual(
      Array.from({ length: 4 }, () => ['connecting', 'connected', 'disconnected']).flat()
    )
    await expect(on(supply.poll(never))).rejects.toMatchObject({ code: ErrorCode.disconnected })
  })
})
