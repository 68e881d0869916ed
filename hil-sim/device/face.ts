/**
 * A device's face: what stands at its connector. The servers in hil-sim/wire put a face on a real wire; the
 * memory grade joins it to the driver's link without one. A face knows nothing of sockets.
 */

/** Bytes: serial line, TCP. `attach` is called once per connection. */
export interface ByteFace {
  readonly kind: 'bytes'
  attach(send: (bytes: Uint8Array) => void, hangUp: () => void): ByteSession
}
export interface ByteSession {
  receive(bytes: Uint8Array): void
  closed(): void
}

export type RegisterSpace = 'coil' | 'discrete' | 'holding' | 'input' | 'bus'

/**
 * How a register request is refused. Modbus answers with the exception of that number; IPbus with its
 * bus-error codes. `silent`: no answer at all (a hanging device).
 */
export type RegisterRefusal =
  'illegal-function' | 'illegal-address' | 'illegal-value' | 'device-failure' | 'silent'

/** Registers: Modbus tables (16 bits, or 1), IPbus bus (32 bits). */
export interface RegisterFace {
  readonly kind: 'registers'
  read(space: RegisterSpace, address: number, count: number): number[] | RegisterRefusal
  write(space: RegisterSpace, address: number, values: readonly number[]): undefined | RegisterRefusal
  /** what Modbus 43/14 tells: maker, model, revision; unused by IPbus */
  readonly identification?: readonly string[]
}

/** Topics: what an MQTT publisher does. */
export interface TopicFace {
  readonly kind: 'topics'
  /** what the broker says, retained, when the publisher is gone */
  readonly will?: { readonly topic: string; readonly payload: string }
  /** Called once; the face publishes from then on. */
  attach(publish: (topic: string, payload: string, retain: boolean, qos: 0 | 1) => void): void
  /** filters that the device listens to, and what it does with a message */
  readonly listens: readonly string[]
  receive(topic: string, payload: string): void
}

/** Nodes: OPC UA variables. */
export interface NodeFace {
  readonly kind: 'nodes'
  readonly nodes: readonly SimNode[]
}
export interface SimNode {
  /** string node id, without the `ns=1;s=` */
  readonly id: string
  /** index of its namespace; absent: 1 */
  readonly namespace?: number
  readonly type: 'Double' | 'Int32' | 'Boolean' | 'String'
  read(): { value: number | string | boolean; quality: 'good' | 'suspect' | 'bad'; sourceTime: Date }
  /** absent: read-only */
  write?(value: number | string | boolean): 'ok' | 'out-of-range' | 'refused'
}

export type Face = ByteFace | RegisterFace | TopicFace | NodeFace

/** Something that goes wrong with a device, by name; the README of each device folder has its list. */
export interface SimFault {
  readonly kind: string
  readonly [field: string]: unknown
}

/** One simulated device: hidden state, physics driven by `advance`, one or more named faces. */
export interface SimDevice {
  readonly id: string
  readonly kind: string
  /** face name -> face; the names are those of `links` in devices.yaml (`control`, `data`) */
  readonly faces: Readonly<Record<string, Face>>
  /** Physics: `dtNs` nanoseconds pass. */
  advance(dtNs: number): void
  /** what really is, for tests and the simulator page; never on the wire */
  truth(): unknown
  /** A fault strikes, or ends; false when this device knows no fault of that kind. */
  inject?(fault: SimFault): boolean
  /** Hidden state worth keeping over a restart of the simulator, as hardware would keep it. */
  save?(): unknown
  restore?(saved: unknown): void
}
