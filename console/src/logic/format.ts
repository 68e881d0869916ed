/** Numbers for people: fixed width where they change, units stated once by the caller. */

/** Between thousands: narrow, and it does not break the line. */
const NARROW = '\u202f'
const SUPERSCRIPTS = '⁰¹²³⁴⁵⁶⁷⁸⁹'
/** What is shown where there is no value. */
export const NONE = '–'

/** Counts below this are written out. */
const WRITTEN_OUT_MAX = 1e6

/** 12 345; from a million on 1.234 × 10⁶. */
export function countText(count: number | null): string {
  if (count === null || !Number.isFinite(count)) return NONE
  if (Math.abs(count) < WRITTEN_OUT_MAX) return grouped(Math.round(count))
  return scientific(count, 3)
}

function grouped(integer: number): string {
  return String(integer).replace(/\B(?=(\d{3})+$)/g, NARROW)
}

/** 0.9823 as 98.2 %. */
export function percentText(fraction: number | null): string {
  return fraction === null || !Number.isFinite(fraction) ? NONE : `${(fraction * 100).toFixed(1)} %`
}

/** A measured value: words as they are, bits as on and off, numbers with about four significant digits. */
export function valueText(value: number | string | boolean | null): string {
  if (value === null) return NONE
  if (typeof value === 'string') return value
  if (typeof value === 'boolean') return value ? 'on' : 'off'
  if (Number.isInteger(value) && Math.abs(value) < WRITTEN_OUT_MAX) return grouped(value)
  const size = Math.abs(value)
  if (size >= WRITTEN_OUT_MAX || (size < 1e-3 && size > 0))
    return Number.isFinite(value) ? scientific(value, 2) : NONE
  const decimals = size >= 100 ? 1 : size >= 10 ? 2 : size >= 1 ? 3 : 4
  return value.toFixed(decimals)
}

function scientific(value: number, decimals: number): string {
  const [mantissa = '', exponent = ''] = value.toExponential(decimals).split('e')
  const power = Array.from(exponent.replace('+', ''), (d) =>
    d === '-' ? '⁻' : SUPERSCRIPTS[Number(d)]
  ).join('')
  return `${mantissa} × 10${power}`
}

/** A unit as people write it: uA is µA, degC is °C, 1e11 is × 10¹¹. */
export function unitText(unit: string): string {
  const power = /^1e(\d+)$/.exec(unit)?.[1]
  if (power !== undefined) return `× 10${Array.from(power, (d) => SUPERSCRIPTS[Number(d)]).join('')}`
  return unit.replace(/^degC$/, '°C').replace(/^u(?=[A-Za-z])/, 'µ')
}

/** 1 spill, 2 spills */
export function plural(count: number, word: string): string {
  return `${grouped(count)} ${word}${count === 1 ? '' : 's'}`
}
