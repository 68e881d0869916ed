import { join } from 'node:path'
import type { EventBlock } from '../../core/block.ts'
import type { FormatName } from '../../core/decoder.ts'
import type { DataSource } from '../event/source.ts'
import type { RawStore } from '../readout.ts'
import { DateWriter, type EmptyBlock } from './date-writer.ts'
import { RawFileWriter, rawFileName } from './raw-file-writer.ts'
import type { WordBuffer } from './word-buffer.ts'

/** Folder of raw files in the data folder. */
export const RAW_FOLDER = 'raw'

/** A module that is suppressed sends nothing; the trigger block always has its four words. */
const EMPTY: Readonly<Record<FormatName, Omit<EmptyBlock, 'source'>>> = {
  msadc: { format: 0, words: 0 },
  trigger: { format: 0x30, words: 4 }
}

const unixSeconds = (): number => Math.floor(Date.now() / 1000)

/**
 * Raw data of a run as a file: a frame per event block, frames of bare headers at start and end of run and spill.
 * What is asked for is written in the order of the calls, also when the file has no room for a while.
 */
export class FileStore implements RawStore {
  readonly #folder: string
  readonly #sources: readonly number[]
  readonly #empty: readonly EmptyBlock[]
  readonly #level: number
  readonly #onFile: (run: number, path: string) => void
  #file: RawFileWriter | undefined
  #date: DateWriter | undefined
  #order: Promise<void> = Promise.resolve()

  /**
   * @param folder data folder
   * @param onFile told of every new file, before anything is in it
   */
  constructor(
    folder: string,
    sources: readonly DataSource[],
    level: number,
    onFile: (run: number, path: string) => void
  ) {
    this.#folder = join(folder, RAW_FOLDER)
    this.#sources = sources.map((source) => source.id)
    this.#empty = sources.map(({ id, format }) => ({ source: id, ...EMPTY[format] }))
    this.#level = level
    this.#onFile = onFile
  }

  async open(run: number, isSimulated: boolean): Promise<string> {
    const path = join(this.#folder, rawFileName(run, isSimulated))
    this.#file = RawFileWriter.open({ path, level: this.#level })
    this.#date = new DateWriter(run)
    this.#order = Promise.resolve()
    this.#onFile(run, path)
    await this.#append((date, out) => date.startOfRun(unixSeconds(), out))
    return path
  }

  write(block: EventBlock): Promise<void> {
    return this.#append((date, out) => date.appendBlock(block, this.#sources, out))
  }

  startOfSpill(spill: number, time: number): Promise<void> {
    return this.#append((date, out) => date.startOfSpill(spill, time, out))
  }

  async endOfSpill(spill: number, _events: number, time: number): Promise<void> {
    await this.#append((date, out) => date.endOfSpill(spill, time, out, this.#empty))
    await this.#file?.endSpill()
  }

  async close(): Promise<void> {
    if (this.#file === undefined) return
    try {
      await this.#append((date, out) => date.endOfRun(unixSeconds(), out))
    } finally {
      const file = this.#file
      this.#file = undefined
      await file.close()
    }
  }

  #append(fill: (date: DateWriter, out: WordBuffer) => void): Promise<void> {
    const file = this.#file
    const date = this.#date
    if (file === undefined || date === undefined) return Promise.resolve()
    const done = this.#order.then(async () => {
      let buffer = file.begin()
      while (buffer === undefined) {
        await file.room()
        buffer = file.begin()
      }
      try {
        fill(date, buffer)
      } finally {
        file.submit(buffer) // an empty one too: it is a place in a bounded queue
      }
    })
    this.#order = done.catch(() => undefined)
    return done
  }
}
