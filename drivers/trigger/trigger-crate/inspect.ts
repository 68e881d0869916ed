/**
 * Reads the block of the trigger crate (docs/hardware/trigger-crate.md): trigger mask, time since start of
 * extraction, ticks busy, DATE event type.
 */
import { type PayloadView, restOf } from '../../../core/data-fault.ts'

export interface TriggerPayload {
  kind: 'trigger'
  mask: number
  /** ticks of 38.88 MHz since start of extraction */
  timeTicks: number
  busyTicks: number
  /** 7 physics, 8 calibration */
  eventType: number
  rest?: string[]
}

const WORDS = 4

/** Never throws; a block that is too short reads as zeros and says so. */
export function inspectTrigger(view: PayloadView): TriggerPayload {
  if (view.words !== WORDS) view.report('TRIGGER_BAD_SIZE', 0, { expected: WORDS, got: view.words })
  const isWhole = view.words >= WORDS
  const word = (index: number): number => (isWhole ? view.word(index) : 0)
  const payload: TriggerPayload = {
    kind: 'trigger',
    mask: word(0),
    timeTicks: word(1),
    busyTicks: word(2),
    eventType: word(3)
  }
  if (view.words > WORDS) payload.rest = restOf(view, WORDS)
  else if (!isWhole && view.words > 0) payload.rest = restOf(view, 0)
  return payload
}
