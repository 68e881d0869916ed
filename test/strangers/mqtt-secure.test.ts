/**
 * MQTT 5 with TLS and passwords over mosquitto: our link, the spill-timing driver and the simulated gateway meet on a
 * broker that nobody here wrote, which is killed and started again, and what is wrong is told by its kind.
 */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { SystemClock } from '../../core/clock.ts'
import { ErrorCode } from '../../core/errors.ts'
import { silentLog } from '../../core/log.ts'
import { MqttSpillTiming } from '../../drivers/beam/spill-timing/spill-timing.ts'
import type { TopicLink } from '../../drivers/link/link.ts'
import { makeMqttLink } from '../../drivers/link/mqtt.ts'
import type { TopicFace } from '../../hil-sim/device/face.ts'
import { makeSpillTiming } from '../../hil-sim/device/spill-timing/spill-timing.ts'
import { serveTopics } from '../../hil-sim/wire/mqtt.ts'
import type { Wire } from '../../hil-sim/wire/wire.ts'
import { linksOf } from '../contract/hv/link-factory.ts'
import { inbox, reported } from '../contract/link/topic-link-suite.ts'
import { makeSimBench, type SimBench } from '../unit/hil-sim/device/sim-bench.ts'
import { describeWith, program } from './programs.ts'
import { SecureBroker, type UrlOptions } from './secure-broker.ts'

const never = new AbortController().signal
const clock = new SystemClock()

const wanted = {
  mosquitto: program('mosquitto'),
  passwords: program('mosquitto', ['mosquitto_passwd']),
  listener: program('mosquitto-clients', ['mosquitto_sub']),
  openssl: program('openssl')
}

