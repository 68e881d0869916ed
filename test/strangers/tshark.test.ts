/**
 * The taps' capture files in the hands of tshark: Modbus, MQTT, OPC UA (without encryption), IPbus and S-LINK sessions
 * over real sockets. It finds nothing malformed, no gap and no wrong checksum, and counts as many requests, replies and
 * messages of each type as the drivers' links made and as our own frame reader found.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Aedes } from 'aedes'
import {
  DataType,
  MessageSecurityMode,
  OPCUACertificateManager,
  OPCUAServer,
  SecurityPolicy,
  StatusCodes,
  Variant
} from 'node-opcua'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { SystemClock } from '../../core/clock.ts'
import { ErrorCode } from '../../core/errors.ts'
import { silentLog } from '../../core/log.ts'
import { makeLinkFactory } from '../../drivers/link/factory.ts'
import type { LinkFactory } from '../../drivers/link/link.ts'
import { framesOf } from '../../drivers/link/tap/frames.ts'
import { writePcap } from '../../drivers/link/tap/pcap.ts'
import { TapRecorder } from '../../drivers/link/tap/recorder.ts'
import { serveModbus } from '../../hil-sim/wire/modbus-tcp.ts'
import { Ear, ScriptedByteFace } from '../contract/link/byte-link-suite.ts'
import { IpbusFarEnd, TcpFarEnd } from '../contract/link/far-ends.ts'
import { ScriptedRegisterFace } from '../contract/link/register-link-suite.ts'
import { describeWith, program } from './programs.ts'

const never = new AbortController().signal
const clock = new SystemClock()

/** How often each word comes. */
function countOf(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1
  return counts
}

