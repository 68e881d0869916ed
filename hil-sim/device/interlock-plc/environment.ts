import type { Rng } from '../../../core/rng.ts'
import type { SimFault } from '../face.ts'

/** A quantity that wanders slowly about a mean. */
interface Quantity {
  readonly name: string
  readonly register: number
  readonly mean: number
  /** rms of the wandering */
  readonly spread: number
  readonly timeConstantS: number
}

const TENTHS = 10
const QUANTITIES: readonly Quantity[] = [
  { name: 'hall-temperature', register: 10, mean: 22.4, spread: 0.6, timeConstantS: 3600 },
  { name: 'humidity', register: 11, mean: 46, spread: 3, timeConstantS: 3600 },
  { name: 'pressure', register: 12, mean: 966, spread: 4, timeConstantS: 10800 },
  { name: 'gas-flow', register: 13, mean: 12, spread: 0.2, timeConstantS: 300 },
  { name: 'rack-temperature', register: 14, mean: 29.5, spread: 0.8, timeConstantS: 900 }
]
const DEW_POINT = { name: 'dew-point', register: 20 } as const

/** what an analogue input shows when its wire is broken */
const BROKEN_WIRE = 0x8000
/** how fast gas flow dies and racks warm up without their supply, per second */
const GAS_DECAY_PER_S = 0.2
const RACK_WARMING_DEGC_PER_S = 0.05
const RACK_DEGC_MAX = 55

export interface Environment {
  tick(seconds: number, loops: { readonly isGasOpen: boolean; readonly isCoolingOpen: boolean }): void
  /** The 16 bits at `address`; undefined: there is no such register. */
  register(address: number, sensorFault: SimFault | undefined): number | undefined
  truth(): Record<string, number>
}

/** The air of the hall, its gas and its racks. */
export function makeEnvironment(rng: Rng): Environment {
  const values = new Map(QUANTITIES.map(({ name, mean, spread }) => [name, rng.normal(mean, spread / 2)]))
  const valueOf = (name: string): number => values.get(name) ?? 0

  const dewPoint = (): number => {
    const t = valueOf('hall-temperature')
    // Magnus formula, coefficients over water (Sonntag 1990)
    const gamma = Math.log(valueOf('humidity') / 100) + (17.62 * t) / (243.12 + t)
    return (243.12 * gamma) / (17.62 - gamma)
  }
  const isBroken = (fault: SimFault | undefined, name: string, register: number): boolean =>
    fault !== undefined && (fault['name'] === name || fault['register'] === register)
  const brokenValue = (fault: SimFault | undefined): number | undefined => {
    const value = fault?.['value']
    return typeof value === 'number' ? value : undefined
  }
  return {
    tick: (seconds, { isGasOpen, isCoolingOpen }) => {
      for (const { name, mean, spread, timeConstantS } of QUANTITIES) {
        const pull = seconds / timeConstantS
        const step = rng.normal(0, spread * Math.sqrt(2 * pull))
        let value = valueOf(name)
        value += (mean - value) * pull + step
        if (name === 'gas-flow' && isGasOpen) value = valueOf(name) * (1 - GAS_DECAY_PER_S * seconds)
        if (name === 'rack-temperature' && isCoolingOpen)
          value = Math.min(RACK_DEGC_MAX, valueOf(name) + RACK_WARMING_DEGC_PER_S * seconds)
        values.set(name, value)
      }
    },
    register: (address, fault) => {
      const quantity = QUANTITIES.find(({ register }) => register === address)
      if (quantity !== undefined) {
        const broken = isBroken(fault, quantity.name, address)
        if (broken) {
          const value = brokenValue(fault)
          return value === undefined ? BROKEN_WIRE : Math.round(value * TENTHS) & 0xffff
        }
        return Math.round(valueOf(quantity.name) * TENTHS) & 0xffff
      }
      const word = address - DEW_POINT.register
      if (word !== 0 && word !== 1) return undefined
      const broken = isBroken(fault, DEW_POINT.name, DEW_POINT.register)
      return floatWords(broken ? (brokenValue(fault) ?? Number.NaN) : dewPoint())[word]
    },
    truth: () => ({ ...Object.fromEntries(values), 'dew-point': dewPoint() })
  }
}

/** 32-bit float as two registers, low word first ("CDAB"). */
function floatWords(value: number): [number, number] {
  const data = new DataView(new ArrayBuffer(4))
  data.setFloat32(0, value)
  return [data.getUint16(2), data.getUint16(0)]
}
