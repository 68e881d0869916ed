import type { HvChannelModel } from './hv-channel.ts'
import { formatNumber, isHeader, parseNumber, type ScpiCommand } from './scpi.ts'

/** What the commands of the module work on. */
export interface HvModule {
  readonly identity: string
  readonly nominalV: number
  /** position = number on the module */
  readonly channels: readonly HvChannelModel[]
  tripMs: number
  moduleEvents: number
  /** since it was read: bit 4 execution error, bit 5 command error */
  standardEvents: number
}

export const StandardEvent = { executionError: 1 << 4, commandError: 1 << 5 } as const

const ModuleBit = {
  noError: 1 << 8,
  noRamp: 1 << 9,
  safetyLoop: 1 << 10,
  eventActive: 1 << 11,
  moduleGood: 1 << 12,
  supplyGood: 1 << 13,
  temperatureGood: 1 << 14
} as const

const TRIP_MS_MAX = 60_000
const WORD_MAX = 0xffffffff

type Refusal = 'refused' | 'unknown'
/** `undefined`: done, nothing to say */
type Done = Refusal | undefined
type Outcome = { readonly answer: string } | Done

/** Executes one command. Answers a query, or nothing; errors end in the standard event register. */
export function execute(module: HvModule, command: ScpiCommand | undefined): string | undefined {
  const outcome = command === undefined ? 'unknown' : dispatch(module, command)
  if (outcome === 'unknown') module.standardEvents |= StandardEvent.commandError
  else if (outcome === 'refused') module.standardEvents |= StandardEvent.executionError
  else return outcome?.answer
  return undefined
}

function dispatch(module: HvModule, command: ScpiCommand): Outcome {
  const entry = ENTRIES.find(
    ({ pattern, isQuery }) => isQuery === command.isQuery && isHeader(command.header, pattern)
  )
  if (entry === undefined) return 'unknown'
  if ('run' in entry) return entry.run(module, command.argument)
  const { channels } = command
  if (channels === undefined) return 'unknown'
  const models = channels.flatMap((channel) => module.channels[channel] ?? [])
  if (models.length !== channels.length) return 'refused'
  if ('ask' in entry) return { answer: models.map((model) => entry.ask(model)).join(',') }
  const outcomes = models.map((model) => entry.set(model, command.argument))
  return outcomes.find((outcome) => outcome !== undefined)
}

type Entry = { readonly pattern: string; readonly isQuery: boolean } & (
  | { readonly run: (module: HvModule, argument: string) => Outcome }
  | { readonly ask: (channel: HvChannelModel) => string }
  | { readonly set: (channel: HvChannelModel, argument: string) => Done }
)

const query = (pattern: string, ask: (channel: HvChannelModel) => string): Entry => ({
  pattern,
  isQuery: true,
  ask
})
const set = (pattern: string, change: (channel: HvChannelModel, argument: string) => Done): Entry => ({
  pattern,
  isQuery: false,
  set: change
})
const ofModule = (pattern: string, run: (module: HvModule, argument: string) => Done): Entry => ({
  pattern,
  isQuery: false,
  run
})
const queryModule = (pattern: string, ask: (module: HvModule) => string): Entry => ({
  pattern,
  isQuery: true,
  run: (module) => ({ answer: ask(module) })
})

/** A number with its unit, handed on; anything else is not understood. */
function withNumber(text: string, unit: string, use: (value: number) => boolean): Done {
  const value = parseNumber(text, unit)
  if (value === undefined) return 'unknown'
  return use(value) ? undefined : 'refused'
}

const volts = (value: number): string => formatNumber(value, 'V')
const amperes = (value: number): string => formatNumber(value, 'A')
const word = (value: number): string => String(value >>> 0)

function switchVoltage(channel: HvChannelModel, argument: string): Done {
  switch (argument.toUpperCase().replace(/\s+/g, ' ')) {
    case 'ON':
      return channel.switchOn() ? undefined : 'refused'
    case 'OFF':
      channel.switchOff()
      return undefined
    case 'EMCY OFF':
      channel.emergencyOff()
      return undefined
    case 'EMCY CLR':
      channel.clearEmergencyOff()
      return undefined
    default:
      return withNumber(argument, 'V', (value) => channel.setVoltage(value))
  }
}

function setModuleRamp(module: HvModule, argument: string): Done {
  return withNumber(argument, '%/s', (percent) => {
    const voltsPerSecond = (percent / 100) * module.nominalV
    return module.channels.every(
      (channel) =>
        channel.setRamp('rampUpVPerS', voltsPerSecond) && channel.setRamp('rampDownVPerS', voltsPerSecond)
    )
  })
}

function moduleRamp(module: HvModule): string {
  const voltsPerSecond = module.channels[0]?.state.rampUpVPerS ?? 0
  return `${((100 * voltsPerSecond) / module.nominalV).toFixed(3)}%/s`
}

