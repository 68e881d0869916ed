// Which device the words of the command line mean: defaults by the URL's scheme, settings of each kind as devices.yaml
// would have them, simulated links where a simulator said that it is; and what is said when something is missing.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DEVICE_KINDS, parseNumbers, targetOf } from '../../../../../controller/commands/device/target.ts'
import { ErrorCode } from '../../../../../core/errors.ts'

let data: string
beforeAll(() => {
  data = mkdtempSync(join(tmpdir(), 'target-'))
})
afterAll(() => rmSync(data, { recursive: true }))

const usage = (hint: string): Error =>
  expect.objectContaining({
    code: ErrorCode.usage,
    details: expect.objectContaining({ hint: expect.stringContaining(hint) as unknown }) as unknown
  }) as Error

describe('a device by its URL', () => {
  it.each([
    ['serial:///dev/ttyUSB0', 'iseg-scpi', { channels: '0' }],
    ['tcp://hv:10001', 'iseg-scpi', { channels: '0' }],
    ['modbus+tcp://plc', 'interlock-plc', {}],
    ['mqtt://broker', 'spill-timing', { prefix: 'na64' }],
    ['opc.tcp://magnets', 'magnet', { magnet: 'MS2' }],
    ['ipbus+udp://board', 'slink-msadc', { source: 600, modules: '0.0,1.3', dataUrl: 'tcp://bridge:1' }],
    ['udp://0.0.0.0:5000', 'spill-pulses', {}]
  ])('at %s is a %s', (url, kind, options) => {
    const { config } = targetOf(url, { data, ...options })
    expect(config).toMatchObject({ id: kind, kind, links: { control: url } })
  })

  it('has the settings that the words mean', () => {
    const board = { data, source: 600, modules: '0.0,1.3', dataUrl: 'tcp://bridge:1' }
    expect(targetOf('ipbus+udp://board', board).config).toMatchObject({
      links: { data: 'tcp://bridge:1' },
      settings: {
        source: 600,
        modules: [
          { port: 0, adc: 0 },
          { port: 1, adc: 3 }
        ]
      }
    })
    const limits = { limitV: 1500, rampVPerS: 50, currentLimitUa: 300 }
    const chain = targetOf('serial:///dev/hv', {
      data,
      kind: 'caen-n1470',
      boards: '0,2',
      channels: '0-1',
      ...limits
    })
    const channels = [0, 1].map((number) => expect.objectContaining({ number, ...limits }) as unknown)
    expect(chain.config.settings['boards']).toEqual([
      { number: 0, channels },
      { number: 2, channels }
    ])
    expect(chain.missingForSet).toEqual([])
  })

  it('whose limits are not said can be read and not set', () => {
    expect(targetOf('tcp://hv:1', { data, channels: '0', limitV: 100 }).missingForSet).toEqual([
      '--ramp-v-per-s',
      '--current-limit-ua'
    ])
  })

  it.each([
    ['tcp://hv:1', {}, '--channels 0-3'],
    ['mqtt://broker', {}, '--prefix'],
    ['opc.tcp://magnets', {}, '--magnet'],
    ['ipbus+udp://board', {}, '--source'],
    ['ipbus+udp://board', { source: 1, modules: '0.0' }, '--data-url'],
    ['ipbus+udp://board', { source: 1, modules: '0' }, 'port.adc'],
    ['tcp://hv:1', { channels: '3-1' }, '0-3,7'],
    ['ftp://hv:1', {}, DEVICE_KINDS.join(', ')],
    ['tcp://hv:1', { kind: 'isegscpi' }, "'iseg-scpi'"],
    ['tcp://hv:1', { kind: 'temperature-module', settings: '{' }, '--settings'],
    ['-', {}, '--experiment'],
    ['tcp://hv:1', { sim: true, channels: '0' }, '--experiment']
  ])('%s with %j is told what is missing', (url, options, hint) => {
    expect(() => targetOf(url, { data, ...options })).toThrow(usage(hint))
  })

  it('of a kind with many settings takes them as devices.yaml has them, and says what is wrong with them', () => {
    const settings = '{"map":"sy4527","crate":"C1","channels":[],"toleranceV":3}'
    expect(() => targetOf('opc.tcp://crate', { data, kind: 'opcua-crate', settings })).toThrow(
      expect.objectContaining({
        code: ErrorCode.configuration,
        details: expect.objectContaining({
          faults: expect.arrayContaining([expect.objectContaining({ where: 'channels' })]) as unknown
        }) as unknown
      }) as Error
    )
  })
})

describe('a device of an experiment', () => {
  const bench = { experiment: 'bench', device: 'msadc-bench' }

  it('has its links, unless others are given', () => {
    const { config, missingForSet } = targetOf('-', { data, ...bench })
    expect(config.links.control).toMatch(/^ipbus\+udp:\/\/192\.168\./)
    expect(missingForSet).toEqual([])
    expect(targetOf('ipbus+udp://other', { data, ...bench }).config.links).toEqual({
      ...config.links,
      control: 'ipbus+udp://other'
    })
  })

  it('has a twin where devices.yaml plans it, or where a simulator said that it is', () => {
    const twin = (device: string): string | undefined =>
      targetOf('-', { data, experiment: 'bench', device, sim: true }).config.links.control
    expect(twin('hv-bench')).toBe(`serial://${data}/hv-bench.tty`)
    writeFileSync(join(data, 'links.json'), '{"hv-bench":{"control":"serial:///elsewhere"}}')
    expect(twin('hv-bench')).toBe('serial:///elsewhere')
    expect(twin('bench-plc')).toMatch(/^modbus\+tcp:\/\/127\.0\.0\.1:/)
  })

  it('that is not there is told which are', () => {
    expect(() => targetOf('-', { data, experiment: 'bench', device: 'hv' })).toThrow(
      expect.objectContaining({
        code: ErrorCode.notFound,
        details: expect.objectContaining({ hint: expect.stringContaining('hv-bench') as unknown }) as unknown
      }) as Error
    )
  })
})

describe('a list of numbers', () => {
  it('has single ones and ranges', () => {
    expect(parseNumbers('--channels', '0-3, 7')).toEqual([0, 1, 2, 3, 7])
  })

  it.each(['', 'a', '1-', '0-999', '1,,2'])('%j is none', (text) => {
    expect(() => parseNumbers('--channels', text)).toThrow(usage('--channels 0-3,7'))
  })
})
