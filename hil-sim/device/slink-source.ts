import type { DeviceIdentity } from '../../core/device.ts'
import { EVENT_FAULTS, type Fault, FaultBook, SPILL_FAULTS } from '../fault/fault.ts'
import type { Machine } from './context.ts'
import { SlinkBridge } from './slink-bridge.ts'

export const SLINK_WORDS = 3
const TCS_GOOD = 0x08
const TCS_FIFO_AND_SYNC = 0x49
/** what stands in the stray word of the field failure is not known; this one is taken for an ADC header */
const TRAILER_WORD = 0xcfed1200
const LATE_AFTER = 5
const COUNTED_BEFORE = 1000
/** no frame, though the magic word is in it */
const GARBAGE = Uint8Array.from([
  ...[0xde, 0xad, 0xbe, 0xef, 0x53, 0x4c, 0x4e, 0x4b, 0x07, 0x00, 0x01, 0x00, 0xff, 0xff, 0xff, 0x7f],
  ...[0x53, 0x4c, 0x00, 0x4e, 0x4b, 0x11, 0x22, 0x33, 0x44]
])

/** A parameter of the fault, or what it is when left out. */
function numberIn(fault: Fault, name: string, otherwise: number): number {
  const value = fault.with[name]
  return typeof value === 'number' ? value : otherwise
}

/** The first three words of an S-LINK block (docs/hardware/slink-bridge.md). */
export function writeSlinkHeader(
  words: Uint32Array,
  header: { sizeWords: number; source: number; event: number; spill: number; format: number }
): void {
  words[0] = header.sizeWords | (header.source << 16)
  words[1] = (header.event & 0xfffff) | ((header.spill & 0x7ff) << 20)
  words[2] = (TCS_GOOD << 8) | (header.format << 24)
}

export interface SlinkSourceOptions {
  readonly source: number
  readonly identity: DeviceIdentity
  readonly machine: Machine
  utcNs(): bigint
}

/**
 * One S-LINK source behind its bridge: what it sends in a spill, its own account of it, and everything that
 * can go wrong between board and controller.
 */
export class SlinkSource {
  readonly bridge: SlinkBridge
  readonly #options: SlinkSourceOptions
  readonly #faults = new FaultBook()
  #spill = 0
  /** as the crate counts, for faults */
  #trueSpill = 0
  #eventsSent = 0
  #wordsSent = 0
  #isRestLost = false
  #eventsBefore = 0
  #late: { bytes: Uint8Array; left: number }[] = []
  #refusedCycles = 0

