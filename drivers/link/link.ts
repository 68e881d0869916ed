/**
 * Links: the last code before the wire, and the only place where a simulated device differs from a real one.
 * They come in four kinds, because the libraries stop at different heights. Each kind has a form over the
 * real protocol library and a form in memory (controller/memory.ts), and one contract suite for both.
 *
 * What holds for all: `open` resolves when the far end answers at the level of the link, and may be called
 * again after a loss; a request while the link is down rejects with `disconnected` at once and is never
 * queued for later; `onState` tells of every change; `close` is final for this opening and never rejects.
 */
export interface Link {
  readonly url: string
  readonly isOpen: boolean
  open(signal: AbortSignal): Promise<void>
  close(): Promise<void>
  onState(listener: (isOpen: boolean, why: string) => void): () => void
}

/** Bytes both ways: serial lines, TCP. Over UDP each `write` and each call of the receiver is one datagram. */
export interface ByteLink extends Link {
  /** Resolves when the bytes are handed to the system. */
  write(bytes: Uint8Array): Promise<void>
  /** `bytes` is only valid during the call. One receiver; set it before `open`. */
  receive(receiver: (bytes: Uint8Array) => void): void
  /** Back-pressure: between the two no bytes are taken from the wire. */
  pause(): void
  resume(): void
}

/** Where a register lives. Modbus has four tables of 16 bits (or 1 bit), IPbus has one bus of 32 bits. */
export type RegisterSpace = 'coil' | 'discrete' | 'holding' | 'input' | 'bus'

/** Registers: Modbus, IPbus. Writes happen once, whatever is lost on the way. */
export interface RegisterLink extends Link {
  read(space: RegisterSpace, address: number, count: number, signal: AbortSignal): Promise<number[]>
  write(space: RegisterSpace, address: number, values: readonly number[], signal: AbortSignal): Promise<void>
  /** `register = (register & and) | or` in one step; resolves to the value before. IPbus only. */
  modify(address: number, and: number, or: number, signal: AbortSignal): Promise<number>
  /** What the device says it is: maker, model, revision. Modbus 43/14 only; absent where there is no such thing. */
  identification?(signal: AbortSignal): Promise<readonly string[]>
}

/** Topics: MQTT. Subscriptions are made again by `open` after a loss. */
export interface TopicLink extends Link {
  publish(topic: string, payload: string, options: { retain: boolean; qos: 0 | 1 }): Promise<void>
  /** One receiver per filter: subscribing again replaces it. */
  subscribe(filter: string, receiver: (topic: string, payload: string) => void): Promise<void>
}

export interface NodeValue {
  readonly value: number | string | boolean | null
  readonly sourceTime: Date | undefined
  readonly quality: 'good' | 'suspect' | 'bad'
  /** the status in the protocol's own words */
  readonly status: string
}

/** Nodes: OPC UA. Watches are made again by `open` after a loss. */
export interface NodeLink extends Link {
  read(nodeIds: readonly string[], signal: AbortSignal): Promise<NodeValue[]>
  write(nodeId: string, value: number | string | boolean, signal: AbortSignal): Promise<void>
  /** Reports every change, and the first value, of each node. */
  watch(nodeIds: readonly string[], receiver: (nodeId: string, value: NodeValue) => void): Promise<void>
}

/**
 * Makes links by URL scheme: `tcp://`, `serial://`, `udp://`, `modbus+tcp://`, `modbus+serial://`,
 * `ipbus+udp://`, `mqtt://`, `mqtts://`, `opc.tcp://`. A URL with a password is refused, because URLs are shown and logged.
 */
export interface LinkFactory {
  bytes(url: string): ByteLink
  registers(url: string): RegisterLink
  topics(url: string): TopicLink
  nodes(url: string): NodeLink
}
