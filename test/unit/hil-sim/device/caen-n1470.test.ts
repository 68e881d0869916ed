/**
 * The simulated chain of CAEN boards against its manual: golden transcripts, and its physics by the hand of the clock.
 */
import { readdirSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { makeCaenN1470 } from '../../../../hil-sim/device/caen-n1470/caen-n1470.ts'
import { readTranscript, replyPattern } from '../../../golden/transcript.ts'
import { makeSimBench, type SimBench, talkTo } from './sim-bench.ts'

const channel = (number: number, limitV: number, currentLimitUa: number) => ({
  number,
  name: `ch${limitV}-${number}`,
  limitV,
  nominalV: 0.9 * limitV,
  rampVPerS: 50,
  currentLimitUa,
  provenance: 'A: test'
})
const chain = (simulatedInitially: 'nominal' | 'off'): SimBench =>
  makeSimBench(makeCaenN1470, 'caen-n1470', {
    boards: [
      { number: 0, channels: [channel(0, 4000, 1000), channel(1, 4000, 1000)] },
      { number: 7, channels: [channel(0, 1000, 100)] }
    ],
    toleranceV: 3,
    simulatedInitially
  })
/** the longest that a board takes for a reply */
const REPLY_S = 0.06

describe('transcripts', () => {
  const golden = new URL('../../../golden/caen-n1470/', import.meta.url)
  for (const file of readdirSync(golden).filter((name) => name.endsWith('.txt')))
    it(file, () => {
      const bench = chain('off')
      const talk = talkTo(bench.device)
      const expectSilence = (): void => expect(talk.heard()).toBe('')
      for (const { kind, text, line } of readTranscript(new URL(file, golden))) {
        if (kind === 'hear') {
          bench.advance(REPLY_S, 0.01)
          expect(talk.heard(), line).toMatch(replyPattern(text))
          continue
        }
        bench.advance(REPLY_S, 0.01)
        expectSilence()
        if (kind === 'say') talk.say(`${text}\r\n`)
        else if (kind === 'advance') bench.advance(Number(text))
        else expect(bench.device.inject?.(JSON.parse(text) as { kind: string })).toBe(true)
      }
      expectSilence()
    })
})

type Talk = ReturnType<typeof talkTo>
function ask(bench: SimBench, talk: Talk, request: string): string {
  talk.heard()
  talk.say(`${request}\r\n`)
  bench.advance(REPLY_S, 0.01)
  return talk.heard().trimEnd()
}
const value = (bench: SimBench, talk: Talk, place: string): string =>
  ask(bench, talk, `$BD:00,CMD:MON,${place}`).replace('#BD:00,CMD:OK,VAL:', '')
const status = (bench: SimBench, talk: Talk): number => Number(value(bench, talk, 'CH:0,PAR:STAT'))

describe('physics', () => {
  it('does not depend on how time is cut', () => {
    const [coarse, fine] = [1, 0.007].map((stepS) => {
      const bench = chain('nominal')
      bench.device.inject?.({ kind: 'overcurrent', board: 0, channel: 1, forMs: 500 })
      bench.advance(7, stepS)
      return JSON.stringify(bench.device.truth())
    })
    expect(coarse).toBe(fine)
  })

  it('trips when the current stays at its limit for TRIP seconds, and never with 1000', () => {
    const bench = chain('nominal')
    const talk = talkTo(bench.device)
    ask(bench, talk, '$BD:00,CMD:SET,CH:0,PAR:TRIP,VAL:1000')
    bench.device.inject?.({ kind: 'overcurrent', board: 0, channel: 0, forMs: 5000 })
    bench.advance(4)
    expect(status(bench, talk) & 0b10001001).toBe(0b1001)
    bench.device.inject?.({ kind: 'clear' })
    bench.advance(0.5)
    ask(bench, talk, '$BD:00,CMD:SET,CH:0,PAR:TRIP,VAL:2.0')
    bench.device.inject?.({ kind: 'overcurrent', board: 0, channel: 0, forMs: 1500 })
    bench.advance(4)
    expect(status(bench, talk) & 0x81).toBe(0x01) // it was too short
    bench.device.inject?.({ kind: 'overcurrent', board: 0, channel: 0, forMs: 2500 })
    bench.advance(4)
    expect(status(bench, talk) & 0x81).toBe(0x80)
  })

  it('takes the voltage away at once with PDWN KILL, slowly with RAMP', () => {
    for (const [mode, isGone] of [
      ['KILL', true],
      ['RAMP', false]
    ] as const) {
      const bench = chain('nominal')
      const talk = talkTo(bench.device)
      ask(bench, talk, `$BD:00,CMD:SET,CH:0,PAR:PDWN,VAL:${mode}`)
      ask(bench, talk, '$BD:00,CMD:SET,CH:0,PAR:OFF')
      bench.advance(3)
      expect(Number(value(bench, talk, 'CH:0,PAR:VMON')) < 100).toBe(isGone)
    }
  })

  it('stays off after an interlock, a kill and the switch on the panel', () => {
    for (const [kind, bit] of [
      ['interlock', 1 << 12],
      ['kill', 1 << 11],
      ['disabled', 1 << 10]
    ] as const) {
      const bench = chain('nominal')
      const talk = talkTo(bench.device)
      bench.device.inject?.({ kind, board: 0, forMs: 2000 })
      bench.advance(1)
      expect(status(bench, talk)).toBe(bit)
      bench.advance(5)
      expect(status(bench, talk)).toBe(0)
    }
  })
})

describe('restart', () => {
  it('keeps what the hardware would keep', () => {
    const bench = chain('nominal')
    bench.advance(1)
    const saved: unknown = JSON.parse(JSON.stringify(bench.device.save?.()))
    const again = chain('off')
    again.device.restore?.(saved)
    again.advance(1)
    expect(status(again, talkTo(again.device))).toBe(1)
  })

  it.each([[null], [{}], [{ boards: 1 }], [{ boards: [{ channels: [{ drive: 'on' }] }, {}] }]])(
    'is off, whatever it was, when the saved state is %j',
    (saved) => {
      const bench = chain('nominal')
      bench.device.restore?.(saved)
      bench.advance(10)
      expect(status(bench, talkTo(bench.device))).toBe(0)
    }
  )

  it('is off with its settings after a power cut, and silent for a second', () => {
    const bench = chain('nominal')
    const talk = talkTo(bench.device)
    bench.device.inject?.({ kind: 'reboot', board: 0 })
    expect(ask(bench, talk, '$BD:00,CMD:MON,PAR:BDNAME')).toBe('')
    bench.advance(1.1)
    expect(status(bench, talk)).toBe(0)
    expect(value(bench, talk, 'CH:0,PAR:VSET')).toBe('3600.0')
  })
})

describe('line', () => {
  const session =
    '$BD:00,CMD:SET,CH:0,PAR:VSET,VAL:100.0\r\n$BD:07,CMD:MON,PAR:BDNAME\r\n$BD:00,CMD:MON,CH:0,PAR:VSET\n'
  const replies = '#BD:00,CMD:OK\r\n#BD:07,CMD:OK,VAL:N1471\r\n#BD:00,CMD:OK,VAL:0100.0\r\n'

  it('reads requests however they are cut', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(session.length), { maxLength: 20 }), (cuts) => {
        const bench = chain('off')
        const talk = talkTo(bench.device)
        let from = 0
        for (const cut of [...cuts.sort((a, b) => a - b), session.length]) {
          talk.say(session.slice(from, cut))
          from = cut
        }
        bench.advance(0.2, 0.01)
        expect(talk.heard()).toBe(replies)
      }),
      { numRuns: 40 }
    )
  })

  it('survives any bytes and then still answers', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 700 }), (bytes) => {
        const bench = chain('off')
        const talk = talkTo(bench.device)
        talk.say(`${Buffer.from(bytes).toString('latin1')}\x11\r\n`)
        bench.advance(0.2, 0.05)
        expect(value(bench, talk, 'PAR:BDNAME')).toBe('N1470')
      }),
      { numRuns: 60 }
    )
  })

  it('is silent about boards that are not there, and about what names none', () => {
    const bench = chain('off')
    const talk = talkTo(bench.device)
    for (const request of [
      '$BD:01,CMD:MON,PAR:BDNAME',
      'BDNAME',
      '$CMD:MON,PAR:BDNAME',
      '$BD:XX,CMD:MON',
      ''
    ])
      expect(ask(bench, talk, request)).toBe('')
    bench.device.inject?.({ kind: 'absent', board: 0 })
    expect(ask(bench, talk, '$BD:00,CMD:MON,PAR:BDNAME')).toBe('')
    expect(ask(bench, talk, '$BD:07,CMD:MON,PAR:BDNAME')).toBe('#BD:07,CMD:OK,VAL:N1471')
  })

  it('stops and goes on by XOFF and XON, both ways', () => {
    const bench = chain('off')
    const talk = talkTo(bench.device)
    talk.say('\x13')
    expect(ask(bench, talk, '$BD:00,CMD:MON,PAR:BDNAME')).toBe('')
    talk.say('\x11')
    expect(talk.heard()).toBe('#BD:00,CMD:OK,VAL:N1470\r\n')
    bench.device.inject?.({ kind: 'busy', forMs: 500 })
    expect(talk.heard()).toBe('\x13')
    expect(ask(bench, talk, '$BD:00,CMD:MON,PAR:BDNAME')).toBe('')
    bench.advance(0.6)
    expect(talk.heard()).toBe('\x11#BD:00,CMD:OK,VAL:N1470\r\n')
  })

  it('obeys without confirming, answers late or by halves when told to', () => {
    const bench = chain('off')
    const talk = talkTo(bench.device)
    bench.device.inject?.({ kind: 'unconfirmed' })
    expect(ask(bench, talk, '$BD:00,CMD:SET,CH:0,PAR:VSET,VAL:42.0')).toBe('')
    expect(value(bench, talk, 'CH:0,PAR:VSET')).toBe('0042.0')
    bench.device.inject?.({ kind: 'clear' })
    bench.device.inject?.({ kind: 'slow-reply', delayMs: 300 })
    expect(ask(bench, talk, '$BD:00,CMD:MON,PAR:BDNAME')).toBe('')
    bench.advance(0.3)
    expect(talk.heard()).toBe('#BD:00,CMD:OK,VAL:N1470\r\n')
    bench.device.inject?.({ kind: 'clear' })
    bench.device.inject?.({ kind: 'half-reply' })
    expect(ask(bench, talk, '$BD:00,CMD:MON,PAR:BDNAME')).toBe('#BD:00,CMD:O')
    expect(talk.hangUps).toBe(1)
    expect(bench.device.inject?.({ kind: 'no-such-fault' })).toBe(false)
  })
})
