import { createInterface } from 'node:readline/promises'

/** The person in front of the command, if there is one. */
export interface Person {
  readonly isThere: boolean
  /** what they answer to one question; an empty answer when they leave or `signal` aborts */
  ask(question: string, signal: AbortSignal): Promise<string>
}

/** Whoever sits at the terminal; asked on stderr, so that results stay apart. */
export const personAtTerminal: Person = {
  isThere: process.stdin.isTTY && process.stderr.isTTY,
  ask: async (question, signal) => {
    const lines = createInterface({ input: process.stdin, output: process.stderr })
    try {
      const left = new Promise<string>((resolve) => lines.once('close', () => resolve('')))
      return await Promise.race([lines.question(question, { signal }), left])
    } catch {
      return '' // given up
    } finally {
      lines.close()
    }
  }
}