function moduleStatus({ channels }: HvModule): string {
  const isInhibited = channels.some((channel) => (channel.statusWord() & (1 << 12)) !== 0)
  const hasError = channels.some(
    (channel) => (channel.statusWord() & ((1 << 13) | (1 << 5) | (1 << 2))) !== 0
  )
  return word(
    (hasError ? 0 : ModuleBit.noError) |
      (channels.some((channel) => channel.isRamping) ? 0 : ModuleBit.noRamp) |
      (isInhibited ? 0 : ModuleBit.safetyLoop) |
      (channels.some((channel) => channel.isBlocked) ? ModuleBit.eventActive : 0) |
      ModuleBit.moduleGood |
      ModuleBit.supplyGood |
      ModuleBit.temperatureGood
  )
}

const ENTRIES: readonly Entry[] = [
  queryModule('*IDN', (module) => module.identity),
  queryModule('*OPC', () => '1'),
  queryModule('*ESR', (module) => {
    const events = module.standardEvents
    module.standardEvents = 0
    return String(events)
  }),
  ofModule('*CLS', (module) => {
    module.standardEvents = 0
    module.moduleEvents = 0
    return undefined
  }),
  ofModule('*RST', ({ channels }) => {
    for (const channel of channels) {
      channel.switchOff()
      channel.setVoltage(0)
    }
    return undefined
  }),

  set('VOLTage', switchVoltage),
  set('VOLTage:BOUnds', (channel, text) =>
    withNumber(text, 'V', (value) => channel.setBounds('boundV', value))
  ),
  set('CURRent', (channel, text) => withNumber(text, 'A', (value) => channel.setCurrentLimit(value))),
  set('CURRent:BOUnds', (channel, text) =>
    withNumber(text, 'A', (value) => channel.setBounds('boundA', value))
  ),
  set('EVent', (channel, text) => {
    if (/^CLE(AR)?$/i.test(text)) {
      channel.clearEvents()
      return undefined
    }
    return withWord(text, (bits) => channel.clearEvents(bits))
  }),
  set('EVent:MASK', (channel, text) => withWord(text, (mask) => channel.setEventMask(mask))),
  set('CONFigure:RAMP:VOLTage:UP', (channel, text) =>
    withNumber(text, 'V/s', (value) => channel.setRamp('rampUpVPerS', value))
  ),
  set('CONFigure:RAMP:VOLTage:DOWN', (channel, text) =>
    withNumber(text, 'V/s', (value) => channel.setRamp('rampDownVPerS', value))
  ),

  query('READ:VOLTage', ({ state }) => volts(state.setV)),
  query('READ:VOLTage:NOMinal', ({ nominalV }) => volts(nominalV)),
  query('READ:VOLTage:BOUnds', ({ state }) => volts(state.boundV)),
  query('READ:CURRent', ({ state }) => amperes(state.limitA)),
  query('READ:CURRent:NOMinal', ({ nominalA }) => amperes(nominalA)),
  query('READ:CURRent:BOUnds', ({ state }) => amperes(state.boundA)),
  query('MEASure:VOLTage', ({ measuredV }) => volts(measuredV)),
  query('MEASure:CURRent', ({ measuredA }) => amperes(measuredA)),
  query('READ:CHANnel:STATus', (channel) => word(channel.statusWord())),
  query('READ:CHANnel:EVent:STATus', ({ state }) => word(state.events)),
  query('READ:CHANnel:EVent:MASK', ({ state }) => word(state.eventMask)),
  query('READ:CHANnel:CONTrol', (channel) => word(channel.controlWord())),
  query('CONFigure:RAMP:VOLTage:UP', ({ state }) => formatNumber(state.rampUpVPerS, 'V/s')),
  query('CONFigure:RAMP:VOLTage:DOWN', ({ state }) => formatNumber(state.rampDownVPerS, 'V/s')),

  ofModule('CONFigure:RAMP:VOLTage', setModuleRamp),
  queryModule('CONFigure:RAMP:VOLTage', moduleRamp),
  queryModule('READ:RAMP:VOLTage', moduleRamp),
  ofModule('CONFigure:TRIP', (module, text) =>
    withNumber(text, 'ms', (value) => {
      const isInRange = value >= 0 && value <= TRIP_MS_MAX
      if (isInRange) module.tripMs = value
      return isInRange
    })
  ),
  queryModule('CONFigure:TRIP', (module) => String(module.tripMs)),
  queryModule('READ:MODule:STATus', moduleStatus),
  queryModule('READ:MODule:EVent:STATus', (module) => word(module.moduleEvents)),
  queryModule('READ:MODule:TEMPerature', () => '35.0C')
]

function withWord(text: string, use: (bits: number) => void): Done {
  if (!/^\d{1,10}$/.test(text) || Number(text) > WORD_MAX) return 'unknown'
  use(Number(text))
  return undefined
}