describeWith('tshark on the captures of taps', { tshark: program('tshark') }, ({ tshark }) => {
  let folder: string
  let recorder: TapRecorder
  let links: LinkFactory

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tshark-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))
  beforeEach(() => {
    recorder = new TapRecorder(clock)
    links = makeLinkFactory({
      clock,
      log: silentLog,
      certificatesFolder: folder,
      tap: (url, kind) => recorder.sink(url, kind)
    })
  })

  /**
   * What tshark reads in the capture of the session, packet by packet, field by field; a packet may hold several
   * messages and then several values of a field. Fails on anything that tshark finds wrong.
   */
  async function read(
    fields: readonly string[],
    options: readonly string[] = [],
    capture: Uint8Array = writePcap(recorder.session())
  ): Promise<string[][][]> {
    const file = join(folder, 'session.pcap')
    writeFileSync(file, capture)
    const faults = [
      '_ws.malformed',
      'tcp.analysis.flags',
      'ip.checksum.status',
      'tcp.checksum.status',
      'udp.checksum.status'
    ]
    const { stdout } = await promisify(execFile)(
      tshark,
      [
        ...['-n', '-r', file, '-T', 'fields', '-E', 'aggregator=;'],
        ...['ip', 'tcp', 'udp'].flatMap((protocol) => ['-o', `${protocol}.check_checksum:TRUE`]),
        ...options,
        ...[...faults, ...fields].flatMap((field) => ['-e', field])
      ],
      { maxBuffer: 64 << 20 }
    )
    const GOOD = '1'
    return stdout
      .split('\n')
      .slice(0, -1)
      .map((line, index) => {
        const [malformed, analysis, ...more] = line.split('\t')
        expect([index + 1, malformed, analysis]).toEqual([index + 1, '', ''])
        expect(more.slice(0, 3).filter((status) => status !== '' && status !== GOOD)).toEqual([])
        return more.slice(3).map((values) => (values === '' ? [] : values.split(';')))
      })
  }

  /** Our own count of the messages in the session. */
  const frames = (tell: (dir: string, type: string) => string): Record<string, number> =>
    countOf(
      recorder
        .session()
        .flatMap(framesOf)
        .filter(({ type }) => type !== 'open' && type !== 'closed')
        .map(({ dir, type }) => tell(dir, type))
    )

  it('finds each Modbus request with its reply or exception', async () => {
    const wire = await serveModbus({
      kind: 'registers',
      read: (_space, address, count) =>
        address + count > 100 ? 'illegal-address' : Array.from({ length: count }, (_, i) => address + i),
      write: () => undefined
    })
    const link = links.registers(wire.url)
    const { port } = new URL(wire.url)
    await link.open(never)
    for (let n = 0; n < 20; n++) await link.read('holding', n, 10, never)
    await Promise.all([0, 1, 2].map((n) => link.write('holding', n, [n, 7], never)))
    await link.write('holding', 5, [1], never)
    for (let n = 0; n < 3; n++)
      await expect(link.read('holding', 99, 2, never)).rejects.toMatchObject({ code: ErrorCode.refused })
    await link.close()
    await wire.close()

    const packets = await read(
      ['tcp.dstport', 'modbus.func_code', 'modbus.exception_code'],
      [...['-d', `tcp.port==${port},mbtcp`]]
    )
    const messages = packets.flatMap(([to, codes, exceptions]) =>
      codes!.map(
        (code) => `${to![0] === port ? 'request' : exceptions!.length > 0 ? 'exception' : 'reply'} ${code}`
      )
    )
    expect(countOf(messages)).toEqual({
      'request 3': 23,
      'reply 3': 20,
      'exception 3': 3,
      'request 16': 3,
      'reply 16': 3,
      'request 6': 1,
      'reply 6': 1
    })
    expect(frames((_dir, type) => type)).toEqual({ request: 27, reply: 24, exception: 3 })
  })

  it('counts the messages of MQTT by type', async () => {
    const aedes = await Aedes.createBroker()
    const server = createServer({ noDelay: true }, (socket) => void aedes.handle(socket))
    const port = await listen(server)
    const link = links.topics(`mqtt://127.0.0.1:${port}`)
    await link.open(never)
    let heard = 0
    const all = new Promise<void>((resolve) => {
      void link.subscribe('hall/#', () => {
        if (++heard === 31) resolve()
      })
    })
    for (let n = 0; n < 20; n++) await link.publish('hall/mark', `${n}`, { retain: false, qos: 1 })
    for (let n = 0; n < 10; n++) await link.publish('hall/state', 'x'.repeat(n), { retain: true, qos: 0 })
    await link.publish('hall/long', 'y'.repeat(20_000), { retain: false, qos: 1 })
    await all
    await link.close()
    await new Promise<void>((resolve) => aedes.close(resolve))
    await new Promise((resolve) => server.close(resolve))

    const packets = await read(['tcp.dstport', 'mqtt.msgtype'], ['-d', `tcp.port==${port},mqtt`])
    const messages = packets.flatMap(([to, types]) =>
      types!.map((type) => `${to![0] === String(port) ? 'out' : 'in'} ${MQTT_TYPES[Number(type)]}`)
    )
    const counts = countOf(messages)
    expect(counts).toMatchObject({
      'out CONNECT': 1,
      'in CONNACK': 1,
      'out SUBSCRIBE': 1,
      'in SUBACK': 1,
      'out PUBLISH': 31,
      'in PUBLISH': 31,
      'in PUBACK': 21,
      'out DISCONNECT': 1
    })
    expect(frames((dir, type) => `${dir} ${type}`)).toEqual(counts)
  })

  it('reads OPC UA from Hello to the last answer', async () => {
    const server = await openServer(folder)
    const port = server.endpoints[0]!.port
    const link = links.nodes(`opc.tcp://127.0.0.1:${port}?security=none`)
    await link.open(never)
    const reports = Promise.withResolvers<unknown>()
    await link.watch(['ns=1;s=Field'], (_node, { value }) => reports.resolve(value))
    expect(await reports.promise).toBe(1.5)
    for (let n = 0; n < 7; n++) await link.read(['ns=1;s=Field', 'ns=1;s=None'], never)
    await link.write('ns=1;s=Field', 2.5, never)
    await link.close()
    await server.shutdown(0)

    const packets = await read(
      ['tcp.dstport', 'opcua.transport.type', 'opcua.servicenodeid.numeric'],
      [...['-d', `tcp.port==${port},opcua`]]
    )
    const types = countOf(packets.flatMap(([, transport]) => transport!))
    // the endpoints are asked for on a connection of their own
    expect(types['HEL']).toBe(types['ACK'])
    expect(types['HEL']).toBeGreaterThan(0)
    expect(types['ERR']).toBeUndefined()
    const services = countOf(packets.flatMap(([, , service]) => service!))
    const { readRequest, readResponse, writeRequest, writeResponse, createMonitoredItems, publishResponse } =
      OPCUA
    expect(services[readResponse]).toBe(services[readRequest])
    // the session's own look at the server, and the type of the node that is written, are reads too
    expect(services[readRequest]).toBeGreaterThanOrEqual(7)
    expect([services[writeRequest], services[writeResponse]]).toEqual([1, 1])
    expect(services[createMonitoredItems]).toBe(1)
    expect(services[publishResponse]).toBeGreaterThan(0)
  })

  it('finds every IPbus datagram, lost ones included, with its bytes', async () => {
    const farEnd = new IpbusFarEnd(new ScriptedRegisterFace())
    await farEnd.listen()
    farEnd.isLost = (direction, index) => direction === 'reply' && index % 5 === 4
    const link = links.registers(farEnd.url)
    await link.open(never)
    for (let n = 0; n < 8; n++) {
      await link.write('bus', n, [n], never)
      await link.read('bus', n, 3, never)
    }
    await link.close()
    await farEnd.close()

    const { port } = new URL(farEnd.url)
    const packets = await read(['udp.dstport', 'data.data'], ['-d', `udp.port==${port},data`])
    const requests = packets.flatMap(([to, data]) => (to![0] === port ? data! : []))
    expect(requests).toEqual(farEnd.requests)
    const counts = frames((dir, type) => `${dir} ${type}`)
    expect(Object.values(counts).reduce((sum, n) => sum + n, 0)).toBe(packets.length)
    expect(counts['out status request']).toBeGreaterThan(1)
    expect(counts['out resend request']).toBeGreaterThan(0)
    expect(counts['in control reply']).toBe(16)
  })

  it('would find a wrong byte', async () => {
    const sink = recorder.sink('tcp://127.0.0.1:5600', 'bytes')
    sink.record({ dir: 'in', what: 'bytes', bytes: Buffer.from('hello') })
    const capture = Buffer.from(writePcap(recorder.session()))
    await read([], [], capture)
    capture[capture.indexOf('hello')]! ^= 1
    await expect(read([], [], capture)).rejects.toThrow()
  })

  it('puts the stream of a byte link together again, byte by byte', async () => {
    const face = new ScriptedByteFace()
    const farEnd = new TcpFarEnd(face)
    await farEnd.listen()
    const link = links.bytes(farEnd.url)
    const ear = new Ear(link)
    await link.open(never)
    await face.until(() => face.connections === 1)
    const block = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7) % 251))
    face.send(block)
    await ear.until((heard) => heard.length === block.length)
    await link.write(Buffer.from('XOFF'))
    await link.write(Buffer.from('XON'))
    await face.until(() => face.heard === 'XOFFXON')
    await link.close()
    await farEnd.close()

    const { port } = new URL(farEnd.url)
    const packets = await read(['tcp.dstport', 'tcp.payload'])
    const stream = (toUs: boolean): string =>
      packets.flatMap(([to, payload]) => ((to![0] !== port) === toUs ? payload! : [])).join('')
    expect(stream(true)).toBe(block.toString('hex'))
    expect(stream(false)).toBe(Buffer.from('XOFFXON').toString('hex'))
  })
})

