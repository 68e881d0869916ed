/**
 * The bench tool against the simulated bench on the real wires: it identifies devices, reads and watches, shows what
 * passes, and sets high voltage only within our limit, only agreed to, and only by somebody. What it says it did is
 * checked at the supply. `spillway sim` and, where the process matters, the tool run as people start them.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { deviceCommand } from '../../controller/commands/device.ts'
import type { Person } from '../../controller/commands/device/terminal.ts'
import { makeProgram } from '../../controller/commands/program.ts'
import { SystemClock } from '../../core/clock.ts'
import { ErrorCode } from '../../core/errors.ts'
import { seconds } from '../../core/units.ts'
import { parseRecording } from '../../drivers/link/tap/recording.ts'

const clock = new SystemClock()
const spillway = fileURLToPath(new URL('../../bin/spillway.js', import.meta.url))

let folder: string
let simulator: ChildProcess
let supplyUrl: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'spillway-device-'))
  simulator = spawn(
    process.execPath,
    [spillway, 'sim', 'bench', '--ports', 'free', '--cycle', 'fast', '--data', folder],
    { stdio: ['ignore', 'pipe', 'ignore'] }
  )
  const lines = createInterface({ input: simulator.stdout! })
  await clock.within('the simulated bench', seconds(30), async () => {
    for await (const line of lines) {
      if (line.startsWith('hv-bench control ')) supplyUrl = line.split(' ')[2]!
      if (line.startsWith('bench-plc')) return
    }
  })
})
afterAll(async () => {
  const ended = new Promise((resolve) => simulator.once('exit', resolve))
  simulator.kill('SIGTERM')
  await clock.within('the end of the bench', seconds(10), () => ended)
  rmSync(folder, { recursive: true, force: true })
})

/** Everything that a command writes, in place of the terminal. */
class Capture {
  stdout = ''
  stderr = ''
  readonly #real = [
    process.stdout.write.bind(process.stdout),
    process.stderr.write.bind(process.stderr)
  ] as const

  constructor() {
    const into = (name: 'stdout' | 'stderr') =>
      ((text: string, done?: () => void): boolean => {
        this[name] += text
        if (typeof done === 'function') done()
        return true
      }) as typeof process.stdout.write
    process.stdout.write = into('stdout')
    process.stderr.write = into('stderr')
  }

  end(): void {
    process.stdout.write = this.#real[0]
    process.stderr.write = this.#real[1]
  }
}
let capture: Capture | undefined
afterEach(() => capture?.end())

interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** The command line in this process: a second of start-up less for each. */
async function device(id: string, ...words: readonly string[]): Promise<Outcome> {
  const own = ['--experiment', 'bench', '--sim', '--data', folder]
  return program(['-', ...words, '--device', id, ...own])
}

async function program(words: readonly string[]): Promise<Outcome> {
  capture = new Capture()
  let code = -1
  const asJson = words.includes('--json')
  try {
    await makeProgram(asJson, (exit) => (code = exit)).parseAsync(['node', 'spillway', 'device', ...words])
  } finally {
    capture.end()
  }
  return { code, stdout: capture.stdout, stderr: capture.stderr }
}

async function json(id: string, ...words: readonly string[]): Promise<Record<string, unknown>> {
  const { code, stdout } = await device(id, ...words, '--json')
  expect(code).toBe(0)
  return JSON.parse(stdout) as Record<string, unknown>
}

async function demandOfSupply(): Promise<unknown> {
  return (await json('hv-bench', 'read', 'ch0/demand'))['value']
}

