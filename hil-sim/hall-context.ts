import type { DeviceConfig } from '../config/schema.ts'
import type { SimContext } from './device/context.ts'
import type { SimDevice } from './device/face.ts'
import type { SpsMachine } from './world/machine.ts'
import type { TriggerBus } from './world/trigger-bus.ts'
import type { World } from './world/world.ts'

/** What the devices on the trigger bus know beyond the others: the particles and each other. */
export interface HallContext extends SimContext {
  readonly machine: SpsMachine
  readonly world: World
  readonly bus: TriggerBus
  /** unix time of the hall in ns */
  utcNs(): bigint
}

export type MakeHallDevice = (config: DeviceConfig, context: HallContext) => SimDevice
