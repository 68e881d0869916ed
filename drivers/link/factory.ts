import type { Clock } from '../../core/clock.ts'
import { ErrorCode, SpillwayError } from '../../core/errors.ts'
import type { Log } from '../../core/log.ts'
import { makeIpbusLink } from './ipbus.ts'
import { withoutPassword } from './link-url.ts'
import type { ByteLink, LinkFactory, NodeLink, RegisterLink, TopicLink } from './link.ts'
import { makeModbusLink } from './modbus.ts'
import { makeRtuLinks } from './modbus-rtu.ts'
import { makeMqttLink } from './mqtt.ts'
import { makeOpcuaLink } from './opcua.ts'
import { makeSerialLink } from './serial.ts'
import { tapped } from './tap.ts'
import type { LinkKind, TapSink } from './tap/event.ts'
import { WireTap } from './tap/wire.ts'
import { makeTcpLink } from './tcp.ts'
import { makeUdpLink } from './udp.ts'

export interface LinkFactoryOptions {
  readonly clock: Clock
  readonly log: Log
  /** where OPC UA keeps its own and the trusted certificates */
  readonly certificatesFolder: string
  /** asked for each link that is made; everything that passes in the link goes to the sink that it gives */
  readonly tap?: (url: string, kind: LinkKind) => TapSink | undefined
}

/**
 * The one place where a URL becomes a wire. Each link loads its protocol library when it opens, so a process
 * pays only for what it uses. An unknown scheme, or one of another kind of link, throws code `usage`.
 */
export function makeLinkFactory(options: LinkFactoryOptions): LinkFactory {
  const { clock } = options
  const rtu = makeRtuLinks(clock)
  const made = <L extends AnyLink>(kind: LinkKind, url: string, makers: Makers<L>): L => {
    const sink = options.tap?.(url, kind)
    const link = make(url, makers, sink === undefined ? undefined : new WireTap(sink))
    return sink === undefined ? link : tapped(link, sink)
  }
  return {
    bytes: (url) =>
      made<ByteLink>('bytes', url, {
        tcp: makeTcpLink,
        serial: (u) => makeSerialLink(u, clock),
        udp: (u) => makeUdpLink(u, clock)
      }),
    registers: (url) =>
      made<RegisterLink>('registers', url, {
        'ipbus+udp': (u, wire) => makeIpbusLink(u, clock, {}, wire),
        'modbus+tcp': (u, wire) => makeModbusLink(u, clock, wire),
        'modbus+serial': rtu
      }),
    topics: (url) => {
      const mqtt = (u: string, wire: WireTap | undefined): TopicLink => makeMqttLink(u, clock, wire)
      return made<TopicLink>('topics', url, { mqtt, mqtts: mqtt })
    },
    nodes: (url) =>
      made<NodeLink>('nodes', url, { 'opc.tcp': (u, wire) => makeOpcuaLink(u, clock, options, wire) })
  }
}

type AnyLink = ByteLink | RegisterLink | TopicLink | NodeLink
type Makers<L> = Readonly<Record<string, (url: string, wire: WireTap | undefined) => L>>

function make<L>(url: string, makers: Makers<L>, wire: WireTap | undefined): L {
  const scheme = /^([a-z][a-z0-9+.-]*):/.exec(url)?.[1] ?? ''
  const maker = Object.hasOwn(makers, scheme) ? makers[scheme] : undefined
  if (maker === undefined)
    throw new SpillwayError(
      ErrorCode.usage,
      `${withoutPassword(url)}: no link of this kind is reached by ${scheme || 'that'}`,
      {
        expected: Object.keys(makers)
          .map((known) => `${known}://`)
          .join(' or ')
      }
    )
  return maker(url, wire)
}
