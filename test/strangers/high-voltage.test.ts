/**
 * The simulated high voltage in the hands of pyserial and pyvisa-py, on a pseudo terminal and on TCP: the golden
 * transcripts (identity, set, ramp, status and event words, trips, the blocking rule) line by line, and what these
 * libraries do by themselves.
 */
import { readdirSync } from 'node:fs'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { SystemClock } from '../../core/clock.ts'
import { seconds } from '../../core/units.ts'
import { makeCaenN1470 } from '../../hil-sim/device/caen-n1470/caen-n1470.ts'
import type { ByteFace } from '../../hil-sim/device/face.ts'
import { makeIsegScpi } from '../../hil-sim/device/iseg-scpi/iseg-scpi.ts'
import { servePty } from '../../hil-sim/wire/pty.ts'
import { serveTcp } from '../../hil-sim/wire/tcp.ts'
import type { Wire } from '../../hil-sim/wire/wire.ts'
import { readTranscript, replyPattern } from '../golden/transcript.ts'
import { makeSimBench, type SimBench } from '../unit/hil-sim/device/sim-bench.ts'
import { Conversation } from './conversation.ts'
import { describeWith, python, type Stranger } from './programs.ts'

const channel = (number: number, limitV: number, currentLimitUa: number) => ({
  ...{ number, name: `ch${limitV}-${number}`, limitV, nominalV: 0.9 * limitV },
  ...{ rampVPerS: 50, currentLimitUa, provenance: 'A: test' }
})

/** As in the README of its transcripts. */
interface Supply {
  readonly name: string
  readonly folder: string
  readonly make: () => SimBench
  /** the longest that it takes for a reply */
  readonly replyS: number
  /** a question that is always answered, and so */
  readonly ping: readonly [string, string]
}

const iseg: Supply = {
  name: 'iseg supply',
  folder: 'iseg-scpi',
  make: () =>
    makeSimBench(makeIsegScpi, 'iseg-scpi', {
      channels: [channel(0, 1000, 500), channel(1, 1000, 500)],
      toleranceV: 3,
      simulatedInitially: 'off'
    }),
  replyS: 0,
  ping: ['*OPC?', '1']
}
const caen: Supply = {
  name: 'chain of CAEN boards',
  folder: 'caen-n1470',
  make: () =>
    makeSimBench(makeCaenN1470, 'caen-n1470', {
      boards: [
        { number: 0, channels: [channel(0, 4000, 1000), channel(1, 4000, 1000)] },
        { number: 7, channels: [channel(0, 1000, 100)] }
      ],
      toleranceV: 3,
      simulatedInitially: 'off'
    }),
  replyS: 0.06,
  ping: ['$BD:00,CMD:MON,PAR:BDNAME', '#BD:00,CMD:OK,VAL:N1470']
}

const pyserial = python('python3-serial', 'serial')
const pyvisa = python('python3-pyvisa-py python3-pyvisa python3-serial', 'pyvisa', 'pyvisa_py', 'serial')

interface Way {
  readonly name: string
  readonly library: 'pyserial' | 'pyvisa'
  readonly needs: Stranger
  readonly serve: (face: ByteFace) => Promise<Wire>
  /** the wire in the library's words */
  readonly where: (url: URL) => string
}

const ways: readonly Way[] = [
  {
    name: 'pyserial on a serial line',
    library: 'pyserial',
    needs: pyserial,
    serve: servePty,
    where: ({ pathname }) => pathname
  },
  {
    name: 'pyserial on TCP',
    library: 'pyserial',
    needs: pyserial,
    serve: serveTcp,
    where: ({ host }) => `socket://${host}`
  },
  {
    name: 'pyvisa-py on a serial line (ASRL)',
    library: 'pyvisa',
    needs: pyvisa,
    serve: servePty,
    where: ({ pathname }) => `ASRL${pathname}::INSTR`
  },
  {
    name: 'pyvisa-py on TCP (SOCKET)',
    library: 'pyvisa',
    needs: pyvisa,
    serve: serveTcp,
    where: ({ hostname, port }) => `TCPIP0::${hostname}::${port}::SOCKET`
  }
]

