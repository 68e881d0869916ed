import type { SettingsOf } from '../../../config/schema.ts'
import { ErrorCode, SpillwayError } from '../../../core/errors.ts'
import { ActiveFaults } from '../active-faults.ts'
import type { MakeSimDevice } from '../context.ts'
import type { SimFault, SimNode } from '../face.ts'
import { HighVoltageOutput, isOutputState, loadMegaohm, type OutputState } from '../high-voltage-output.ts'
import { Ticker } from '../ticker.ts'
import { mapOf, type Meaning, placeOf, type StatusMeaning } from './node-map.ts'

const TICK_NS = 100e6
/** the server reads its crate this often, in ticks */
const TICKS_PER_READING = 10
const REBOOT_MS = 3000
const TRIP_S = 1
const OVERCURRENT_UA = 10_000
/** V around the demand beyond which a settled channel reports over- or under-voltage: 3 % */
const DEVIATION = 0.03

interface Channel {
  readonly number: number
  readonly node: string
  readonly output: HighVoltageOutput
}

type Value = number | string

/**
 * A high-voltage crate behind a quasar-style OPC UA server (docs/hardware/opcua-crate.md). What it is called on the wire
 * comes from the map of the configuration. It keeps its state over restarts of the simulator and never switches on by
 * itself. Faults: README.md.
 */
