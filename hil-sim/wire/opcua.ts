import type { DataValue, NodeIdLike, OPCUAServer, UAObject, Namespace, Variant, StatusCode } from 'node-opcua'
import { join } from 'node:path'
import { SystemClock } from '../../core/clock.ts'
import { ErrorCode, SpillwayError } from '../../core/errors.ts'
import { seconds, toMilliseconds } from '../../core/units.ts'
import type { NodeFace, SimNode } from '../device/face.ts'
import { LOOPBACK, type ServeOptions, type Wire } from './wire.ts'

/** How often the server looks at a variable that somebody watches. */
const SAMPLING_MS = 100
const START_LIMIT = seconds(30)
const SHUTDOWN_LIMIT = seconds(1)

export interface ServeNodesOptions extends ServeOptions {
  /** where the certificates are kept and made when missing; by default the library would use the home folder */
  readonly folder: string
}

export interface NodeWire extends Wire {
  readonly startMs: number
}

/** The library is large (half a second to load): only those who serve nodes load it. */
type Library = typeof import('node-opcua')

/**
 * Puts variables on an OPC UA server: Basic256Sha256 with SignAndEncrypt only, anonymous user, string ids in
 * namespace 1 or that of the variable. Values and their source times are asked from the face at every read.
 */
export async function serveNodes(faces: readonly NodeFace[], options: ServeNodesOptions): Promise<NodeWire> {
  const clock = new SystemClock()
  const startedAt = clock.now()
  const ua = await import('node-opcua')
  const certificates = (name: string): InstanceType<Library['OPCUACertificateManager']> =>
    new ua.OPCUACertificateManager({
      rootFolder: join(options.folder, name),
      automaticallyAcceptUnknownCertificate: true,
      disableFileWatchers: true
    })
  const server = new ua.OPCUAServer({
    port: options.port ?? 0,
    host: LOOPBACK,
    hostname: LOOPBACK,
    securityPolicies: [ua.SecurityPolicy.Basic256Sha256],
    securityModes: [ua.MessageSecurityMode.SignAndEncrypt],
    allowAnonymous: true,
    serverCertificateManager: certificates('server'),
    userCertificateManager: certificates('user'),
    buildInfo: { productName: 'Spillway simulated hall', manufacturerName: 'Spillway' }
  })
  const close = async (): Promise<void> => {
    await clock
      .within('close the OPC UA server', SHUTDOWN_LIMIT, () => server.shutdown(0))
      .catch(() => undefined)
  }
  try {
    await clock.within('start the OPC UA server', START_LIMIT, async () => {
      await server.initialize()
      addNodes(ua, server, faces)
      await server.start()
    })
  } catch (error) {
    await close()
    throw new SpillwayError(
      ErrorCode.disconnected,
      `opc.tcp: the server does not start on ${LOOPBACK}:${options.port ?? 0}`,
      { hint: 'another simulator may be running: stop it, or use free ports', cause: error }
    )
  }
  const port = server.endpoints[0]?.port ?? 0
  return {
    url: `opc.tcp://${LOOPBACK}:${port}`,
    startMs: Math.round(toMilliseconds(clock.now() - startedAt)),
    close
  }
}

function addNodes(ua: Library, server: OPCUAServer, faces: readonly NodeFace[]): void {
  const space = server.engine.addressSpace
  if (space === null) throw new SpillwayError(ErrorCode.internal, 'OPC UA server without an address space')
  const namespaces = new Map([[1, space.getOwnNamespace()]])
  // registration gives the indices in order, from 2 on
  const count = Math.max(1, ...faces.flatMap((face) => face.nodes.map(({ namespace }) => namespace ?? 1)))
  for (let index = 2; index <= count; index++)
    namespaces.set(index, space.registerNamespace(`urn:spillway:namespace:${index}`))
  const parents = new Map<string, UAObject>()
  for (const node of faces.flatMap((face) => face.nodes)) {
    const at = node.id.lastIndexOf('.')
    const namespace = namespaces.get(node.namespace ?? 1)!
    const parent = folderOf(namespace, parents, space.rootFolder.objects, node.id.slice(0, Math.max(0, at)))
    namespace.addVariable({
      componentOf: parent,
      browseName: node.id.slice(at + 1),
      nodeId: `s=${node.id}`,
      dataType: node.type,
      minimumSamplingInterval: SAMPLING_MS,
      accessLevel: node.write === undefined ? 'CurrentRead' : 'CurrentRead | CurrentWrite',
      userAccessLevel: node.write === undefined ? 'CurrentRead' : 'CurrentRead | CurrentWrite',
      value: {
        timestamped_get: () => dataValue(ua, node),
        timestamped_set: (wanted: DataValue) => Promise.resolve(write(ua, node, wanted.value))
      }
    })
  }
}

/** The dotted path as a tree of objects, for those who browse. */
function folderOf(namespace: Namespace, made: Map<string, UAObject>, root: UAObject, path: string): UAObject {
  if (path === '') return root
  const key = `${namespace.index};${path}`
  const known = made.get(key)
  if (known !== undefined) return known
  const at = path.lastIndexOf('.')
  const parent = folderOf(namespace, made, root, path.slice(0, Math.max(0, at)))
  const nodeId: NodeIdLike = `s=${path}`
  const browseName = path.slice(at + 1)
  const object = namespace.addObject(
    parent === root ? { organizedBy: root, browseName, nodeId } : { componentOf: parent, browseName, nodeId }
  )
  made.set(key, object)
  return object
}

function dataValue(ua: Library, node: SimNode): DataValue {
  const { value, quality, sourceTime } = node.read()
  const statusCode = {
    good: ua.StatusCodes.Good,
    suspect: ua.StatusCodes.Uncertain,
    bad: ua.StatusCodes.BadDeviceFailure
  }[quality]
  return new ua.DataValue({
    value: new ua.Variant({ dataType: ua.DataType[node.type], value }),
    statusCode,
    sourceTimestamp: sourceTime
  })
}

function write(ua: Library, node: SimNode, variant: Variant): StatusCode {
  const outcome = node.write?.(variant.value as number | string | boolean) ?? 'refused'
  return {
    ok: ua.StatusCodes.Good,
    'out-of-range': ua.StatusCodes.BadOutOfRange,
    refused: ua.StatusCodes.BadNotWritable
  }[outcome]
}
