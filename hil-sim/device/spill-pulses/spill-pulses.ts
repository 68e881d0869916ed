import { ActiveFaults } from '../active-faults.ts'
import type { MakeSimDevice, Mark } from '../context.ts'
import type { SimFault } from '../face.ts'

const MAGIC_OUT = Buffer.from('SPLP', 'latin1')
const REQUEST = Buffer.from([0x53, 0x50, 0x4c, 0x51, 1, 0, 0, 0])
const NUMBERS: Readonly<Record<Mark | 'alive', number>> = { alive: 0, WWE: 1, WE: 2, SOE: 3, EOE: 4 }
const SUBSCRIBED_NS = 5e9
const SUBSCRIBERS_MAX = 16
const MARK_FAULTS = ['lost-mark', 'missing-mark', 'doubled-mark'] as const

interface Subscriber {
  readonly send: (bytes: Uint8Array) => void
  leftNs: number
}

/**
 * The daemon beside the timing receiver (docs/hardware/spill-pulses.md). Faults: `silent`, `lost-mark` (counted and not
 * sent), `missing-mark` (the receiver never saw it), `doubled-mark` (two pulses), each `mark`, `count` times; `clock-jump`
 * (`byMs`), `garbage` (a datagram of rubbish before each), `restart` (counts anew, at once).
 */
export const makeSpillPulses: MakeSimDevice = (config, context) => {
  const faults = new ActiveFaults(['silent', 'clock-jump', 'garbage'])
  const markFaults: { readonly kind: string; readonly mark: string | undefined; left: number }[] = []
  const subscribers = new Set<Subscriber>()
  let counter = 0
  let cycleNumber = 0
  let marks = 0

  const takeMarkFault = (kind: (typeof MARK_FAULTS)[number], mark: Mark): boolean => {
    const index = markFaults.findIndex((fault) => fault.kind === kind && (fault.mark ?? mark) === mark)
    const found = markFaults[index]
    if (found === undefined) return false
    if (--found.left <= 0) markFaults.splice(index, 1)
    return true
  }
  const datagram = (mark: Mark | 'alive', utc: Date): Uint8Array => {
    const byMs = faults.get('clock-jump')?.['byMs']
    const bytes = Buffer.alloc(24)
    MAGIC_OUT.copy(bytes)
    bytes.writeUInt8(1, 4)
    bytes.writeUInt8(NUMBERS[mark], 5)
    bytes.writeUInt32BE(counter, 8)
    bytes.writeUInt32BE(cycleNumber, 12)
    const ms = Math.round(utc.getTime() + (typeof byMs === 'number' ? byMs : 0))
    bytes.writeBigUInt64BE(BigInt(ms) * 1_000_000n, 16)
    return bytes
  }
  const tell = (to: Iterable<Subscriber>, bytes: Uint8Array): void => {
    if (faults.has('silent')) return
    for (const { send } of to) {
      if (faults.has('garbage')) send(Uint8Array.of(0x53, 0x50, 0x4c, 0x00, 0xff))
      send(bytes)
    }
  }
  const subscribed = (): Subscriber[] => [...subscribers].filter(({ leftNs }) => leftNs > 0)

  context.machine.onMark((mark, cycle, utc) => {
    marks++
    cycleNumber = cycle >>> 0
    if (takeMarkFault('missing-mark', mark)) return
    const isLost = takeMarkFault('lost-mark', mark)
    for (let pulses = takeMarkFault('doubled-mark', mark) ? 2 : 1; pulses > 0; pulses--) {
      counter = (counter + 1) >>> 0
      if (!isLost) tell(subscribed(), datagram(mark, utc))
    }
  })

  const inject = (fault: SimFault): boolean => {
    if (fault.kind === 'restart') {
      counter = 0
      subscribers.clear()
      return true
    }
    if (fault.kind === 'clear') markFaults.length = 0
    if (!(MARK_FAULTS as readonly string[]).includes(fault.kind)) return faults.inject(fault)
    const { mark, count } = fault
    markFaults.push({
      kind: fault.kind,
      mark: typeof mark === 'string' ? mark : undefined,
      left: typeof count === 'number' ? count : 1
    })
    return true
  }
  return {
    id: config.id,
    kind: config.kind,
    faces: {
      control: {
        kind: 'bytes',
        attach: (send) => {
          const subscriber: Subscriber = { send, leftNs: 0 }
          return {
            receive: (bytes) => {
              if (!REQUEST.equals(bytes)) return
              if (!subscribers.has(subscriber) && subscribed().length >= SUBSCRIBERS_MAX) return
              subscribers.add(subscriber)
              subscriber.leftNs = SUBSCRIBED_NS
              tell([subscriber], datagram('alive', context.utc()))
            },
            closed: () => subscribers.delete(subscriber)
          }
        }
      }
    },
    advance: (dtNs) => {
      for (const subscriber of subscribers) {
        subscriber.leftNs -= dtNs
        if (subscriber.leftNs <= 0) subscribers.delete(subscriber)
      }
      faults.advance(dtNs)
    },
    inject,
    truth: () => ({ counter, marks, subscribers: subscribed().length, faults: faults.list() }),
    save: () => ({ counter }),
    restore: (saved) => {
      const state = saved as { readonly counter?: unknown }
      if (typeof state.counter === 'number') counter = state.counter >>> 0
    }
  }
}
