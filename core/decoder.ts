import type { EventBlock } from './block.ts'

/**
 * Turns one fragment (a whole S-LINK block in the block's raw bytes) into columns of its event row: hits and
 * samples, or trigger mask and time. Appends hits at `header[hitCount]`; never throws, never allocates;
 * damage becomes status bits on hits and a number of faults.
 *
 * @param map index of the channel by address (meaning of the address is the format's own), NO_CHANNEL if none
 * @returns faults met; 0 is clean
 */
export type Decoder = (block: EventBlock, row: number, sourceIndex: number, map: Uint16Array) => number

/** Names of the data formats a source may have; `daq.ts` and replay hand the same table to the event stage. */
export type FormatName = 'msadc' | 'trigger'

/** Address of an MSADC channel in a map of 512: port (3 bits), adc (2), channel (4). */
export const msadcAddress = (port: number, adc: number, channel: number): number =>
  (port << 6) | (adc << 4) | channel
export const MSADC_MAP_LENGTH = 512
