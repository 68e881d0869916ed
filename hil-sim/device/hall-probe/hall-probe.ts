import type { SettingsOf } from '../../../config/schema.ts'
import { ActiveFaults } from '../active-faults.ts'
import type { MakeSimDevice } from '../context.ts'
import { makeReplies } from '../replies.ts'
import { Ticker } from '../ticker.ts'
import { makeConversation } from './conversation.ts'

/** ten measurements a second */
const TICK_NS = 100e6
const NOISE_T = 1e-5
/** the offset of the probe wanders */
const DRIFT_T = 5e-5
const DRIFT_TIME_CONSTANT_S = 3600
const PROBE_DEGC = 24
const PROBE_SPREAD_DEGC = 0.3
const RANGES_T = [0.3, 0.6, 1.2, 3] as const

/**
 * A Hall probe beside a magnet (docs/hardware/hall-probe.md). With `simulatedMagnet` the field follows that magnet's
 * current, `nominalT` at its nominal current; without, it stands at nominal. Faults: `silent`, `slow-reply`
 * (`delayMs`), `garbage`, `half-reply`, `over-range`, `frozen`, `no-probe`, `no-temperature`, `triggered`, `offset` (`byT`).
 */
export const makeHallProbe: MakeSimDevice = (config, context) => {
  const { nominalT, unit, simulatedMagnet } = config.settings as SettingsOf<'hall-probe'>
  const faults = new ActiveFaults([
    'silent',
    'slow-reply',
    'garbage',
    'half-reply',
    'over-range',
    'frozen',
    'no-probe',
    'no-temperature',
    'triggered',
    'offset'
  ])
  const replies = makeReplies(faults)
  const range = Math.max(
    0,
    RANGES_T.findIndex((fullT) => fullT > Math.abs(nominalT))
  )
  const magnet =
    simulatedMagnet === undefined
      ? undefined
      : context.experiment.devices.find(({ id }) => id === simulatedMagnet)
  const magnetA = (magnet?.settings as Partial<SettingsOf<'magnet'>> | undefined)?.nominalA
  let driftT = context.rng.normal(0, DRIFT_T)
  let probeDegC = PROBE_DEGC + context.rng.normal(0, PROBE_SPREAD_DEGC)
  let measuredT = nominalT

  const trueT = (): number => {
    if (simulatedMagnet === undefined || magnetA === undefined || magnetA === 0) return nominalT
    const truth = context.truthOf?.(simulatedMagnet) as { readonly currentA?: unknown } | undefined
    return typeof truth?.currentA === 'number' ? (nominalT * truth.currentA) / magnetA : nominalT
  }
  const measure = (): void => {
    const pull = TICK_NS / 1e9 / DRIFT_TIME_CONSTANT_S
    driftT += -driftT * pull + context.rng.normal(0, DRIFT_T * Math.sqrt(2 * pull))
    probeDegC +=
      (PROBE_DEGC - probeDegC) * pull + context.rng.normal(0, PROBE_SPREAD_DEGC * Math.sqrt(2 * pull))
    // drawn in every tick, so that a fault does not shift the numbers that come after it
    const noiseT = context.rng.normal(0, NOISE_T)
    const byT = faults.get('offset')?.['byT']
    if (!faults.has('frozen') && !faults.has('triggered'))
      measuredT = trueT() + driftT + noiseT + (typeof byT === 'number' ? byT : 0)
    faults.advance(TICK_NS)
  }
  const ticker = new Ticker(TICK_NS, measure)

  const field = (): string => {
    if (faults.has('no-probe')) return 'NO PROBE'
    if (faults.has('over-range') || Math.abs(measuredT) > RANGES_T[range]!) return 'OVER RANGE'
    return unit === 'T' ? `${measuredT.toFixed(5)}T` : `${(measuredT * 1e4).toFixed(1)}G`
  }
  const answers: Readonly<Record<string, () => string>> = {
    F: field,
    T: () => (faults.has('no-temperature') ? 'NO TEMPERATURE PROBE' : `${probeDegC.toFixed(1)}C`),
    IR: () => String(range),
    IG: () => (faults.has('triggered') ? 'DV' : 'DC')
  }
  return {
    id: config.id,
    kind: config.kind,
    faces: {
      control: {
        kind: 'bytes',
        attach: (send, hangUp) => {
          const wire = replies.attach(send, hangUp)
          const conversation = makeConversation(answers, (text) => {
            if (!faults.has('silent')) wire.reply(text)
          })
          return { receive: conversation, closed: () => wire.closed() }
        }
      }
    },
    advance: (dtNs) => {
      ticker.advance(dtNs)
      replies.advance(dtNs)
    },
    inject: (fault) => faults.inject(fault),
    truth: () => ({ fieldT: trueT(), measuredT, driftT, probeDegC, range, faults: faults.list() }),
    save: () => ({ driftT, probeDegC }),
    restore: (saved) => {
      const state = saved as { readonly driftT?: unknown; readonly probeDegC?: unknown }
      if (typeof state.driftT === 'number') driftT = state.driftT
      if (typeof state.probeDegC === 'number') probeDegC = state.probeDegC
    }
  }
}
