import type { DeviceSummary, Snapshot } from '../../api/api.ts'
import { RUN_LOOKS } from '../../api/run-looks.ts'
import { plural } from './format.ts'
import { groupSignals } from './signal-groups.ts'
import { badInARow, reasonText } from './spill-verdict.ts'
import { clockText } from './time.ts'

export type Severity = 'critical' | 'warning' | 'advice'

/** One thing that needs the shifter: what, since when, what to do. */
export interface Attention {
  readonly key: string
  readonly severity: Severity
  readonly what: string
  readonly action: string
}

const RANK: Readonly<Record<Severity, number>> = { critical: 0, warning: 1, advice: 2 }

const ROLE_SEVERITY: Readonly<Record<DeviceSummary['role'], Severity>> = {
  essential: 'critical',
  required: 'warning',
  optional: 'advice'
}

const ROLE_EFFECT: Readonly<Record<DeviceSummary['role'], string>> = {
  essential: 'Without it data taking goes to Safe.',
  required: 'Without it the run is stopped and marked interrupted.',
  optional: 'The run goes on, marked degraded.'
}

const CHECKS: Readonly<Record<string, string>> = {
  'slink-msadc': 'Check the power of its crate and the link light of its S-LINK bridge.',
  'trigger-crate': 'Check the power and the network cable of the trigger crate.',
  'iseg-scpi': 'Its voltages stay as they are: do not switch it off. Check its serial cable.',
  'caen-n1470': 'Its voltages stay as they are: do not switch it off. Check the cable of the chain.',
  'opcua-crate': 'Its voltages stay as they are: do not switch it off. Check its OPC UA server.',
  'interlock-plc': 'Read the interlock panel by eye. Check the network of the PLC cabinet.',
  'spill-timing': 'Check the timing gateway and its network.',
  magnet: 'Its current stays as it is. Read the magnet page of the accelerator, then call the beam expert.'
}

/** How a device stands: not yet connected in an idle system is no reason for colour. */
export function deviceSeverity(device: DeviceSummary, state: Snapshot['run']['state']): Severity | undefined {
  if (device.state !== 'disconnected') return undefined
  const isEarly = state === 'idle' || state === 'configuring'
  return isEarly && device.lastSeen === null ? undefined : ROLE_SEVERITY[device.role]
}

/** What to do about a device that is not there. */
export function deviceAction(device: DeviceSummary): string {
  return `${CHECKS[device.kind] ?? 'Check its power and its cable.'} ${ROLE_EFFECT[device.role]}`
}

const severityRank = (device: DeviceSummary, state: Snapshot['run']['state']): number => {
  const severity = deviceSeverity(device, state)
  if (severity !== undefined) return RANK[severity]
  return device.state === 'connected' ? 5 : device.state === 'connecting' ? 4 : 3
}

/** Lost ones first, the gravest at the top; the rest in the order of the server. */
export function orderDevices(
  devices: readonly DeviceSummary[],
  state: Snapshot['run']['state']
): DeviceSummary[] {
  return [...devices].sort((a, b) => severityRank(a, state) - severityRank(b, state))
}

/** Spills in a row that are not good before it is worth a line. */
const BAD_SPILLS_WORTH_A_LINE = 3

/** Everything that needs the shifter, gravest first. Empty: nothing does. */
export function attentionOf(snapshot: Snapshot): Attention[] {
  const { run, spill, spills, devices, signals } = snapshot
  const list: Attention[] = []

  if (run.state === 'fault' || run.state === 'safe')
    list.push({
      key: 'run',
      severity: run.state === 'fault' ? 'critical' : 'warning',
      what: `${RUN_LOOKS[run.state].word} since ${clockText(run.since)}: ${run.status}`,
      action: RUN_LOOKS[run.state].action
    })

  for (const device of devices) {
    const severity = deviceSeverity(device, run.state)
    if (severity === undefined) continue
    const seen = device.lastSeen === null ? '' : ` Last seen ${clockText(device.lastSeen)}.`
    list.push({
      key: `device ${device.id}`,
      severity,
      what: `${device.id} is lost: ${device.text}.${seen}`.replace('..', '.'),
      action: deviceAction(device)
    })
  }

  const row = badInARow(spills)
  const last = spills.at(-1)
  if (last !== undefined && row >= BAD_SPILLS_WORTH_A_LINE)
    list.push({
      key: 'spills',
      severity: 'warning',
      what: `The last ${plural(row, 'spill')} are not good: ${reasonText(last)}.`,
      action: 'If no line above explains it, stop the run and call the DAQ expert.'
    })
  else if (last?.closed === false && run.state !== 'safe' && run.state !== 'fault') {
    const open = last.sources.filter((source) => !source.closed).map((source) => source.device)
    list.push({
      key: 'ledger',
      severity: 'warning',
      what: `Spill ${last.spill}: the ledger does not close${open.length > 0 ? ` at ${open.join(', ')}` : ''}.`,
      action: 'Let the run go on and note it. Call the DAQ expert when it happens again.'
    })
  }

  const lost = new Set(devices.filter((device) => device.state !== 'connected').map((device) => device.id))
  for (const group of groupSignals(signals, devices)) {
    // the lost device has its own line; its old signals follow from that
    if (lost.has(group.device) || group.abnormalCount === 0) continue
    const bad = group.rows.filter(({ signal }) => signal.quality === 'bad')
    const names = (bad.length > 0 ? bad : group.rows.slice(0, group.abnormalCount)).map(
      ({ signal, name }) => `${name} is ${signal.quality}`
    )
    const shown = names.slice(0, 3).join(', ') + (names.length > 3 ? ` and ${names.length - 3} more` : '')
    list.push({
      key: `signals ${group.device}`,
      severity: bad.length > 0 ? 'warning' : 'advice',
      what: `${group.device}: ${shown}.`,
      action: 'See Signals. Call the slow-control expert when it lasts longer than a minute.'
    })
  }

  if (run.state === 'running' && spill.phase === 'no-beam')
    list.push({
      key: 'beam',
      severity: 'advice',
      what: `No extraction since ${clockText(spill.since)}.`,
      action: 'Look at SPS Page 1. The run waits; nothing to do until the beam is back.'
    })

  return list.sort((a, b) => RANK[a.severity] - RANK[b.severity])
}
