/**
 * Modbus TCP: requests written out here from the standard, split and joined, and jsmodbus (a code base that shares nothing
 * with ours) as the peer on a socket.
 */
import { once } from 'node:events'
import { connect, Socket } from 'node:net'
import fc from 'fast-check'
import jsmodbus from 'jsmodbus'
import { afterEach, describe, expect, it } from 'vitest'
import { makeModbusFraming, serveModbus } from '../../../../hil-sim/wire/modbus-tcp.ts'
import { answerModbus } from '../../../../hil-sim/wire/modbus-pdu.ts'
import type { Wire } from '../../../../hil-sim/wire/wire.ts'
import { fromHex, toHex } from '../../../golden/wire/golden.ts'
import { Collector, soon, TableFace } from './faces.ts'

const bytes = (hex: string): Uint8Array => fromHex(hex.replace(/\s/g, ''))
const hex = (data: Uint8Array | undefined): string | undefined =>
  data === undefined ? undefined : toHex(data).replace(/(..)(?!$)/g, '$1 ')
const table = (): TableFace =>
  new TableFace([...Array(10).keys()].map((address) => [address, 0x100 + address]))
const bits = (): TableFace =>
  new TableFace([...Array(12).keys()].map((address) => [address, address % 3 === 0 ? 1 : 0]))

describe('requests', () => {
  it.each([
    ['read holding registers', '03 0001 0002', '03 04 01 01 01 02'],
    ['read input registers', '04 0009 0001', '04 02 01 09'],
    ['write a register', '06 0003 beef', '06 00 03 be ef'],
    ['write registers', '10 0003 0002 04 1111 2222', '10 00 03 00 02'],
    ['read and write: the write is first', '17 0002 0003 0003 0001 02 7777', '17 06 01 02 77 77 01 04'],
    ['an address that is not there', '03 0009 0002', '83 02'],
    ['an address beyond the end of all', '03 ffff 0002', '83 02'],
    ['too many', '03 0000 007e', '83 03'],
    ['none', '03 0000 0000', '83 03'],
    ['cut off', '03 0000 00', '83 03'],
    ['a byte count that lies', '10 0003 0002 03 1111 2222', '90 03'],
    ['a function that is not there', '07', '87 01'],
    [
      'identification',
      '2b 0e 01 00',
      '2b 0e 01 81 00 00 03 00 05 4d 61 6b 65 72 01 05 4d 6f 64 65 6c 02 03 32 2e 31'
    ],
    ['one object of the identification', '2b 0e 04 01', '2b 0e 04 81 00 00 01 01 05 4d 6f 64 65 6c'],
    ['an object that is not there', '2b 0e 04 09', 'ab 02'],
    ['another encapsulated interface', '2b 0d 01 00', 'ab 01']
  ])('%s', (_name, request, answer) => {
    expect(hex(answerModbus(table(), bytes(request)))).toBe(answer)
  })

  it.each([
    ['read coils', '01 0000 000a', '01 02 49 02'],
    ['read discrete inputs', '02 0003 0001', '02 01 01'],
    ['write a coil', '05 0001 ff00', '05 00 01 ff 00'],
    ['write a coil with another value', '05 0001 0001', '85 03'],
    ['write coils', '0f 0000 000a 02 ff01', '0f 00 00 00 0a']
  ])('%s', (_name, request, answer) => {
    expect(hex(answerModbus(bits(), bytes(request)))).toBe(answer)
  })

  it('writes coils bit by bit, lowest first', () => {
    const face = bits()
    answerModbus(face, bytes('0f 0001 000a 02 b5 01'))
    expect(face.writes).toEqual(['coil 1 1,0,1,0,1,1,0,1,1,0'])
  })

  it('hands a hanging device on as silence, a failing one as exception 4', () => {
    const face = table()
    face.refuse = 'silent'
    expect(answerModbus(face, bytes('03 0001 0002'))).toBeUndefined()
    face.refuse = 'device-failure'
    expect(hex(answerModbus(face, bytes('06 0001 0002')))).toBe('86 04')
  })
})

