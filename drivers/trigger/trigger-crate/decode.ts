import { EventStatus } from '../../../core/block.ts'
import { DecodeFault, type Decoder } from '../../../core/decoder.ts'
import { slinkFormat, slinkWords } from '../../../core/slink.ts'

/** docs/hardware/trigger-crate.md: header, then mask, time, busy, event type */
const WORDS = 7
const SCALER_FORMAT = 0x30
const PHYSICS = 7
const CALIBRATION = 8

/** Trigger mask, time and event type of one event. A block that cannot be read leaves the event without them. */
export const decodeTrigger: Decoder = (block, row, sourceIndex) => {
  const at = row * block.shape.sources + sourceIndex
  const words = block.rawWords
  const from = block.fragmentOffset[at]! >>> 2
  const count = block.fragmentBytes[at]! >>> 2
  let faults = 0
  if (count < WORDS) faults = DecodeFault.size
  else if (slinkFormat(words[from + 2]!) !== SCALER_FORMAT) faults = DecodeFault.format
  if (faults !== 0) {
    block.eventStatus[row]! |= EventStatus.noTrigger
    return faults
  }
  if (count !== WORDS || slinkWords(words[from]!) !== count) faults |= DecodeFault.size
  block.triggerMask[row] = words[from + 3]!
  block.timeTicks[row] = words[from + 4]!
  const type = words[from + 6]!
  if (type === PHYSICS || type === CALIBRATION) block.eventType[row] = type
  else faults |= DecodeFault.format
  return faults
}
