import type { DataFaultCode, FaultPlace, PayloadView } from '../../../../core/data-fault.ts'

export interface Reported extends FaultPlace {
  code: DataFaultCode
  index: number
}

/** Payload words as an inspector sees them; faults are collected. Reading outside the payload fails the test. */
export function payload(
  words: readonly number[],
  options: { event?: number; format?: number; isDistrusted?: boolean } = {}
): { view: PayloadView; faults: Reported[]; codes: () => string[] } {
  const { event = 9, format = 0, isDistrusted = false } = options
  const faults: Reported[] = []
  const view: PayloadView = {
    ...{ source: 620, words: words.length, event, dateEvent: event, format, isDistrusted },
    word: (index) => {
      const word = words[index]
      if (word === undefined) throw new RangeError(`word ${index} of ${words.length}`)
      return word >>> 0
    },
    report: (code, index, place) => faults.push({ code, index, ...place })
  }
  return { view, faults, codes: () => faults.map(({ code }) => code) }
}
