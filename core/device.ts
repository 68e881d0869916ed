import type { Signal } from './signal.ts'

/**
 * What the absence of a device does to a run: essential - the data path goes to SAFE; required - the run is
 * stopped and marked interrupted; optional - the run goes on, marked degraded.
 */
export type DeviceRole = 'essential' | 'required' | 'optional'

export interface DeviceIdentity {
  readonly maker: string
  readonly model: string
  readonly serial: string
  readonly firmware: string
}

export type DeviceState =
  | { readonly kind: 'disconnected'; readonly why: string }
  | { readonly kind: 'connecting' }
  | { readonly kind: 'connected'; readonly identity: DeviceIdentity }

/** What every device is, whatever it does. The family contracts extend it. */
export interface Device {
  readonly id: string
  readonly kind: string
  readonly role: DeviceRole
  readonly signals: readonly Signal[]
  readonly state: DeviceState
  /** Called on every change of `state`, until unsubscribed. */
  onState(listener: (state: DeviceState) => void): () => void
  /** Opens the link and checks that the right thing answers. May be called again after a loss. */
  connect(signal: AbortSignal): Promise<DeviceIdentity>
  /** Brings the device to the state that its contract calls safe. Needs nobody's permission. */
  makeSafe(reason: string): Promise<void>
  disconnect(): Promise<void>
}
