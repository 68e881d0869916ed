import { BlockHeader, type EventBlock, EventStatus, HitStatus, NO_CHANNEL } from '../../../core/block.ts'
import { DecodeFault, type Decoder, msadcAddress } from '../../../core/decoder.ts'
import { SLINK_HEADER_BYTES, slinkEvent, slinkFormat, slinkWords } from '../../../core/slink.ts'

/*
 * MSADC data format 3, docs/hardware/msadc.md. Stricter than the collaboration's decoder, and it keeps more:
 *
 *   block size 0, too large, or a key that does not exist   rest of the source lost: nothing says where to go on
 *   wrong event number, error bit                           hits flagged, the next module goes on
 *   module missing (key 00, size 1)                         fault, the next module goes on
 *   bad channel header, 0 samples                           rest of the module lost
 *   bad sample word, more samples announced than there are  channel flagged and kept as far as it goes; then on
 *                                                           at its announced end, or at the header met instead
 */
const HEADER_WORDS = SLINK_HEADER_BYTES / 4
const KEY_MISSING = 0b00
const KEY_MODULE = 0b11
const ID_CHANNEL = 0b01
const ID_SAMPLE_FIRST = 0b01
const ID_SAMPLE = 0b10
/** in the format byte: configuration at the start of a run, no data */
const FIRST_OF_RUN = 0x80

const keyOf = (word: number): number => word >>> 30
/** [31:30] = 01 and [25] = 0 */
const isChannelHeader = (word: number): boolean => keyOf(word) === ID_CHANNEL && (word & 0x0200_0000) === 0

export const decodeMsadc: Decoder = (block, row, sourceIndex, map) => {
  const at = row * block.shape.sources + sourceIndex
  const words = block.rawWords
  const from = block.fragmentOffset[at]! >>> 2
  const count = block.fragmentBytes[at]! >>> 2
  if (count < HEADER_WORDS) return DecodeFault.size
  let faults = slinkWords(words[from]!) === count ? 0 : DecodeFault.size
  if ((slinkFormat(words[from + 2]!) & FIRST_OF_RUN) !== 0) return faults
  const event = slinkEvent(words[from + 1]!) & 0xfff
  const end = from + count
  /** one bit per (port, adc) */
  let modulesSeen = 0

  let position = from + HEADER_WORDS
  while (position < end) {
    const header = words[position]!
    const size = (header >>> 12) & 0xfff
    const key = keyOf(header)
    if (key !== KEY_MODULE) {
      if (key !== KEY_MISSING || size !== 1) return faults | DecodeFault.key
      faults |= DecodeFault.moduleMissing
      position++
      continue
    }
    if (size === 0 || position + size > end) return faults | DecodeFault.blockSize
    const port = (header >>> 27) & 7
    const adc = (header >>> 25) & 3
    let moduleStatus = 0
    if ((header & 0xfff) !== event) {
      faults |= DecodeFault.wrongEvent
      moduleStatus |= HitStatus.wrongEvent
    }
    if ((header & 0x0100_0000) !== 0) {
      faults |= DecodeFault.moduleError
      moduleStatus |= HitStatus.moduleError
    }
    const moduleBit = 1 << ((port << 2) | adc)
    if ((modulesSeen & moduleBit) !== 0) {
      faults |= DecodeFault.moduleTwice
      moduleStatus |= HitStatus.channelOrder
    }
    modulesSeen |= moduleBit
    faults |= decodeModule(block, row, map, position + 1, position + size, port, adc, moduleStatus)
    if ((faults & DecodeFault.overflow) !== 0) return faults
    position += size
  }
  return faults
}

/** Channels between `position` and `end` (words). */
function decodeModule(
  block: EventBlock,
  row: number,
  map: Uint16Array,
  position: number,
  end: number,
  port: number,
  adc: number,
  moduleStatus: number
): number {
  const words = block.rawWords
  const samples = block.samples
  const { header, shape } = block
  const hitsPerEvent = shape.hits / shape.events
  const samplesPerEvent = shape.samples / shape.events
  const firstHit = block.hitBegin[row]!
  let faults = 0
  let lastChannel = -1
  while (position < end) {
    const channelHeader = words[position]!
    const announced = (channelHeader >>> 16) & 0x1ff
    if (!isChannelHeader(channelHeader) || announced === 0) return faults | DecodeFault.channelHeader
    const channel = (channelHeader >>> 26) & 15
    const first = position + 1
    const announcedEnd = first + ((announced + 1) >>> 1)

    const limit = announcedEnd < end ? announcedEnd : end
    const available = Math.min(announced, (limit - first) * 2)

    const hit = header[BlockHeader.hitCount]!
    const sampleBegin = header[BlockHeader.sampleCount]!
    const firstSample = firstHit < hit ? block.sampleBegin[firstHit]! : sampleBegin
    const room = samplesPerEvent - (sampleBegin - firstSample)
    if (hit - firstHit >= hitsPerEvent || ((available + 7) & ~7) > room) {
      header[BlockHeader.overflow]!++
      block.eventStatus[row]! |= EventStatus.overflow
      return faults | DecodeFault.overflow
    }

    // samples, up to the first word that is none
    let word = first
    let sample = sampleBegin
    let id = ID_SAMPLE_FIRST
    while (word < limit) {
      const pair = words[word]!
      if (pair >>> 30 !== id) break
      samples[sample] = pair & 0xfff
      samples[sample + 1] = (pair >>> 12) & 0xfff
      sample += 2
      word++
      id = ID_SAMPLE
    }
    let status = moduleStatus
    let kept = (word - first) * 2
    if (word < announcedEnd) {
      faults |= DecodeFault.sampleWord
      status |= HitStatus.truncated
    } else kept = announced
    // the unused half of the last word, and the rest of the last eight
    sample = sampleBegin + kept
    const sampleEnd = sampleBegin + ((kept + 7) & ~7)
    while (sample < sampleEnd) samples[sample++] = 0

    if (channel <= lastChannel) {
      faults |= DecodeFault.channelOrder
      status |= HitStatus.channelOrder
    }
    lastChannel = channel
    const index = map[msadcAddress(port, adc, channel)]!
    if (index === NO_CHANNEL) status |= HitStatus.unmapped
    block.hitChannel[hit] = index
    block.hitEvent[hit] = row
    block.hitStatus[hit] = status
    block.sampleBegin[hit] = sampleBegin
    block.sampleCount[hit] = kept
    header[BlockHeader.hitCount] = hit + 1
    header[BlockHeader.sampleCount] = sampleEnd

    if (word === announcedEnd) position = announcedEnd
    else if (announcedEnd === end || (announcedEnd < end && isChannelHeader(words[announcedEnd]!)))
      position = announcedEnd
    else if (word < end && isChannelHeader(words[word]!)) position = word
    else return faults | (word < end ? DecodeFault.channelHeader : 0)
  }
  return faults
}