/** The face, and when it has heard so many lines. */
function counting(face: ByteFace): { face: ByteFace; heard(lines: number): Promise<void> } {
  let lines = 0
  let wake = (): void => undefined
  return {
    face: {
      kind: 'bytes',
      attach: (send, hangUp) => {
        const session = face.attach(send, hangUp)
        return {
          receive: (bytes) => {
            session.receive(bytes)
            lines += bytes.reduce((count, byte) => count + (byte === 0x0a ? 1 : 0), 0)
            wake()
          },
          closed: () => session.closed()
        }
      }
    },
    heard: (wanted) =>
      new SystemClock().within('lines at the supply', seconds(5), () => {
        return new Promise((resolve) => {
          wake = () => {
            if (lines >= wanted) resolve()
          }
          wake()
        })
      })
  }
}

for (const supply of [iseg, caen])
  for (const { name, library, needs, serve, where } of ways)
    describeWith(`the simulated ${supply.name} and ${name}`, { python: needs }, (paths) => {
      let bench: SimBench
      let wire: Wire
      let peer: Conversation
      let heard: (lines: number) => Promise<void>
      let said = 0

      beforeEach(async () => {
        bench = supply.make()
        said = 0
        const ears = counting(bench.device.faces['control'] as ByteFace)
        heard = (lines) => ears.heard(lines)
        wire = await serve(ears.face)
        peer = await Conversation.start(paths.python, 'lines.py', library, where(new URL(wire.url)))
      })
      afterEach(async () => {
        await peer.kill()
        await wire.close()
      })
      /** Says a line; afterwards the supply has done what it says. */
      const say = async (text: string, how: 'say' | 'say-byte-by-byte' = 'say'): Promise<void> => {
        await peer.ask({ do: how, text: `${text}\r\n` })
        said += text.split('\n').length
        await heard(said)
        if (supply.replyS > 0) bench.advance(supply.replyS, 0.01)
      }
      const hear = (): Promise<string> => peer.ask({ do: 'hear' })
      const ask = async (text: string): Promise<string> => {
        await say(text)
        return hear()
      }
      const expectSilence = async (): Promise<void> => expect(await ask(supply.ping[0])).toBe(supply.ping[1])

      const golden = new URL(`../golden/${supply.folder}/`, import.meta.url)
      const transcripts = readdirSync(golden).filter((file) => file.endsWith('.txt'))
      it.each(transcripts)('follow the transcript %s', async (file) => {
        const steps = readTranscript(new URL(file, golden))
        expect(steps.length).toBeGreaterThan(10)
        for (const [i, { kind, text, line }] of steps.entries())
          if (kind === 'hear') expect(`${await hear()}\r\n`, line).toMatch(replyPattern(text))
          else if (kind === 'advance') bench.advance(Number(text))
          else if (kind === 'fault')
            expect(bench.device.inject?.(JSON.parse(text) as { kind: string })).toBe(true)
          else {
            await say(text)
            if (steps[i + 1]?.kind === 'say') await expectSilence()
          }
        await expectSilence()
      })

      if (supply === iseg) {
        it('see a ramp go up by its rate, and come to rest', async () => {
          expect(await ask('*IDN?')).toMatch(/^iseg Spezialelektronik GmbH,NHS 2 1kV,/)
          await say(':CONF:RAMP:VOLT:UP 100,(@1)\r\n:VOLT 800,(@1);:VOLT ON,(@1)')
          for (let second = 1; second < 8; second++) {
            bench.advance(1)
            expect(await ask(':READ:CHAN:STAT? (@1)')).toBe('152')
            const volts = Number.parseFloat(await ask(':MEAS:VOLT? (@1)'))
            expect(Math.abs(volts - 100 * second)).toBeLessThan(1)
          }
          bench.advance(1.2)
          expect(await ask(':READ:CHAN:STAT? (@1);:READ:CHAN:EV:STAT? (@1)')).toBe('136;16')
          expect(Math.abs(Number.parseFloat(await ask(':MEAS:VOLT? (@1)')) - 800)).toBeLessThan(1)
        })

        it('are answered when a command comes byte by byte, with LF alone, or two at once', async () => {
          await say(':READ:VOLT:NOM? (@0)', 'say-byte-by-byte')
          expect(await hear()).toBe('1.00000E3V')
          await say('*OPC?\n*ESR?')
          expect([await hear(), await hear()]).toEqual(['1', '0'])
        })

        if (library === 'pyvisa')
          it('give numbers to the parser of the library, list and unit taken apart', async () => {
            const values = (text: string): Promise<number[]> =>
              peer.ask({ do: 'values', text: `${text}\r\n` })
            expect(await values(':READ:VOLT:NOM? (@0-1)')).toEqual([1000, 1000])
            expect(await values(':READ:CURR? (@0,1)')).toEqual([5e-4, 5e-4])
          })
      }
    })
