// The simulated line of Modbus RTU tells frames apart by silence alone, answers whole ones and is deaf to all others:
// shown under virtual time, to the tenth of a character.
import { beforeEach, describe, expect, it } from 'vitest'
import { seconds } from '../../../../core/units.ts'
import { VirtualClock } from '../../../../core/virtual-clock.ts'
import type { ByteSession, RegisterFace } from '../../../../hil-sim/device/face.ts'
import { makeRtuLine } from '../../../../hil-sim/wire/modbus-rtu.ts'
import { bytesOf, hexOf, transcript } from '../../../golden/beam/transcript.ts'

const { question, answer } = transcript('modbus-rtu.txt')[0]!
const request = bytesOf(question)
const CHARACTER = seconds(10 / 9600)
const face: RegisterFace = {
  kind: 'registers',
  read: () => [0xae41, 0x5652, 0x4340],
  write: () => undefined
}

describe('a line of Modbus RTU', () => {
  let clock: VirtualClock
  let line: ReturnType<typeof makeRtuLine>
  let session: ByteSession
  let sent: string[]
  beforeEach(() => {
    clock = new VirtualClock()
    line = makeRtuLine(new Map([[0x11, face]]), 9600, clock)
    sent = []
    session = line.face.attach(
      (bytes) => sent.push(hexOf(bytes)),
      () => undefined
    )
  })
  /** time on the line; what waits for the next turn of the loop gets it */
  const pass = async (characters: number): Promise<void> => {
    await clock.advance(characters * CHARACTER)
    for (let turn = 0; turn < 3; turn++) {
      await new Promise((resolve) => setImmediate(resolve))
      await clock.advance(0)
    }
  }

  it('answers after 3.5 characters of silence, not before', async () => {
    session.receive(request)
    await pass(3.4)
    expect(sent).toEqual([])
    await pass(0.2)
    expect(sent).toEqual([answer])
  })

  it('takes a frame in any pieces that come without silence', async () => {
    for (let at = 1; at < request.length; at++) {
      session.receive(request.subarray(0, at))
      await pass(1.4)
      session.receive(request.subarray(at))
      await pass(4)
    }
    for (const byte of request) {
      session.receive(Uint8Array.of(byte))
      await pass(1)
    }
    await pass(4)
    expect(sent).toEqual(Array<string>(request.length).fill(answer))
  })

  it('takes a frame with a hole for two bad ones, and hears the next good one', async () => {
    for (let at = 1; at < request.length; at++) {
      session.receive(request.subarray(0, at))
      await pass(4)
      session.receive(request.subarray(at))
      await pass(4)
    }
    expect(sent).toEqual([])
    session.receive(request)
    await pass(4)
    expect(sent).toEqual([answer])
  })

  it('is deaf to frames without silence between, damaged, too long, for others and for all', async () => {
    const broadcast = bytesOf('00 06 00 01 00 03 98 1A')
    const deaf = [
      Uint8Array.of(...request, ...request),
      request.map((byte, i) => (i === 3 ? byte ^ 4 : byte)),
      new Uint8Array(300),
      request.subarray(0, 3),
      bytesOf('12 03 00 6B 00 03 76 B4'),
      broadcast
    ]
    for (const bytes of deaf) {
      session.receive(bytes)
      await pass(4)
    }
    expect(sent).toEqual([])
    session.receive(request)
    await pass(4)
    expect(sent).toEqual([answer])
  })

  it('spoils so many replies as the fault says, each in its way', async () => {
    const spoilt: Record<string, (reply: string | undefined) => void> = {
      'wire-silent': (reply) => expect(reply).toBeUndefined(),
      'wire-bad-crc': (reply) => expect(reply).not.toBe(answer),
      'wire-half-reply': (reply) => expect(answer.startsWith(reply!)).toBe(true),
      'wire-wrong-unit': (reply) => expect(reply?.slice(0, 2)).toBe('12'),
      'wire-noise': (reply) => expect(reply?.endsWith(answer)).toBe(true)
    }
    for (const [kind, check] of Object.entries(spoilt)) {
      expect(line.disturb({ kind })).toBe(true)
      sent.length = 0
      session.receive(request)
      await pass(4)
      expect(sent[0]).not.toBe(answer)
      check(sent[0])
      sent.length = 0
      session.receive(request)
      await pass(4)
      expect(sent).toEqual([answer])
    }
    expect(line.disturb({ kind: 'wire-reset' })).toBe(false)
  })
})
