/**
 * The simulated iseg supply in the hands of pyserial and pyvisa-py, on a pseudo terminal and on TCP: the golden
 * transcripts (identity, set, ramp, status and event words, the blocking rule) line by line, and what these
 * libraries do by themselves.
 */
import { readdirSync } from 'node:fs'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { ByteFace } from '../../hil-sim/device/face.ts'
import { makeIsegScpi } from '../../hil-sim/device/iseg-scpi/iseg-scpi.ts'
import { servePty } from '../../hil-sim/wire/pty.ts'
import { serveTcp } from '../../hil-sim/wire/tcp.ts'
import type { Wire } from '../../hil-sim/wire/wire.ts'
import { readTranscript } from '../golden/transcript.ts'
import { makeSimBench, type SimBench } from '../unit/hil-sim/device/sim-bench.ts'
import { Conversation } from './conversation.ts'
import { describeWith, python, type Stranger } from './programs.ts'

const golden = new URL('../golden/iseg-scpi/', import.meta.url)
const transcripts = readdirSync(golden).filter((name) => name.endsWith('.txt'))
const VOLTS = { nominal: 1000, set: 800 } as const

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

for (const { name, library, needs, serve, where } of ways)
  describeWith(`the simulated iseg supply and ${name}`, { python: needs }, (paths) => {
    let bench: SimBench
    let wire: Wire
    let peer: Conversation

    beforeEach(async () => {
      const channel = (number: number) => ({
        ...{ number, name: `ch${number}`, limitV: VOLTS.nominal, nominalV: 900, rampVPerS: 50 },
        ...{ currentLimitUa: 500, provenance: 'A: test' }
      })
      bench = makeSimBench(makeIsegScpi, 'iseg-scpi', {
        channels: [channel(0), channel(1)],
        toleranceV: 3,
        simulatedInitially: 'off'
      })
      wire = await serve(bench.device.faces['control'] as ByteFace)
      peer = await Conversation.start(paths.python, 'lines.py', library, where(new URL(wire.url)))
    })
    afterEach(async () => {
      await peer.kill()
      await wire.close()
    })
    const ask = (text: string): Promise<string> => peer.ask({ do: 'ask', text: `${text}\r\n` })
    /** Everything that was said before is done, and nothing else was answered. */
    const expectDone = async (): Promise<void> => expect(await ask('*OPC?')).toBe('1')

    it.each(transcripts)('follow the transcript %s', async (file) => {
      const steps = readTranscript(new URL(file, golden))
      expect(steps.length).toBeGreaterThan(10)
      for (const [i, step] of steps.entries())
        switch (step.kind) {
          case 'say':
            await peer.ask({ do: 'say', text: `${step.text}\r\n` })
            if (steps[i + 1]?.kind !== 'hear') await expectDone()
            break
          case 'hear':
            expect(await peer.ask({ do: 'hear' }), step.line).toMatch(step.answer)
            break
          case 'advance':
            bench.advance(step.seconds)
            break
          case 'fault':
            expect(bench.device.inject?.(step.fault)).toBe(true)
        }
    })

    it('see a ramp go up by its rate, and come to rest', async () => {
      expect(await ask('*IDN?')).toMatch(/^iseg Spezialelektronik GmbH,NHS 2 1kV,/)
      await peer.ask({ do: 'say', text: ':CONF:RAMP:VOLT:UP 100,(@1)\r\n:VOLT 800,(@1);:VOLT ON,(@1)\r\n' })
      await expectDone()
      for (let second = 1; second < 8; second++) {
        bench.advance(1)
        expect(await ask(':READ:CHAN:STAT? (@1)')).toBe('152')
        const volts = Number.parseFloat(await ask(':MEAS:VOLT? (@1)'))
        expect(Math.abs(volts - 100 * second)).toBeLessThan(1)
      }
      bench.advance(1.2)
      expect(await ask(':READ:CHAN:STAT? (@1);:READ:CHAN:EV:STAT? (@1)')).toBe('136;16')
      expect(Math.abs(Number.parseFloat(await ask(':MEAS:VOLT? (@1)')) - VOLTS.set)).toBeLessThan(1)
    })

    it('are answered when a command comes byte by byte, with LF alone, or two at once', async () => {
      await peer.ask({ do: 'say-byte-by-byte', text: ':READ:VOLT:NOM? (@0)\r\n' })
      expect(await peer.ask({ do: 'hear' })).toBe('1.00000E3V')
      await peer.ask({ do: 'say', text: '*OPC?\n*ESR?\r\n' })
      expect(await peer.ask({ do: 'hear' })).toBe('1')
      expect(await peer.ask({ do: 'hear' })).toBe('0')
    })

    if (library === 'pyvisa')
      it('give numbers to the parser of the library, list and unit taken apart', async () => {
        const values = (text: string): Promise<number[]> => peer.ask({ do: 'values', text: `${text}\r\n` })
        expect(await values(':READ:VOLT:NOM? (@0-1)')).toEqual([VOLTS.nominal, VOLTS.nominal])
        expect(await values(':READ:CURR? (@0,1)')).toEqual([5e-4, 5e-4])
      })
  })
