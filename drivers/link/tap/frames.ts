import { hexDump } from '../../../core/bytes.ts'
import { ErrorCode } from '../../../core/errors.ts'
import type { Direction, TapEvent } from './event.ts'
import { lineFramer, slinkFramer } from './frames/bytes.ts'
import type { Frame, StreamFramer } from './frames/frame.ts'
import { ipbusFrame } from './frames/ipbus.ts'
import { modbusFramer } from './frames/modbus.ts'
import { mqttFramer } from './frames/mqtt.ts'
import type { Recording } from './recording.ts'
import { told } from './told.ts'

/** Protocols whose messages are read from the socket; the requests above it say the same in other words. */
const ON_THE_WIRE = ['modbus+tcp', 'mqtt', 'mqtts', 'ipbus+udp']
const SLINK_MAGIC = 'SLNK'

interface Framers {
  readonly out: StreamFramer
  readonly in: StreamFramer
}

/**
 * Turns what a tap of one link hears into messages for people: packets of IPbus, Modbus and MQTT, lines of SCPI,
 * frames of the S-LINK bridge; for OPC UA, and for links in memory, the requests and what came.
 */
export class FrameDecoder {
  readonly #scheme: string
  #framers: Framers | undefined
  #hasWire = false

  constructor(url: string) {
    this.#scheme = url.split(':', 1)[0]!
  }

  feed(event: TapEvent): Frame[] {
    switch (event.what) {
      case 'wire-open':
        this.#hasWire = ON_THE_WIRE.includes(this.#scheme)
        this.#framers = undefined
        return []
      case 'wire':
        return this.#hasWire ? this.#wire(event.dir, event.bytes) : []
      case 'wire-close':
        return []
      case 'state':
        if (event.isOpen) this.#framers = this.#hasWire ? this.#framers : undefined
        return [this.#frame('in', event.isOpen ? 'open' : 'closed', event.why)]
      case 'bytes':
        return this.#bytes('in', event.bytes)
      case 'failure':
        if (this.#hasWire && event.error.code === ErrorCode.refused) return [] // the refusal is on the wire
        return [this.#frame('in', 'failure', `request ${event.id}: ${event.error.message}`)]
      case 'request':
        if (event.verb === 'write' && event.args[0] instanceof Uint8Array)
          return this.#bytes('out', event.args[0])
        // what becomes of opening and closing is told by the state
        if (event.verb === 'open' || event.verb === 'close') return []
        return this.#above('out', 'request', `${event.id}: ${told(event.verb, event.args)}`)
      case 'answer':
        return event.value === undefined
          ? []
          : this.#above('in', 'answer', `${event.id}: ${told('', [event.value])}`)
      case 'abort':
        return this.#above('out', 'abort', `request ${event.id}`)
      case 'message':
        return this.#above('in', 'message', `${event.topic}: ${event.payload}`)
      case 'report':
        return this.#above(
          'in',
          'report',
          `${event.node} = ${String(event.value.value)} (${event.value.status})`
        )
    }
  }

  /** What is said above the library, where the socket does not say it already. */
  #above(dir: Direction, type: string, text: string): Frame[] {
    return this.#hasWire ? [] : [this.#frame(dir, type, text)]
  }

  #frame(dir: Direction, type: string, text: string): Frame {
    return { dir, protocol: this.#scheme, type, text }
  }

  #wire(dir: Direction, bytes: Uint8Array): Frame[] {
    if (this.#scheme === 'ipbus+udp') return [ipbusFrame(dir, bytes)]
    this.#framers ??= this.#scheme.startsWith('mqtt')
      ? mqtt()
      : { out: modbusFramer('out'), in: modbusFramer('in') }
    return this.#framers[dir].push(bytes)
  }

  /** A bridge says hello before anything else is said. */
  #bytes(dir: Direction, bytes: Uint8Array): Frame[] {
    if (this.#scheme === 'udp') return [this.#frame(dir, 'datagram', hexDump(bytes))]
    if (this.#framers === undefined) {
      const first = Buffer.from(bytes.subarray(0, SLINK_MAGIC.length)).toString('latin1')
      const isSlink = first !== '' && SLINK_MAGIC.startsWith(first)
      this.#framers = isSlink
        ? { out: slinkFramer('out'), in: slinkFramer('in') }
        : { out: lineFramer('out'), in: lineFramer('in') }
    }
    return this.#framers[dir].push(bytes)
  }
}

function mqtt(): Framers {
  const version = { is5: false }
  return { out: mqttFramer('out', version), in: mqttFramer('in', version) }
}

/** All messages of a recording, in order. */
export function framesOf({ url, entries }: Recording): Frame[] {
  const decoder = new FrameDecoder(url)
  return entries.flatMap(({ event }) => decoder.feed(event))
}
