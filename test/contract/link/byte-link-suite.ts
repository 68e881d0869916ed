import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../core/errors.ts'
import type { ByteLink } from '../../../drivers/link/link.ts'
import type { MemoryByteFace } from '../../../drivers/link/memory-bytes.ts'
import { never } from './far-ends.ts'

/** A byte link and what stands at its far end. */
export interface ByteBench {
  readonly link: ByteLink
  /** takes the far end away: from now on it cannot be reached */
  takeAway(): Promise<void>
  bringBack(): Promise<void>
  end(): Promise<void>
}

/** A far end that keeps what it hears; the last connection counts. */
export class ScriptedByteFace implements MemoryByteFace {
  heard = ''
  connections = 0
  closed = 0
  /** answers to what it hears */
  answer: (bytes: Uint8Array) => string = () => ''
  send: (bytes: Uint8Array) => void = () => undefined
  hangUp: () => void = () => undefined
  #wake = (): void => undefined

  attach(send: (bytes: Uint8Array) => void, hangUp: () => void): ReturnType<MemoryByteFace['attach']> {
    this.connections++
    this.send = send
    this.hangUp = hangUp
    this.#wake()
    return {
      receive: (bytes) => {
        this.heard += Buffer.from(bytes).toString('latin1')
        const answer = this.answer(bytes)
        if (answer !== '') send(Buffer.from(answer, 'latin1'))
        this.#wake()
      },
      closed: () => {
        this.closed++
        this.#wake()
      }
    }
  }

  /** Resolves when `holds` does, looked at after everything that happens here. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => (this.#wake = resolve))
  }
}

/** Everything that a link brings, to be awaited. */
export class Ear {
  heard = Buffer.alloc(0)
  readonly states: string[] = []
  #wake = (): void => undefined

  constructor(link: ByteLink) {
    link.receive((bytes) => {
      this.heard = Buffer.concat([this.heard, bytes])
      this.#wake()
    })
    link.onState((isOpen) => {
      this.states.push(isOpen ? 'open' : 'closed')
      this.#wake()
    })
  }

