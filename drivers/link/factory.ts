import type { Clock } from '../../core/clock.ts'
import { ErrorCode, SpillwayError } from '../../core/errors.ts'
import type { Log } from '../../core/log.ts'
import { makeIpbusLink } from './ipbus.ts'
import type { LinkFactory } from './link.ts'
import { makeModbusLink } from './modbus.ts'
import { makeMqttLink } from './mqtt.ts'
import { makeOpcuaLink } from './opcua.ts'
import { makeSerialLink } from './serial.ts'
import { makeTcpLink } from './tcp.ts'

export interface LinkFactoryOptions {
  readonly clock: Clock
  readonly log: Log
  /** where OPC UA keeps its own and the trusted certificates */
  readonly certificatesFolder: string
}

/**
 * The one place where a URL becomes a wire. Each link loads its protocol library when it opens, so a process
 * pays only for what it uses. An unknown scheme, or one of another kind of link, throws code `usage`.
 */
export function makeLinkFactory(options: LinkFactoryOptions): LinkFactory {
  const { clock } = options
  return {
    bytes: (url) => make(url, { tcp: makeTcpLink, serial: (u) => makeSerialLink(u, clock) }),
    registers: (url) =>
      make(url, {
        'ipbus+udp': (u) => makeIpbusLink(u, clock),
        'modbus+tcp': (u) => makeModbusLink(u, clock)
      }),
    topics: (url) => make(url, { mqtt: (u) => makeMqttLink(u, clock) }),
    nodes: (url) => make(url, { 'opc.tcp': (u) => makeOpcuaLink(u, clock, options) })
  }
}

function make<L>(url: string, makers: Readonly<Record<string, (url: string) => L>>): L {
  const scheme = /^([a-z][a-z0-9+.-]*):/.exec(url)?.[1] ?? ''
  const maker = Object.hasOwn(makers, scheme) ? makers[scheme] : undefined
  if (maker === undefined)
    throw new SpillwayError(
      ErrorCode.usage,
      `${url}: no link of this kind is reached by ${scheme || 'that'}`,
      {
        expected: Object.keys(makers)
          .map((known) => `${known}://`)
          .join(' or ')
      }
    )
  return maker(url)
}
