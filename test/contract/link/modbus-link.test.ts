// The Modbus link reads and writes the four tables of a server from another code base (jsmodbus), gives exceptions
// their names, and treats silence, cut-off and senseless answers of a hand-written far end as the loss they are.
import { createServer, type Server, type Socket } from 'node:net'
import { server as modbusServers } from 'jsmodbus'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SystemClock } from '../../../core/clock.ts'
import { ErrorCode } from '../../../core/errors.ts'
import type { RegisterLink } from '../../../drivers/link/link.ts'
import { makeModbusLink } from '../../../drivers/link/modbus.ts'
import { never, reported } from './topic-link-suite.ts'

/** A listening socket that can be torn down with all its connections. */
class Listener {
  readonly server: Server
  readonly #sockets = new Set<Socket>()

  constructor(onSocket?: (socket: Socket) => void) {
    this.server = createServer({ noDelay: true }, (socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
      socket.on('error', () => undefined)
      onSocket?.(socket)
    })
  }

  get port(): number {
    return (this.server.address() as { port: number }).port
  }

  open(port = 0): Promise<void> {
    return new Promise((resolve) => this.server.listen(port, '127.0.0.1', () => resolve()))
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    if (this.server.listening) await new Promise<void>((resolve) => this.server.close(() => resolve()))
  }
}

describe('a Modbus link to jsmodbus', () => {
  const holding = Buffer.alloc(64)
  const input = Buffer.alloc(64)
  const coils = Buffer.alloc(8)
  const discrete = Buffer.alloc(8)
  let listener: Listener
  let link: RegisterLink

  beforeEach(async () => {
    for (const table of [holding, input, coils, discrete]) table.fill(0)
    listener = new Listener()
    new modbusServers.TCP(listener.server, { holding, input, coils, discrete })
    await listener.open()
    link = makeModbusLink(`modbus+tcp://127.0.0.1:${listener.port}?unit=1`, new SystemClock())
  })
  afterEach(async () => {
    await link.close()
    await listener.close()
  })

  it('reads each of the four tables', async () => {
    holding.writeUInt16BE(0xbeef, 6)
    input.writeUInt16BE(1234, 0)
    coils[0] = 0b101
    discrete[0] = 0b110
    await link.open(never)
    expect(await link.read('holding', 2, 3, never)).toEqual([0, 0xbeef, 0])
    expect(await link.read('input', 0, 1, never)).toEqual([1234])
    expect(await link.read('coil', 0, 3, never)).toEqual([1, 0, 1])
    expect(await link.read('discrete', 0, 3, never)).toEqual([0, 1, 1])
  })

  it('writes one and several registers and coils', async () => {
    await link.open(never)
    await link.write('holding', 1, [0x1234], never)
    await link.write('holding', 4, [1, 2, 3], never)
    await link.write('coil', 3, [1], never)
    await link.write('coil', 8, [1, 0, 1], never)
    expect(holding.subarray(2, 4)).toEqual(Buffer.from([0x12, 0x34]))
    expect(holding.subarray(8, 14)).toEqual(Buffer.from([0, 1, 0, 2, 0, 3]))
    expect(await link.read('coil', 0, 11, never)).toEqual([0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 1])
  })

  it('answers many requests at once, each with its own', async () => {
    for (let n = 0; n < 16; n++) holding.writeUInt16BE(100 + n, 2 * n)
    await link.open(never)
    const answers = await Promise.all(Array.from({ length: 16 }, (_, n) => link.read('holding', n, 1, never)))
    expect(answers.flat()).toEqual(Array.from({ length: 16 }, (_, n) => 100 + n))
  })

  it('refuses what Modbus cannot do before anything is sent', async () => {
    await link.open(never)
    const notPermitted = { code: ErrorCode.notPermitted }
    await expect(link.modify(0, 0, 1, never)).rejects.toMatchObject(notPermitted)
    await expect(link.write('input', 0, [1], never)).rejects.toMatchObject(notPermitted)
    await expect(link.write('discrete', 0, [1], never)).rejects.toMatchObject(notPermitted)
    await expect(link.read('bus', 0, 1, never)).rejects.toMatchObject(notPermitted)
    await expect(link.read('holding', 0, 126, never)).rejects.toMatchObject(notPermitted)
    await expect(link.write('holding', 0, [], never)).rejects.toMatchObject(notPermitted)
    expect(link.isOpen).toBe(true)
  })

  it('reports a loss once and opens again', async () => {
    const changes: boolean[] = []
    link.onState((isOpen) => changes.push(isOpen))
    await link.open(never)
    const { port } = listener
    const lost = reported(link, false)
    await listener.close()
    expect(await lost).toContain('closed')
    const disconnected = { code: ErrorCode.disconnected }
    await expect(link.read('holding', 0, 1, never)).rejects.toMatchObject(disconnected)
    await expect(link.open(never)).rejects.toMatchObject(disconnected)
    listener = new Listener()
    new modbusServers.TCP(listener.server, { holding })
    await listener.open(port)
    await link.open(never)
    expect(await link.read('holding', 0, 1, never)).toEqual([0])
    expect(changes).toEqual([true, false, true])
  })
})

