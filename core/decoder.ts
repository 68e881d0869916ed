import type { EventBlock } from './block.ts'

/**
 * Turns one fragment (a whole S-LINK block in the block's raw bytes) into columns of its event row: hits and
 * samples, or trigger mask and time. Appends hits at `header[hitCount]`; never throws, never allocates;
 * damage becomes status bits on hits and bits of DecodeFault.
 *
 * @param map index of the channel by address (meaning of the address is the format's own), NO_CHANNEL if none
 * @returns bits of DecodeFault; 0 is clean
 */
export type Decoder = (block: EventBlock, row: number, sourceIndex: number, map: Uint16Array) => number

/** Names of the data formats a source may have; `daq.ts` and replay hand the same table to the event stage. */
export type FormatName = 'msadc' | 'trigger'

/** Address of an MSADC channel in a map of 512: port (3 bits), adc (2), channel (4). */
export const msadcAddress = (port: number, adc: number, channel: number): number =>
  (port << 6) | (adc << 4) | channel
export const MSADC_MAP_LENGTH = 512

/** What a decoder met in one fragment: bits of the column fragmentFaults. */
export const DecodeFault = {
  /** shorter than its headers, or a size that disagrees */
  size: 1 << 0,
  /** a header with a key that does not exist: the rest of the source is lost */
  key: 1 << 1,
  /** a block of size 0, or larger than what is left: the rest of the source is lost */
  blockSize: 1 << 2,
  /** the multiplexing card reports a module that does not answer */
  moduleMissing: 1 << 3,
  /** the event number of the module is not that of the S-LINK block */
  wrongEvent: 1 << 4,
  /** the module set its error bit */
  moduleError: 1 << 5,
  /** not a channel header where one must be, or one with 0 samples: the rest of the module is lost */
  channelHeader: 1 << 6,
  /** not a sample word where one must be: the channel keeps the samples before it */
  sampleWord: 1 << 7,
  /** channels do not rise */
  channelOrder: 1 << 8,
  /** the same module twice */
  moduleTwice: 1 << 9,
  /** another data format than configured */
  format: 1 << 10,
  /** another number of samples than configured */
  sampleCount: 1 << 11,
  /** more hits or samples than the block has for one event */
  overflow: 1 << 12
} as const

/** Names of the faults in `bits`, for people and counters. */
export function decodeFaultNames(bits: number): string[] {
  return Object.entries(DecodeFault)
    .filter(([, bit]) => (bits & bit) !== 0)
    .map(([name]) => name)
}
