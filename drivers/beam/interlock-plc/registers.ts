/** The PLC's holding registers (docs/hardware/plc.md), as pure functions of words. */

/** Addresses; the PLC answers exception 2 between the blocks, so each block is a read of its own. */
export const Register = { heartbeat: 0, ourHeartbeat: 1, analogue: 10, dewPoint: 20 } as const
export const STATUS_WORDS = 4
export const ANALOGUE_WORDS = 5
export const DEW_POINT_WORDS = 2

/** Bits of the interlock word, 1 = closed (good), and of the latched faults. */
export const INTERLOCKS = ['door', 'gas', 'cooling', 'hv-permit'] as const
export type InterlockName = (typeof INTERLOCKS)[number]
const CONTROLLER_LOST_BIT = 15

export interface PlcStatus {
  /** counts every 500 ms, wraps at 65536 */
  readonly heartbeat: number
  /** interlocks that are open now */
  readonly open: readonly InterlockName[]
  /** names of latched faults; `controller-lost` when our heartbeat stood still for 10 s */
  readonly faults: readonly string[]
}

export interface PlcAnalogue {
  readonly hallTemperatureDegC: number
  readonly humidityPercent: number
  readonly pressureHPa: number
  readonly gasFlowLPerH: number
  readonly rackTemperatureDegC: number
}

/** @param words registers 0 to 3 */
export function decodeStatus(words: readonly number[]): PlcStatus {
  const [heartbeat, , interlocks, latched] = words as [number, number, number, number]
  const faults: string[] = INTERLOCKS.filter((_, bit) => (latched & (1 << bit)) !== 0)
  if ((latched & (1 << CONTROLLER_LOST_BIT)) !== 0) faults.push('controller-lost')
  return { heartbeat, open: INTERLOCKS.filter((_, bit) => (interlocks & (1 << bit)) === 0), faults }
}

/** @param words registers 10 to 14 */
export function decodeAnalogue(words: readonly number[]): PlcAnalogue {
  const [hall, humidity, pressure, flow, rack] = words as [number, number, number, number, number]
  return {
    hallTemperatureDegC: signed16(hall) / 10,
    humidityPercent: humidity / 10,
    pressureHPa: pressure / 10,
    gasFlowLPerH: flow / 10,
    rackTemperatureDegC: signed16(rack) / 10
  }
}

/** A float of two registers, low word first (CDAB). @param words registers 20 and 21 */
export function decodeFloat(words: readonly number[]): number {
  const [low, high] = words as [number, number]
  const bytes = new DataView(new ArrayBuffer(4))
  bytes.setUint16(0, high)
  bytes.setUint16(2, low)
  return bytes.getFloat32(0)
}

const signed16 = (word: number): number => (word << 16) >> 16
