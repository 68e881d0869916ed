import type { TriggerConfig } from '../../config/schema.ts'
import type { TriggerSettings } from '../../drivers/trigger/contract/trigger-crate.ts'

/** The trigger menu as the crate's registers want it: counters and lines by number, names as bit masks. */
export function triggerSettings(trigger: TriggerConfig): TriggerSettings {
  const numberOf = new Map(trigger.counters.map((counter) => [counter.name, counter.number]))
  const mask = (names: readonly string[]): number =>
    names.reduce((bits, name) => bits | (1 << (numberOf.get(name) ?? 0)), 0)
  const thresholdOf = new Map(trigger.counters.map((counter) => [counter.number, counter.thresholdCounts]))
  const counters = Math.max(-1, ...thresholdOf.keys()) + 1
  return {
    thresholds: Array.from({ length: counters }, (_, number) => thresholdOf.get(number) ?? 0),
    lines: trigger.lines.map((line) => ({
      line: line.line,
      require: mask(line.require),
      veto: mask(line.veto),
      prescale: line.prescale,
      randomRateHz: line.randomRateHz
    })),
    deadTimeNs: trigger.deadTimeNs
  }
}
