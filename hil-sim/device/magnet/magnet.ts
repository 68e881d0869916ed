import type { SettingsOf } from '../../../config/schema.ts'
import { ActiveFaults } from '../active-faults.ts'
import type { MakeSimDevice } from '../context.ts'
import type { SimNode } from '../face.ts'
import { Ticker } from '../ticker.ts'

const TICK_NS = 100e6
/** the power converter's ramp, of the nominal current a second */
const RAMP_PER_S = 0.02
/** ripple and noise of the converter, of the nominal current, rms */
const RIPPLE = 2e-5
/** the readout's own noise when there is no current, A rms */
const OFFSET_NOISE_A = 0.01
const WATER_IN_DEGC = 22
/** what the nominal current adds */
const WATER_RISE_DEGC = 11
const WATER_TIME_CONSTANT_S = 120

const Status = { off: 0, on: 1, ramping: 2, fault: 3 } as const

/** Hidden state that outlives the simulator: a magnet does not ramp because somebody restarted a program. */
interface Saved {
  readonly setA: number
  readonly rampedA: number
  readonly waterDegC: number
}

/**
 * A spectrometer magnet and its power converter (docs/hardware/magnet.md). Read-only on the wire; `inject`
 * moves it: `off`, `ramping` (`toA`), `frozen` (values and source times stand still), `fault` (status 3,
 * values of bad quality).
 */
export const makeMagnet: MakeSimDevice = (config, context) => {
  const settings = config.settings as SettingsOf<'magnet'>
  const { magnetName, nominalA, nominalTm } = settings
  const faults = new ActiveFaults(['off', 'ramping', 'frozen', 'fault'])
  const rampAPerTick = Math.abs(nominalA) * RAMP_PER_S * (TICK_NS / 1e9)
  let setA = nominalA
  let rampedA = nominalA
  let waterDegC = WATER_IN_DEGC + (nominalA === 0 ? 0 : WATER_RISE_DEGC)
  let measuredA = nominalA
  let measuredAt = context.utc()

  const wantedA = (): number => {
    if (faults.has('off') || faults.has('fault')) return 0
    const toA = faults.get('ramping')?.['toA']
    return typeof toA === 'number' ? toA : setA
  }
  const ticker = new Ticker(TICK_NS, () => {
    const left = wantedA() - rampedA
    rampedA += Math.sign(left) * Math.min(Math.abs(left), rampAPerTick)
    const load = nominalA === 0 ? 0 : (rampedA / nominalA) ** 2
    waterDegC +=
      ((WATER_IN_DEGC + WATER_RISE_DEGC * load - waterDegC) * (TICK_NS / 1e9)) / WATER_TIME_CONSTANT_S
    // drawn in every tick, so that a fault does not shift the numbers that come after it
    const noiseA = context.rng.normal(0, rampedA === 0 ? OFFSET_NOISE_A : Math.abs(rampedA) * RIPPLE)
    if (!faults.has('frozen')) {
      measuredA = rampedA + noiseA
      measuredAt = context.utc()
    }
    faults.advance(TICK_NS)
  })
  const isOff = (): boolean => wantedA() === 0 && rampedA === 0
  const status = (): number => {
    if (faults.has('fault')) return Status.fault
    if (isOff()) return Status.off
    return rampedA === wantedA() ? Status.on : Status.ramping
  }
  const node = (name: string, type: SimNode['type'], value: () => number | string): SimNode => ({
    id: `Magnet.${magnetName}.${name}`,
    type,
    read: () => ({
      value: value(),
      quality: faults.has('fault') && type === 'Double' ? 'bad' : 'good',
      sourceTime: measuredAt
    })
  })
  return {
    id: config.id,
    kind: config.kind,
    faces: {
      control: {
        kind: 'nodes',
        nodes: [
          node('Maker', 'String', () => 'CERN'),
          node('Model', 'String', () => magnetName),
          node('Serial', 'String', () => `SIM-${magnetName}`),
          node('Firmware', 'String', () => '1.0'),
          node('CurrentSet', 'Double', () => (faults.has('off') ? 0 : setA)),
          node('CurrentActual', 'Double', () => measuredA),
          node('Polarity', 'Int32', () => (isOff() ? 0 : Math.sign(rampedA))),
          node('FieldIntegral', 'Double', () => (nominalA === 0 ? 0 : (nominalTm * measuredA) / nominalA)),
          node('Temperature', 'Double', () => Math.round(waterDegC * 10) / 10),
          node('Status', 'Int32', status)
        ]
      }
    },
    advance: (dtNs) => ticker.advance(dtNs),
    inject: (fault) => faults.inject(fault),
    truth: () => ({ setA, currentA: rampedA, waterDegC, status: status(), faults: faults.list() }),
    save: (): Saved => ({ setA, rampedA, waterDegC: Math.round(waterDegC * 10) / 10 }),
    restore: (saved) => {
      const state = saved as Partial<Saved>
      if (typeof state.setA === 'number') setA = state.setA
      if (typeof state.rampedA === 'number') rampedA = measuredA = state.rampedA
      if (typeof state.waterDegC === 'number') waterDegC = state.waterDegC
    }
  }
}
