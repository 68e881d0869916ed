/**
 * The command line as a process: how runs end by a signal, whichever way the program was started; what wrong words,
 * taken ports, folders in use and absent devices get; and what a copy without its packages says. On the bench.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import type { Failure } from '../../core/errors.ts'
import { isAlive } from '../../controller/process-registry.ts'
import { type DataFolder, type Ended, inFolder, kill, PROGRAM, ROOT, soon, Spillway } from './spillway.ts'

/** for a machine with much else to do; each wait has a bound of its own */
vi.setConfig({ testTimeout: 240_000 })

/** as `npm start` starts it: by a shell, on the system's Node, whichever that is */
const AS_NPM = ['sh', '-c', 'exec node "$0" "$@"', PROGRAM]

const failureOf = ({ stdout }: Ended): Failure => (JSON.parse(stdout) as { error: Failure }).error

describe.concurrent('a run that goes on until it is told to end', () => {
  const endings: [string, NodeJS.Signals, (pid: number) => number][] = [
    ['Ctrl-C in its terminal', 'SIGINT', (pid) => -pid],
    ['SIGINT to its process', 'SIGINT', (pid) => pid],
    ['SIGTERM to its process', 'SIGTERM', (pid) => pid]
  ]
  test.each(endings)('ends by %s: every process in order, the run closed, exit 0', async (_, signal, to) => {
    await inFolder(async (folder) => {
      const run = folder.start(['run', 'bench', '--sim', '--port', '0'], AS_NPM)
      const console = await run.console()
      await console.until('a spill', (s) => s.spills.length > 0)
      const started = folder.pids()
      expect(started.length).toBeGreaterThanOrEqual(4)
      const before = performance.now()
      kill(to(run.pid), signal)
      const { code, stderr } = await soon('end', run.ended)
      expect(code, stderr).toBe(0)
      expect(performance.now() - before).toBeLessThan(15_000)
      expect(stderr.match(/closing the run and stopping all processes/g)).toHaveLength(1)
      expect(started.filter(isAlive)).toEqual([])
      const notes = folder.notes().filter(({ msg }) => msg === 'ended')
      expect(notes.map(({ child }) => child)).toEqual(['daq', 'slow', 'sim'])
      expect(await folder.read('runs')).toMatchObject({
        runs: [{ condition: ['interrupted', 'simulated'], reason: 'the controller was stopped' }]
      })
    })
  })

  test('ends by SIGTERM while it is still coming up', async () => {
    await inFolder(async (folder) => {
      const run = folder.start(['run', 'bench', '--sim', '--port', '0', '--json'])
      await folder.noted('sim', 'started')
      const { code, stdout } = await run.end('SIGTERM')
      expect(code).toBe(0)
      expect(JSON.parse(stdout)).toMatchObject({ run: null, runs: [], spills: [], reason: 'SIGTERM' })
      expect(folder.pids().filter(isAlive)).toEqual([])
    })
  })
})

describe.concurrent('the bench', () => {
  test('takes artificial spills, a line each, in a folder that nobody else may use meanwhile', async () => {
    await inFolder(async (folder) => {
      const run = folder.run('bench', '--spills', '3')
      await run.console()
      const other = await soon('a second run', folder.run('bench', '--spills', '1', '--json').ended)
      expect(other.code).toBe(2)
      expect(failureOf(other)).toMatchObject({
        code: 'usage',
        hint: expect.stringContaining('--data') as string
      })
      expect(other.stderr).toContain(`is used by another run (process ${run.pid})`)

      const { code, stdout } = await soon('three spills', run.ended)
      expect(code, stdout).toBe(0)
      const lines = stdout.trim().split('\n')
      expect(lines).toHaveLength(4)
      for (const [index, line] of lines.slice(0, 3).entries())
        expect(line).toMatch(
          new RegExp(`^run 1 spill   ${index + 1}  .*[1-9]\\d* events .*ledger closed  good$`)
        )
      expect(lines.at(-1)).toBe('done: 3 spills taken')
      expect(folder.pids().filter(isAlive)).toEqual([])
    })
  })

  test('is driven as hardware behind the addresses of its configuration; an absent device is named, with what to do', async () => {
    await inFolder(async (folder) => {
      const sim = folder.start(['sim', 'bench', '--ports', 'free', '--seed', '3', '--json'])
      await sim.hear(/is up; Ctrl-C ends it/)
      const { links } = JSON.parse(sim.said.slice(sim.said.indexOf('{'))) as { links: Links }
      const good = configuration(folder, 'present', links)
      const closed = `modbus+tcp://127.0.0.1:${await closedPort()}`
      const bad = configuration(folder, 'absent', { ...links, 'bench-plc': { control: closed } })

      const absent = folder.start(['run', bad, '--spills', '1', '--port', '0', '--json'])
      await absent.hear(/waiting for bench-plc \(.+\)/)
      const { code, stdout } = await soon('without the PLC', absent.ended)
      expect(code).toBe(1)
      const document = JSON.parse(stdout) as { reason: string }
      expect(document).toMatchObject({ experiment: 'absent', simulated: false, run: null, spills: [] })
      expect(document.reason).toMatch(/not reachable: bench-plc \(.+\).*check power, cable and the URL/)

      const present = folder.start(['run', good, '--spills', '1', '--port', '0', '--json'])
      const end = await soon('with all devices', present.ended)
      expect(end.code, end.stderr).toBe(0)
      expect(JSON.parse(end.stdout)).toMatchObject({
        simulated: false,
        seed: null,
        condition: [],
        spills: [{ closed: true }]
      })
      expect(await sim.end('SIGINT')).toMatchObject({ code: 0 })
    })
  })
})