describe('a Modbus link to a far end that misbehaves', () => {
  let listener: Listener
  let link: RegisterLink
  /** makes the answer out of transaction id and request PDU; undefined: none */
  let answer: (transaction: number, pdu: Buffer) => Buffer | undefined

  beforeEach(async () => {
    answer = () => undefined
    listener = new Listener((socket) =>
      socket.on('data', (request: Buffer) => {
        const reply = answer(request.readUInt16BE(0), request.subarray(7))
        if (reply !== undefined) socket.write(reply)
      })
    )
    await listener.open()
    link = makeModbusLink(`modbus+tcp://127.0.0.1:${listener.port}`, new SystemClock())
    await link.open(never)
  })
  afterEach(async () => {
    await link.close()
    await listener.close()
  })

  it.each([
    [1, 'illegal-function'],
    [2, 'illegal-data-address'],
    [3, 'illegal-data-value'],
    [4, 'server-device-failure'],
    [6, 'server-device-busy'],
    [11, 'gateway-target-no-answer']
  ])('calls exception %i %s and stays open', async (code, name) => {
    answer = (transaction, pdu) => frame(transaction, [pdu[0]! | 0x80, code])
    await expect(link.read('holding', 9, 1, never)).rejects.toMatchObject({
      code: ErrorCode.refused,
      details: { got: name }
    })
    expect(link.isOpen).toBe(true)
  })

  it('gives up with the caller and closes, so that no late answer meets another request', async () => {
    const asked = new AbortController()
    const lost = reported(link, false)
    const read = link.read('holding', 0, 1, asked.signal)
    asked.abort()
    await expect(read).rejects.toMatchObject({ code: ErrorCode.aborted })
    await lost
  })

  it.each([
    ['another function code', (t: number) => frame(t, [4, 2, 0, 7])],
    ['too few bytes', (t: number) => frame(t, [3, 2, 0])],
    ['another unit', (t: number) => frame(t, [3, 2, 0, 7], 9)]
  ])('closes on an answer with %s', async (_what, make) => {
    answer = make
    const lost = reported(link, false)
    await expect(link.read('holding', 0, 1, never)).rejects.toMatchObject({ code: ErrorCode.protocol })
    await lost
  })

  it('ignores the answer to another transaction and takes its own', async () => {
    answer = (t) => Buffer.concat([frame(t + 1, [3, 2, 0, 1]), frame(t, [3, 2, 0, 2])])
    expect(await link.read('holding', 0, 1, never)).toEqual([2])
  })

  it('tells what the device says it is', async () => {
    const objects = ['Maker', 'PLC 7', '2.1'].flatMap((text, id) => [id, text.length, ...Buffer.from(text)])
    answer = (t) => frame(t, [43, 14, 1, 1, 0, 0, 3, ...objects])
    expect(await link.identification?.(never)).toEqual(['Maker', 'PLC 7', '2.1'])
  })

  it('takes an answer that comes byte by byte', async () => {
    await link.close()
    await listener.close()
    listener = new Listener((socket) =>
      socket.on('data', (request: Buffer) => {
        const reply = frame(request.readUInt16BE(0), [3, 4, 0, 1, 0, 2])
        const sendFrom = (at: number): void => {
          if (at < reply.length)
            socket.write(reply.subarray(at, at + 1), () => setImmediate(sendFrom, at + 1))
        }
        sendFrom(0)
      })
    )
    await listener.open()
    link = makeModbusLink(`modbus+tcp://127.0.0.1:${listener.port}`, new SystemClock())
    await link.open(never)
    expect(await link.read('holding', 0, 2, never)).toEqual([1, 2])
  })
})

/** MBAP header and PDU (Modbus messaging on TCP 1.0b, 3.1.3) */
function frame(transaction: number, pdu: readonly number[], unit = 1): Buffer {
  const header = Buffer.alloc(7)
  header.writeUInt16BE(transaction & 0xffff, 0)
  header.writeUInt16BE(pdu.length + 1, 4)
  header[6] = unit
  return Buffer.concat([header, Buffer.from(pdu)])
}
