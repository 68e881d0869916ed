/** Answers of the teslameter (docs/hardware/hall-probe.md), as pure functions of a line without its end. */

export type FieldUnit = 'T' | 'G'

const NUMBER = /^\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:E[+-]?\d+)?)\s*(kG|T|G|C)?\s*$/i
const TESLA: Readonly<Record<string, number>> = { t: 1, g: 1e-4, kg: 0.1 }
/** What the device says in place of a value (manual 4.5.3); longer words first. */
const COMPLAINTS = [
  'INVALID COMMAND ENTRY',
  'NO TEMPERATURE PROBE',
  'BAD TEMPERATURE READING',
  'FRAMING ERROR',
  'OVERRUN ERROR',
  'PARITY ERROR',
  'NO PROBE',
  'OVER RANGE',
  'OVERFLOW',
  'RESET'
] as const
export type Complaint = (typeof COMPLAINTS)[number]

/** full scale by the answer to `IR`, T */
const RANGES_T = [0.3, 0.6, 1.2, 3] as const

/** Every whole answer is one of these; undefined where the line is none. */
export function parseComplaint(line: string): Complaint | undefined {
  const words = line.trim()
  return COMPLAINTS.find((complaint) => complaint === words)
}

/** The question did not arrive as it was asked: worth asking again. */
export function isLineTrouble(complaint: Complaint): boolean {
  return (
    complaint === 'INVALID COMMAND ENTRY' ||
    complaint === 'FRAMING ERROR' ||
    complaint === 'OVERRUN ERROR' ||
    complaint === 'PARITY ERROR'
  )
}

/** T. @param otherwise the unit of an answer that names none */
export function parseField(line: string, otherwise: FieldUnit): number | undefined {
  const [, digits, letter = otherwise] = NUMBER.exec(line) ?? []
  const tesla = TESLA[letter.toLowerCase()]
  return digits === undefined || tesla === undefined ? undefined : finite(Number(digits) * tesla)
}

/** degC */
export function parseTemperature(line: string): number | undefined {
  const [, digits, letter = 'C'] = NUMBER.exec(line) ?? []
  return digits === undefined || letter.toUpperCase() !== 'C' ? undefined : finite(Number(digits))
}

/** full scale, T */
export function parseRange(line: string): number | undefined {
  const index = /^\s*([0-3])\.?\s*$/.exec(line)?.[1]
  return index === undefined ? undefined : RANGES_T[Number(index)]
}

export interface MeasuringMode {
  readonly isSteady: boolean
  readonly isContinuous: boolean
}

export function parseMode(line: string): MeasuringMode | undefined {
  const letters = /^\s*([DA])([CV])\s*$/.exec(line)
  return letters === null ? undefined : { isSteady: letters[1] === 'D', isContinuous: letters[2] === 'C' }
}

function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value : undefined
}
