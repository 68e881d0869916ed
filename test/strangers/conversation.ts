import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { SystemClock } from '../../core/clock.ts'
import { ErrorCode, SpillwayError } from '../../core/errors.ts'
import { seconds } from '../../core/units.ts'

const ANSWER_LIMIT = seconds(10)

/** What a script raised, in its own words. */
export interface Raised {
  readonly raised: string
  readonly text: string
}

/**
 * A Python script of this folder that talks to us: one JSON document a line each way (conversation.py). It answers
 * requests in order. `ask` rejects when the script raised something, ended, or is silent for 10 s.
 */
export class Conversation {
  readonly #name: string
  readonly #child: ChildProcess
  readonly #clock = new SystemClock()
  readonly #waiting: ((line: string) => void)[] = []
  readonly #early: string[] = []
  readonly #exited: Promise<void>
  #complaints = ''

  /** Resolves when the script has said that it is ready. */
  static async start(python: string, script: string, ...args: readonly string[]): Promise<Conversation> {
    const conversation = new Conversation(python, script, args)
    await conversation.#next('start')
    return conversation
  }

  private constructor(python: string, script: string, args: readonly string[]) {
    this.#name = script
    const path = fileURLToPath(new URL(script, import.meta.url))
    // neither packages nor settings of the person who runs the tests, and nothing is left in the folder
    this.#child = spawn(python, ['-BEs', path, ...args], { stdio: 'pipe' })
    this.#exited = new Promise((resolve) => {
      this.#child.once('close', () => resolve())
    })
    this.#child.stdin!.on('error', () => undefined) // its end tells more
    this.#child.stderr!.on('data', (bytes: Buffer) => (this.#complaints += bytes.toString()))
    createInterface({ input: this.#child.stdout! }).on('line', (line) => {
      const waiter = this.#waiting.shift()
      if (waiter === undefined) this.#early.push(line)
      else waiter(line)
    })
  }

  /** @returns what the script answered */
  async ask<T = unknown>(request: object): Promise<T> {
    this.#child.stdin!.write(`${JSON.stringify(request)}\n`)
    const answer = await this.#next(JSON.stringify(request))
    if (typeof answer === 'object' && answer !== null && 'raised' in answer) {
      const { raised, text } = answer as Raised
      throw new SpillwayError(ErrorCode.refused, `${this.#name}: ${raised}: ${text}`)
    }
    return (answer as { answer: T }).answer
  }

  /** As power goes: at once. Resolves when it is gone. */
  kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    return this.#exited
  }

  async #next(request: string): Promise<unknown> {
    const line =
      this.#early.shift() ??
      (await this.#clock.within(`${this.#name}: ${request}`, ANSWER_LIMIT, () =>
        Promise.race([
          new Promise<string>((resolve) => this.#waiting.push(resolve)),
          this.#exited.then(() => {
            throw new SpillwayError(ErrorCode.disconnected, `${this.#name} ended: ${this.#complaints}`)
          })
        ])
      ))
    return JSON.parse(line)
  }
}