  constructor(options: SlinkSourceOptions) {
    this.#options = options
    this.bridge = new SlinkBridge({ identity: options.identity, sources: [options.source] })
    options.machine.onCycle(() => {
      if (this.#refusedCycles === 0) return
      this.#refusedCycles--
      this.bridge.setRefusing(this.#refusedCycles > 0)
    })
  }

  /** in the current or last spill: events that the source had to send, lost ones included */
  get eventsSent(): number {
    return this.#eventsSent
  }
  /** as the source counts them */
  get spill(): number {
    return this.#spill
  }

  /** the number that the source gives to an event */
  numberOf(event: number): number {
    return event + this.#eventsBefore
  }

  /** false: not a fault of a data stream */
  inject(fault: Fault): boolean {
    const kinds: readonly string[] = [...EVENT_FAULTS, ...SPILL_FAULTS]
    if (!kinds.includes(fault.kind)) return false
    this.#faults.add(fault)
    return true
  }

  startOfSpill(spill: number, cycle: number): void {
    this.#trueSpill = spill
    const miscount = this.#faults.take(['spill-miscounted'], spill)
    this.#spill = miscount === undefined ? spill : spill + numberIn(miscount, 'by', 1)
    const counter = this.#faults.take(['counter-not-reset'], spill)
    this.#eventsBefore = counter === undefined ? 0 : numberIn(counter, 'from', COUNTED_BEFORE)
    this.#eventsSent = 0
    this.#wordsSent = 0
    this.#isRestLost = false
    this.#late = []
    this.bridge.setSilent(this.#faults.take(['silent'], spill) !== undefined)
    const isTold = this.#faults.take(['no-start-of-spill'], spill) === undefined
    this.bridge.startOfSpill(this.#spill, cycle, this.#options.utcNs(), isTold)
  }

  /** The fault that this event suffers; one at a time, others wait for the next event. */
  faultFor(event: number): Fault | undefined {
    return this.#faults.isEmpty ? undefined : this.#faults.take(EVENT_FAULTS, this.#trueSpill, event)
  }

  /** Sends the first `count` words. Damage to the payload is the board's; the rest happens here. */
  send(words: Uint32Array, count: number, fault: Fault | undefined): void {
    this.#eventsSent++
    this.#wordsSent += count
    if (this.#isRestLost) return
    const bytes = new Uint8Array(words.buffer, words.byteOffset, count * 4)
    if (fault === undefined) this.bridge.data(bytes)
    else this.#sendDamaged(words, bytes, fault)
    if (this.#late.length > 0) this.#releaseLate()
  }

  endOfSpill(busyNs: number): void {
    for (const { bytes } of this.#late) this.bridge.data(bytes)
    this.#late = []
    if (this.#faults.take(['no-end-of-spill'], this.#trueSpill) === undefined)
      this.bridge.endOfSpill(this.#spill, [
        {
          source: this.#options.source,
          eventsSent: this.#eventsSent,
          wordsSent: this.#wordsSent,
          busyNs
        }
      ])
    this.bridge.spillIsOver()
  }

  #sendDamaged(words: Uint32Array, bytes: Uint8Array, fault: Fault): void {
    const { bridge } = this
    switch (fault.kind) {
      case 'drop-fragment':
        return
      case 'lost-frame':
        bridge.data(bytes, 'lost')
        return
      case 'bad-checksum':
        bridge.data(bytes, 'checksum')
        return
      case 'duplicate-fragment':
        bridge.data(bytes)
        bridge.data(bytes)
        return
      case 'late-fragment': {
        // its own sending counts as the first release
        this.#late.push({ bytes: bytes.slice(), left: numberIn(fault, 'after', LATE_AFTER) + 1 })
        return
      }
      case 'garbage':
        bridge.garbage(GARBAGE)
        bridge.data(bytes)
        return
      case 'source-twice':
        bridge.data(bytes)
        words[0] = (words[0]! & 0xffff0000) | SLINK_WORDS
        bridge.data(bytes.subarray(0, SLINK_WORDS * 4))
        return
      case 'wrong-spill':
        words[1] = (words[1]! & 0x800fffff) | (((this.#spill + 1) & 0x7ff) << 20)
        break
      case 'slink-event':
        words[1] = (words[1]! & ~0xfffff) | ((words[1]! + numberIn(fault, 'by', 1)) & 0xfffff)
        break
      case 'wrong-source':
        words[0] = words[0]! ^ (1 << 24)
        break
      case 'bad-length':
        bridge.data(bytes, 'length')
        return
      case 'slink-size':
        words[0] = words[0]! + 2
        break
      case 'tcs-error':
        words[2] = (words[2]! & 0xffff00ff) | (TCS_FIFO_AND_SYNC << 8)
        break
      case 'empty-with-trailer':
        words[0] = (words[0]! & 0xffff0000) | (SLINK_WORDS + 1)
        words[SLINK_WORDS] = TRAILER_WORD
        bridge.data(bytes.subarray(0, (SLINK_WORDS + 1) * 4))
        this.#isRestLost = true
        return
      case 'hang-up':
        this.#refusedCycles = fault.count
        bridge.setRefusing(fault.count > 0)
        bridge.hangUp()
        return
    }
    bridge.data(bytes)
  }

  #releaseLate(): void {
    for (const late of this.#late) late.left--
    for (const { bytes } of this.#late.filter(({ left }) => left <= 0)) this.bridge.data(bytes)
    this.#late = this.#late.filter(({ left }) => left > 0)
  }
}
