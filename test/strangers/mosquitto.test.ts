/**
 * A whole run over a broker that nobody here wrote: mosquitto with MQTT 5 between the simulated beam line and the
 * controller, and mosquitto_sub as a bystander that hears the machine's marks.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { inFolder, soon } from '../integration/spillway.ts'
import { freePort } from './free-port.ts'
import { describeWith, program } from './programs.ts'

vi.setConfig({ testTimeout: 240_000 })

const wanted = { mosquitto: program('mosquitto'), listener: program('mosquitto-clients', ['mosquitto_sub']) }

/** A program and what it has said; `heard` resolves when that contains what is asked for. */
class Program {
  readonly #child: ChildProcess
  said = ''
  #look: () => void = () => undefined

  constructor(path: string, words: readonly string[]) {
    this.#child = spawn(path, words, { stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [this.#child.stdout!, this.#child.stderr!])
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.said += text
        this.#look()
      })
  }

  heard(pattern: RegExp): Promise<void> {
    return soon(
      String(pattern),
      new Promise((resolve) => {
        this.#look = () => {
          if (pattern.test(this.said)) resolve()
        }
        this.#look()
      })
    )
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = new Promise<void>((resolve) => this.#child.once('exit', () => resolve()))
    this.#child.kill('SIGTERM')
    await soon('end', ended)
  }
}

describeWith('a run over mosquitto', wanted, ({ mosquitto, listener }) => {
  test('takes spills by the marks that go through it, and a bystander hears the same marks', async () => {
    await inFolder(async (folder) => {
      const place = mkdtempSync(join(tmpdir(), 'mosquitto-'))
      const port = await freePort()
      const file = join(place, 'mosquitto.conf')
      writeFileSync(
        file,
        `listener ${port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nlog_dest stderr\nlog_type all\n`
      )
      const broker = new Program(mosquitto, ['-c', file])
      await broker.heard(/mosquitto version .* running/)
      const bystander = new Program(listener, [
        ...['-h', '127.0.0.1', '-p', String(port), '-V', 'mqttv5'],
        ...['-t', 'na64/ehn2/beam/#', '-v']
      ])
      try {
        await broker.heard(/Sending SUBACK/)
        const url = `mqtt://127.0.0.1:${port}?protocol=5`
        const words = ['--scenario', 'low-intensity', '--broker', url, '--spills', '1', '--json']
        const { code, stdout, stderr } = await soon('the run', folder.run('na64mu-2022', ...words).ended)
        expect(code, stderr).toBe(0)
        const document = JSON.parse(stdout) as { spills: { built: number }[] }
        expect(document).toMatchObject({
          condition: ['simulated'],
          spills: [{ number: 1, closed: true, partial: 0 }]
        })
        expect(document.spills[0]!.built).toBeGreaterThan(10)

        const marks = [...bystander.said.matchAll(/beam\/mark (\{.*\})/g)].map(
          ([, json]) => (JSON.parse(json!) as { mark: string }).mark
        )
        expect(marks.join(' ')).toMatch(/WWE WE SOE EOE/)
        expect(bystander.said).toContain('na64/ehn2/beam/status online')
        // the gateway and the controller, and nobody fell back to 3.1.1
        const versions = [...broker.said.matchAll(/New client connected from .* as (\S+) \((p\d)/g)]
        expect(versions.length).toBeGreaterThanOrEqual(3)
        expect(versions.filter(([, , version]) => version !== 'p5')).toEqual([])
        await bystander.heard(/beam\/status offline/)
      } finally {
        await bystander.end()
        await broker.end()
        rmSync(place, { recursive: true })
      }
    })
  })
})
