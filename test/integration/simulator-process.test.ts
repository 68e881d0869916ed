/**
 * The simulator as its own process, as the supervisor forks it: found on the wires, killed, found again at the same places
 * with its high voltage as it was, and ended in order. The peers are plain sockets and the serial library.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { watch } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { SerialPort } from 'serialport'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { SystemClock } from '../../core/clock.ts'
import { ErrorCode, SpillwayError } from '../../core/errors.ts'
import { seconds } from '../../core/units.ts'

const clock = new SystemClock()
const soon = <T>(name: string, work: Promise<T>): Promise<T> => clock.within(name, seconds(20), () => work)
const script = fileURLToPath(new URL('../../hil-sim/main.ts', import.meta.url))

type Links = Record<string, { control: string; data?: string }>

let folder = ''
let child: ChildProcess | undefined
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'spillway-sim-'))
})
afterEach(async () => {
  if (child !== undefined) await end('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

function start(more: readonly string[] = []): Promise<Links> {
  const simulator = fork(
    script,
    [
      ...['--experiment', 'bench', '--seed', '5', '--cycle', 'fast', '--ports', 'free'],
      ...['--links-file', join(folder, 'links.json'), '--state-file', join(folder, 'state.json')],
      ...more
    ],
    { execArgv: [], stdio: ['ignore', 'ignore', 'ignore', 'ipc'] }
  )
  child = simulator
  return soon(
    'ready',
    new Promise((resolve, reject) => {
      simulator.on('message', (message) => {
        if (typeof message === 'object' && 'ready' in message)
          resolve((message as unknown as { links: Links }).links)
      })
      simulator.on('exit', (code) =>
        reject(new SpillwayError(ErrorCode.disconnected, `ended with ${code ?? 'a signal'}`))
      )
    })
  )
}

function end(signal: NodeJS.Signals): Promise<number | null> {
  const simulator = child!
  child = undefined
  if (simulator.exitCode !== null) return Promise.resolve(simulator.exitCode)
  const ended = new Promise<number | null>((resolve) => simulator.once('exit', (code) => resolve(code)))
  simulator.kill(signal)
  return soon('end', ended)
}

function ask(message: object, key: string): Promise<unknown> {
  const simulator = child!
  const answer = new Promise<unknown>((resolve) => {
    simulator.on('message', (heard) => {
      if (typeof heard === 'object' && key in heard) resolve((heard as Record<string, unknown>)[key])
    })
  })
  simulator.send(message)
  return soon(key, answer)
}

/** Says lines to the supply and waits for the answer to the last. */
async function scpi(url: string, text: string): Promise<string> {
  const port = new SerialPort({ path: new URL(url).pathname, baudRate: 9600, autoOpen: false })
  const answer = new Promise<string>((resolve) => {
    let heard = ''
    port.on('data', (bytes: Buffer) => {
      heard += bytes.toString('latin1')
      if (heard.endsWith('\r\n')) resolve(heard.trimEnd())
    })
  })
  await soon('open', new Promise<void>((resolve) => port.open(() => resolve())))
  port.write(text)
  const line = await soon(text, answer)
  await soon('close', new Promise<void>((resolve) => port.close(() => resolve())))
  return line
}

/** Resolves when the state file holds `what`. */
async function kept(what: string): Promise<void> {
  const file = join(folder, 'state.json')
  const holds = (): boolean => existsSync(file) && readFileSync(file, 'utf8').includes(what)
  const end = new AbortController()
  const seen = async (): Promise<void> => {
    const changes = watch(folder, { signal: end.signal })
    if (holds()) return
    for await (const _change of changes) if (holds()) return
  }
  try {
    await soon(what, seen())
  } finally {
    end.abort()
  }
}

it('is found at the same places with the same voltages after a kill', async () => {
  const links = await start()
  expect(JSON.parse(readFileSync(join(folder, 'links.json'), 'utf8'))).toEqual(links)
  const supply = links['hv-bench']!.control
  expect(await scpi(supply, ':VOLT 321,(@0)\r\n:VOLT ON,(@0)\r\n:READ:CHAN:CONT? (@0)\r\n')).toBe('8')
  await kept('"setV":321')
  await end('SIGKILL')
  expect(await start()).toEqual(links)
  expect(await scpi(supply, ':READ:VOLT? (@0);:READ:CHAN:CONT? (@0)\r\n')).toBe('3.21000E2V;8')
})

it('strikes devices and wires with faults, and tells the truth', async () => {
  await start()
  expect(
    await ask({ inject: { device: 'hv-bench', kind: 'trip', at: { spill: 0 } } }, 'injected')
  ).toBeDefined()
  const truth = (await ask({ truth: true }, 'truth')) as {
    devices: Record<string, { channels: { events: number }[] }>
  }
  expect(truth.devices['hv-bench']!.channels[0]!.events & 0x2000).toBe(0x2000)
  expect(await ask({ inject: { device: 'bench-plc', kind: 'wire-reset' } }, 'injected')).toBeDefined()
  expect(await ask({ inject: { device: 'nobody', kind: 'trip', at: { spill: 0 } } }, 'refused')).toContain(
    'nobody'
  )
})

it('ends in order within two seconds, and takes its serial line away', async () => {
  const links = await start()
  const line = new URL(links['hv-bench']!.control).pathname
  expect(existsSync(line)).toBe(true)
  const before = clock.now()
  expect(await end('SIGTERM')).toBe(0)
  expect(clock.now() - before).toBeLessThan(seconds(2))
  expect(existsSync(line)).toBe(false)
})

it('says what is wrong with its arguments by exit code 2', async () => {
  await expect(start(['--cycle', 'never'])).rejects.toThrow('ended with 2')
  await expect(start(['--scenario', 'no-such-scenario'])).rejects.toThrow('ended with 2')
})
