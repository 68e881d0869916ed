// The beam-line instruments agree with their transcripts at both ends: drivers ask and understand as written there,
// twins answer so. The two ends share no codec; what they share is these bytes.
import { describe, expect, it } from 'vitest'
import { crc16Modbus } from '../../core/bytes.ts'
import {
  parseComplaint,
  parseField,
  parseMode,
  parseRange,
  parseTemperature
} from '../../drivers/beam/hall-probe/answers.ts'
import { LineFramer } from '../../drivers/beam/hall-probe/line-framer.ts'
import { parsePulse, subscribeRequest, utcOf } from '../../drivers/beam/spill-pulses/datagrams.ts'
import { findRtuReply } from '../../drivers/link/modbus-rtu-frame.ts'
import type { ByteFace, RegisterFace } from '../../hil-sim/device/face.ts'
import { makeConversation } from '../../hil-sim/device/hall-probe/conversation.ts'
import { makeSpillPulses } from '../../hil-sim/device/spill-pulses/spill-pulses.ts'
import { answerRtu } from '../../hil-sim/wire/modbus-rtu.ts'
import { makeSimBench } from '../unit/hil-sim/device/sim-bench.ts'
import { bytesOf, hexOf, lineOf, transcript } from './beam/transcript.ts'

describe('hall probe', () => {
  const exchanges = transcript('hall-probe.txt')

  it.each(exchanges)('$question $answer means $meaning', ({ question, answer, meaning }) => {
    const command = question.replace('\\r', '')
    const lines: string[] = []
    new LineFramer().push(lineOf(answer), (line) => lines.push(line))
    const line = lines.at(-1)!.replace(new RegExp(`^${command} `), ' ')
    const mode = parseMode(line)
    const meanings: Record<string, unknown> = {
      F: parseField(line, 'T'),
      T: parseTemperature(line),
      IR: parseRange(line),
      IG: mode === undefined ? undefined : `steady ${mode.isContinuous ? 'continuous' : 'triggered'}`
    }
    const understood = parseComplaint(line) ?? meanings[command]
    if (typeof understood === 'number') expect(understood).toBeCloseTo(Number(meaning), 12)
    else expect(understood).toBe(meaning)
  })

  it('asks questions that the twin understands', () => {
    const said: string[] = []
    const hear = makeConversation(
      { F: () => '1.2345T', T: () => '23.5C', IR: () => '3', IG: () => 'DC' },
      (text) => said.push(text)
    )
    for (const question of ['F\\r', 'T\\r', 'IR\\r', 'IG\\r']) hear(lineOf(question))
    expect(said).toEqual([' 1.2345T\r\n', ' 23.5C\r\n', ' 3\r\n', ' DC\r\n'])
  })
})

describe('Modbus RTU', () => {
  const exchanges = transcript('modbus-rtu.txt')
  const registers = new Map([
    ['holding 107', 0xae41],
    ['holding 108', 0x5652],
    ['holding 109', 0x4340],
    ['input 8', 0x000a]
  ])
  const coils = [0xcd, 0x6b, 0xb2, 0x0e, 0x1b]
  const face: RegisterFace = {
    kind: 'registers',
    read: (space, address, count) => {
      if (space === 'coil' && address === 19)
        return Array.from({ length: count }, (_, i) => (coils[i >> 3]! >> (i & 7)) & 1)
      const values = Array.from({ length: count }, (_, i) => registers.get(`${space} ${address + i}`))
      return values.every((value) => value !== undefined) ? values : 'illegal-address'
    },
    write: () => undefined
  }

  it('has the check value of the CRC', () => {
    expect(crc16Modbus(Buffer.from('123456789'))).toBe(0x4b37)
  })

  it.each(exchanges)('$question is answered $answer', ({ question, answer }) => {
    const units = new Map([
      [0x11, face],
      [0x0a, face]
    ])
    const request = bytesOf(question)
    expect(hexOf(answerRtu(units, request)!)).toBe(answer)
    expect(findRtuReply(bytesOf(answer), request[0]!, request[1]!)).toEqual({ frame: bytesOf(answer) })
  })
})

describe('spill pulses', () => {
  const [alive, start, end] = transcript('spill-pulses.txt')

  it('asks, and understands what comes', () => {
    expect(hexOf(subscribeRequest())).toBe(alive!.question)
    const pulses = [alive!, start!, end!].map(({ answer }) => {
      const pulse = parsePulse(bytesOf(answer))!
      return [pulse.mark, pulse.counter, pulse.cycle, utcOf(pulse).toISOString()]
    })
    expect(pulses).toEqual([
      ['alive', 0, 0, '2026-07-01T12:00:00.000Z'],
      ['SOE', 1, 7, '2026-07-01T12:00:01.000Z'],
      ['EOE', 2, 7, '2026-07-01T12:00:05.800Z']
    ])
  })

  it('comes from the twin to the byte', () => {
    const bench = makeSimBench(makeSpillPulses, 'spill-pulses', {})
    const sent: string[] = []
    const face = bench.device.faces['control'] as ByteFace
    const session = face.attach(
      (bytes) => sent.push(hexOf(bytes)),
      () => undefined
    )
    session.receive(bytesOf(alive!.question))
    bench.advance(1)
    bench.mark('SOE', 7)
    session.receive(bytesOf(alive!.question))
    bench.advance(4.8)
    bench.mark('EOE', 7)
    expect([sent[0], sent[1], sent[3]]).toEqual([alive, start, end].map((exchange) => exchange!.answer))
  })
})