type Links = Record<string, { control?: string; data?: string }>

/** A copy of the bench with other addresses; its path. */
function configuration(folder: DataFolder, name: string, links: Links): string {
  const path = join(folder.path, name)
  cpSync(join(ROOT, 'config', 'bench'), path, { recursive: true })
  const file = join(path, 'devices.yaml')
  let device = ''
  const lines = readFileSync(file, 'utf8')
    .split('\n')
    .map((line) => {
      device = /^ {2}- id: (\S+)/.exec(line)?.[1] ?? device
      return /^ {4}links:/.test(line) ? `    links: ${JSON.stringify(links[device])}` : line
    })
  writeFileSync(file, lines.join('\n'))
  return path
}

/** A port of which we know that nobody listens: it was ours. */
function closedPort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}

describe.concurrent('wrong words', () => {
  const place = mkdtempSync(join(tmpdir(), 'spillway-words-'))
  const nowhere = join(place, 'nowhere')
  const stray = join(place, 'stray.date.zst')
  writeFileSync(stray, 'no DATE')
  const wrong: [string, string[], RegExp, string][] = [
    [
      'an unknown experiment',
      ['run', 'na64mu', '--sim'],
      /there is no experiment 'na64mu'.*did you mean 'na64mu-2022'/,
      'not-found'
    ],
    ['an unknown option', ['run', 'bench', '--spils', '3'], /unknown option '--spils'[^]*--spills/, 'usage'],
    ['an unknown command', ['rum', 'bench'], /unknown command 'rum'[^]*run/, 'usage'],
    [
      'no number of spills',
      ['run', 'bench', '--sim', '--spills', 'many'],
      /'many'.*a whole number from 1/,
      'usage'
    ],
    ['no spills at all', ['run', 'bench', '--sim', '--spills', '0'], /a whole number from 1/, 'usage'],
    [
      'a port beyond all',
      ['run', 'bench', '--sim', '--port', '65536'],
      /a whole number from 0 to 65535/,
      'usage'
    ],
    ['another clock', ['run', 'bench', '--sim', '--clock', 'sun'], /virtual/, 'usage'],
    ['a scenario for hardware', ['run', 'bench', '--scenario', 'low-intensity'], /--sim/, 'usage'],
    ['a broker that is no URL', ['run', 'bench', '--sim', '--broker', 'here'], /mqtt:\/\/host:port/, 'usage'],
    ['a run that is no number', ['spills', 'first'], /a whole number from 1/, 'usage'],
    ['records of an empty folder', ['runs'], /no runs in .*take a run first/, 'not-found'],
    ['a file that is not there', ['decode', nowhere, '--sources', '600=msadc'], /nowhere/, 'not-found'],
    ['sources that are none', ['decode', stray, '--sources', '600'], /600/, 'usage'],
    ['a raw file that is not there', ['replay', nowhere], /no file .*nowhere/, 'not-found'],
    ['a raw file of an unknown run', ['replay', stray], /no run database knows .*--experiment/, 'not-found'],
    ['no time for a benchmark', ['bench', '--seconds', 'x'], /a number above 0/, 'usage']
  ]
  test.each(wrong)(
    '%s: exit 2, what is wrong and what to do, nothing touched',
    async (_, words, says, code) => {
      const needsData = !['decode', 'bench', 'rum'].includes(words[0]!)
      const data = join(place, `data-${wrong.findIndex(([, w]) => w === words)}`)
      const run = new Spillway([...words, '--json', ...(needsData ? ['--data', data] : [])])
      const end = await soon(words.join(' '), run.ended)
      expect(end.code, end.stdout).toBe(2)
      expect(end.stderr).toMatch(says)
      expect(failureOf(end).code).toBe(code)
      expect(existsSync(data)).toBe(false)
    }
  )

  test('a wrong configuration: all faults at once, with file and line, exit 2, nothing touched', async () => {
    await inFolder(async (folder) => {
      const path = configuration(folder, 'wrong', {})
      const edit = (file: string, from: RegExp, to: string): void =>
        writeFileSync(join(path, file), readFileSync(join(path, file), 'utf8').replace(from, to))
      edit('experiment.yaml', /lengthMs:.*/, 'lengthMs: long')
      edit('simulation.yaml', /muonsPerSpill/, 'muonsPerSpil')
      edit('devices.yaml', /samplesPerEvent: 32/, 'samplesPerEvent: -1')
      const data = join(folder.path, 'data')
      const end = await soon('check', new Spillway(['run', path, '--sim', '--data', data, '--json']).ended)
      expect(end.code).toBe(2)
      const { code, faults = [] } = failureOf(end)
      expect(code).toBe('configuration')
      const places = faults.map(({ where }) => where)
      for (const file of ['experiment.yaml', 'simulation.yaml', 'devices.yaml'])
        expect(places).toContainEqual(expect.stringMatching(new RegExp(`${file}:\\d+:\\d+$`)))
      for (const { where, what } of faults) expect(end.stderr).toContain(`${where}: ${what}`)
      expect(end.stderr).toMatch(/muonsPerSpil.*muonsPerSpill/)
      expect(existsSync(data)).toBe(false)
    })
  })

  test('a port that is taken is named, and nothing is left running', async () => {
    await inFolder(async (folder) => {
      const taken = createServer()
      await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
      const { port } = taken.address() as { port: number }
      const run = folder.start(['run', 'bench', '--sim', '--port', String(port), '--json'])
      const end = await soon('a run without a port', run.ended)
      taken.close()
      expect(end.code, end.stderr).toBe(2)
      expect(failureOf(end)).toMatchObject({
        code: 'usage',
        message: expect.stringContaining(`port ${port} of 127.0.0.1`) as string,
        hint: expect.stringContaining('--port') as string
      })
      expect(folder.pids().filter(isAlive)).toEqual([])
    })
  })
})