describeWith('MQTT with TLS and passwords', wanted, (paths) => {
  let broker: SecureBroker
  beforeAll(() => {
    broker = new SecureBroker(paths)
  })
  afterAll(() => broker.remove())
  afterEach(() => broker.stop())

  /** names of files as paths */
  const inFolder = (options: UrlOptions): UrlOptions =>
    Object.fromEntries(
      Object.entries(options).map(([key, name]): [string, string | undefined] => [
        key,
        name === undefined ? undefined : broker.file(name)
      ])
    )

  describe('the link', () => {
    let link: TopicLink
    afterEach(() => link.close())
    const open = (url: string): Promise<void> => {
      link = makeMqttLink(url, clock)
      return link.open(never)
    }

    it('carries messages with either version of MQTT', async () => {
      await broker.start()
      for (const protocol of ['5', '3.1.1']) {
        await open(broker.url('gateway', { protocol }))
        const box = inbox()
        await link.subscribe('na64/#', box.receiver)
        await link.publish('na64/here', protocol, { retain: false, qos: 1 })
        expect(await box.next()).toBe(`na64/here ${protocol}`)
        await link.close()
      }
    })

    it('takes the password from the environment when no file is named', async () => {
      await broker.start()
      const url = broker.url('controller', { passwordFile: undefined })
      await expect(open(url)).rejects.toMatchObject({ code: ErrorCode.configuration })
      process.env['SPILLWAY_MQTT_PASSWORD'] = broker.password('controller')
      try {
        await open(url)
      } finally {
        delete process.env['SPILLWAY_MQTT_PASSWORD']
      }
      expect(link.isOpen).toBe(true)
    })

    it.each<[string, UrlOptions, ErrorCode, RegExp]>([
      [
        'a wrong password',
        { passwordFile: 'wrong.password' },
        ErrorCode.refused,
        /broker refuses: .*Not authorized/
      ],
      ['another authority', { ca: 'stranger.pem' }, ErrorCode.refused, /certificate .* not accepted/],
      ['no authority', { ca: undefined }, ErrorCode.refused, /certificate .* not accepted/],
      ['no such authority', { ca: 'none.pem' }, ErrorCode.configuration, /option ca cannot be read/],
      ['no such file', { passwordFile: 'none' }, ErrorCode.configuration, /option passwordFile cannot/]
    ])('says what is wrong with %s', async (_, options, code, message) => {
      await broker.start()
      const failure: unknown = await open(broker.url('gateway', inFolder(options))).catch(
        (error: unknown) => error
      )
      expect(failure).toMatchObject({ code, message: expect.stringMatching(message) as unknown })
      expect(link.isOpen).toBe(false)
    })

    it('does not talk to a broker whose certificate names another host', async () => {
      await broker.start('elsewhere')
      await expect(open(broker.url('gateway'))).rejects.toMatchObject({
        code: ErrorCode.refused,
        details: { got: 'ERR_TLS_CERT_ALTNAME_INVALID' }
      })
    })

    it('is disconnected when only one side speaks TLS', async () => {
      await broker.start()
      const { href } = new URL(broker.url('gateway'))
      await expect(open(href.replace(`:${broker.port}`, `:${broker.plainPort}`))).rejects.toMatchObject({
        code: ErrorCode.disconnected
      })
      await expect(open(`mqtt://127.0.0.1:${broker.port}?protocol=5`)).rejects.toMatchObject({
        code: ErrorCode.disconnected
      })
    })

    it('goes without TLS too, with a password', async () => {
      await broker.start()
      const file = encodeURIComponent(broker.file('controller.password'))
      await open(`mqtt://controller@127.0.0.1:${broker.plainPort}?passwordFile=${file}`)
      expect(link.isOpen).toBe(true)
      await expect(open(`mqtt://127.0.0.1:${broker.plainPort}`)).rejects.toMatchObject({
        code: ErrorCode.refused
      })
    })

    it('stays open when the broker refuses a message', async () => {
      await broker.start()
      await open(broker.url('controller'))
      await expect(link.publish('na64/here', '1', { retain: false, qos: 1 })).rejects.toMatchObject({
        code: ErrorCode.refused
      })
      expect(link.isOpen).toBe(true)
    })
  })

  describe('spill timing', () => {
    let bench: SimBench
    let wire: Wire
    let timing: MqttSpillTiming
    let marks: string[]
    let heard: () => void

    beforeEach(async () => {
      await broker.start()
      bench = makeSimBench(makeSpillTiming, 'spill-timing', { prefix: 'na64/ehn2' })
      cycle(7)
      const face = bench.device.faces['control'] as TopicFace
      wire = await serveTopics([face], { broker: broker.url('gateway') })
      timing = new MqttSpillTiming(
        { id: 'timing', role: 'essential', url: broker.url('controller'), prefix: 'na64/ehn2' },
        { clock, links: linksOf({ topics: (url) => makeMqttLink(url, clock) }), log: silentLog }
      )
      marks = []
      heard = () => undefined
      timing.onMark(({ mark, cycle }) => {
        marks.push(`${mark} ${cycle}`)
        heard()
      })
    })
    afterEach(async () => {
      await timing.disconnect()
      await wire.close()
    })
    const cycle = (number: number): void => {
      const nextStart = new Date(Date.now() + 14_400)
      bench.cycle({ cycle: number, cycleLengthMs: 14_400, extractionMs: 4_800, nextStart })
    }
    const spill = async (number: number): Promise<void> => {
      const last = new Promise<void>((resolve) => {
        heard = () => {
          if (marks.at(-1) === `EOE ${number}`) resolve()
        }
      })
      for (const mark of ['WWE', 'WE', 'SOE', 'EOE'] as const) bench.mark(mark, number)
      await last
    }
    const ofSpill = (number: number): string[] =>
      ['WWE', 'WE', 'SOE', 'EOE'].map((mark) => `${mark} ${number}`)

    it('hears every mark of the simulated gateway once and in order', async () => {
      await timing.connect(never)
      await spill(7)
      await spill(8)
      expect(marks).toEqual([...ofSpill(7), ...ofSpill(8)])
      expect(timing.latestCycle()).toMatchObject({ cycle: 7, cycleLengthMs: 14_400, extractionMs: 4_800 })
    })

    it('is lost with the broker, and knows the retained state again when both are back', async () => {
      await timing.connect(never)
      await spill(7)
      const lost = reported(
        { onState: (listener) => timing.onState(({ kind }) => listener(kind === 'connected', kind)) },
        false
      )
      await broker.stop()
      await lost
      expect(timing.signals.find(({ path }) => path === 'timing/cycle')?.latest()?.quality).toBe('stale')
      await expect(timing.connect(never)).rejects.toMatchObject({ code: ErrorCode.disconnected })
      cycle(8) // said to nobody
      await broker.start()
      await timing.connect(never)
      await spill(8)
      expect(timing.latestCycle()?.cycle).toBe(8)
      expect(marks).toEqual([...ofSpill(7), ...ofSpill(8)])
    })

    it('is told to a listener by mosquitto, retained', async () => {
      const { stdout } = await promisify(execFile)(
        paths.listener,
        [
          ...['-h', '127.0.0.1', '-p', `${broker.port}`, '--cafile', broker.file('authority.pem')],
          ...['-u', 'controller', '-P', broker.password('controller'), '-V', 'mqttv5', '-F', '%r %t %p'],
          ...['-t', 'na64/ehn2/beam/status', '-t', 'na64/ehn2/beam/cycle', '-C', '2', '-W', '10']
        ],
        { timeout: 15_000 }
      )
      const lines = stdout.trim().split('\n').sort()
      expect(lines[0]).toMatch(/^1 na64\/ehn2\/beam\/cycle \{"cycle":7,/)
      expect(lines[1]).toBe('1 na64/ehn2/beam/status online')
    })

    it('tells the controller where the gateway is, with everything but the password', () => {
      const told = new URL(wire.url)
      const given = new URL(broker.url('gateway'))
      expect([told.protocol, told.username, told.password, told.host]).toEqual([
        'mqtts:',
        'gateway',
        '',
        given.host
      ])
      expect(Object.fromEntries(told.searchParams)).toEqual(Object.fromEntries(given.searchParams))
    })

    it.each([
      ['a wrong password', { passwordFile: 'wrong.password' }, ErrorCode.refused],
      ['another authority', { ca: 'stranger.pem' }, ErrorCode.refused],
      ['no such file', { passwordFile: 'none' }, ErrorCode.configuration]
    ])('is not published with %s', async (_, options, code) => {
      const url = broker.url('gateway', inFolder(options))
      const face: TopicFace = {
        kind: 'topics',
        attach: () => undefined,
        listens: [],
        receive: () => undefined
      }
      await expect(serveTopics([face], { broker: url })).rejects.toMatchObject({ code })
    })
  })
})
