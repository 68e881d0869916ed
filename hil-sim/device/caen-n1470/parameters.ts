import type { HighVoltageOutput } from '../high-voltage-output.ts'

/** What sets the models of the family apart. */
export interface Model {
  readonly name: string
  readonly highestV: number
  readonly highestUa: number
}

/** Smallest first; one that has eight channels is an R1470ET. */
export const MODELS: readonly Model[] = [
  { name: 'N1419', highestV: 510, highestUa: 210 },
  { name: 'N1471', highestV: 5600, highestUa: 310 },
  { name: 'N1470', highestV: 8100, highestUa: 3100 }
]

interface NumberParameter {
  readonly key: 'demandV' | 'limitUa' | 'ceilingV' | 'rampUpVPerS' | 'rampDownVPerS' | 'tripS'
  readonly minimum: number
  readonly maximum: (model: Model) => number
  readonly decimals: number
  /** names of minimum, maximum and decimals beside it */
  readonly limits: readonly [string, string, string]
}

/** The numbers that can be set, with what the board tells about each. */
export const NUMBERS: Readonly<Record<string, NumberParameter>> = {
  VSET: {
    key: 'demandV',
    minimum: 0,
    maximum: ({ highestV }) => highestV,
    decimals: 1,
    limits: ['VMIN', 'VMAX', 'VDEC']
  },
  ISET: {
    key: 'limitUa',
    minimum: 0,
    maximum: ({ highestUa }) => highestUa,
    decimals: 2,
    limits: ['IMIN', 'IMAX', 'ISDEC']
  },
  MAXV: {
    key: 'ceilingV',
    minimum: 0,
    maximum: ({ highestV }) => highestV,
    decimals: 0,
    limits: ['MVMIN', 'MVMAX', 'MVDEC']
  },
  RUP: {
    key: 'rampUpVPerS',
    minimum: 1,
    maximum: () => 500,
    decimals: 0,
    limits: ['RUPMIN', 'RUPMAX', 'RUPDEC']
  },
  RDW: {
    key: 'rampDownVPerS',
    minimum: 1,
    maximum: () => 500,
    decimals: 0,
    limits: ['RDWMIN', 'RDWMAX', 'RDWDEC']
  },
  TRIP: {
    key: 'tripS',
    minimum: 0,
    maximum: () => 1000,
    decimals: 1,
    limits: ['TRIPMIN', 'TRIPMAX', 'TRIPDEC']
  }
}

/** Bits of STAT that the model of the output knows. */
const StatusBit = {
  on: 1 << 0,
  rampingUp: 1 << 1,
  rampingDown: 1 << 2,
  overCurrent: 1 << 3,
  overVoltage: 1 << 4,
  underVoltage: 1 << 5,
  maxVoltage: 1 << 6,
  trip: 1 << 7
} as const

/** Bits of STAT that come from outside a channel. */
export const OutsideBit = { disabled: 1 << 10, kill: 1 << 11, interlock: 1 << 12 } as const

/** N1470 and N1471: 250 V around the demand. */
const DEVIATION_V = 250

/** @param outside bits of `OutsideBit` that are set now */
export function statusWord(output: HighVoltageOutput, outside: number): number {
  const bits: readonly (readonly [number, boolean])[] = [
    [StatusBit.on, output.isOn],
    [StatusBit.rampingUp, output.isRampingUp],
    [StatusBit.rampingDown, output.isRampingDown],
    [StatusBit.overCurrent, output.isOverCurrent],
    [StatusBit.overVoltage, output.deviationV > DEVIATION_V],
    [StatusBit.underVoltage, output.deviationV < -DEVIATION_V],
    [StatusBit.maxVoltage, output.isAtCeiling],
    [StatusBit.trip, output.state.isTripped]
  ]
  return bits.reduce((word, [bit, isSet]) => (isSet ? word | bit : word), outside)
}

/** `0000.0`: as many digits as the maximum has */
export function padded(value: number, decimals: number, maximum: number): string {
  const width = maximum.toFixed(decimals).length
  return value.toFixed(decimals).padStart(width, '0')
}

const flat = (name: string, parameter: NumberParameter, model: Model): string | undefined => {
  const maximum = parameter.maximum(model)
  const [minimumName, maximumName, decimalsName] = parameter.limits
  if (name === minimumName) return padded(parameter.minimum, parameter.decimals, maximum)
  if (name === maximumName) return padded(maximum, parameter.decimals, maximum)
  return name === decimalsName ? `${parameter.decimals}` : undefined
}

/** What MON says about one channel; undefined: no such parameter. */
export function monitorChannel(
  name: string,
  output: HighVoltageOutput,
  model: Model,
  outside: number
): string | undefined {
  const { state } = output
  const settable = NUMBERS[name]
  if (settable !== undefined) return padded(state[settable.key], settable.decimals, settable.maximum(model))
  for (const parameter of Object.values(NUMBERS)) {
    const text = flat(name, parameter, model)
    if (text !== undefined) return text
  }
  switch (name) {
    case 'VMON':
      return padded(output.measuredV, 1, model.highestV)
    case 'IMON':
      return padded(output.measuredUa, 2, model.highestUa)
    case 'IMDEC':
      return '2'
    case 'IMRANGE':
      return 'HIGH'
    case 'PDWN':
      return state.powerDown === 'ramp' ? 'RAMP' : 'KILL'
    case 'POL':
      return '-'
    case 'STAT':
      return statusWord(output, outside).toString().padStart(5, '0')
    default:
      return undefined
  }
}

export type SetOutcome = 'OK' | 'PAR' | 'VAL'

/** What SET does to one channel. */
export function setChannel(
  name: string,
  value: string | undefined,
  output: HighVoltageOutput,
  model: Model
): SetOutcome {
  const number = NUMBERS[name]
  if (number !== undefined) {
    const parsed = parseNumber(value, number.decimals)
    if (parsed === undefined || parsed < number.minimum || parsed > number.maximum(model)) return 'VAL'
    output.state[number.key] = parsed
    return 'OK'
  }
  switch (name) {
    case 'ON':
      output.switchOn()
      return 'OK'
    case 'OFF':
      output.switchOff()
      return 'OK'
    case 'PDWN':
      return setWord(
        value,
        { RAMP: 'ramp', KILL: 'kill' } as const,
        (word) => (output.state.powerDown = word)
      )
    case 'IMRANGE':
      return setWord(value, { HIGH: 'HIGH' }, () => undefined)
    default:
      return 'PAR'
  }
}

function setWord<W>(
  value: string | undefined,
  words: Record<string, W>,
  take: (word: W) => void
): SetOutcome {
  const word = value === undefined ? undefined : words[value]
  if (word === undefined) return 'VAL'
  take(word)
  return 'OK'
}

function parseNumber(text: string | undefined, decimals: number): number | undefined {
  const match = /^\d{1,6}(?:\.(\d*))?$/.exec(text ?? '')
  return match === null || (match[1] ?? '').length > decimals ? undefined : Number(text)
}
