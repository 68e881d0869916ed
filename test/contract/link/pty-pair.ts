import { closeSync, symlinkSync, writeSync } from 'node:fs'
import { createRequire } from 'node:module'
import { ReadStream } from 'node:tty'

interface PtyNative {
  open(columns: number, rows: number): { master: number; slave: number; pty: string }
}

/** A pseudo terminal: `path` is the line as a program opens it, the test holds the other end. */
export class PtyPair {
  readonly path: string
  readonly #master: number
  readonly #slave: number
  readonly #reader: ReadStream
  #received = ''
  #wake = (): void => undefined
  #isOpen = true

  /** @param hear gets everything that arrives, besides `receive` */
  constructor(hear: (text: string) => void = () => undefined) {
    const require = createRequire(import.meta.url)
    const native = require(`@lydell/node-pty-${process.platform}-${process.arch}/pty.node`) as PtyNative
    const { master, slave, pty } = native.open(80, 24)
    this.path = pty
    this.#master = master
    this.#slave = slave
    this.#reader = new ReadStream(master)
    this.#reader.on('error', () => undefined)
    this.#reader.on('data', (bytes: Buffer) => {
      const text = bytes.toString('latin1')
      this.#received += text
      hear(text)
      this.#wake()
    })
  }

  link(path: string): void {
    symlinkSync(this.path, path)
  }

  send(text: string): void {
    writeSync(this.#master, text, null, 'latin1')
  }

  /** Resolves when `text` has arrived, and forgets what came up to it. */
  async receive(text: string): Promise<void> {
    while (!this.#received.includes(text)) await new Promise<void>((resolve) => (this.#wake = resolve))
    this.#received = this.#received.slice(this.#received.indexOf(text) + text.length)
  }

  /** The far end is gone, as when the adapter is pulled. */
  unplug(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    closeSync(this.#slave)
    this.#reader.destroy()
  }
}
