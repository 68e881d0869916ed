// What is peculiar to crates behind OPC UA, in memory under virtual time: a server that lost its crate or stands still is
// not believed, a restarted one is read again, a map that does not fit is said by name, and other crates need only a map.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../core/errors.ts'
import { silentLog } from '../../../core/log.ts'
import { milliseconds, seconds } from '../../../core/units.ts'
import { VirtualClock } from '../../../core/virtual-clock.ts'
import type { CrateMap } from '../../../drivers/hv/opcua-crate/crate-map.ts'
import { OpcuaCrate } from '../../../drivers/hv/opcua-crate/opcua-crate.ts'
import { SY4527 } from '../../../drivers/hv/opcua-crate/sy4527.ts'
import { makeMemoryNodeLink, type MemoryNodeLink } from '../../../drivers/link/memory-nodes.ts'
import type { NodeFace, SimFault } from '../../../hil-sim/device/face.ts'
import { makeOpcuaCrate } from '../../../hil-sim/device/opcua-crate/opcua-crate.ts'
import { makeSimBench, type SimBench } from '../../unit/hil-sim/device/sim-bench.ts'
import { linksOf } from './link-factory.ts'

const never = new AbortController().signal
const permit = { by: 'shift leader' }
const CHANNELS = [0, 1].map((number) => ({
  number,
  name: `MM-${number}`,
  node: `CAEN01.Board00.Chan00${number}`,
  limitV: 600,
  nominalV: 400,
  rampVPerS: 50,
  currentLimitUa: 50,
  provenance: 'A: test'
}))
/** another maker's crate: other names, milliamperes, nothing to clear trips with */
const OTHER: CrateMap = {
  nodes: {
    demand: 'ns=4;s={crate}/{node}/target',
    voltage: 'ns=4;s={crate}/{node}/volts',
    current: 'ns=4;s={crate}/{node}/milliamps',
    power: 'ns=4;s={crate}/{node}/enable',
    status: 'ns=4;s={crate}/{node}/flags',
    currentLimit: 'ns=4;s={crate}/{node}/limit'
  },
  currentUnitUa: 1000,
  statusBits: { 3: 'on', 4: 'ramping-up', 5: 'ramping-down', 13: 'internal-trip', 12: 'external-disable' }
}

