/**
 * The S-LINK block header: three words, two for a multiplexer (source ids 896..1023).
 * Layout as in docs/hardware/slink-bridge.md; bits of a word counted from 0.
 */
export const SLINK_HEADER_BYTES = 12
export const MULTIPLEXER_HEADER_BYTES = 8
/** the first source id that is a multiplexer */
export const FIRST_MULTIPLEXER = 896
/** the one value of the TCS error byte that means good */
export const TCS_GOOD = 0x08

export const slinkWords = (word0: number): number => word0 & 0xffff
export const slinkSource = (word0: number): number => (word0 >>> 16) & 0x3ff
export const slinkEventType = (word0: number): number => (word0 >>> 26) & 0x1f
export const slinkErrorFlag = (word0: number): number => word0 >>> 31
export const slinkEvent = (word1: number): number => word1 & 0xfffff
export const slinkSpill = (word1: number): number => (word1 >>> 20) & 0x7ff
export const slinkStat = (word1: number): number => word1 >>> 31
export const slinkStatus = (word2: number): number => word2 & 0xff
export const slinkTcsError = (word2: number): number => (word2 >>> 8) & 0xff
export const slinkErrorWords = (word2: number): number => (word2 >>> 16) & 0xff
export const slinkFormat = (word2: number): number => word2 >>> 24
export const isMultiplexer = (source: number): boolean => source >= FIRST_MULTIPLEXER
