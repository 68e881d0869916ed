import type { Clock } from '../../../core/clock.ts'
import type { DeviceIdentity, DeviceRole, DeviceState } from '../../../core/device.ts'
import { ErrorCode, SpillwayError } from '../../../core/errors.ts'
import { SignalCell } from '../../../core/signal-value.ts'
import { seconds } from '../../../core/units.ts'
import { DeviceConnection, type DriverDependencies, type LinkedSignal } from '../../link/device-connection.ts'
import type { HvSupply } from '../contract/hv-supply.ts'
import { type HvChannelOptions, RampedChannel, waitUntilAllOff } from '../contract/ramped-channel.ts'
import { channelList } from './answers.ts'
import { makeIsegChannel, READBACK_V } from './iseg-channel.ts'
import { readChannels } from './readout.ts'
import { ScpiPort } from './scpi-port.ts'

export interface IsegScpiOptions {
  readonly id: string
  readonly role: DeviceRole
  /** `serial:///dev/...?baudRate=9600` or `tcp://host:10001` */
  readonly url: string
  readonly channels: readonly HvChannelOptions[]
  /** how near the measured voltage must be to the demand */
  readonly toleranceV: number
}

/** Ramping all channels down, the slowest included. */
const SAFE_LIMIT = seconds(600)
const STALE_AFTER_MS = 10_000

/**
 * An iseg high-voltage supply that speaks SCPI (NHS, NHR, SHR) over a serial line or TCP. Connecting writes
 * nothing: what the module does is read and taken over. A module that stops answering is disconnected, even when
 * the line stays open.
 */
export class IsegScpi implements HvSupply {
  readonly id: string
  readonly kind = 'iseg-scpi'
  readonly role: DeviceRole
  readonly channels: readonly RampedChannel[]
  readonly signals: readonly LinkedSignal[]
  readonly #clock: Clock
  readonly #port: ScpiPort
  readonly #connection: DeviceConnection
  readonly #garbage: SignalCell<number>
  readonly #numbers: readonly number[]

  constructor(options: IsegScpiOptions, { clock, links, log }: DriverDependencies) {
    this.id = options.id
    this.role = options.role
    this.#clock = clock
    const link = links.bytes(options.url)
    this.#connection = new DeviceConnection(options.id, link, log, () => this.signals)
    this.#port = new ScpiPort(options.id, link, clock, (why) => void this.#connection.drop(why))
    this.channels = options.channels.map(
      (channel) =>
        new RampedChannel(
          {
            ...channel,
            path: `${options.id}/ch${channel.number}`,
            toleranceV: options.toleranceV,
            staleAfterMs: STALE_AFTER_MS,
            readbackV: READBACK_V,
            showsWithin: seconds(1)
          },
          makeIsegChannel(channel, this.#port),
          clock
        )
    )
    this.#numbers = options.channels.map(({ number }) => number)
    this.#garbage = new SignalCell<number>(clock, `${options.id}/garbage`, {
      unit: '',
      description: 'bytes and lines that were no answer; grows on a bad cable',
      staleAfterMs: STALE_AFTER_MS,
      zones: []
    })
    this.signals = [...this.channels.flatMap(({ signals }) => signals), this.#garbage]
  }

  get state(): DeviceState {
    return this.#connection.state
  }

  onState(listener: (state: DeviceState) => void): () => void {
    return this.#connection.onState(listener)
  }

  connect(signal: AbortSignal): Promise<DeviceIdentity> {
    return this.#connection.connect(async (inner) => {
      const identity = await this.#port.identify(inner)
      if (!/\biseg\b/i.test(identity.maker))
        throw new SpillwayError(ErrorCode.protocol, `${this.id}: what answers is no iseg supply`, {
          device: this.id,
          expected: 'a maker that contains iseg',
          got: Object.values(identity).join(','),
          hint: 'compare the URL in devices.yaml with the cabling'
        })
      await this.poll(inner)
      return identity
    }, signal)
  }

  disconnect(): Promise<void> {
    return this.#connection.disconnect()
  }

  async poll(signal: AbortSignal): Promise<void> {
    const readouts = await readChannels(this.#port, this.#numbers, signal)
    for (const [index, readout] of readouts.entries()) this.channels[index]!.show(readout)
    this.#garbage.update(this.#port.garbageBytes + this.#port.strayLines)
  }

  /** Ramps every channel down and off together; resolves when all voltages are gone. */
  async makeSafe(reason: string): Promise<void> {
    await this.#clock.within(`${this.id}: make safe, because ${reason}`, SAFE_LIMIT, async (signal) => {
      await this.#port.command(`:VOLT OFF,${channelList(this.#numbers)}`, signal)
      await waitUntilAllOff(this.id, this.channels, signal)
    })
  }
}