export const makeOpcuaCrate: MakeSimDevice = (config, context) => {
  const settings = config.settings as SettingsOf<'opcua-crate'>
  const map = mapOf(settings)
  const faults = new ActiveFaults([
    ...['overcurrent', 'interlock', 'unplugged', 'ramp-stuck', 'frozen', 'crate-lost', 'reboot']
  ])
  const highestV = 1.2 * Math.max(...settings.channels.map(({ limitV }) => limitV))

  const found = (index: number, at: 'nominal' | 'off'): OutputState => {
    const { nominalV, rampVPerS, currentLimitUa } = settings.channels[index]!
    const isOn = at === 'nominal' && nominalV > 0
    return {
      drive: isOn ? 'on' : 'off',
      demandV: isOn ? nominalV : 0,
      limitUa: currentLimitUa,
      ceilingV: highestV,
      rampUpVPerS: rampVPerS,
      rampDownVPerS: rampVPerS,
      tripS: TRIP_S,
      powerDown: 'ramp',
      isTripped: false,
      outputV: isOn ? nominalV : 0
    }
  }
  const channels: readonly Channel[] = settings.channels.map((channel, index) => ({
    number: channel.number,
    node: channel.node,
    output: new HighVoltageOutput(found(index, settings.simulatedInitially), {
      loadMegaohm: loadMegaohm(channel.nominalV || channel.limitV, channel.currentLimitUa),
      rng: context.rng.split(`channel ${channel.number}`),
      tripsKill: true
    })
  }))

  const strikes = (kind: string, channel: number): SimFault | undefined => {
    const fault = faults.get(kind)
    return fault === undefined || (fault['channel'] ?? channel) !== channel ? undefined : fault
  }
  const bits = new Map(Object.entries(map.statusBits).map(([bit, meaning]) => [meaning, 1 << Number(bit)]))
  const statusOf = ({ number, output }: Channel): number => {
    const limitV = DEVIATION * output.state.demandV + 1
    const set: readonly (readonly [StatusMeaning, boolean])[] = [
      ['on', output.isOn],
      ['ramping-up', output.isRampingUp],
      ['ramping-down', output.isRampingDown],
      ['over-current', output.isOverCurrent],
      ['over-voltage', output.deviationV > limitV],
      ['under-voltage', output.deviationV < -limitV],
      ['max-voltage', output.isAtCeiling],
      ['internal-trip', output.state.isTripped],
      ['external-disable', strikes('interlock', number) !== undefined],
      ['unplugged', strikes('unplugged', number) !== undefined]
    ]
    return set.reduce((word, [meaning, isSet]) => (isSet ? word | (bits.get(meaning) ?? 0) : word), 0)
  }

  const isLost = (): boolean => faults.has('crate-lost') || faults.has('reboot')
  const measured = (channel: Channel): Partial<Record<Meaning, Value>> => {
    const { state, measuredV, measuredUa, isOn } = channel.output
    return {
      demand: state.demandV,
      voltage: measuredV,
      current: measuredUa / map.currentUnitUa,
      power: isOn ? 1 : 0,
      status: statusOf(channel),
      currentLimit: state.limitUa / map.currentUnitUa,
      rampUp: state.rampUpVPerS,
      rampDown: state.rampDownVPerS,
      tripTime: state.tripS,
      highestDemand: state.ceilingV
    }
  }
  // what the server read from its crate last, and when
  let readings = channels.map(measured)
  let readAt = context.utc()
  let ticks = 0
  const ticker = new Ticker(TICK_NS, () => {
    for (const { number, output } of channels) {
      const given = strikes('overcurrent', number)?.['microamps']
      output.tick(TICK_NS / 1e9, {
        isForbidden: strikes('interlock', number) !== undefined || strikes('unplugged', number) !== undefined,
        isRampStuck: strikes('ramp-stuck', number) !== undefined,
        extraUa:
          strikes('overcurrent', number) === undefined
            ? 0
            : typeof given === 'number'
              ? given
              : OVERCURRENT_UA
      })
    }
    if (++ticks % TICKS_PER_READING === 0 && !faults.has('frozen') && !isLost()) {
      readings = channels.map(measured)
      readAt = context.utc()
    }
    faults.advance(TICK_NS)
  })

  const write = (meaning: Meaning, { output }: Channel, value: number): 'ok' | 'out-of-range' => {
    const { state } = output
    if (value < 0) return 'out-of-range'
    switch (meaning) {
      case 'demand':
        if (value > highestV) return 'out-of-range'
        state.demandV = Math.min(value, state.ceilingV)
        break
      case 'highestDemand':
        state.ceilingV = value
        state.demandV = Math.min(state.demandV, value)
        break
      case 'power':
        // a crate that has nothing to clear trips with forgets them here
        if (value !== 0 && map.nodes.clear === undefined) output.clearTrip()
        if (value === 0) output.switchOff()
        else output.switchOn()
        break
      case 'currentLimit':
        state.limitUa = value * map.currentUnitUa
        break
      case 'rampUp':
        state.rampUpVPerS = value
        break
      case 'rampDown':
        state.rampDownVPerS = value
        break
      case 'tripTime':
        state.tripS = value
    }
    return 'ok'
  }

  const variable = (
    meaning: Meaning,
    node: string,
    type: SimNode['type'],
    read: () => Value,
    set?: (value: number) => 'ok' | 'out-of-range'
  ): SimNode[] => {
    const pattern = map.nodes[meaning]
    if (pattern === undefined) return []
    const place = placeOf(pattern, settings.crate, node)
    if (place === undefined)
      throw new SpillwayError(
        ErrorCode.configuration,
        `${config.id}: the simulated crate has no ${pattern}`,
        {
          hint: 'it serves ids that are strings: "ns=2;s=..."'
        }
      )
    return [
      {
        id: place.path,
        namespace: place.namespace,
        type,
        read: () => ({
          value: read(),
          quality: isLost() && meaning !== 'connected' ? 'bad' : 'good',
          sourceTime: meaning === 'connected' ? context.utc() : readAt
        }),
        ...(set === undefined
          ? {}
          : {
              write: (value) =>
                isLost() ? 'refused' : typeof value === 'string' ? 'refused' : set(Number(value))
            })
      }
    ]
  }
  const WHOLE: readonly Meaning[] = ['power', 'status']
  const READ_ONLY: readonly Meaning[] = ['voltage', 'current', 'status']
  const nodes = [
    ...channels.flatMap((channel, i) =>
      (Object.keys(measured(channel)) as Meaning[]).flatMap((meaning) =>
        variable(
          meaning,
          channel.node,
          WHOLE.includes(meaning) ? 'Int32' : 'Double',
          () => readings[i]?.[meaning] ?? 0,
          READ_ONLY.includes(meaning) ? undefined : (value) => write(meaning, channel, value)
        )
      )
    ),
    ...variable(
      'clear',
      '',
      'Int32',
      () => 0,
      (value) => {
        if (value !== 0) for (const { output } of channels) output.clearTrip()
        return 'ok'
      }
    ),
    ...variable('connected', '', 'Int32', () => (isLost() ? 0 : 1)),
    ...variable('model', '', 'String', () => 'SY4527'),
    ...variable('serial', '', 'String', () => `SIM-${config.id}`),
    ...variable('firmware', '', 'String', () => '1.0')
  ]
  const turnOff = (): void =>
    channels.forEach(({ output }) =>
      output.restore({ ...output.state, drive: 'off', outputV: 0, isTripped: false })
    )
  return {
    id: config.id,
    kind: config.kind,
    faces: { control: { kind: 'nodes', nodes } },
    advance: (dtNs) => ticker.advance(dtNs),
    inject: (fault) => {
      if (fault.kind === 'trip') {
        for (const { number, output } of channels) if ((fault['channel'] ?? number) === number) output.trip()
        return true
      }
      if (fault.kind !== 'reboot') return faults.inject(fault)
      turnOff()
      return faults.inject({ kind: 'reboot', forMs: REBOOT_MS })
    },
    truth: () => ({
      channels: channels.map(({ number, output }) => {
        const { state, measuredV, measuredUa } = output
        return { number, ...state, measuredV, measuredUa }
      }),
      faults: faults.list()
    }),
    save: () => ({ channels: channels.map(({ output }) => ({ ...output.state })) }),
    restore: (saved) => {
      const { channels: states } = (saved ?? {}) as { channels?: unknown }
      const isKnown =
        Array.isArray(states) && states.length === channels.length && states.every(isOutputState)
      // Nobody knows how the channels stood when it cannot be read: the safe guess is off, never on.
      channels.forEach(({ output }, i) =>
        output.restore(isKnown ? (states[i] as OutputState) : found(i, 'off'))
      )
      readings = channels.map(measured)
    }
  }
}
