import type { SettingsOf } from '../../../config/schema.ts'
import { ActiveFaults } from '../active-faults.ts'
import type { MakeSimDevice } from '../context.ts'
import type { ByteFace, SimFault } from '../face.ts'
import { Ticker } from '../ticker.ts'
import { type ChannelState, DEFAULT_EVENT_MASK, HvChannelModel } from './hv-channel.ts'
import { execute, type HvModule, StandardEvent } from './module-commands.ts'
import { makeReplies } from '../replies.ts'
import { parseLine } from './scpi.ts'

const TICK_NS = 100e6
const TRIP_MS = 100
const REBOOT_NS = 1e9
/** a longer line is thrown away, up to its end */
const LINE_BYTES_MAX = 512
const SAFETY_LOOP = 1 << 10

/** Families of modules by nominal voltage and current. */
const NOMINAL_V = [500, 1000, 2000, 3000, 4000, 6000, 8000, 10_000]
const NOMINAL_A = [1e-4, 5e-4, 1e-3, 2e-3, 4e-3, 1e-2]
/** part of the current limit that the load takes at its nominal voltage */
const LOAD_SHARE = 0.4
/** channels of the module that the configuration does not name */
const SPARE = { limitV: 0, nominalV: 0, rampVPerS: 10, currentLimitUa: 100 }

interface Saved {
  readonly tripMs: number
  readonly channels: readonly ChannelState[]
}

/**
 * An iseg supply with SCPI (docs/hardware/iseg-scpi.md). `simulatedInitially` says how it is found when nobody has
 * touched it yet; after that it keeps its state over restarts of the simulator, and never switches on by itself.
 * Faults: README.md.
 */
