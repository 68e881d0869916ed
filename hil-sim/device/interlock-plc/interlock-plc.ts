import type { SettingsOf } from '../../../config/schema.ts'
import { ActiveFaults } from '../active-faults.ts'
import type { MakeSimDevice } from '../context.ts'
import type { RegisterFace, SimFault } from '../face.ts'
import { Ticker } from '../ticker.ts'
import { makeEnvironment } from './environment.ts'

const TICK_NS = 500e6
const CONTROLLER_LOST_TICKS = 20

const HEARTBEAT = 0
const CONTROLLER_HEARTBEAT = 1
const INTERLOCKS = 2
const LATCHED = 3
const RESET = 4

const BITS = { door: 1 << 0, gas: 1 << 1, cooling: 1 << 2, permit: 1 << 3 } as const
const CONTROLLER_LOST = 1 << 15

type Loop = 'door' | 'gas' | 'cooling' | 'key'
const LOOPS: readonly Loop[] = ['door', 'gas', 'cooling', 'key']

interface Saved {
  readonly heartbeat: number
  readonly latched: number
}

/**
 * The interlock and environment PLC (docs/hardware/plc.md). Faults: `interlock` (`loop`: door, gas, cooling,
 * key), `heartbeat-stuck`, `sensor` (`name` or `register`; the input is broken and reads 0x8000 or `value`),
 * `silent`, `device-failure`.
 */
export const makeInterlockPlc: MakeSimDevice = (config, context) => {
  const { unit } = config.settings as SettingsOf<'interlock-plc'>
  const faults = new ActiveFaults(['heartbeat-stuck', 'sensor', 'silent', 'device-failure'])
  // one fault of each loop at a time
  const loopFaults = new ActiveFaults(LOOPS)
  const environment = makeEnvironment(context.rng)
  let heartbeat = 0
  let controllerHeartbeat = 0
  let unchangedTicks = 0
  let latched = 0
  let resetCommand = 0

  const interlocks = (): number => {
    const closed = (loop: Loop): boolean => !loopFaults.has(loop)
    const permit = LOOPS.every(closed)
    return (
      (closed('door') ? BITS.door : 0) |
      (closed('gas') ? BITS.gas : 0) |
      (closed('cooling') ? BITS.cooling : 0) |
      (permit ? BITS.permit : 0)
    )
  }
  /** causes that are there now, in the bits of the latched word */
  const causes = (): number =>
    (~interlocks() & 0xf) | (unchangedTicks >= CONTROLLER_LOST_TICKS ? CONTROLLER_LOST : 0)

  const ticker = new Ticker(TICK_NS, () => {
    if (!faults.has('heartbeat-stuck')) heartbeat = (heartbeat + 1) & 0xffff
    unchangedTicks++
    latched |= causes()
    environment.tick(TICK_NS / 1e9, {
      isGasOpen: loopFaults.has('gas'),
      isCoolingOpen: loopFaults.has('cooling')
    })
    faults.advance(TICK_NS)
    loopFaults.advance(TICK_NS)
  })

  const register = (address: number): number | undefined => {
    switch (address) {
      case HEARTBEAT:
        return heartbeat
      case CONTROLLER_HEARTBEAT:
        return controllerHeartbeat
      case INTERLOCKS:
        return interlocks()
      case LATCHED:
        return latched
      case RESET:
        return resetCommand
      default:
        return environment.register(address, faults.get('sensor'))
    }
  }
  const write = (address: number, value: number): void => {
    if (address === CONTROLLER_HEARTBEAT) {
      if (value !== controllerHeartbeat) unchangedTicks = 0
      controllerHeartbeat = value
      return
    }
    if (resetCommand === 0 && value === 1) latched &= causes()
    resetCommand = value
  }
  const refusal = (): 'silent' | 'device-failure' | undefined => {
    if (faults.has('silent')) return 'silent'
    return faults.has('device-failure') ? 'device-failure' : undefined
  }

  const face: RegisterFace = {
    kind: 'registers',
    identification: ['Spillway', 'Interlock and environment PLC', '1.0'],
    read: (space, address, count) => {
      const refused = refusal()
      if (refused !== undefined) return refused
      if (space !== 'holding') return 'illegal-function'
      const values = Array.from({ length: count }, (_, i) => register(address + i))
      return values.every((value) => value !== undefined) ? values : 'illegal-address'
    },
    write: (space, address, values) => {
      const refused = refusal()
      if (refused !== undefined) return refused
      if (space !== 'holding') return 'illegal-function'
      const isWritable = values.every((_, i) => [CONTROLLER_HEARTBEAT, RESET].includes(address + i))
      if (!isWritable) return 'illegal-address'
      values.forEach((value, i) => write(address + i, value))
      return undefined
    }
  }
  const inject = (fault: SimFault): boolean => {
    if (fault.kind === 'clear') loopFaults.inject(fault)
    if (fault.kind !== 'interlock') return faults.inject(fault)
    const loop = LOOPS.find((known) => known === (fault['loop'] ?? 'door'))
    if (loop === undefined) return false
    loopFaults.inject({ ...fault, kind: loop })
    latched |= causes()
    return true
  }
  return {
    id: config.id,
    kind: config.kind,
    faces: { control: face },
    advance: (dtNs) => ticker.advance(dtNs),
    inject,
    truth: () => ({
      unit,
      openLoops: loopFaults.list(),
      latched,
      faults: faults.list(),
      ...environment.truth()
    }),
    save: (): Saved => ({ heartbeat, latched }),
    restore: (saved) => {
      const state = saved as Partial<Saved>
      if (typeof state.heartbeat === 'number') heartbeat = state.heartbeat & 0xffff
      if (typeof state.latched === 'number') latched = state.latched & 0xffff
    }
  }
}
