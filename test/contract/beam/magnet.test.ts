// The magnet driver against nodes in memory under virtual time: identity, values with quality and zones, changes
// without a poll, and no value that stays good when nothing confirms it.
import { beforeEach, describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../core/errors.ts'
import { silentLog } from '../../../core/log.ts'
import type { Zone } from '../../../core/signal.ts'
import { seconds } from '../../../core/units.ts'
import { VirtualClock } from '../../../core/virtual-clock.ts'
import { OpcuaMagnet } from '../../../drivers/beam/magnet/magnet.ts'
import { makeMemoryNodeLink } from '../../../drivers/link/memory-nodes.ts'
import { linksOf } from '../hv/link-factory.ts'

const never = new AbortController().signal
type Quality = 'good' | 'suspect' | 'bad'

describe('the spectrometer magnet', () => {
  let clock: VirtualClock
  let values: Map<string, number | string>
  let quality: Quality
  /** undefined: the time of asking */
  let sourceTime: Date | undefined
  let link: ReturnType<typeof makeMemoryNodeLink>
  let magnet: OpcuaMagnet

  const make = (magnetName: string, nominalA: number): OpcuaMagnet => {
    const face = {
      nodes: [...values.keys()].map((name) => ({
        id: `Magnet.MS2.${name}`,
        read: () => ({ value: values.get(name)!, quality, sourceTime: sourceTime ?? clock.utc() })
      }))
    }
    return new OpcuaMagnet(
      { id: 'magnet', role: 'required', url: 'opc.tcp://magnet', magnetName, nominalA },
      {
        clock,
        links: linksOf({ nodes: (url) => (link = makeMemoryNodeLink(url, face, clock)) }),
        log: silentLog
      }
    )
  }

  beforeEach(() => {
    clock = new VirtualClock()
    quality = 'good'
    sourceTime = undefined
    values = new Map<string, number | string>([
      ['Maker', 'CERN'],
      ['Model', 'MBP'],
      ['Serial', '42'],
      ['Firmware', '1.0'],
      ['CurrentSet', -1000],
      ['CurrentActual', -1000.2],
      ['Polarity', -1],
      ['FieldIntegral', -3.8],
      ['Temperature', 27.5],
      ['Status', 1]
    ])
    magnet = make('MS2', -1000)
  })

  const on = <T>(work: Promise<T>): Promise<T> => clock.resolve(work, seconds(60))
  const reading = (name: string) => magnet.signals.find(({ path }) => path === `magnet/${name}`)?.latest()

  it('tells who it is and everything that it knows', async () => {
    expect(await on(magnet.connect(never))).toEqual({
      maker: 'CERN',
      model: 'MBP',
      serial: '42',
      firmware: '1.0'
    })
    expect(reading('current')).toMatchObject({ value: -1000.2, quality: 'good' })
    expect(reading('current-set')?.value).toBe(-1000)
    expect(reading('field-integral')?.value).toBe(-3.8)
    expect(reading('polarity')?.value).toBe(-1)
    expect(reading('status')?.value).toBe('on')
  })

  it('warns at 0.1 % and is critical at 0.5 % of the nominal current, whatever its sign', () => {
    const current = magnet.signals.find(({ path }) => path === 'magnet/current')!
    const severities = (value: number): string[] =>
      current.meta.zones
        .filter(({ lower = -Infinity, upper = Infinity }: Zone) => value > lower && value < upper)
        .map(({ severity }) => severity)
    expect(severities(-1000)).toEqual([])
    expect(severities(-1000.9)).toEqual([])
    expect(severities(-1002)).toEqual(['warning'])
    expect(severities(-998)).toEqual(['warning'])
    expect(severities(-1006)).toEqual(['critical'])
    expect(severities(-900)).toEqual(['critical'])
    expect(severities(1000)).toEqual(['critical'])
  })

  it('shows changes without being polled', async () => {
    await on(magnet.connect(never))
    values.set('CurrentActual', -990)
    values.set('Status', 2)
    await clock.advance(seconds(1))
    expect(reading('current')?.value).toBe(-990)
    expect(reading('status')?.value).toBe('ramping')
  })

  it('has no good value that nothing confirms', async () => {
    await on(magnet.connect(never))
    await clock.advance(seconds(6))
    expect(reading('current')?.quality).toBe('stale')
    await on(magnet.poll(never))
    expect(reading('current')?.quality).toBe('good')
  })

  it('doubts a current whose source time stands still although the server answers', async () => {
    await on(magnet.connect(never))
    sourceTime = clock.utc()
    for (let n = 0; n < 32; n++) {
      await clock.advance(seconds(1))
      await on(magnet.poll(never))
    }
    expect(reading('current')).toMatchObject({ quality: 'suspect' })
    expect(reading('current')?.reason).toContain('source time')
    sourceTime = undefined
    await on(magnet.poll(never))
    expect(reading('current')?.quality).toBe('good')
  })

  it('passes on the quality that the server gives', async () => {
    await on(magnet.connect(never))
    quality = 'suspect'
    await on(magnet.poll(never))
    expect(reading('temperature')).toMatchObject({ value: 27.5, quality: 'suspect' })
    quality = 'bad'
    await on(magnet.poll(never))
    expect(reading('temperature')).toMatchObject({ quality: 'bad' })
  })

  it('marks a status that the manual does not know as bad', async () => {
    await on(magnet.connect(never))
    values.set('Status', 9)
    await on(magnet.poll(never))
    expect(reading('status')).toMatchObject({ value: 'on', quality: 'bad' })
  })

  it('says that the server has no such magnet', async () => {
    const other = make('MS1', 1000)
    await expect(on(other.connect(never))).rejects.toMatchObject({
      code: ErrorCode.protocol,
      details: { got: expect.stringContaining('BadNodeIdUnknown') as string }
    })
    expect(other.state.kind).toBe('disconnected')
  })

  it('is stale without its server and reads everything again, any number of times', async () => {
    for (let n = 0; n < 4; n++) {
      values.set('CurrentActual', -1000 - n)
      await on(magnet.connect(never))
      expect(reading('current')).toMatchObject({ value: -1000 - n, quality: 'good' })
      link.cut('the server is gone')
      expect(magnet.state.kind).toBe('disconnected')
      expect(reading('current')?.quality).toBe('stale')
      await expect(on(magnet.connect(never))).rejects.toMatchObject({ code: ErrorCode.disconnected })
      link.restore()
    }
  })
})