describe('framing', () => {
  const first = '0001 0000 0006 01 03 0001 0002'
  const second = '0002 0000 0009 01 10 0003 0001 02 1111'
  const third = '0003 0000 0002 01 07'
  const answers =
    '00 01 00 00 00 07 01 03 04 01 01 01 02' +
    ' 00 02 00 00 00 06 01 10 00 03 00 01' +
    ' 00 03 00 00 00 03 01 87 01'

  it('answers joined and split requests, however they are cut', () => {
    const stream = bytes(first + second + third)
    fc.assert(
      fc.property(fc.array(fc.nat(stream.length), { maxLength: stream.length }), (cuts) => {
        const framing = makeModbusFraming(table())
        const got: Uint8Array[] = []
        let from = 0
        for (const cut of [...cuts.sort((a, b) => a - b), stream.length]) {
          got.push(...framing.receive(stream.subarray(from, cut))!)
          from = cut
        }
        expect(hex(Buffer.concat(got))).toBe(answers)
      })
    )
  })

  it.each([
    ['another protocol', '0001 0001 0006 01 03 0001 0002'],
    ['a length of nothing', '0001 0000 0001 01 03'],
    ['a length beyond the standard', '0001 0000 00ff 01 03']
  ])('gives up on %s', (_name, stream) => {
    expect(makeModbusFraming(table()).receive(bytes(stream))).toBeUndefined()
  })

  it('answers for its own unit only when it has one', () => {
    expect(hex(makeModbusFraming(table(), 2).receive(bytes(first))![0])).toBe('00 01 00 00 00 03 01 83 0b')
    expect(hex(makeModbusFraming(table(), 1).receive(bytes(first))![0])).toBe(answers.slice(0, 38))
  })

  it('survives any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (stream) => {
        makeModbusFraming(table()).receive(stream)
      })
    )
  })
})

describe('on a socket', () => {
  let wire: Wire | undefined
  let socket: Socket | undefined
  afterEach(async () => {
    socket?.destroy()
    await wire?.close()
  })

  it('serves a client that somebody else wrote', async () => {
    const face = table()
    wire = await serveModbus(face)
    socket = new Socket()
    const client = new jsmodbus.client.TCP(socket, 1, 5000)
    socket.connect(Number(new URL(wire.url).port), '127.0.0.1')
    await soon('connection', once(socket, 'connect'))
    const read = await client.readHoldingRegisters(2, 3)
    expect([...read.response.body.valuesAsArray]).toEqual([0x102, 0x103, 0x104])
    await client.writeSingleRegister(4, 0xabcd)
    await client.writeMultipleRegisters(5, [1, 2])
    expect(face.writes).toEqual(['holding 4 43981', 'holding 5 1,2'])
    await expect(client.readHoldingRegisters(9, 4)).rejects.toMatchObject({
      response: { body: { code: 2 } }
    })
    const many = await Promise.all([0, 1, 2, 3].map((address) => client.readInputRegisters(address, 1)))
    expect(many.map((one) => one.response.body.valuesAsArray[0])).toEqual([0x100, 0x101, 0x102, 0x103])
  })

  it('closes the connection of who does not speak Modbus, and no other', async () => {
    wire = await serveModbus(table())
    const port = Number(new URL(wire.url).port)
    socket = connect(port, '127.0.0.1')
    const stranger = connect(port, '127.0.0.1')
    stranger.on('error', () => undefined)
    stranger.write('GET / HTTP/1.1\r\n\r\n')
    await soon('close', once(stranger, 'close'))
    const collector = new Collector()
    socket.on('data', collector.take)
    socket.write(bytes('0001 0000 0006 01 03 0001 0002'))
    expect((await collector.atLeast(13)).length).toBe(13)
  })
})
