/**
 * Front-ends for the contract suites of digitisers and trigger crates, written by hand from docs/hardware and
 * independent of drivers and twin: a bridge, an MSADC board and a trigger crate, to be put on memory links or on
 * real wires.
 */
import { crc32c } from '../../core/bytes.ts'
import type { Clock } from '../../core/clock.ts'
import { SystemClock } from '../../core/clock.ts'
import type { EndOfSpillRecord, FragmentSink } from '../../core/fragment.ts'
import { VirtualClock } from '../../core/virtual-clock.ts'
import { makeIpbusLink } from '../../drivers/link/ipbus.ts'
import type { LinkFactory } from '../../drivers/link/link.ts'
import { makeMemoryByteLink, type MemoryByteFace } from '../../drivers/link/memory-bytes.ts'
import { makeMemoryRegisterLink, type MemoryRegisterFace } from '../../drivers/link/memory-registers.ts'
import { makeTcpLink } from '../../drivers/link/tcp.ts'
import { IpbusFarEnd, TcpFarEnd } from './link/far-ends.ts'

/** What a suite hears of the data, to be awaited. */
export class CollectingSink implements FragmentSink {
  readonly starts: { source: number; spill: number; cycle: number }[] = []
  readonly fragments: { source: number; spill: number; event: number; bytes: Uint8Array; status: number }[] =
    []
  readonly ends: EndOfSpillRecord[] = []
  readonly faults: string[] = []
  readonly connections: boolean[] = []
  #wake = (): void => undefined

  startOfSpill(source: number, spill: number, cycle: number): void {
    this.starts.push({ source, spill, cycle })
    this.#wake()
  }
  fragment(source: number, spill: number, event: number, bytes: Uint8Array, status: number): void {
    this.fragments.push({ source, spill, event, bytes: new Uint8Array(bytes), status })
    this.#wake()
  }
  corrupt(_source: number, fault: string): void {
    this.faults.push(fault)
    this.#wake()
  }
  endOfSpill(record: EndOfSpillRecord): void {
    this.ends.push(record)
    this.#wake()
  }
  fault(_source: number, fault: string, count: number): void {
    this.faults.push(`${fault} ${count}`)
    this.#wake()
  }
  connection(_source: number, isOpen: boolean): void {
    this.connections.push(isOpen)
    this.#wake()
  }