describe('the bench tool', () => {
  it.each([
    ['hv-bench', 'iseg-scpi', 'iseg Spezialelektronik GmbH'],
    ['msadc-bench', 'slink-msadc', 'Spillway'],
    ['trigger-crate', 'trigger-crate', 'Spillway'],
    ['bench-plc', 'interlock-plc', 'Spillway']
  ])('identifies %s', async (id, kind, maker) => {
    const { stdout, code } = await device(id, 'identity')
    expect(code).toBe(0)
    expect(stdout).toMatch(new RegExp(`^kind +${kind}\\nmaker +${maker}\\n`))
  })

  it('lists the signals with unit, quality, meaning, and what can be set', async () => {
    const { signals } = (await json('hv-bench', 'signals')) as { signals: Record<string, unknown>[] }
    expect(signals).toContainEqual(
      expect.objectContaining({
        path: 'hv-bench/ch0/voltage',
        unit: 'V',
        quality: 'good',
        value: expect.any(Number) as unknown,
        settable: null
      })
    )
    expect(signals).toContainEqual(
      expect.objectContaining({ path: 'hv-bench/ch0/demand', settable: '0 to 1500 V' })
    )
    const { stdout } = await device('bench-plc', 'signals')
    expect(stdout).toMatch(/^bench-plc\/hall-temperature +[\d.]+ degC +temperature of the hall$/m)
  })

  it('waits for the first value of devices that poll by themselves', async () => {
    const { stdout, code } = await device('trigger-crate', 'read', 'status')
    expect([code, stdout]).toEqual([0, 'trigger-crate/status  ready\n'])
  })

  it('knows no signal by a wrong name, and says which one may be meant', async () => {
    const { code, stderr } = await device('hv-bench', 'read', 'ch0/volts')
    expect(code).toBe(2)
    expect(stderr).toContain("did you mean 'ch0/voltage'?")
  })

  it('shows each change while it watches, in one document for scripts', async () => {
    const { changes } = (await json('bench-plc', 'watch', '--seconds', '1.3')) as {
      changes: { path: string; value: unknown }[]
    }
    const heartbeats = changes.filter(({ path }) => path === 'bench-plc/heartbeat')
    expect(heartbeats.length).toBeGreaterThanOrEqual(2)
    expect(new Set(heartbeats.map(({ value }) => value)).size).toBe(heartbeats.length)
    expect(changes.filter(({ path }) => path === 'bench-plc/door-closed')).toHaveLength(1)
  })

  it('shows the lines of a supply as they pass', async () => {
    const { stdout, code } = await device('hv-bench', 'frames', '--seconds', '0.1')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^[\d:.]{12} > text line {2}\*IDN\?$/m)
    expect(stdout).toMatch(/^[\d:.]{12} < text line {2}iseg Spezialelektronik GmbH,/m)
  })

  it('shows the packets of IPbus and the frames of the bridge, and keeps them as recording and capture', async () => {
    const [record, pcap] = [join(folder, 'session.jsonl'), join(folder, 'session.pcap')]
    const options = ['--seconds', '0.1', '--record', record, '--pcap', pcap]
    const { frames } = (await json('msadc-bench', 'frames', ...options)) as {
      frames: Record<string, string>[]
    }
    const told = frames.map(({ dir, type, text }) => `${dir} ${type} ${text}`)
    expect(told).toContainEqual(
      expect.stringMatching(/^out control request packet \d+: read 0x00000000 x 3$/)
    )
    expect(told).toContainEqual(
      expect.stringMatching(/^in control reply packet \d+: read 0x4d534144 0x[0-9a-f]{8} 0x00000258$/)
    )
    expect(told).toContainEqual(expect.stringMatching(/^in hello frame 0: \{.*"sources":\[600\]/))
    const session = parseRecording(readFileSync(record, 'utf8'))
    expect(session.map(({ kind }) => kind)).toEqual(['registers', 'bytes'])
    expect(readFileSync(pcap).readUInt32LE(0)).toBe(0xa1b2c3d4)
  })
})

