import type { Clock } from '../../core/clock.ts'
import { SystemClock } from '../../core/clock.ts'
import { crc16Modbus } from '../../core/bytes.ts'
import { type DurationNs, seconds } from '../../core/units.ts'
import type { ByteFace, RegisterFace, SimFault } from '../device/face.ts'
import { answerModbus } from './modbus-pdu.ts'
import { servePty, type ServePtyOptions } from './pty.ts'
import { faultNumber, type Wire } from './wire.ts'

const BROADCAST = 0
/** unit, function, CRC */
const FRAME_BYTES_MIN = 4
const FRAME_BYTES_MAX = 256
const BITS_PER_CHARACTER = 10
const SILENCE_CHARACTERS = 3.5
/** above 19200 baud (Modbus over serial line 1.02, 2.5.1.1) */
const SILENCE_MIN_S = 0.00175

/** What may happen to a reply on the line. Each fault strikes the next `count` (1) replies. */
const WIRE_FAULTS = [
  'wire-silent',
  'wire-bad-crc',
  'wire-half-reply',
  'wire-wrong-unit',
  'wire-noise'
] as const
type WireFault = (typeof WIRE_FAULTS)[number]

export type RtuUnits = ReadonlyMap<number, RegisterFace>

/**
 * Puts units on one serial line with Modbus RTU. Faults: `wire-silent` (the reply is lost), `wire-bad-crc`,
 * `wire-half-reply`, `wire-wrong-unit` (another unit's number in a frame that is right otherwise), `wire-noise` (bytes before the
 * reply), each for `count` replies.
 */
export async function serveModbusRtu(units: RtuUnits, options: ServePtyOptions = {}): Promise<Wire> {
  const line = makeRtuLine(units, options.baudRate ?? 9600, new SystemClock())
  const wire = await servePty(line.face, options)
  return {
    url: wire.url.replace('serial:', 'modbus+serial:'),
    close: () => wire.close(),
    disturb: line.disturb
  }
}

/** The line as bytes: frames are told apart by silence of 3.5 characters, and by nothing else. */
export function makeRtuLine(
  units: RtuUnits,
  baudRate: number,
  clock: Clock
): { readonly face: ByteFace; readonly disturb: (fault: SimFault) => boolean } {
  const silence = seconds(Math.max(SILENCE_MIN_S, (SILENCE_CHARACTERS * BITS_PER_CHARACTER) / baudRate))
  const due = new Map<WireFault, number>()
  const strikes = (fault: WireFault): boolean => {
    const left = due.get(fault) ?? 0
    if (left > 0) due.set(fault, left - 1)
    return left > 0
  }
  const attach: ByteFace['attach'] = (send) => {
    const framing = makeSilenceFraming(clock, silence, (frame) => {
      const reply = answerRtu(units, frame)
      if (reply !== undefined && !strikes('wire-silent')) send(distorted(reply, strikes))
    })
    return { receive: framing.receive, closed: framing.close }
  }
  return {
    face: { kind: 'bytes', attach },
    disturb: (fault) => {
      const kind = WIRE_FAULTS.find((known) => known === fault.kind)
      if (kind === undefined) return false
      due.set(kind, (due.get(kind) ?? 0) + faultNumber(fault, 'count', 1))
      return true
    }
  }
}

/** The reply to one frame; undefined for what is none, for broadcasts, absent units and hanging devices. */
export function answerRtu(units: RtuUnits, frame: Uint8Array): Uint8Array | undefined {
  const end = frame.length - 2
  if (frame.length < FRAME_BYTES_MIN || frame.length > FRAME_BYTES_MAX) return undefined
  if (frame[end]! + 256 * frame[end + 1]! !== crc16Modbus(frame.subarray(0, end))) return undefined
  const unit = frame[0]!
  const face = unit === BROADCAST ? undefined : units.get(unit)
  const pdu = face === undefined ? undefined : answerModbus(face, frame.subarray(1, end))
  return pdu === undefined ? undefined : sealed([unit, ...pdu])
}

function sealed(body: readonly number[]): Uint8Array {
  const crc = crc16Modbus(Uint8Array.from(body))
  return Uint8Array.of(...body, crc & 0xff, crc >>> 8)
}

function distorted(reply: Uint8Array, strikes: (fault: WireFault) => boolean): Uint8Array {
  let bytes = reply
  if (strikes('wire-wrong-unit')) bytes = sealed([(reply[0]! % 247) + 1, ...reply.subarray(1, -2)])
  if (strikes('wire-bad-crc'))
    bytes = Uint8Array.from(bytes, (byte, i) => (i === bytes.length - 1 ? byte ^ 1 : byte))
  if (strikes('wire-half-reply')) bytes = bytes.subarray(0, bytes.length >> 1)
  return strikes('wire-noise') ? Uint8Array.of(0x00, 0xff, bytes[0]!, ...bytes) : bytes
}

/** Hands over what came between two silences. A frame that is too long is none, as a whole. */
export function makeSilenceFraming(
  clock: Clock,
  silence: DurationNs,
  take: (frame: Uint8Array) => void
): { readonly receive: (bytes: Uint8Array) => void; readonly close: () => void } {
  let frame: number[] = []
  let lastByteAt = 0
  let isWaiting = false
  const closing = new AbortController()
  const waitForSilence = async (): Promise<void> => {
    for (;;) {
      const rest = lastByteAt + silence - clock.now()
      // no timer is finer than 1 ns
      if (rest >= 1) await clock.sleep('silence after a frame', rest, closing.signal)
      // What arrived while this process was busy is not heard yet: it comes before the next turn.
      else if (await isStill()) break
    }
    isWaiting = false
    const whole = Uint8Array.from(frame)
    frame = []
    if (whole.length <= FRAME_BYTES_MAX) take(whole)
  }
  const isStill = async (): Promise<boolean> => {
    const before = lastByteAt
    await new Promise((resolve) => setImmediate(resolve))
    return lastByteAt === before
  }
  return {
    receive: (bytes) => {
      lastByteAt = clock.now()
      frame = [...frame, ...bytes].slice(0, FRAME_BYTES_MAX + 1)
      if (isWaiting) return
      isWaiting = true
      waitForSilence().catch(() => undefined)
    },
    close: () => closing.abort()
  }
}
