import type { DeviceSummary, SignalSummary } from '../../api/api.ts'

export interface SignalGroup {
  /** device id: the first part of the paths */
  readonly device: string
  readonly kind: string
  readonly rows: readonly SignalRow[]
  /** rows that are not good */
  readonly abnormalCount: number
}

export interface SignalRow {
  readonly signal: SignalSummary
  /** path without the device */
  readonly name: string
}

/** Signals by device, in the order of the devices; groups and rows that are not good come first. */
export function groupSignals(
  signals: readonly SignalSummary[],
  devices: readonly DeviceSummary[]
): SignalGroup[] {
  const rows = new Map<string, SignalRow[]>(devices.map((device) => [device.id, []]))
  for (const signal of signals) {
    const slash = signal.path.indexOf('/')
    const device = slash < 0 ? signal.path : signal.path.slice(0, slash)
    const name = slash < 0 ? signal.path : signal.path.slice(slash + 1)
    const group = rows.get(device)
    if (group === undefined) rows.set(device, [{ signal, name }])
    else group.push({ signal, name })
  }
  const kinds = new Map(devices.map((device) => [device.id, device.kind]))
  return [...rows]
    .filter(([, group]) => group.length > 0)
    .map(([device, group]) => {
      const abnormalRows = group.filter((row) => row.signal.quality !== 'good')
      return {
        device,
        kind: kinds.get(device) ?? '',
        rows: [...abnormalRows, ...group.filter((row) => row.signal.quality === 'good')],
        abnormalCount: abnormalRows.length
      }
    })
    .sort((a, b) => Number(b.abnormalCount > 0) - Number(a.abnormalCount > 0))
}
