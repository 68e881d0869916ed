/**
 * Headers of DATE events, both forms, as in test/golden/date/README.md 2.1. All words little-endian.
 *
 *     3.6 (word at byte 12 >= 0xffff)                    old (below)
 *     size magic headLen version type run                size magic type headLen run spill
 *     eventInRun  spill << 20 | eventInSpill             eventInRun eventInSpill triggerNumber file
 *     trigger << 1, trigger >> 31  detectors             detectors[3] time usec error deadTime[2]
 *     attributes[3]  ldc gdc  time                       attributes[2]  (word 1: trigger)
 */
export const DATE_MAGIC = 0xda1e5afe
export const DATE_VERSION = 0x00030006
export const HEADER_BYTES = 68
export const OLD_HEADER_BYTES = 80
export const EQUIPMENT_BYTES = 28
export const OLD_EQUIPMENT_BYTES = 12
/** version words below this mean the old form */
const FIRST_VERSION = 0xffff
/** a header that claims more than this is damaged */
const HEADER_BYTES_MAX = 256
/** attribute bit 68: the body is sub-events */
export const SUPER_EVENT_BIT = 0x10
export const VOID_ID = 0xffffffff
const OLD_SUPER_EVENT_BIT = 0x80000000
const SWAPPED_BIT = 0x00020000

export const DateType = {
  startOfRun: 1,
  endOfRun: 2,
  startOfRunFiles: 3,
  endOfRunFiles: 4,
  startOfSpill: 5,
  endOfSpill: 6,
  physics: 7,
  calibration: 8,
  endOfLink: 9,
  formatError: 10
} as const
const LAST_TYPE = 10

export interface DateHeader {
  readonly isOld: boolean
  readonly hasMagic: boolean
  /** header length and form make sense; the rest may still lie */
  readonly isPlausible: boolean
  readonly size: number
  /** where the body starts; a plausible value also when the header is damaged */
  readonly headLen: number
  readonly version: number
  readonly type: number
  readonly isSwapped: boolean
  readonly run: number
  readonly spill: number
  readonly eventInRun: number
  readonly eventInSpill: number
  readonly trigger: number
  readonly time: number
  /** attribute words without the super-event bit */
  readonly attr: readonly number[]
  readonly ldc: number
  /** the body is sub-events */
  readonly isSuper: boolean
}

const isHeadLen = (bytes: number, least: number): boolean =>
  bytes >= least && bytes <= HEADER_BYTES_MAX && bytes % 4 === 0

/** The header at `at`, whatever its magic word; undefined when fewer bytes than a header are left. */
export function readDateHeader(view: DataView, at: number): DateHeader | undefined {
  if (at < 0 || at + HEADER_BYTES > view.byteLength) return undefined
  const word = (index: number): number => view.getUint32(at + 4 * index, true)
  // of an old header word 3 is its length; a 3.6 header with a damaged version still has its length in word 2
  const isOld = word(3) < FIRST_VERSION && (isHeadLen(word(3), OLD_HEADER_BYTES) || !isHeadLen(word(2), 68))
  if (isOld && at + OLD_HEADER_BYTES > view.byteLength) return undefined
  const hasMagic = word(1) === DATE_MAGIC
  const size = word(0)
  if (isOld) {
    const isPlausible = isHeadLen(word(3), OLD_HEADER_BYTES)
    return {
      ...{ isOld, hasMagic, isPlausible, size, version: 0 },
      headLen: isPlausible ? word(3) : OLD_HEADER_BYTES,
      type: word(2) & 0xffff,
      isSwapped: (word(2) & SWAPPED_BIT) !== 0,
      ...{ run: word(4), spill: word(5), eventInRun: word(6), eventInSpill: word(7) },
      ...{ trigger: word(19), time: word(13), attr: [word(18), word(19)] },
      ldc: (word(10) & ~OLD_SUPER_EVENT_BIT) >>> 0,
      isSuper: ((word(10) | word(12)) & OLD_SUPER_EVENT_BIT) !== 0
    }
  }
  const isPlausible = isHeadLen(word(2), HEADER_BYTES) && word(3) >= FIRST_VERSION
  return {
    ...{ isOld, hasMagic, isPlausible, size, version: word(3) },
    headLen: isHeadLen(word(2), HEADER_BYTES) ? word(2) : HEADER_BYTES,
    type: word(4) & 0xffff,
    isSwapped: (word(4) & SWAPPED_BIT) !== 0,
    ...{ run: word(5), spill: word(7) >>> 20, eventInRun: word(6), eventInSpill: word(7) & 0xfffff },
    trigger: ((word(8) >>> 1) | (word(9) << 31)) >>> 0,
    time: word(16),
    attr: [word(11), word(12), (word(13) & ~SUPER_EVENT_BIT) >>> 0],
    ldc: word(14),
    isSuper: (word(13) & SUPER_EVENT_BIT) !== 0
  }
}

/** Sub-events repeat these; type, trigger, time, attributes and ids are not compared. */
export function isSameEvent(a: DateHeader, b: DateHeader): boolean {
  return (
    a.isOld === b.isOld &&
    a.version === b.version &&
    a.run === b.run &&
    a.spill === b.spill &&
    a.eventInRun === b.eventInRun &&
    a.eventInSpill === b.eventInSpill
  )
}

export const isSizeGood = (header: DateHeader): boolean =>
  header.size >= header.headLen && header.size % 4 === 0

/** Types whose body is read: end of spill, physics, calibration. */
export const hasData = (type: number): boolean => type >= DateType.endOfSpill && type <= DateType.calibration

/** Types whose body is a file of the run, not equipments. */
export const isRunFile = (type: number): boolean =>
  type === DateType.startOfRunFiles || type === DateType.endOfRunFiles

export const isKnownType = (type: number): boolean => type >= 1 && type <= LAST_TYPE

/** A whole header with magic word and sensible length starts at `at`. */
export function isHeaderAt(view: DataView, at: number): boolean {
  const header = readDateHeader(view, at)
  return header !== undefined && header.hasMagic && header.isPlausible
}
