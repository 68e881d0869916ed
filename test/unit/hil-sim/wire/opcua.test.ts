/** Variables on the OPC UA server, read by the library's client: one server for the whole file, it is slow to start. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  AttributeIds,
  ClientMonitoredItem,
  type ClientSession,
  type DataValue,
  MessageSecurityMode,
  OPCUACertificateManager,
  OPCUAClient,
  SecurityPolicy,
  TimestampsToReturn
} from 'node-opcua'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { SimNode } from '../../../../hil-sim/device/face.ts'
import { type NodeWire, serveNodes } from '../../../../hil-sim/wire/opcua.ts'
import { soon } from './faces.ts'

const sourceTime = new Date('2026-07-01T12:00:00.250Z')
let current = -2500.5
let quality: 'good' | 'suspect' | 'bad' = 'good'
let written: unknown
const node = (id: string, type: SimNode['type'], value: () => number | string | boolean): SimNode => ({
  id,
  type,
  read: () => ({ value: value(), quality, sourceTime })
})

let folder = ''
let wire: NodeWire
let client: OPCUAClient
let session: ClientSession

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'spillway-opcua-'))
  const nodes: SimNode[] = [
    node('Magnet.MS2.CurrentActual', 'Double', () => current),
    node('Magnet.MS2.Polarity', 'Int32', () => -1),
    node('Magnet.MS2.Maker', 'String', () => 'CERN'),
    {
      ...node('Test.Setting', 'Double', () => 1),
      write: (value) => {
        written = value
        return Number(value) > 100 ? 'out-of-range' : 'ok'
      }
    }
  ]
  wire = await serveNodes([{ kind: 'nodes', nodes }], { folder: join(folder, 'server') })
  client = await makeClient(MessageSecurityMode.SignAndEncrypt, SecurityPolicy.Basic256Sha256)
  await soon('connect', client.connect(wire.url))
  session = await soon('session', client.createSession())
})
afterAll(async () => {
  await session.close().catch(() => undefined)
  await client.disconnect().catch(() => undefined)
  await wire.close()
  rmSync(folder, { recursive: true, force: true })
})

async function makeClient(
  securityMode: MessageSecurityMode,
  securityPolicy: SecurityPolicy
): Promise<OPCUAClient> {
  const clientCertificateManager = new OPCUACertificateManager({
    rootFolder: join(folder, 'client'),
    automaticallyAcceptUnknownCertificate: true,
    disableFileWatchers: true
  })
  await clientCertificateManager.initialize()
  return OPCUAClient.create({
    securityMode,
    securityPolicy,
    clientCertificateManager,
    endpointMustExist: true,
    connectionStrategy: { maxRetry: 0 }
  })
}
const read = (id: string): Promise<DataValue> =>
  session.read({ nodeId: `ns=1;s=${id}`, attributeId: AttributeIds.Value })

it('serves string ids in namespace 1, with type and source time', async () => {
  const value = await read('Magnet.MS2.CurrentActual')
  expect(value.value.value).toBe(-2500.5)
  expect(value.sourceTimestamp).toEqual(sourceTime)
  expect(value.statusCode.name).toBe('Good')
  expect((await read('Magnet.MS2.Polarity')).value.value).toBe(-1)
  expect((await read('Magnet.MS2.Maker')).value.value).toBe('CERN')
  expect((await read('Magnet.MS2.Nothing')).statusCode.name).toBe('BadNodeIdUnknown')
})

it('gives the quality as status', async () => {
  quality = 'suspect'
  expect((await read('Magnet.MS2.CurrentActual')).statusCode.name).toBe('Uncertain')
  quality = 'bad'
  expect((await read('Magnet.MS2.CurrentActual')).statusCode.name).toBe('BadDeviceFailure')
  quality = 'good'
})

it('reports changes to those who watch', async () => {
  const subscription = await session.createSubscription2({
    requestedPublishingInterval: 50,
    publishingEnabled: true
  })
  const item = ClientMonitoredItem.create(
    subscription,
    { nodeId: 'ns=1;s=Magnet.MS2.CurrentActual', attributeId: AttributeIds.Value },
    { samplingInterval: 50, queueSize: 10, discardOldest: true },
    TimestampsToReturn.Both
  )
  const seen: number[] = []
  const second = new Promise<void>((resolve) => {
    item.on('changed', (value: DataValue) => {
      seen.push(value.value.value as number)
      if (seen.length === 1) current = -1000
      if (seen.length === 2) resolve()
    })
  })
  await soon('two values', second)
  expect(seen).toEqual([-2500.5, -1000])
  await subscription.terminate()
})

it('refuses writes to what is read-only, and hands others to the face', async () => {
  const write = (id: string, value: number) =>
    session.write({
      nodeId: `ns=1;s=${id}`,
      attributeId: AttributeIds.Value,
      value: { value: { dataType: 'Double', value } }
    })
  expect((await write('Magnet.MS2.CurrentActual', 0)).name).toBe('BadNotWritable')
  expect((await write('Test.Setting', 7)).name).toBe('Good')
  expect(written).toBe(7)
  expect((await write('Test.Setting', 101)).name).toBe('BadOutOfRange')
})

it('offers nothing but Basic256Sha256 with signature and encryption, and refuses a plain session', async () => {
  const endpoints = await client.getEndpoints()
  expect(
    endpoints.map(({ securityPolicyUri, securityMode }) => `${securityPolicyUri} ${securityMode}`)
  ).toEqual([`${SecurityPolicy.Basic256Sha256} ${MessageSecurityMode.SignAndEncrypt}`])
  const plain = await makeClient(MessageSecurityMode.None, SecurityPolicy.None)
  await expect(
    soon(
      'plain session',
      plain.connect(wire.url).then(() => plain.createSession())
    )
  ).rejects.toThrow()
  await plain.disconnect().catch(() => undefined)
})

it('keeps its certificates in the folder that it was given, and tells how long it took to start', () => {
  expect(existsSync(join(folder, 'server', 'server', 'own'))).toBe(true)
  expect(existsSync(join(folder, 'server', 'user'))).toBe(true)
  expect(wire.startMs).toBeGreaterThan(0)
})
