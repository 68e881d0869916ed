import { z } from 'zod'
import type { DeviceSummary, SignalSummary } from '../../console/api/api.ts'
import type { Device } from '../../core/device.ts'
import type { Signal } from '../../core/signal.ts'
import type { DeviceKeeper } from './device-keeper.ts'

/** What the slow-control process tells of itself: the one answer of its small API (GET /status). */
export interface SlowStatus {
  readonly pid: number
  readonly experiment: string
  /** of the configuration that it was started with */
  readonly configHash: string
  readonly simulated: boolean
  readonly utc: string
  readonly devices: DeviceSummary[]
  readonly signals: SignalSummary[]
}

const quality = z.enum(['good', 'suspect', 'stale', 'bad'])
const slowStatusSchema = z.object({
  pid: z.number(),
  experiment: z.string(),
  configHash: z.string(),
  simulated: z.boolean(),
  utc: z.string(),
  devices: z.array(
    z.object({
      id: z.string(),
      kind: z.string(),
      role: z.enum(['essential', 'required', 'optional']),
      state: z.enum(['disconnected', 'connecting', 'connected']),
      text: z.string(),
      lastSeen: z.string().nullable()
    })
  ),
  signals: z.array(
    z.object({
      path: z.string(),
      unit: z.string(),
      value: z.union([z.number(), z.string(), z.boolean()]).nullable(),
      quality,
      utc: z.string().nullable()
    })
  )
})

export const parseSlowStatus = (data: unknown): SlowStatus => slowStatusSchema.parse(data)

export function deviceSummary({ device, trouble, lastSeen }: DeviceKeeper): DeviceSummary {
  const { state } = device
  const text =
    state.kind === 'connected'
      ? `${state.identity.maker} ${state.identity.model}, serial ${state.identity.serial}, firmware ${state.identity.firmware}`
      : state.kind === 'disconnected' && trouble === ''
        ? state.why // just lost: the keeper has not tried again yet
        : trouble
  return {
    id: device.id,
    kind: device.kind,
    role: device.role,
    state: state.kind,
    text,
    lastSeen: lastSeen?.toISOString() ?? null
  }
}

export function signalSummary(signal: Signal): SignalSummary {
  const reading = signal.latest()
  return {
    path: signal.path,
    unit: signal.meta.unit,
    value: reading?.value ?? null,
    quality: reading?.quality ?? 'bad',
    utc: reading?.utc.toISOString() ?? null
  }
}

export const signalsOf = (devices: readonly Device[]): SignalSummary[] =>
  devices.flatMap((device) => device.signals.map(signalSummary))