  async until(holds: (sink: CollectingSink) => boolean): Promise<void> {
    while (!holds(this)) await new Promise<void>((resolve) => (this.#wake = resolve))
  }
}

/** A bridge with one source: one connection at a time, keeps frames while told XOFF. */
export class BridgeFarEnd implements MemoryByteFace {
  hello: object
  readonly #source: number
  #send: ((bytes: Uint8Array) => void) | undefined
  #hangUp: () => void = () => undefined
  #sequence = 0
  #isOff = false
  #kept: Buffer[] = []
  #eventsSent = 0
  #wordsSent = 0
  /** kinds that the controller said: 5 XOFF, 6 XON */
  readonly heard: number[] = []

  constructor(source: number) {
    this.#source = source
    this.hello = {
      identity: { maker: 'by hand', model: 'front-end', serial: '42', firmware: '?' },
      sources: [source],
      maximumBlockBytes: 65535 * 4
    }
  }

  attach(send: (bytes: Uint8Array) => void, hangUp: () => void): ReturnType<MemoryByteFace['attach']> {
    this.#send = send
    this.#hangUp = hangUp
    this.#sequence = 0
    this.#isOff = false
    this.#kept = []
    this.#frame(0, Buffer.from(JSON.stringify(this.hello)))
    return {
      receive: (bytes) => {
        // the two frames of the controller are 20 bytes long, and a test never splits them
        for (let at = 0; at + 20 <= bytes.length; at += 20) this.#hear(bytes[at + 6]!)
      },
      closed: () => {
        if (this.#send === send) this.#send = undefined
      }
    }
  }

  cut(): void {
    this.#hangUp()
  }

  startOfSpill(spill: number, cycle: number): void {
    this.#eventsSent = 0
    this.#wordsSent = 0
    this.#frame(2, words(spill, cycle, 0, 0))
  }

  block(spill: number, event: number, format: number, ...payload: number[]): void {
    const size = 3 + payload.length
    this.#eventsSent++
    this.#wordsSent += size
    const header = [size | (this.#source << 16), event | (spill << 20), 0x0800 | (format << 24)]
    this.#frame(1, words(...header, ...payload))
  }

  endOfSpill(spill: number): void {
    this.#frame(3, words(spill, 1, this.#source, this.#eventsSent, this.#wordsSent, 0, 0, 0))
  }

  heartbeat(): void {
    this.#frame(4, Buffer.alloc(0))
  }

  #hear(kind: number): void {
    this.heard.push(kind)
    this.#isOff = kind === 5
    if (this.#isOff) return
    for (const frame of this.#kept.splice(0)) this.#send?.(frame)
  }

  #frame(kind: number, payload: Buffer): void {
    if (this.#send === undefined) return
    const frame = Buffer.alloc(20 + payload.length)
    frame.write('SLNK', 0, 'latin1')
    frame.writeUInt16LE(1, 4)
    frame.writeUInt16LE(kind, 6)
    frame.writeUInt32LE(payload.length, 8)
    frame.writeUInt32LE(this.#sequence++, 12)
    payload.copy(frame, 16)
    frame.writeUInt32LE(crc32c(frame.subarray(0, 16 + payload.length)), 16 + payload.length)
    if (this.#isOff) this.#kept.push(frame)
    else this.#send(frame)
  }
}

/** Registers with the reactions of one device; what is not in the map is a bus error. */
abstract class Registers implements MemoryRegisterFace {
  isSilent = false
  readonly values = new Map<number, number>()

  read(_space: string, address: number, count: number): number[] | 'illegal-address' | 'silent' {
    if (this.isSilent) return 'silent'
    const found = Array.from({ length: count }, (_, i) => this.value(address + i))
    return found.every((value) => value !== undefined) ? found : 'illegal-address'
  }

  write(
    _space: string,
    address: number,
    values: readonly number[]
  ): undefined | 'illegal-address' | 'silent' {
    if (this.isSilent) return 'silent'
    for (const [i, value] of values.entries()) if (!this.accept(address + i, value)) return 'illegal-address'
    return undefined
  }

  protected value(address: number): number | undefined {
    return this.values.get(address)
  }
  /** false: bus error */
  protected abstract accept(address: number, value: number): boolean
  protected fill(address: number, count: number, value: number): void {
    for (let i = 0; i < count; i++) this.values.set(address + i, value)
  }
}

export const MODULES = [
  { port: 0, adc: 1 },
  { port: 5, adc: 3 }
] as const

/** docs/hardware/msadc.md: two modules */
export class MsadcFarEnd extends Registers {
  readonly bridge: BridgeFarEnd

  constructor(source: number) {
    super()
    this.bridge = new BridgeFarEnd(source)
    const fixed = [0x4d534144, 0x0003_0002, source, 0b11, 0, 0, 32, MODULES.length]
    fixed.forEach((value, address) => this.values.set(address, value))
    this.fill(0x0008, 32, 0)
    MODULES.forEach(({ port, adc }, i) => this.values.set(0x0008 + i, (port << 2) | adc))
    this.fill(0x0100, 16 * MODULES.length, 0)
    this.fill(0x0700, 2, 0)
  }

  get #isArmed(): boolean {
    return (this.values.get(4)! & 1) !== 0
  }

  protected accept(address: number, value: number): boolean {
    const bits = address === 4 ? 0x3 : address === 5 ? 0x1ff : address === 6 ? 0x7f : 0xfff
    if (!this.values.has(address) || (address < 0x0100 && (address < 4 || address > 6))) return false
    const old = this.values.get(address)!
    if (address === 4) this.values.set(4, this.#isArmed ? (value & 1) | (old & 2) : value & bits)
    else if (!this.#isArmed) this.values.set(address, value & bits)
    this.values.set(3, 0b11 | (this.#isArmed ? 4 : 0))
    return true
  }

  /** A whole spill with that many triggers: empty modules. */
  spill(spill: number, events: number): void {
    if (!this.#isArmed) return
    this.bridge.startOfSpill(spill, 1000 + spill)
    for (let event = 1; event <= events; event++)
      this.bridge.block(
        spill,
        event,
        0,
        ...MODULES.map(({ port, adc }) => ((3 << 30) | (port << 27) | (adc << 25) | (1 << 12) | event) >>> 0)
      )
    this.values.set(0x0700, events)
    this.values.set(0x0701, spill)
    this.bridge.endOfSpill(spill)
  }
}

export const COUNTERS = 5
export const LINES = 4

/** docs/hardware/trigger-crate.md: five counters, four lines; line 0 takes every trigger */
export class CrateFarEnd extends Registers {
  readonly bridge: BridgeFarEnd
  #isInSpill = false
  #accepted = 0

  constructor(source: number) {
    super()
    this.bridge = new BridgeFarEnd(source)
    const fixed = [0x54435243, 0x0001_0004, source, 1, 0, 0, 0, 0]
    fixed.forEach((value, address) => this.values.set(address, value))
    this.values.set(0x10, COUNTERS).set(0x11, LINES)
    this.fill(0x20, COUNTERS, 0)
    for (const block of [0x40, 0x60, 0x80, 0xa0, 0x130, 0x150, 0x170]) this.fill(block, LINES, 0)
    this.fill(0x100, 6, 0)
    this.fill(0x110, COUNTERS, 0)
  }

  get #control(): number {
    return this.values.get(4)!
  }

  protected override value(address: number): number | undefined {
    if (address !== 3) return super.value(address)
    const isEnabled = (this.#control & 1) !== 0 || this.#isInSpill
    return 1 | (isEnabled ? 2 : 0) | (this.#isInSpill ? 4 : 0) | ((this.#control & 2) !== 0 ? 16 : 0)
  }

  protected accept(address: number, value: number): boolean {
    if (address === 8) {
      if ((this.#control & 5) !== 5) return false
      if (value === 1) this.startSpill()
      else this.endSpill()
      return true
    }
    if (!this.values.has(address) || address < 4 || address === 6 || address === 0x10 || address >= 0x100)
      return false
    if (address === 5) {
      if (this.#isInSpill) return false
      this.values.set(6, 0)
    }
    const bits = address === 4 ? 7 : address === 7 || (address & 0x1e0) === 0x40 ? 0xffffff : 0xffff_ffff
    this.values.set(address, value & (address >= 0x20 && address < 0x40 ? 0xfff : bits))
    return true
  }

  startSpill(): void {
    if ((this.#control & 1) === 0) return
    this.values.set(6, this.values.get(6)! + 1)
    this.#isInSpill = true
    this.#accepted = 0
    this.bridge.startOfSpill(this.values.get(6)!, 77)
  }

  /** That many coincidences. */
  fire(count: number): void {
    if (!this.#isInSpill || (this.#control & 2) !== 0) return
    for (let i = 0; i < count; i++)
      this.bridge.block(this.values.get(6)!, ++this.#accepted, 0x30, 1, 1000 * this.#accepted, 0, 7)
  }

  endSpill(): void {
    if (!this.#isInSpill) return
    this.#isInSpill = false
    const n = this.#accepted
    const latched = [this.values.get(6)!, n, 10 * n, 9 * n, 4_800_000, 4_700_000]
    latched.forEach((value, i) => this.values.set(0x100 + i, value))
    for (let i = 0; i < COUNTERS; i++) this.values.set(0x110 + i, 100 * n + i)
    this.values
      .set(0x130, 3 * n)
      .set(0x150, 2 * n)
      .set(0x170, n)
    this.bridge.endOfSpill(this.values.get(6)!)
  }
}

/** Links to one front-end, by memory or by wire, and its time. */
export interface FrontEndLinks {
  readonly controlUrl: string
  readonly dataUrl: string
  readonly clock: Clock
  readonly links: LinkFactory
  readonly run: <T>(work: Promise<T>) => Promise<T>
  readonly end: () => Promise<void>
}

type FrontEnd = MemoryRegisterFace & { readonly bridge: BridgeFarEnd }

export function memoryLinks(frontEnd: FrontEnd): Promise<FrontEndLinks> {
  const clock = new VirtualClock()
  return Promise.resolve({
    controlUrl: 'ipbus+udp://memory:1',
    dataUrl: 'tcp://memory:2',
    clock,
    links: {
      ...noLinks,
      bytes: (url) => makeMemoryByteLink(url, frontEnd.bridge),
      registers: (url) => makeMemoryRegisterLink(url, frontEnd, clock)
    },
    run: (work) => clock.resolve(work),
    end: () => Promise.resolve()
  })
}

export async function wireLinks(frontEnd: FrontEnd): Promise<FrontEndLinks> {
  const clock = new SystemClock()
  const tcp = new TcpFarEnd(frontEnd.bridge)
  const udp = new IpbusFarEnd(frontEnd)
  await tcp.listen()
  await udp.listen()
  return {
    controlUrl: udp.url,
    dataUrl: tcp.url,
    clock,
    links: {
      ...noLinks,
      bytes: makeTcpLink,
      registers: (url) => makeIpbusLink(url, clock, { replyMs: 30, rounds: 4 })
    },
    run: (work) => work,
    end: async () => {
      await tcp.close()
      await udp.close()
    }
  }
}

const noLinks: Pick<LinkFactory, 'topics' | 'nodes'> = {
  topics: () => {
    throw new TypeError('a front-end has no topics')
  },
  nodes: () => {
    throw new TypeError('a front-end has no nodes')
  }
}

function words(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length)
  values.forEach((value, i) => bytes.writeUInt32LE(value >>> 0, 4 * i))
  return bytes
}
