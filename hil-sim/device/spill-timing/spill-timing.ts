import type { SettingsOf } from '../../../config/schema.ts'
import { ActiveFaults } from '../active-faults.ts'
import type { MachineCycle, MakeSimDevice, Mark } from '../context.ts'
import type { SimFault } from '../face.ts'

/** protons on T6 of a nominal spill, 1e11 */
const T6_INTENSITY = 30
const T6_SYMMETRY_PERCENT = 92

type Publish = (topic: string, payload: string, retain: boolean, qos: 0 | 1) => void

/**
 * The gateway beside the timing receiver (docs/hardware/beam-topics.md). It tells what the machine does; the marks
 * themselves go wrong in the machine, their transport here: `silent` (nothing is published), `lost-mark` and
 * `doubled-mark` (`mark`, `count` times), `clock-jump` (`byMs`: its clock is off), `suspect` (quality of the items).
 */
export const makeSpillTiming: MakeSimDevice = (config, context) => {
  const { prefix } = config.settings as SettingsOf<'spill-timing'>
  const { experiment, machine, rng } = context
  const faults = new ActiveFaults(['silent', 'clock-jump', 'suspect'])
  const markFaults: { kind: string; mark: string | undefined; left: number }[] = []
  let send: Publish | undefined
  let latestCycle: MachineCycle | undefined
  let marks = 0

  const publish: Publish = (topic, payload, retain, qos) => {
    if (!faults.has('silent')) send?.(`${prefix}/beam/${topic}`, payload, retain, qos)
  }
  const time = (utc: Date): string => {
    const byMs = faults.get('clock-jump')?.['byMs']
    return new Date(utc.getTime() + (typeof byMs === 'number' ? byMs : 0)).toISOString()
  }
  const takeMarkFault = (kind: string, mark: Mark): boolean => {
    const index = markFaults.findIndex((f) => f.kind === kind && (f.mark ?? mark) === mark)
    const found = markFaults[index]
    if (found === undefined) return false
    if (--found.left <= 0) markFaults.splice(index, 1)
    return true
  }
  const publishCycle = (): void => {
    if (latestCycle === undefined) return
    const { cycle, cycleLengthMs, extractionMs, nextStart } = latestCycle
    publish(
      'cycle',
      JSON.stringify({
        cycle,
        cycleLengthMs,
        extractionMs,
        nextStart: time(nextStart),
        t: time(context.utc())
      }),
      true,
      1
    )
  }
  const items = new Map<string, { v: number; u: string }>()
  const publishItems = (): void => {
    const t = time(context.utc())
    const q = faults.has('suspect') ? 'suspect' : 'good'
    for (const [item, { v, u }] of items) publish(`info/${item}`, JSON.stringify({ v, t, q, u }), true, 0)
  }
  const measure = (): void => {
    const { beam } = experiment.simulation
    const spread = rng.normal(1, 0.01)
    items.set('t6-intensity', { v: rounded(T6_INTENSITY * spread, 2), u: '1e11' })
    items.set('t6-symmetry', { v: rounded(rng.normal(T6_SYMMETRY_PERCENT, 0.5), 1), u: '%' })
    items.set('momentum', { v: experiment.mode.momentumGeV, u: 'GeV/c' })
    items.set('muon-rate-estimate', { v: Math.round(beam.muonsPerSpill * spread), u: '1/spill' })
  }
  measure()

  machine.onCycle((cycle) => {
    latestCycle = cycle
    measure()
    publishCycle()
    publishItems()
  })
  machine.onMark((mark, cycle, utc) => {
    marks++
    if (takeMarkFault('lost-mark', mark)) return
    const copies = takeMarkFault('doubled-mark', mark) ? 2 : 1
    for (let i = 0; i < copies; i++) publish('mark', JSON.stringify({ mark, cycle, t: time(utc) }), false, 1)
  })

  const inject = (fault: SimFault): boolean => {
    if (fault.kind !== 'lost-mark' && fault.kind !== 'doubled-mark') {
      if (fault.kind === 'clear') markFaults.length = 0
      return faults.inject(fault)
    }
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
        kind: 'topics',
        will: { topic: `${prefix}/beam/status`, payload: 'offline' },
        attach: (publisher) => {
          send = publisher
          publish('status', 'online', true, 1)
          publishCycle()
          publishItems()
        },
        listens: [],
        receive: () => undefined
      }
    },
    advance: (dtNs) => faults.advance(dtNs),
    inject,
    truth: () => ({ cycle: latestCycle?.cycle, marks, faults: faults.list() })
  }
}

function rounded(value: number, decimals: number): number {
  return Number(value.toFixed(decimals))
}