describe('a crate behind OPC UA', () => {
  let clock: VirtualClock
  let twin: SimBench
  let link: MemoryNodeLink
  let supply: OpcuaCrate
  let end: AbortController

  const build = (map: CrateMap = SY4527, found: 'nominal' | 'off' = 'nominal', drivenBy = map): void => {
    clock = new VirtualClock()
    twin = makeSimBench(makeOpcuaCrate, 'opcua-crate', {
      map,
      crate: 'CAEN01',
      channels: CHANNELS,
      toleranceV: 2,
      simulatedInitially: found
    })
    link = makeMemoryNodeLink('memory://hv', twin.device.faces['control'] as NodeFace, clock)
    const options = { crate: 'CAEN01', map: drivenBy, channels: CHANNELS, toleranceV: 2 }
    supply = new OpcuaCrate(
      { id: 'hv', role: 'required', url: 'memory://hv', ...options },
      { clock, links: linksOf({ nodes: () => link }), log: silentLog }
    )
    end = new AbortController()
    const loop = async (): Promise<void> => {
      for (;;) {
        await clock.sleep('twin', milliseconds(50), end.signal)
        twin.advance(0.05, 0.05)
      }
    }
    loop().catch(() => undefined)
  }
  beforeEach(() => build())
  afterEach(() => end.abort())

  const on = <T>(work: Promise<T>): Promise<T> => clock.resolve(work, seconds(300))
  const connect = () => on(supply.connect(never))
  const poll = () => on(supply.poll(never))
  const inject = (fault: SimFault): void => void twin.device.inject?.(fault)
  const channel = () => supply.channels[0]!
  const latest = (path: string) => supply.signals.find((signal) => signal.path === path)?.latest()

  it('says what its server says it is', async () => {
    expect(await connect()).toEqual({
      maker: 'OPC UA',
      model: 'SY4527',
      serial: 'SIM-device',
      firmware: '1.0'
    })
    expect(latest('hv/crate-connected')).toMatchObject({ value: true, quality: 'good' })
  })

  it('believes no value of a server that has lost its crate, and says so', async () => {
    await connect()
    inject({ kind: 'crate-lost', forMs: 5000 })
    await poll()
    expect(channel().voltage.latest()).toMatchObject({
      quality: 'stale',
      reason: expect.stringContaining('Bad') as string
    })
    expect(latest('hv/crate-connected')?.value).toBe(false)
    await expect(on(channel().demand.set(100, never))).rejects.toMatchObject({
      code: ErrorCode.protocol
    })
    await clock.advance(seconds(7))
    await poll()
    expect(channel().voltage.latest()?.quality).toBe('good')
  })

  it('doubts a server whose values and times stand still', async () => {
    await connect()
    inject({ kind: 'frozen' })
    for (let n = 0; n < 4; n++) {
      await clock.advance(seconds(9))
      await poll()
    }
    expect(channel().voltage.latest()).toMatchObject({
      quality: 'suspect',
      reason: expect.stringContaining('lost its crate') as string
    })
  })

  it('reads again what happened while the server was away, and hears changes from then on', async () => {
    await connect()
    link.cut('the server restarts')
    await clock.advance(seconds(1))
    expect(channel().voltage.latest()?.quality).toBe('stale')
    inject({ kind: 'trip', channel: 0 })
    await clock.advance(seconds(2))
    link.restore()
    await connect()
    expect(channel().state.latest()).toMatchObject({ value: 'tripped', quality: 'good' })
    inject({ kind: 'trip', channel: 1 })
    await clock.advance(seconds(2))
    // without a poll: by subscription
    expect(supply.channels[1]!.state.latest()?.value).toBe('tripped')
  })

  it('names a node that the server does not have', async () => {
    const wrong = { ...SY4527, nodes: { ...SY4527.nodes, demand: 'ns=2;s={node}.VSet' } }
    end.abort()
    build(SY4527, 'off', wrong)
    await expect(connect()).rejects.toMatchObject({
      code: ErrorCode.notFound,
      message: expect.stringContaining('ns=2;s=CAEN01.Board00.Chan000.VSet') as string
    })
  })

  it('keeps below the maximum of the board, whatever our limit', async () => {
    await connect()
    const face = twin.device.faces['control'] as NodeFace
    face.nodes.find(({ id }) => id.endsWith('Chan000.SVMax'))!.write!(450)
    await clock.advance(seconds(2))
    await expect(on(channel().demand.set(500, never))).rejects.toMatchObject({
      code: ErrorCode.notPermitted,
      message: expect.stringContaining('450 V') as string
    })
    await on(channel().demand.set(450, never))
  })

  it('drives another maker’s crate by its map, and a person’s clearing is what lets it on again', async () => {
    end.abort()
    build(OTHER, 'off')
    await connect()
    await on(channel().demand.set(200, never))
    await on(channel().energise(permit, never))
    await clock.advance(seconds(2))
    await poll()
    expect(channel().current.latest()?.value).toBeGreaterThan(1)
    expect(channel().current.latest()?.value).toBeLessThan(50)
    inject({ kind: 'trip', channel: 0 })
    await clock.advance(seconds(2))
    await expect(on(channel().energise(permit, never))).rejects.toMatchObject({
      code: ErrorCode.notPermitted
    })
    await on(channel().clearTrip(permit, never))
    expect(channel().state.latest()?.value).toBe('off')
    await on(channel().energise(permit, never))
    expect(channel().state.latest()?.value).toBe('on')
    // once on, the next trip is a new one
    inject({ kind: 'trip', channel: 0 })
    await clock.advance(seconds(2))
    await poll()
    expect(channel().state.latest()?.value).toBe('tripped')
  })
})