export const makeIsegScpi: MakeSimDevice = (config, context) => {
  const settings = config.settings as SettingsOf<'iseg-scpi'>
  const faults = new ActiveFaults([
    ...['silent', 'slow-reply', 'half-reply', 'garbage'],
    ...['overcurrent', 'interlock', 'ramp-stuck', 'reboot']
  ])
  const count = Math.max(...settings.channels.map(({ number }) => number)) + 1
  const named = (number: number): (typeof settings.channels)[number] | undefined =>
    settings.channels.find((channel) => channel.number === number)
  const nominalV = firstAtLeast(NOMINAL_V, Math.max(...settings.channels.map(({ limitV }) => limitV)))
  const nominalA = firstAtLeast(
    NOMINAL_A,
    Math.max(...settings.channels.map(({ currentLimitUa }) => currentLimitUa)) * 1e-6
  )

  const found = (number: number, at: 'nominal' | 'off'): ChannelState => {
    const channel = named(number)
    const { rampVPerS, currentLimitUa } = channel ?? SPARE
    const isOn = at === 'nominal' && channel !== undefined && channel.nominalV > 0
    const setV = at === 'nominal' ? (channel?.nominalV ?? 0) : 0
    return {
      drive: isOn ? 'on' : 'off',
      isEmergencyOff: false,
      setV,
      limitA: currentLimitUa * 1e-6,
      boundV: 0,
      boundA: 0,
      rampUpVPerS: rampVPerS,
      rampDownVPerS: rampVPerS,
      outputV: isOn ? setV : 0,
      events: 0,
      eventMask: DEFAULT_EVENT_MASK
    }
  }
  const channels = Array.from({ length: count }, (_, number) => {
    const { nominalV: atV, limitV, currentLimitUa } = named(number) ?? SPARE
    const loadOhm = Math.max(atV, limitV, 1) / (LOAD_SHARE * currentLimitUa * 1e-6)
    const state = found(number, settings.simulatedInitially)
    return new HvChannelModel({
      nominalV,
      nominalA,
      loadOhm,
      state,
      rng: context.rng.split(`channel ${number}`)
    })
  })
  const module: HvModule = {
    identity: `iseg Spezialelektronik GmbH,NHS ${count} ${nominalV / 1000}kV,SIM-${config.id},3.20`,
    nominalV,
    channels,
    tripMs: TRIP_MS,
    moduleEvents: 0,
    standardEvents: 0
  }

  const strikes = (kind: string, number: number): SimFault | undefined => {
    const fault = faults.get(kind)
    const only = fault?.['channel']
    return only === undefined || only === number ? fault : undefined
  }
  const ticker = new Ticker(TICK_NS, () => {
    channels.forEach((channel, number) => {
      const overcurrent = strikes('overcurrent', number)
      const extraUa = overcurrent?.['microamps']
      channel.tick(TICK_NS / 1e9, {
        isInhibited: strikes('interlock', number) !== undefined,
        isRampStuck: strikes('ramp-stuck', number) !== undefined,
        extraA: overcurrent === undefined ? 0 : typeof extraUa === 'number' ? extraUa * 1e-6 : nominalA,
        tripMs: module.tripMs
      })
    })
    if (faults.has('interlock')) module.moduleEvents |= SAFETY_LOOP
    faults.advance(TICK_NS)
  })

  const replies = makeReplies(faults)
  const face: ByteFace = {
    kind: 'bytes',
    attach: (send, hangUp) => {
      let line = ''
      let isOverlong = false
      const wire = replies.attach(send, hangUp)
      const end = (): void => {
        const text = line
        line = ''
        if (faults.has('silent') || faults.has('reboot')) return
        if (isOverlong) module.standardEvents |= StandardEvent.commandError
        else {
          const answers = parseLine(text).map((command) => execute(module, command))
          const said = answers.filter((answer) => answer !== undefined)
          if (said.length > 0) wire.reply(`${said.join(';')}\r\n`)
        }
        isOverlong = false
      }
      return {
        receive: (bytes) => {
          for (const byte of bytes) {
            if (byte === 0x0a) end()
            else if (line.length >= LINE_BYTES_MAX) isOverlong = true
            else if (byte !== 0x0d) line += String.fromCharCode(byte)
          }
        },
        closed: () => wire.closed()
      }
    }
  }

  const switchAllOff = (): void =>
    channels.forEach((channel, number) => channel.restore(found(number, 'off')))
  const inject = (fault: SimFault): boolean => {
    if (fault.kind === 'trip') {
      const only = fault['channel']
      channels.forEach((channel, number) => {
        if ((only ?? number) === number) channel.trip()
      })
      return true
    }
    if (fault.kind !== 'reboot') return faults.inject(fault)
    switchAllOff()
    module.tripMs = TRIP_MS
    return faults.inject({ kind: 'reboot', forMs: REBOOT_NS / 1e6 })
  }
  return {
    id: config.id,
    kind: config.kind,
    faces: { control: face },
    advance: (dtNs) => {
      ticker.advance(dtNs)
      replies.advance(dtNs)
    },
    inject,
    truth: () => ({
      channels: channels.map(({ state, measuredV, measuredA }) => ({ ...state, measuredV, measuredA })),
      faults: faults.list()
    }),
    save: (): Saved => ({ tripMs: module.tripMs, channels: channels.map(({ state }) => ({ ...state })) }),
    restore: (saved) => {
      if (!isSaved(saved, count)) {
        // Nobody knows how the channels stood: the safe guess is off, never on.
        switchAllOff()
        return
      }
      module.tripMs = saved.tripMs
      channels.forEach((channel, number) => channel.restore(saved.channels[number] ?? found(number, 'off')))
    }
  }
}

function firstAtLeast(values: readonly number[], wanted: number): number {
  return values.find((value) => value >= wanted) ?? wanted
}

function isSaved(saved: unknown, count: number): saved is Saved {
  const { tripMs, channels } = (saved ?? {}) as Partial<Saved>
  return (
    typeof tripMs === 'number' &&
    Array.isArray(channels) &&
    channels.length === count &&
    channels.every(isState)
  )
}

function isState(value: unknown): boolean {
  const { drive, isEmergencyOff, ...numbers } = (value ?? {}) as Partial<ChannelState>
  const expected = ['setV', 'limitA', 'boundV', 'boundA', 'rampUpVPerS', 'rampDownVPerS', 'outputV', 'events']
  return (
    (drive === 'on' || drive === 'down' || drive === 'off') &&
    typeof isEmergencyOff === 'boolean' &&
    [...expected, 'eventMask'].every((key) => Number.isFinite((numbers as Record<string, unknown>)[key]))
  )
}
