/**
 * Faults of raw data, by name. Names that the collaboration's decoder (DaqDataDecoding 6.4) also uses mean the
 * same as there; those that it does not have are marked `ours`. Severity follows it: an event with a `severe`
 * fault is bad as a whole, `warning` loses data of a source, `minor` and `ok` lose nothing.
 */
export type Severity = 'ok' | 'minor' | 'warning' | 'severe'

interface FaultKind {
  readonly severity: Severity
  readonly text: string
  readonly ours?: true
}

export const DATA_FAULTS = {
  // file
  FILE_GARBAGE: { severity: 'warning', text: 'bytes that belong to no event', ours: true },
  FILE_TRUNCATED: { severity: 'warning', text: 'the file ends inside an event', ours: true },
  FRAME_DAMAGED: { severity: 'warning', text: 'a zstd frame cannot be decompressed', ours: true },
  FRAME_TRUNCATED: { severity: 'warning', text: 'the file ends inside a zstd frame', ours: true },
  FRAME_GARBAGE: { severity: 'warning', text: 'bytes between zstd frames', ours: true },
  // event
  EVENT_BAD_MAGIC: { severity: 'severe', text: 'magic word of the event is wrong', ours: true },
  EVENT_BAD_SIZE: { severity: 'severe', text: 'size of the event is wrong', ours: true },
  EVENT_BAD_HEADER: { severity: 'severe', text: 'header length of the event is wrong', ours: true },
  EVENT_HEADER_LOST: {
    severity: 'severe',
    text: 'the event lost its outer header; read from its sub-events',
    ours: true
  },
  EVENT_TRUNCATED: { severity: 'severe', text: 'the event is cut off', ours: true },
  EVENT_SWAPPED: { severity: 'severe', text: 'byte-swapped event: not unpacked', ours: true },
  EVENT_UNKNOWN: { severity: 'severe', text: 'event type is not known: not unpacked' },
  EVENT_CORRUPTED0: { severity: 'severe', text: 'a part reaches beyond what contains it' },
  EVENT_CORRUPTED1: { severity: 'severe', text: 'equipment size is too small or no multiple of 4' },
  EVENT_CORRUPTED2: { severity: 'severe', text: 'equipment size and S-LINK size disagree' },
  EVENT_SUBEVENT_HEADER_DIFF: { severity: 'severe', text: 'sub-event header disagrees with the event' },
  SUBEVENT_NESTED: { severity: 'warning', text: 'sub-event inside a sub-event', ours: true },
  EVENT_MISSING_SRCID: { severity: 'warning', text: 'an expected source is not in the event' },
  EVENT_UNKNOWN_SRCID: { severity: 'warning', text: 'a source that is not expected' },
  SOURCE_TWICE: { severity: 'warning', text: 'a source sent twice', ours: true },
  EQUIPMENT_SKIPPED: {
    severity: 'warning',
    text: 'equipment too short for an S-LINK header: skipped',
    ours: true
  },
  // S-LINK
  SLINK_WRONG_EVENT_NUMBER: { severity: 'severe', text: 'S-LINK event number is not that of the event' },
  SLINK_WRONG_SPILL: {
    severity: 'warning',
    text: 'S-LINK spill number is not that of the event',
    ours: true
  },
  SLINK_BAD_SIZE: { severity: 'warning', text: 'S-LINK size smaller than its header', ours: true },
  SLINK_ERRFLAG: { severity: 'minor', text: 'S-LINK error flag is set' },
  SLINK_ERRNR: { severity: 'minor', text: 'S-LINK error-word count is not 0' },
  SLINK_FIRST_OF_RUN: { severity: 'ok', text: 'first event of the run: configuration, no data', ours: true },
  SLINK_UNSUPPORTED: { severity: 'warning', text: 'no reader for this data format: words kept', ours: true },
  SLINKM_BAD_SIZE: {
    severity: 'warning',
    text: 'block sizes inside a multiplexer do not add up: all dropped'
  },
  TCS_FIFO: { severity: 'warning', text: 'trigger control system: FIFO full' },
  TCS_ECC: { severity: 'ok', text: 'trigger control system: checksum bit is not good' },
  TCS_SYNC: { severity: 'warning', text: 'trigger control system: synchronisation lost' },
  TCS_UNDEF: { severity: 'minor', text: 'trigger control system: undefined error bit' },
  // MSADC
  SADC_MODULE_MISSING: { severity: 'warning', text: 'the module does not answer' },
  SADC_BAD_H_ADC: { severity: 'warning', text: 'not an ADC header: rest of the source lost' },
  SADC_H_ADC_BAD_SIZE: { severity: 'warning', text: 'block size is 0 or too large: rest of the source lost' },
  SADC_WRONG_EVENT: { severity: 'warning', text: 'event number of the module: rest of the source lost' },
  SADC_H_ADC_ERROR: { severity: 'minor', text: 'the module set its error bit' },
  SADC_MODULE_TWICE: { severity: 'warning', text: 'the same module twice in one source', ours: true },
  SADC_BAD_DATA_HEADER: { severity: 'warning', text: 'not a channel header: rest of the module lost' },
  SADC_DATA_OUTSIDE: {
    severity: 'warning',
    text: 'sample count is 0 or beyond the block: rest of the module lost'
  },
  SADC_BAD_DATA: { severity: 'warning', text: 'not a sample word: the channel keeps the samples before it' },
  SADC_BAD_N_SAMPLES: { severity: 'warning', text: 'fewer samples than announced' },
  SADC_BAD_CHAN_N: { severity: 'minor', text: 'channel numbers do not rise' },
  // APV
  APV_ADC_OUT: { severity: 'warning', text: 'ADC block reaches beyond the source: hits of the source lost' },
  APV_APV_OUT: { severity: 'warning', text: 'APV block reaches beyond its ADC: hits of the source lost' },
  APV_H_WR_EV: { severity: 'warning', text: 'event number of the APV: rest of the source lost' },
  APV_H_S_E: { severity: 'warning', text: 'a frame of the APV is not good: hit lost' },
  APV_LOCAL_TIMETAG_FAILED: { severity: 'warning', text: 'time tags differ inside the source' },
  APV_LAST_TRIGGER_TICKS_FAILED: { severity: 'warning', text: 'time tags differ inside the event' },
  APV_MISS_ADC: {
    severity: 'warning',
    text: 'an ADC that the source has elsewhere in the file is not there'
  },
  APV_SINGLE_FRAME: { severity: 'warning', text: 'single-frame readout: words kept', ours: true },
  APV_DATA_SKIPPED: { severity: 'warning', text: 'too much data: the ADC sent headers only', ours: true },
  APV_BAD_ADDRESS: { severity: 'minor', text: 'Gray address outside columns 0..191', ours: true },
  APV_BAD_COMMON_MODE: { severity: 'minor', text: 'not a common-mode word', ours: true },
  // F1
  TDC_ERR1: { severity: 'warning', text: 'front end: data without header' },
  TDC_ERR2: { severity: 'warning', text: 'front end: time-out, no words' },
  TDC_ERR3: { severity: 'warning', text: 'front end: smaller event number' },
  TDC_ERR4: { severity: 'warning', text: 'CATCH: no mezzanine card' },
  TDC_ERR5: { severity: 'minor', text: 'front end: time-out, no trailer or too many data' },
  TDC_ERR6: { severity: 'warning', text: 'link: FIFO full, port off until the end of the spill' },
  TDC_ERR7: { severity: 'warning', text: 'front end: larger event number' },
  TDC_UNDEF8: { severity: 'minor', text: 'CATCH: undefined error 8' },
  TDC_UNDEF9: { severity: 'minor', text: 'CATCH: undefined error 9' },
  TDC_ERR10: { severity: 'warning', text: 'link: transmission error' },
  TDC_UNDEF11: { severity: 'warning', text: 'CATCH: undefined error 11' },
  TDC_ERR12: { severity: 'warning', text: 'CATCH: event data were skipped' },
  TDC_UNDEF13: { severity: 'minor', text: 'CATCH: undefined error 13' },
  TDC_UNDEF14: { severity: 'minor', text: 'CATCH: undefined error 14' },
  TDC_UNDEF15: { severity: 'minor', text: 'CATCH: undefined error 15' },
  TDC_SERR1: { severity: 'warning', text: 'front end: trigger buffer overflow' },
  TDC_SERR2: { severity: 'warning', text: 'link: FIFO of the mezzanine card full' },
  TDC_SERR3: { severity: 'warning', text: 'link: transmission error in bits 23..0' },
  TDC_WRGEOID: { severity: 'warning', text: 'wrong geographical id' },
  TDC_WRPORT_T: { severity: 'warning', text: 'trailer of another port than the header' },
  TDC_WRPORT: { severity: 'warning', text: 'data of another port than the header: hit lost' },
  TDC_WRPLL_H: { severity: 'warning', text: 'PLL bits of a header are not all set' },
  TDC_WRPLL: { severity: 'warning', text: 'PLL bits of a data word are not all set: hit lost' },
  TDC_TBO: { severity: 'warning', text: 'trigger buffer overflow' },
  TDC_ERR3U: { severity: 'warning', text: 'smaller event number: hits of the port lost' },
  TDC_ERR7U: { severity: 'warning', text: 'larger event number: hits of the port lost' },
  TDC_WRERR: { severity: 'minor', text: 'error word about an event number that is right' },
  TDC_ERR1U: { severity: 'minor', text: 'data without a header' },
  TDC_WRTIME: { severity: 'warning', text: 'trigger times of the ports differ' },
  TDC_NO_TRAILER: { severity: 'warning', text: 'a port without its trailer', ours: true },
  // trigger crate
  TRIGGER_BAD_SIZE: { severity: 'warning', text: 'trigger block without its four words', ours: true }
} as const satisfies Record<string, FaultKind>
export type DataFaultCode = keyof typeof DATA_FAULTS