describe('a copy of the repository without its packages', () => {
  test('says in one line what to do and exits 2, as a script and by npx', () => {
    const place = mkdtempSync(join(tmpdir(), 'spillway-clone-'))
    try {
      const copy = join(place, 'spillway')
      const files = execFileSync('git', ['ls-files', '-z'], { cwd: ROOT, encoding: 'utf8' }).split('\0')
      for (const file of files)
        if (file !== '' && !file.startsWith('test/') && existsSync(join(ROOT, file))) {
          mkdirSync(dirname(join(copy, file)), { recursive: true })
          cpSync(join(ROOT, file), join(copy, file))
        }
      // nothing of the user's npm is touched, and nobody is asked
      const env = { ...process.env, npm_config_cache: join(place, 'npm'), npm_config_offline: 'true' }
      for (const [command, words] of [
        ['node', ['bin/spillway.js', 'check', 'bench']],
        ['npx', ['spillway', 'check', 'bench']]
      ] as const) {
        const { status, stdout, stderr } = spawnSync(command, words, {
          cwd: copy,
          env,
          encoding: 'utf8',
          timeout: 60_000
        })
        const lines = stderr.split('\n').filter((line) => line !== '' && !line.startsWith('npm '))
        expect(lines, command).toEqual([expect.stringMatching(/^spillway: .*npm ci/)])
        expect(stdout).toBe('')
        expect(status, command).toBe(2)
      }
    } finally {
      rmSync(place, { recursive: true, force: true })
    }
  })
})
