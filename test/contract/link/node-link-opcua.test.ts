// The OPC UA link keeps the contract of node links, signed and encrypted, against a real server behind a relay
// that can be cut; and it comes back to a server that was stopped and started again.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type BindVariableOptions,
  DataType,
  DataValue,
  MessageSecurityMode,
  OPCUACertificateManager,
  OPCUAServer,
  SecurityPolicy,
  StatusCodes,
  Variant
} from 'node-opcua'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SystemClock } from '../../../core/clock.ts'
import { ErrorCode } from '../../../core/errors.ts'
import type { NodeLink } from '../../../drivers/link/link.ts'
import { makeOpcuaLink } from '../../../drivers/link/opcua.ts'
import { type BenchNode, benchNodes, nodeLinkSuite } from './node-link-suite.ts'
import { never, reported } from './topic-link-suite.ts'

const folder = mkdtempSync(join(tmpdir(), 'node-link-'))
const nodes = benchNodes()
const clock = new SystemClock()
let server: OPCUAServer
let relay: Relay

beforeAll(async () => {
  server = await startServer(0)
  relay = new Relay(portOf(server))
  await relay.open(0)
})

afterAll(async () => {
  await relay.cut()
  await server.shutdown(0)
  rmSync(folder, { recursive: true })
})

function makeLink(port: number, options = ''): NodeLink {
  const certificatesFolder = join(folder, 'certificates')
  return makeOpcuaLink(`opc.tcp://127.0.0.1:${port}${options}`, clock, { certificatesFolder })
}

nodeLinkSuite('over OPC UA', nodes, () => ({
  link: makeLink(relay.port),
  breakOff: () => relay.cut(),
  repair: () => relay.open(relay.port)
}))

describe('a node link over OPC UA', () => {
  it('keeps its keys where it was told to', () => {
    expect(readdirSync(join(folder, 'certificates', 'opcua'))).toContain('own')
  })

  it('does not fall back to an open connection when the server wants none', async () => {
    const link = makeLink(relay.port, '?security=none')
    await expect(link.open(never)).rejects.toMatchObject({ code: ErrorCode.disconnected })
  })

  it('reads again from a server that was stopped and started', async () => {
    const link = makeLink(relay.port)
    await link.open(never)
    const values: unknown[] = []
    let wake = (): void => undefined
    await link.watch(['ns=1;s=Magnet.SM2.Current'], (_, { value }) => {
      values.push(value)
      wake()
    })
    const lost = reported(link, false)
    const port = portOf(server)
    await server.shutdown(0)
    await lost
    nodes.current.value = 1234.5
    server = await startServer(port)
    await link.open(never)
    while (!values.includes(1234.5)) await new Promise<void>((resolve) => (wake = resolve))
    expect(await link.read(['ns=1;s=Magnet.SM2.Current'], never)).toMatchObject([{ value: 1234.5 }])
    await link.close()
  })
})

/** Passes bytes on until it is cut; then the port is closed, as that of a server that is gone. */
class Relay {
  port = 0
  readonly #target: number
  readonly #sockets = new Set<Socket>()
  #listener: Server | undefined

  constructor(target: number) {
    this.#target = target
  }

  async open(port: number): Promise<void> {
    const listener = createServer((near) => {
      const far = connect(this.#target, '127.0.0.1')
      for (const [one, other] of [
        [near, far],
        [far, near]
      ] as const) {
        this.#sockets.add(one)
        one.on('error', () => undefined)
        one.on('close', () => {
          this.#sockets.delete(one)
          other.destroy()
        })
        one.pipe(other)
      }
    })
    await new Promise<void>((resolve) => listener.listen(port, '127.0.0.1', () => resolve()))
    this.port = (listener.address() as { port: number }).port
    this.#listener = listener
  }

  async cut(): Promise<void> {
    const listener = this.#listener
    if (listener === undefined) return
    this.#listener = undefined
    const closed = new Promise<void>((resolve) => listener.close(() => resolve()))
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }
}

function certificates(name: string): OPCUACertificateManager {
  return new OPCUACertificateManager({
    rootFolder: join(folder, name),
    automaticallyAcceptUnknownCertificate: true,
    disableFileWatchers: true
  })
}

async function startServer(port: number): Promise<OPCUAServer> {
  const made = new OPCUAServer({
    port,
    host: '127.0.0.1',
    securityPolicies: [SecurityPolicy.Basic256Sha256],
    securityModes: [MessageSecurityMode.SignAndEncrypt],
    serverCertificateManager: certificates('server'),
    userCertificateManager: certificates('users')
  })
  await made.initialize()
  const namespace = made.engine.addressSpace!.getOwnNamespace()
  for (const node of Object.values<BenchNode>(nodes))
    namespace.addVariable({
      organizedBy: made.engine.addressSpace!.rootFolder.objects,
      nodeId: `s=${node.id}`,
      browseName: node.id,
      dataType: node.type,
      accessLevel: node.write === undefined ? 'CurrentRead' : 'CurrentRead | CurrentWrite',
      minimumSamplingInterval: 50,
      value: binding(node)
    })
  await made.start()
  return made
}

function binding(node: BenchNode): BindVariableOptions {
  const { write } = node
  const dataType = DataType[node.type]
  const statusCode = () =>
    ({ good: StatusCodes.Good, suspect: StatusCodes.Uncertain, bad: StatusCodes.Bad })[node.quality]
  return {
    timestamped_get: () =>
      new DataValue({
        value: new Variant({ dataType, value: node.value }),
        sourceTimestamp: node.sourceTime,
        statusCode: statusCode()
      }),
    ...(write === undefined
      ? {}
      : {
          timestamped_set: (value: DataValue) => {
            const outcome = write(value.value.value as number)
            return Promise.resolve(outcome === 'ok' ? StatusCodes.Good : StatusCodes.BadOutOfRange)
          }
        })
  }
}

function portOf(made: OPCUAServer): number {
  return Number(new URL(made.getEndpointUrl().replace('opc.tcp', 'http')).port)
}