/** Where inside a source, and what was met. */
export interface FaultPlace {
  readonly source?: number
  readonly port?: number
  /** id of the ADC (module, APV ADC) */
  readonly adc?: number
  readonly chip?: number
  readonly channel?: number
  readonly geoId?: number
  readonly expected?: number
  readonly got?: number
  /** event number of the event header (the reference decoder's SL_EVENT_N) */
  readonly dateEvent?: number
}

export interface DataFault extends FaultPlace {
  readonly code: DataFaultCode
  readonly severity: Severity
  /** bytes from the start of the (decompressed) file */
  readonly offset: number
  /** bytes concerned, where that says something */
  readonly bytes?: number
  readonly text: string
}

/** The payload of one S-LINK block, as its inspector sees it. */
export interface PayloadView {
  readonly source: number
  /** words of payload, S-LINK header not counted */
  readonly words: number
  /** word `index` of the payload; `index` < `words` is the caller's duty */
  word(index: number): number
  /** event number of the S-LINK header, 20 bits */
  readonly event: number
  /** event number in the spill of the event header */
  readonly dateEvent: number
  /** format byte of the S-LINK header */
  readonly format: number
  /** the trigger control system says that the source lost data or step (FIFO or SYNC bit) */
  readonly isDistrusted: boolean
  /** `index` of the payload word that the fault is about */
  report(code: DataFaultCode, index: number, place?: FaultPlace): void
}

/** Payload words from `from` on as hexadecimal: what could not be understood is kept, not dropped. */
export function restOf(view: PayloadView, from: number, to = view.words): string[] {
  const rest: string[] = []
  for (let i = from; i < to; i++) rest.push(view.word(i).toString(16).padStart(8, '0'))
  return rest
}
