import type { SettingsOf } from '../../../config/schema.ts'
import { ActiveFaults } from '../active-faults.ts'
import type { MakeSimDevice } from '../context.ts'
import type { RegisterFace } from '../face.ts'
import { Ticker } from '../ticker.ts'

const TICK_NS = 500e6
const SPREAD_DEGC = 0.4
const TIME_CONSTANT_S = 900

type Channel = SettingsOf<'temperature-module'>['channels'][number]

/**
 * A module of RTD inputs (docs/hardware/temperature-module.md) whose registers are those of its settings. Each channel
 * wanders about its `simulatedDegC`. Faults: `silent`, `device-failure`, `frozen`, `sensor` (`channel`: no sensor
 * there; absent: none has one), `hot` (`channel`, `byDegC`).
 */
export const makeTemperatureModule: MakeSimDevice = (config, context) => {
  const { channels, moduleName } = config.settings as SettingsOf<'temperature-module'>
  const faults = new ActiveFaults(['silent', 'device-failure', 'frozen', 'sensor', 'hot'])
  const degC = new Map(
    channels.map(({ name, simulatedDegC }) => [name, simulatedDegC + context.rng.normal(0, SPREAD_DEGC)])
  )
  const converted = new Map(degC)
  const strikes = (kind: string, { name }: Channel): boolean =>
    faults.has(kind) && (faults.get(kind)?.['channel'] ?? name) === name
  const convert = (): void => {
    if (faults.has('frozen')) return
    const byDegC = faults.get('hot')?.['byDegC']
    for (const channel of channels) {
      const rise = strikes('hot', channel) ? (typeof byDegC === 'number' ? byDegC : 30) : 0
      converted.set(channel.name, degC.get(channel.name)! + rise)
    }
  }
  const ticker = new Ticker(TICK_NS, () => {
    const pull = TICK_NS / 1e9 / TIME_CONSTANT_S
    for (const { name, simulatedDegC } of channels) {
      const value = degC.get(name)!
      const step = context.rng.normal(0, SPREAD_DEGC * Math.sqrt(2 * pull))
      degC.set(name, value + (simulatedDegC - value) * pull + step)
    }
    convert()
    faults.advance(TICK_NS)
  })

  const register = (table: string, address: number): number | undefined => {
    if (table === 'holding' && address === moduleName?.register) return moduleName.word
    for (const channel of channels) {
      const word = address - channel.register
      if (channel.table !== table || word < 0) continue
      const words = encode(channel, strikes('sensor', channel) ? undefined : converted.get(channel.name)!)
      if (word < words.length) return words[word]
    }
    return undefined
  }
  const face: RegisterFace = {
    kind: 'registers',
    read: (space, address, count) => {
      if (faults.has('silent')) return 'silent'
      if (faults.has('device-failure')) return 'device-failure'
      if (space !== 'holding' && space !== 'input') return 'illegal-function'
      const values = Array.from({ length: count }, (_, i) => register(space, address + i))
      return values.every((value) => value !== undefined) ? values : 'illegal-address'
    },
    write: () => (faults.has('silent') ? 'silent' : 'illegal-function')
  }
  return {
    id: config.id,
    kind: config.kind,
    faces: { control: face },
    advance: (dtNs) => ticker.advance(dtNs),
    inject: (fault) => {
      const known = faults.inject(fault)
      convert()
      return known
    },
    truth: () => ({ degC: Object.fromEntries(converted), faults: faults.list() })
  }
}

/** Registers of one channel as the converter fills them; @param degC undefined: no sensor */
function encode(channel: Channel, degC: number | undefined): number[] {
  if (channel.format === 'float32') return floatWords(degC, channel)
  if (degC === undefined) return [channel.brokenWords[0] ?? 0]
  const counts = Math.round((degC - channel.offsetDegC) / channel.degCPerCount)
  return channel.format === 'int16'
    ? [Math.max(-0x8000, Math.min(0x7fff, counts)) & 0xffff]
    : [Math.max(0, Math.min(0xffff, counts))]
}

function floatWords(degC: number | undefined, { wordOrder, degCPerCount, offsetDegC }: Channel): number[] {
  const float = Buffer.alloc(4)
  float.writeFloatBE(degC === undefined ? Number.NaN : (degC - offsetDegC) / degCPerCount)
  const [a, b, c, d] = float as unknown as [number, number, number, number]
  const pair = (high: number, low: number): number => high * 256 + low
  switch (wordOrder) {
    case 'ABCD':
      return [pair(a, b), pair(c, d)]
    case 'CDAB':
      return [pair(c, d), pair(a, b)]
    case 'BADC':
      return [pair(b, a), pair(d, c)]
    case 'DCBA':
      return [pair(d, c), pair(b, a)]
  }
}
