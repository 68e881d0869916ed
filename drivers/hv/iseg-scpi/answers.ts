/**
 * Answers of the iseg SCPI protocol. Each function gives undefined for a line that is not of its kind: the line
 * belongs to another request, or came damaged.
 */

const NUMBER = String.raw`[+-]?\d+(?:\.\d+)?(?:E[+-]?\d+)?`

/** Values with a unit, one per channel: `2.20000E3V,-1.5E0V`. */
export function parseValues(line: string, unit: 'V' | 'A', count: number): number[] | undefined {
  const parts = line.split(',').map((part) => part.trim())
  const pattern = new RegExp(`^${NUMBER}${unit}$`)
  if (parts.length !== count || !parts.every((part) => pattern.test(part))) return undefined
  return parts.map((part) => Number.parseFloat(part))
}

/** Words of at most 32 bits, one per channel: `152,0`. */
export function parseWords(line: string, count: number): number[] | undefined {
  const parts = line.split(',').map((part) => part.trim())
  if (parts.length !== count || !parts.every((part) => /^\d{1,10}$/.test(part))) return undefined
  const words = parts.map(Number)
  return words.every((word) => word <= 0xffffffff) ? words : undefined
}

export interface Identification {
  readonly maker: string
  readonly model: string
  readonly serial: string
  readonly firmware: string
}

/**
 * `iseg Spezialelektronik GmbH,NR040060r4050000200,8200001,1.74`. The maker begins with a letter: four voltages
 * are four fields too.
 */
export function parseIdentification(line: string): Identification | undefined {
  const [maker, model, serial, firmware, ...more] = line.split(',').map((part) => part.trim())
  if (maker === undefined || model === undefined || serial === undefined || firmware === undefined)
    return undefined
  return more.length > 0 || !/^[A-Za-z]/.test(maker) ? undefined : { maker, model, serial, firmware }
}

/** `*OPC?` answers 1 when what was sent before it is done. */
export function parseDone(line: string): true | undefined {
  return line === '1' ? true : undefined
}

/** `(@0,2)` */
export function channelList(numbers: readonly number[]): string {
  return `(@${numbers.join(',')})`
}
