/** What a digitiser's data stream hands to the event builder. Data plane: synchronous, never throws. */

/** Why bytes of a stream were not usable; each is counted per source, never only logged. */
export const STREAM_FAULTS = [
  /** bytes between frames that are no frame (counted in bytes) */
  'garbage',
  /** a frame whose checksum does not agree */
  'checksum',
  /** a frame that announces more than the bound, or less than a header */
  'length',
  /** frames missing by the connection's sequence number (counted in frames) */
  'sequence-gap',
  /** a frame of a version or kind that is not known */
  'unknown-frame',
  /** an S-LINK block whose size word disagrees with its length */
  'slink-size',
  /** an S-LINK block of a source that this device does not announce */
  'unknown-source',
  /** the connection was lost and made again inside a spill */
  'reconnected',
  /** a frame whose sequence number was there already; its data go to the sink, its control records do not */
  'repeated-frame'
] as const
export type StreamFault = (typeof STREAM_FAULTS)[number]

/** Status bits of one fragment, as the stream saw it. 0 is good. */
export const FragmentStatus = {
  /** S-LINK error flag (word 0 bit 31) */
  slinkError: 1 << 0,
  /** error-word count of the S-LINK header is not 0 */
  errorWords: 1 << 1,
  /** TCS error byte is not the good value 0x08 */
  tcsError: 1 << 2,
  /** frames were missing just before this one */
  afterGap: 1 << 3,
  /** first event of the run: configuration instead of data (format bit 7) */
  firstOfRun: 1 << 4
} as const

/** The source's own account of a spill: the `sent` of the ledger. */
export interface EndOfSpillRecord {
  readonly source: number
  readonly spill: number
  readonly eventsSent: number
  readonly wordsSent: number
  readonly busyNs: number
}

/**
 * Takes what one or several sources send. Calls come in the order of the wire, from one thread.
 * `bytes` is one whole S-LINK block, header included; it is only valid during the call.
 */
export interface FragmentSink {
  startOfSpill(source: number, spill: number, cycle: number): void
  fragment(source: number, spill: number, event: number, bytes: Uint8Array, status: number): void
  /** An S-LINK block that belongs to the source but cannot be used at all (`slink-size`, ...). */
  corrupt(source: number, fault: StreamFault, bytes: number): void
  endOfSpill(record: EndOfSpillRecord): void
  /** Damage of the stream that is not tied to one block: `count` bytes or frames. */
  fault(source: number, fault: StreamFault, count: number): void
  /** the connection that carries this source is open (true) or lost (false) */
  connection(source: number, isOpen: boolean): void
}
