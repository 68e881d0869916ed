/** A device on the bench: a context without a hall, and time by hand. */
import type { DeviceConfig, Experiment } from '../../../../config/schema.ts'
import { Rng } from '../../../../core/rng.ts'
import type { MachineCycle, MakeSimDevice, Mark, SimContext } from '../../../../hil-sim/device/context.ts'
import type { ByteFace, SimDevice } from '../../../../hil-sim/device/face.ts'

const EPOCH_MS = Date.UTC(2026, 6, 1, 12)

export interface SimBench {
  readonly device: SimDevice
  /** lets time pass in steps of `stepS` */
  readonly advance: (seconds: number, stepS?: number) => void
  readonly mark: (mark: Mark, cycle: number) => void
  readonly cycle: (cycle: MachineCycle) => void
}

export function makeSimBench(
  make: MakeSimDevice,
  kind: DeviceConfig['kind'],
  settings: DeviceConfig['settings'],
  seed = 1
): SimBench {
  let nowNs = 0
  const utc = (): Date => new Date(EPOCH_MS + nowNs / 1e6)
  const markListeners: ((mark: Mark, cycle: number, utc: Date) => void)[] = []
  const cycleListeners: ((cycle: MachineCycle) => void)[] = []
  const context: SimContext = {
    experiment: {
      mode: { beamSpecies: 'mu', momentumGeV: 160, normalisation: 'muons on target' },
      simulation: { beam: { muonsPerSpill: 5e6 } }
    } as unknown as Experiment,
    rng: new Rng(seed),
    machine: {
      onMark: (listener) => void markListeners.push(listener),
      onCycle: (listener) => void cycleListeners.push(listener)
    },
    utc
  }
  const config: DeviceConfig = {
    id: 'device',
    kind,
    process: 'slow',
    role: 'optional',
    links: {},
    simulatedLinks: {},
    settings,
    provenance: 'A: test'
  }
  const device = make(config, context)
  return {
    device,
    advance: (seconds, stepS = 0.05) => {
      for (let left = Math.round(seconds * 1e9); left > 0;) {
        const step = Math.min(left, Math.round(stepS * 1e9))
        nowNs += step
        left -= step
        device.advance(step)
      }
    },
    mark: (mark, cycle) => markListeners.forEach((listener) => listener(mark, cycle, utc())),
    cycle: (cycle) => cycleListeners.forEach((listener) => listener(cycle))
  }
}

export interface ByteTalk {
  say(text: string): void
  /** what was answered since the last call */
  heard(): string
  readonly hangUps: number
  close(): void
}

/** A connection to a byte face. */
export function talkTo(device: SimDevice): ByteTalk {
  const face = device.faces['control'] as ByteFace
  let text = ''
  let hangUps = 0
  const session = face.attach(
    (bytes) => (text += Buffer.from(bytes).toString('latin1')),
    () => hangUps++
  )
  return {
    say: (line) => session.receive(Buffer.from(line, 'latin1')),
    heard: () => {
      const heard = text
      text = ''
      return heard
    },
    get hangUps() {
      return hangUps
    },
    close: () => session.closed()
  }
}
