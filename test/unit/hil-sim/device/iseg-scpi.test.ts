/**
 * The simulated iseg supply against its manual: golden transcripts, and its physics by the hand of the clock.
 */
import { readdirSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { makeIsegScpi } from '../../../../hil-sim/device/iseg-scpi/iseg-scpi.ts'
import { formatNumber, parseChannels } from '../../../../hil-sim/device/iseg-scpi/scpi.ts'
import { readTranscript, replyPattern } from '../../../golden/transcript.ts'
import { makeSimBench, type SimBench, talkTo } from './sim-bench.ts'

const channel = (number: number) => ({
  number,
  name: `ch${number}`,
  limitV: 1000,
  nominalV: 900,
  rampVPerS: 50,
  currentLimitUa: 500,
  provenance: 'A: test'
})
const supply = (simulatedInitially: 'nominal' | 'off'): SimBench =>
  makeSimBench(makeIsegScpi, 'iseg-scpi', {
    channels: [channel(0), channel(1)],
    toleranceV: 3,
    simulatedInitially
  })

const golden = new URL('../../../golden/iseg-scpi/', import.meta.url)

describe('transcripts', () => {
  for (const file of readdirSync(golden).filter((name) => name.endsWith('.txt')))
    it(file, () => {
      const bench = supply('off')
      const talk = talkTo(bench.device)
      const expectSilence = (): void => expect(talk.heard()).toBe('')
      for (const { kind, text, line } of readTranscript(new URL(file, golden))) {
        if (kind === 'hear') {
          expect(talk.heard(), line).toMatch(replyPattern(text))
          continue
        }
        expectSilence()
        if (kind === 'say') talk.say(`${text}\r\n`)
        else if (kind === 'advance') bench.advance(Number(text))
        else expect(bench.device.inject?.(JSON.parse(text) as { kind: string })).toBe(true)
      }
      expectSilence()
    })
})

/** asks one query */
function ask(talk: ReturnType<typeof talkTo>, query: string): string {
  talk.heard()
  talk.say(`${query}\r\n`)
  return talk.heard().trimEnd()
}
const volts = (talk: ReturnType<typeof talkTo>): number => Number.parseFloat(ask(talk, ':MEAS:VOLT? (@0)'))
const status = (talk: ReturnType<typeof talkTo>): number => Number(ask(talk, ':READ:CHAN:STAT? (@0)'))

describe('physics', () => {
  it('ramps linearly at the rate of the channel and arrives at the demand', () => {
    const bench = supply('off')
    const talk = talkTo(bench.device)
    talk.say(':CONF:RAMP:VOLT:UP 100,(@0)\r\n:VOLT 500,(@0)\r\n:VOLT ON,(@0)\r\n')
    bench.advance(2)
    expect(volts(talk)).toBeGreaterThan(195)
    expect(volts(talk)).toBeLessThan(205)
    bench.advance(3.2)
    expect(Math.abs(volts(talk) - 500)).toBeLessThan(1)
    expect(status(talk) & 0x10).toBe(0)
  })

  it('does not depend on how time is cut', () => {
    const [coarse, fine] = [1, 0.007].map((stepS) => {
      const bench = supply('off')
      talkTo(bench.device).say(':VOLT 500,(@0)\r\n:VOLT ON,(@0)\r\n')
      bench.advance(7, stepS)
      return JSON.stringify(bench.device.truth())
    })
    expect(coarse).toBe(fine)
  })

  it('trips when the current stays at its limit, and not before', () => {
    const bench = supply('nominal')
    const talk = talkTo(bench.device)
    talk.say(':CONF:TRIP 1000\r\n')
    bench.advance(1)
    bench.device.inject?.({ kind: 'overcurrent', channel: 0, microamps: 400, forMs: 500 })
    bench.advance(2)
    expect(status(talk) & 0x2008).toBe(0x8) // on, no trip: it was too short
    bench.device.inject?.({ kind: 'overcurrent', channel: 0, microamps: 400, forMs: 3000 })
    bench.advance(0.5)
    expect(status(talk) & 0x4040).toBe(0x4040) // constant current, at the limit
    bench.advance(3)
    expect(status(talk)).toBe(0x2000)
    expect(volts(talk)).toBeLessThan(10)
    expect(ask(talk, ':READ:CHAN:STAT? (@1)')).toBe('136')
  })

  it('holds the blocking rule until the event is cleared, and cannot clear it while the loop is open', () => {
    const bench = supply('nominal')
    const talk = talkTo(bench.device)
    bench.device.inject?.({ kind: 'interlock', forMs: 2000 })
    bench.advance(1)
    talk.say(':EV CLEAR,(@0)\r\n:VOLT ON,(@0)\r\n')
    expect(ask(talk, ':READ:CHAN:CONT? (@0)')).toBe('0')
    expect(status(talk)).toBe(0x1000)
    bench.advance(2)
    expect(status(talk)).toBe(0)
    talk.say(':VOLT ON,(@0)\r\n')
    expect(ask(talk, ':READ:CHAN:CONT? (@0)')).toBe('0') // the loop is closed, the event still stands
    talk.say(':EV CLEAR,(@0)\r\n:VOLT ON,(@0)\r\n')
    expect(ask(talk, ':READ:CHAN:CONT? (@0)')).toBe('8')
  })

  it('stops moving while the ramp is stuck', () => {
    const bench = supply('off')
    const talk = talkTo(bench.device)
    talk.say(':VOLT 500,(@0)\r\n:VOLT ON,(@0)\r\n')
    bench.advance(2)
    bench.device.inject?.({ kind: 'ramp-stuck' })
    const before = volts(talk)
    bench.advance(5)
    expect(Math.abs(volts(talk) - before)).toBeLessThan(1)
    expect(status(talk) & 0x10).toBe(0x10)
  })
})

describe('restart', () => {
  it('keeps what the hardware would keep', () => {
    const bench = supply('off')
    talkTo(bench.device).say(':VOLT 300,(@1)\r\n:VOLT ON,(@1)\r\n')
    bench.advance(10)
    const saved: unknown = JSON.parse(JSON.stringify(bench.device.save?.()))
    const again = supply('off')
    again.device.restore?.(saved)
    again.advance(1)
    expect(ask(talkTo(again.device), ':READ:CHAN:STAT? (@0-1)')).toBe('0,136')
  })

  it.each([[null], [{}], [{ tripMs: 1, channels: [{ drive: 'on' }, {}] }], [{ tripMs: 1, channels: [] }]])(
    'is off, whatever it was, when the saved state is %j',
    (saved) => {
      const bench = supply('nominal')
      bench.device.restore?.(saved)
      bench.advance(10)
      expect(ask(talkTo(bench.device), ':READ:CHAN:STAT? (@0-1)')).toBe('0,0')
    }
  )

  it('loses its settings and stays off after a power cut, and is silent for a second', () => {
    const bench = supply('nominal')
    const talk = talkTo(bench.device)
    bench.device.inject?.({ kind: 'reboot' })
    expect(ask(talk, '*IDN?')).toBe('')
    bench.advance(1.1)
    expect(ask(talk, ':READ:CHAN:STAT? (@0-1)')).toBe('0,0')
    expect(ask(talk, ':READ:VOLT? (@0)')).toBe('0.00000E0V')
  })
})

describe('line', () => {
  const session = ':VOLT 300,(@0)\r\n:READ:VOLT? (@0)\r\n*OPC?\n:NONSENSE\r\n*ESR?;*ESR?\r\n'
  const answers = '3.00000E2V\r\n1\r\n32;0\r\n'

  it('reads lines however they are cut', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(session.length), { maxLength: 20 }), (cuts) => {
        const talk = talkTo(supply('off').device)
        let from = 0
        for (const cut of [...cuts.sort((a, b) => a - b), session.length]) {
          talk.say(session.slice(from, cut))
          from = cut
        }
        expect(talk.heard()).toBe(answers)
      })
    )
  })

  it('survives any bytes and then still answers', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1500 }), (bytes) => {
        const talk = talkTo(supply('off').device)
        talk.say(`${Buffer.from(bytes).toString('latin1')}\r\n`)
        talk.heard()
        expect(ask(talk, '*OPC?')).toBe('1')
      })
    )
  })

  it('throws an endless line away and takes the next one', () => {
    const talk = talkTo(supply('off').device)
    talk.say(`*OPC?${' '.repeat(100_000)}\r\n`)
    expect(talk.heard()).toBe('')
    expect(ask(talk, '*ESR?')).toBe('32')
  })

  it('answers late, by halves, after garbage or not at all when told to', () => {
    const bench = supply('off')
    const talk = talkTo(bench.device)
    bench.device.inject?.({ kind: 'slow-reply', delayMs: 300 })
    talk.say('*OPC?\r\n')
    bench.advance(0.25)
    expect(talk.heard()).toBe('')
    bench.advance(0.1)
    expect(talk.heard()).toBe('1\r\n')
    bench.device.inject?.({ kind: 'clear' })
    bench.device.inject?.({ kind: 'garbage' })
    talk.say('*OPC?\r\n')
    expect(talk.heard()).toBe('\0\xff~#\r\n1\r\n')
    bench.device.inject?.({ kind: 'clear' })
    bench.device.inject?.({ kind: 'half-reply' })
    talk.say(':READ:VOLT? (@0)\r\n')
    expect(talk.heard()).toBe('0.0000')
    expect(talk.hangUps).toBe(1)
    bench.device.inject?.({ kind: 'silent', forMs: 100 })
    expect(ask(talk, '*OPC?')).toBe('')
    expect(bench.device.inject?.({ kind: 'no-such-fault' })).toBe(false)
  })

  it('prints numbers and reads channel lists as the family does', () => {
    expect(formatNumber(2200, 'V')).toBe('2.20000E3V')
    expect(formatNumber(0.0000123, 'A')).toBe('1.23000E-5A')
    expect(parseChannels('(@0-3)')).toEqual([0, 1, 2, 3])
    expect(parseChannels('(@0,2)')).toEqual([0, 2])
    expect(parseChannels('(@2-0)')).toBeUndefined()
    expect(parseChannels('(@)')).toBeUndefined()
    expect(parseChannels('(@0-999)')).toBeUndefined()
  })
})