/** MQTT 3.1.1, 2.2.1 */
const MQTT_TYPES = [
  ...['', 'CONNECT', 'CONNACK', 'PUBLISH', 'PUBACK', 'PUBREC', 'PUBREL', 'PUBCOMP'],
  ...['SUBSCRIBE', 'SUBACK', 'UNSUBSCRIBE', 'UNSUBACK', 'PINGREQ', 'PINGRESP', 'DISCONNECT', 'AUTH']
]

/** Numbers of the messages' binary encodings (OPC 10000-6, annex A.3, NodeIds.csv) */
const OPCUA = {
  readRequest: '631',
  readResponse: '634',
  writeRequest: '673',
  writeResponse: '676',
  createMonitoredItems: '751',
  publishResponse: '829'
} as const

function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket))
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port))
  })
}

/** A server without encryption: what it says can be read on the wire. */
async function openServer(folder: string): Promise<OPCUAServer> {
  const certificates = (name: string): OPCUACertificateManager =>
    new OPCUACertificateManager({
      rootFolder: join(folder, name),
      automaticallyAcceptUnknownCertificate: true,
      disableFileWatchers: true
    })
  const server = new OPCUAServer({
    port: 0,
    host: '127.0.0.1',
    hostname: '127.0.0.1',
    securityPolicies: [SecurityPolicy.None],
    securityModes: [MessageSecurityMode.None],
    serverCertificateManager: certificates('server'),
    userCertificateManager: certificates('user')
  })
  await server.initialize()
  let field = 1.5
  server.engine.addressSpace!.getOwnNamespace().addVariable({
    componentOf: server.engine.addressSpace!.rootFolder.objects.server,
    nodeId: 's=Field',
    browseName: 'Field',
    dataType: DataType.Double,
    minimumSamplingInterval: 100,
    value: {
      get: () => new Variant({ dataType: DataType.Double, value: field }),
      set: ({ value }: Variant) => {
        field = value as number
        return StatusCodes.Good
      }
    }
  })
  await server.start()
  return server
}
