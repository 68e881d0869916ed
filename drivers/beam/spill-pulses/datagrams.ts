import { view } from '../../../core/bytes.ts'
import type { SpillMark } from '../contract/beam-instrument.ts'

/** The datagrams of docs/hardware/spill-pulses.md, as pure functions of bytes. */

const PULSE_MAGIC = 0x53504c50
const REQUEST_MAGIC = 0x53504c51
const VERSION = 1
const PULSE_BYTES = 24
const REQUEST_BYTES = 8
/** by the number on the wire; 0 is no pulse */
const MARKS = ['alive', 'WWE', 'WE', 'SOE', 'EOE'] as const
const NS_PER_MS = 1_000_000n

export interface Pulse {
  readonly mark: SpillMark | 'alive'
  /** of the pulse; of `alive`: of the last pulse */
  readonly counter: number
  readonly cycle: number
  readonly ns: bigint
}

export function subscribeRequest(): Uint8Array {
  const bytes = new Uint8Array(REQUEST_BYTES)
  const request = view(bytes)
  request.setUint32(0, REQUEST_MAGIC)
  request.setUint8(4, VERSION)
  return bytes
}

/** undefined: no datagram of this protocol */
export function parsePulse(bytes: Uint8Array): Pulse | undefined {
  if (bytes.length !== PULSE_BYTES) return undefined
  const pulse = view(bytes)
  const mark = MARKS[pulse.getUint8(5)]
  if (pulse.getUint32(0) !== PULSE_MAGIC || pulse.getUint8(4) !== VERSION || mark === undefined)
    return undefined
  return { mark, counter: pulse.getUint32(8), cycle: pulse.getUint32(12), ns: pulse.getBigUint64(16) }
}

/** to the millisecond below */
export function utcOf({ ns }: Pulse): Date {
  return new Date(Number(ns / NS_PER_MS))
}
