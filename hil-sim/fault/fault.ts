import { z } from 'zod'

/** Faults inside the data of a digitiser. */
export const ADC_FAULTS = [
  /** ADC header of the first module carries the next event's number */
  'wrong-event',
  /** block size of the first module is larger than the data */
  'block-size',
  /** block size of the first module is 0 */
  'zero-block-size',
  /** the first module is reported missing: key 00, size 1 */
  'module-missing'
] as const

/** Faults of one fragment on the wire of a data source (S-LINK device), from event `at.event` on. */
export const EVENT_FAULTS = [
  ...ADC_FAULTS,
  /** the fragment is never sent; the connection's sequence shows no gap */
  'drop-fragment',
  /** the fragment's frame is lost on the way: the sequence shows a gap */
  'lost-frame',
  /** the same frame payload twice */
  'duplicate-fragment',
  /** sent after `with.after` (5) later fragments, or at the end of the spill */
  'late-fragment',
  /** S-LINK header with the next spill's number */
  'wrong-spill',
  /** a second block of this source for the same event, without data */
  'source-twice',
  /** S-LINK header with the number of another event: `with.by` (1) more */
  'slink-event',
  /** S-LINK header with a source id that the bridge does not have */
  'wrong-source',
  /** S-LINK size word larger than the block by 2 */
  'slink-size',
  /** TCS error byte 0x49 instead of the good value */
  'tcs-error',
  /** bytes that are no frame before the fragment's frame */
  'garbage',
  /** checksum of the frame wrong by one bit */
  'bad-checksum',
  /** the frame announces 100,000 bytes more than it has */
  'bad-length',
  /** header and one trailer word instead of data; the source's later fragments of the spill are lost (field failure of 2025) */
  'empty-with-trailer',
  /** the bridge closes the connection and refuses new ones until `count` extractions have ended (0: at once) */
  'hang-up'
] as const

/** Faults of a data source for a whole spill. */
export const SPILL_FAULTS = [
  /** connected, but nothing is sent, heartbeats included */
  'silent',
  /** the start-of-spill frame is not sent */
  'no-start-of-spill',
  /** the end-of-spill frame is not sent */
  'no-end-of-spill',
  /** the source counts spills wrongly: its frames and blocks carry a number that is `with.by` (1) too large */
  'spill-miscounted',
  /** the event counter was not reset at the start of the spill: event numbers begin behind `with.from` (1000) */
  'counter-not-reset'
] as const

/**
 * Faults of the control face, from a start of spill (`at.spill` 0: from now) to the next warning of extraction;
 * `register-stuck`: the register at `with.address` takes no value any more, for good.
 */
export const REGISTER_FAULTS = ['register-silent', 'register-refuse', 'register-stuck'] as const

/** Faults of the accelerator; one use per cycle. */
export const MACHINE_FAULTS = [
  'lost-wwe',
  'missing-eoe',
  /** a second SOE 20 ms after the first */
  'doubled-soe',
  'spill-without-beam',
  /** cycles of `with.lengthMs` (1.5 times the usual) */
  'cycle-length'
] as const

/**
 * One thing that goes wrong. It strikes at the first opportunity at or after `at` in a run (spill 0: at the
 * first opportunity whatever the spill), then `count` times, and is used up.
 */
export const faultSchema = z.strictObject({
  /** id of a device, or kind and index in the order of the configuration (`slink-msadc:0`); absent: the machine */
  device: z
    .string()
    .regex(/^[a-z][a-z0-9-]*(:\d+)?$/, 'a device id, or kind:index')
    .optional(),
  kind: z.string().regex(/^[a-z][a-z0-9-]*$/, 'lower case with -'),
  at: z.strictObject({
    /** number of the spill in the run */
    spill: z.number().int().nonnegative(),
    /** number of the event in the spill */
    event: z.number().int().min(1).default(1)
  }),
  /** events, spills or cycles, by kind */
  count: z.number().int().nonnegative().default(1),
  /** parameters of the kind */
  with: z.record(z.string(), z.union([z.number(), z.string(), z.boolean()])).default({})
})
export type Fault = z.infer<typeof faultSchema>
/** a fault as somebody writes it, defaults left out */
export type FaultInput = z.input<typeof faultSchema>

const DURATION_KINDS: readonly string[] = ['hang-up']

/** Faults that wait for their moment. */
export class FaultBook {
  #waiting: { fault: Fault; left: number }[] = []

  add(fault: Fault): void {
    // the count of a hang-up is how long it lasts, not how often it strikes
    const left = DURATION_KINDS.includes(fault.kind) ? 1 : Math.max(1, fault.count)
    this.#waiting.push({ fault, left })
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0
  }

  /** Uses the first fault of one of `kinds` that is due, once. */
  take(kinds: readonly string[], spill: number, event = Number.POSITIVE_INFINITY): Fault | undefined {
    const index = this.#waiting.findIndex(
      ({ fault }) => kinds.includes(fault.kind) && spill >= fault.at.spill && event >= fault.at.event
    )
    const entry = this.#waiting[index]
    if (entry === undefined) return undefined
    entry.left--
    if (entry.left <= 0) this.#waiting.splice(index, 1)
    return entry.fault
  }
}
