/** What is put before the shifter, and in which order. */
import { describe, expect, it } from 'vitest'
import type { Snapshot } from '../../../../../console/api/api.ts'
import { attentionOf, deviceSeverity, orderDevices } from '../../../../../console/src/logic/attention.ts'
import { groupSignals } from '../../../../../console/src/logic/signal-groups.ts'
import { deviceOf, snapshotOf, spillOf, utcAt } from '../fixtures.ts'

const lost = { state: 'disconnected', text: 'no answer' } as const
const signalOf = (path: string, quality: Snapshot['signals'][number]['quality']) => ({
  path,
  unit: 'V',
  value: 1,
  quality,
  utc: utcAt(0)
})
const keys = (snapshot: Snapshot): string[] => attentionOf(snapshot).map((item) => item.key)

describe('attention', () => {
  it('is empty when all is well', () => {
    expect(attentionOf({ ...snapshotOf(1), devices: [deviceOf('a')], spills: [spillOf(1)] })).toEqual([])
  })

  it('puts the gravest first: lost essential device, Safe, optional device', () => {
    const base = snapshotOf(1)
    const list = attentionOf({
      ...base,
      run: { ...base.run, state: 'safe', status: 'trigger did not answer' },
      devices: [
        deviceOf('veto', { ...lost, role: 'optional' }),
        deviceOf('trigger', { ...lost, role: 'essential', kind: 'trigger-crate' })
      ]
    })
    expect(list.map((item) => item.severity)).toEqual(['critical', 'warning', 'advice'])
    expect(list[0]?.what).toBe('trigger is lost: no answer. Last seen 03:00:00.')
    expect(list[0]?.action).toContain('trigger crate')
    expect(list[1]?.what).toContain('trigger did not answer')
  })

  it('does not ask for devices that were never there while the system is idle', () => {
    const never = deviceOf('a', { ...lost, lastSeen: null })
    expect(deviceSeverity(never, 'idle')).toBeUndefined()
    expect(deviceSeverity(never, 'running')).toBe('warning')
    expect(deviceSeverity(deviceOf('a', lost), 'idle')).toBe('warning')
  })

  it('names the source whose ledger is open, once; three bad spills in a row replace it', () => {
    const source = { source: 601, device: 'hcal', closed: false }
    const open = spillOf(9, { closed: false, sources: [source as never] })
    const once = attentionOf({ ...snapshotOf(1), spills: [spillOf(8), open] })
    expect(once.map((item) => item.what)).toEqual(['Spill 9: the ledger does not close at hcal.'])
    expect(keys({ ...snapshotOf(1), spills: [open, open, open] })).toEqual(['spills'])
  })

  it('says one line per device about its signals, and none when the device itself is lost', () => {
    const signals = [
      signalOf('hv/ch0', 'stale'),
      signalOf('hv/ch1', 'stale'),
      signalOf('plc/door', 'bad'),
      signalOf('plc/gas', 'good')
    ]
    const devices = [deviceOf('hv'), deviceOf('plc')]
    expect(attentionOf({ ...snapshotOf(1), signals, devices }).map((item) => item.what)).toEqual([
      'plc: door is bad.',
      'hv: ch0 is stale, ch1 is stale.'
    ])
    expect(keys({ ...snapshotOf(1), signals, devices: [deviceOf('hv', lost), deviceOf('plc')] })).toEqual([
      'device hv',
      'signals plc'
    ])
  })

  it('mentions the missing beam in a run only', () => {
    const base = snapshotOf(1)
    const spill = { ...base.spill, phase: 'no-beam' } as const
    expect(keys({ ...base, spill })).toEqual(['beam'])
    expect(keys({ ...base, spill, run: { ...base.run, state: 'idle' } })).toEqual([])
  })
})

it('devices are ordered lost, connecting, connected, and as the server has them within', () => {
  const devices = [
    deviceOf('a'),
    deviceOf('b', { state: 'connecting' }),
    deviceOf('c', { ...lost, role: 'optional' }),
    deviceOf('d', { ...lost, role: 'essential' }),
    deviceOf('e')
  ]
  expect(orderDevices(devices, 'running').map((device) => device.id)).toEqual(['d', 'c', 'b', 'a', 'e'])
})

it('signals are grouped by device, what is not good first, unknown devices and bare paths kept', () => {
  const groups = groupSignals(
    [signalOf('x', 'good'), signalOf('hv/a/v', 'good'), signalOf('plc/t', 'good'), signalOf('hv/b/v', 'bad')],
    [deviceOf('plc', { kind: 'interlock-plc' }), deviceOf('hv')]
  )
  expect(groups.map((group) => [group.device, group.rows.map((row) => row.name)])).toEqual([
    ['hv', ['b/v', 'a/v']],
    ['plc', ['t']],
    ['x', ['x']]
  ])
})