  async until(holds: (text: string, states: readonly string[]) => boolean): Promise<string> {
    for (;;) {
      const text = this.heard.toString('latin1')
      if (holds(text, this.states)) return text
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }
}

export const text = (words: string): Uint8Array => Buffer.from(words, 'latin1')
/** Turns of the event loop: what was on its way on loopback has arrived if anything takes it. */
export async function turns(count = 20): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** What every byte link does, over a wire or not. */
export function describeByteLink(name: string, make: (face: MemoryByteFace) => Promise<ByteBench>): void {
  describe(`${name}: the contract of byte links`, () => {
    let face: ScriptedByteFace
    let bench: ByteBench
    let link: ByteLink
    let ear: Ear

    beforeEach(async () => {
      face = new ScriptedByteFace()
      bench = await make(face)
      link = bench.link
      ear = new Ear(link)
    })
    afterEach(async () => {
      await link.close()
      await bench.end()
    })

    it('is closed at first; what is written then is refused and never sent', async () => {
      expect(link.isOpen).toBe(false)
      await expect(link.write(text('early'))).rejects.toMatchObject({ code: ErrorCode.disconnected })
      await link.open(never)
      await link.write(text('late'))
      await face.until(() => face.heard.length >= 4)
      expect(face.heard).toBe('late')
    })

    it('opens once, and says so', async () => {
      await link.open(never)
      await link.open(never)
      await face.until(() => face.connections > 0)
      expect(link.isOpen).toBe(true)
      expect(ear.states).toEqual(['open'])
      expect(face.connections).toBe(1)
    })

    it('carries bytes both ways, in order, in any amount', async () => {
      const long = Array.from({ length: 60_000 }, (_, i) => String.fromCharCode(i % 251)).join('')
      face.answer = (bytes) => Buffer.from(bytes).toString('latin1')
      await link.open(never)
      let sent = ''
      for (let i = 0; i < 20; i++) {
        await link.write(text(`${i}:${long}`))
        sent += `${i}:${long}`
      }
      expect(await ear.until((heard) => heard.length >= sent.length)).toBe(sent)
      expect(face.heard).toBe(sent)
    })

    it('brings an answer later than the call that asked for it', async () => {
      face.answer = () => 'answer'
      await link.open(never)
      const written = link.write(text('question'))
      expect(ear.heard.length).toBe(0)
      await written
      expect(await ear.until((heard) => heard.length > 0)).toBe('answer')
    })

    it('brings what the far end says as soon as it is connected', async () => {
      await link.open(never)
      await face.until(() => face.connections > 0)
      face.send(text('hello'))
      expect(await ear.until((heard) => heard.length >= 5)).toBe('hello')
    })

    it('takes nothing while paused, and loses nothing', async () => {
      await link.open(never)
      await face.until(() => face.connections > 0)
      link.pause()
      face.send(text('one '))
      face.send(text('two '))
      await link.write(text('sync'))
      await face.until(() => face.heard === 'sync')
      await turns()
      expect(ear.heard.length).toBe(0)
      link.resume()
      face.send(text('three'))
      expect(await ear.until((heard) => heard.length >= 13)).toBe('one two three')
    })

    it('can be paused before it is opened and by its own receiver', async () => {
      link.pause()
      await link.open(never)
      await face.until(() => face.connections > 0)
      face.send(text('kept '))
      await turns()
      expect(ear.heard.length).toBe(0)
      let heard = ''
      link.receive((bytes) => {
        heard += Buffer.from(bytes).toString('latin1')
        link.pause()
      })
      link.resume()
      await turns()
      face.send(text('more'))
      await turns()
      expect(heard).toBe('kept ')
    })

    it('brings what came before the far end hung up, says that it is down, and can be opened again', async () => {
      await link.open(never)
      await face.until(() => face.connections > 0)
      face.send(text('last words'))
      face.hangUp()
      const heard = await ear.until((_, states) => states.includes('closed'))
      expect(heard).toBe('last words')
      expect(link.isOpen).toBe(false)
      await expect(link.write(text('too late'))).rejects.toMatchObject({ code: ErrorCode.disconnected })
      await link.open(never)
      await link.write(text('again'))
      await face.until(() => face.heard.endsWith('again'))
      expect(ear.states).toEqual(['open', 'closed', 'open'])
      expect(face.heard).toBe('again')
    })

    it('is refused where nobody is, and opens when somebody is there again', async () => {
      await bench.takeAway()
      await expect(link.open(never)).rejects.toMatchObject({ code: ErrorCode.disconnected })
      expect(link.isOpen).toBe(false)
      expect(ear.states).toEqual([])
      await bench.bringBack()
      await link.open(never)
      expect(link.isOpen).toBe(true)
    })

    it('gives up opening for a caller who does not want it any more', async () => {
      await expect(link.open(AbortSignal.abort())).rejects.toMatchObject({ code: ErrorCode.aborted })
      const caller = new AbortController()
      const opening = link.open(caller.signal)
      caller.abort()
      // whichever came first: then either nothing is open, or everything is
      const gaveUp = await opening.then(
        () => false,
        () => true
      )
      expect(link.isOpen).toBe(!gaveUp)
      await link.close()
      await link.open(never)
      expect(link.isOpen).toBe(true)
    })

    it('closes for good and quietly', async () => {
      await link.open(never)
      await face.until(() => face.connections > 0)
      await link.close()
      await link.close()
      expect(ear.states).toEqual(['open', 'closed'])
      await face.until(() => face.closed === 1)
      face.send(text('nobody listens'))
      await turns()
      expect(ear.heard.length).toBe(0)
      await expect(link.write(text('x'))).rejects.toMatchObject({ code: ErrorCode.disconnected })
    })
  })
}