describe('setting by the bench tool', () => {
  it('is refused where nobody can be asked', async () => {
    const { code, stderr } = await device('hv-bench', 'set', 'ch0/demand', '100')
    expect(code).toBe(2)
    expect(stderr).toContain('--yes')
    expect(await demandOfSupply()).toBe(0)
  })

  it('reads back what it wrote, and says who did it', async () => {
    const { code, stdout, stderr } = await device(
      'hv-bench',
      'set',
      'ch0/demand',
      '20',
      '--yes',
      '--by',
      'Marie'
    )
    expect(code).toBe(0)
    expect(stdout).toMatch(/^hv-bench\/ch0\/demand {2}20 V$/m)
    expect(stderr).toContain('from 0 V to 20 V')
    expect(stderr).toContain('by Marie')
    expect(await demandOfSupply()).toBe(20)
  })

  it('beyond our limit is refused before anything is written', async () => {
    const record = join(folder, 'refused.jsonl')
    const words = ['set', 'ch0/demand', '1501', '--yes', '--record', record]
    const { code, stderr } = await device('hv-bench', ...words)
    expect(code).toBe(1)
    expect(stderr).toContain('0 to 1500 V')
    const said = parseRecording(readFileSync(record, 'utf8'))[0]!.entries.flatMap(({ event }) =>
      event.what === 'request' && event.verb === 'write'
        ? [Buffer.from(event.args[0] as Uint8Array).toString()]
        : []
    )
    expect(said.length).toBeGreaterThan(3)
    expect(said.filter((line) => !line.includes('?'))).toEqual([])
  })

  it('switches nothing on for nobody', async () => {
    const { code, stderr } = await device('hv-bench', 'set', 'ch0/state', 'on', '--yes')
    expect([code, stderr.includes('--by')]).toEqual([2, true])
    expect((await json('hv-bench', 'read', 'ch0/state'))['value']).toBe('off')
  })

  it('needs our limits where no experiment has them', async () => {
    const bare = [supplyUrl, 'set', 'ch0/demand', '10', '--channels', '0', '--yes', '--data', folder]
    const { code, stderr } = await program(bare)
    expect([code, stderr.includes('--limit-v')]).toEqual([2, true])
    const limits = ['--limit-v', '15', '--ramp-v-per-s', '50', '--current-limit-ua', '100']
    expect((await program([...bare, ...limits])).code).toBe(0)
    expect(await demandOfSupply()).toBe(10)
    expect((await program([...bare.slice(0, 3), '16', ...bare.slice(4), ...limits])).code).toBe(1)
  })

  it('of what cannot be set is refused with what can', async () => {
    const { code, stderr } = await device('hv-bench', 'set', 'ch0/voltage', '5', '--yes')
    expect(code).toBe(2)
    expect(stderr).toContain('hv-bench/ch0/demand')
    expect((await device('bench-plc', 'set', 'humidity', '5', '--yes')).stderr).toContain('nothing of a')
  })

  /** Somebody at a terminal who gives these answers. */
  const answering = (...answers: string[]): Person & { readonly asked: string[] } => {
    const asked: string[] = []
    return {
      isThere: true,
      asked,
      ask: (question) => {
        asked.push(question)
        return Promise.resolve(answers.shift() ?? '')
      }
    }
  }
  const at = async (person: Person, path: string, value: string): Promise<number> => {
    capture = new Capture()
    const options = { experiment: 'bench', device: 'hv-bench', sim: true, data: folder, by: 'Marie' }
    return deviceCommand('-', 'set', [path, value], { ...options, yes: false, json: false }, person)
  }

  it('is asked for at a terminal, and no is no', async () => {
    const person = answering('', 'y')
    expect(await at(person, 'ch0/demand', '30')).toBe(1)
    expect(await demandOfSupply()).toBe(10)
    expect(await at(person, 'ch0/demand', '30')).toBe(0)
    expect(await demandOfSupply()).toBe(30)
    expect(person.asked[0]).toBe('hv-bench/ch0/demand (matrix) from 10 V to 30 V? [y/N] ')
  })

  it('switches high voltage on only for who types the name of the channel, and off for anybody', async () => {
    const person = answering('y', 'matrix')
    expect(await at(person, 'ch0/state', 'on')).toBe(1)
    expect((await json('hv-bench', 'read', 'ch0/state'))['value']).toBe('off')
    expect(await at(person, 'ch0/state', 'on')).toBe(0)
    expect((await json('hv-bench', 'read', 'ch0/state'))['value']).toBe('on')
    expect(person.asked[0]).toContain('type the name of the channel (matrix)')
    const off = await device('hv-bench', 'set', 'ch0/state', 'off', '--yes')
    expect([off.code, off.stdout.includes('hv-bench/ch0/state  off')]).toEqual([0, true])
  })
})

describe('the bench tool as a process', () => {
  const run = (...words: readonly string[]): Promise<Outcome> =>
    new Promise((resolve) => {
      const child = execFile(
        process.execPath,
        [spillway, 'device', ...words, '--data', folder],
        { timeout: 30_000 },
        (_error, stdout, stderr) => resolve({ code: child.exitCode ?? -1, stdout, stderr })
      )
    })

  it('reads one signal of a URL and ends; where no device is it ends with 1, a hint and one document', async () => {
    const [read, absent] = await Promise.all([
      run(supplyUrl, 'read', 'ch0/demand', '--channels', '0'),
      run('modbus+tcp://127.0.0.1:1', 'identity', '--json')
    ])
    expect(read).toEqual({ code: 0, stdout: 'iseg-scpi/ch0/demand  30 V\n', stderr: '' })
    expect(absent.code).toBe(1)
    expect(absent.stderr).toContain('is it switched on')
    expect(JSON.parse(absent.stdout)).toMatchObject({
      error: { code: ErrorCode.disconnected, hint: expect.stringContaining('switched on') as unknown }
    })
  })

  it('leaves nothing in a folder that it does not need', () => {
    expect(existsSync(join(folder, 'certificates'))).toBe(false)
  })
})
