// The serial link carries bytes over a pseudo terminal, by its own path or a symbolic link, says when the line is
// gone, and can be opened again: shown on real ptys, of which the test holds the far end.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SystemClock } from '../../../core/clock.ts'
import { ErrorCode } from '../../../core/errors.ts'
import { makeSerialLink } from '../../../drivers/link/serial.ts'
import type { ByteLink } from '../../../drivers/link/link.ts'
import { PtyPair } from './pty-pair.ts'
import { never, reported } from './topic-link-suite.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1')

/** Text as it comes, to be awaited until it holds what is wanted. */
function ear(link: ByteLink): { until(wanted: string): Promise<string>; readonly heard: string } {
  let heard = ''
  let wake = (): void => undefined
  link.receive((chunk) => {
    heard += Buffer.from(chunk).toString('latin1')
    wake()
  })
  return {
    get heard() {
      return heard
    },
    until: async (wanted) => {
      while (!heard.includes(wanted)) await new Promise<void>((resolve) => (wake = resolve))
      return heard
    }
  }
}

describe('a serial link', () => {
  let folder: string
  let pty: PtyPair
  let link: ByteLink

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'serial-'))
    pty = new PtyPair()
    link = makeSerialLink(`serial://${pty.path}?baudRate=9600`, new SystemClock())
  })
  afterEach(async () => {
    await link.close()
    pty.unplug()
    rmSync(folder, { recursive: true })
  })

  it('holds writes between XOFF and XON, when told to', async () => {
    link = makeSerialLink(`serial://${pty.path}?baudRate=9600&xonxoff=true`, new SystemClock())
    const heard = ear(link)
    await link.open(never)
    // repeated, since where a write and XOFF meet the library forgets the write now and then
    for (let n = 0; n < 5; n++) {
      pty.send('\x13')
      const written = link.write(bytes(`held ${n}\r\n`))
      pty.send(`go ${n}`)
      await heard.until(`go ${n}`)
      pty.send('\x11')
      await written
      await pty.receive(`held ${n}\r\n`)
    }
    expect(heard.heard).toBe('go 0go 1go 2go 3go 4')
  })

  it('carries bytes both ways, none changed', async () => {
    const heard = ear(link)
    await link.open(never)
    await link.write(bytes('*IDN?\r\n'))
    await pty.receive('*IDN?\r\n')
    const all = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).join('')
    pty.send(`${all}end`)
    expect(await heard.until('end')).toBe(`${all}end`)
  })

  it('opens a line by a symbolic link to it', async () => {
    const path = join(folder, 'hv')
    pty.link(path)
    const named = makeSerialLink(`serial://${path}`, new SystemClock())
    await named.open(never)
    await named.write(bytes('hello\r\n'))
    await pty.receive('hello\r\n')
    await named.close()
  })

  it('takes nothing from the line between pause and resume', async () => {
    const heard = ear(link)
    await link.open(never)
    link.pause()
    pty.send('held')
    // a round trip: by then an unpaused link would have heard it
    await link.write(bytes('ping'))
    await pty.receive('ping')
    expect(heard.heard).toBe('')
    link.resume()
    expect(await heard.until('held')).toBe('held')
  })

  it('reports that the line is gone and refuses to write at once', async () => {
    await link.open(never)
    const lost = reported(link, false)
    pty.unplug()
    expect(await lost).not.toBe('')
    expect(link.isOpen).toBe(false)
    await expect(link.write(bytes('x'))).rejects.toMatchObject({ code: ErrorCode.disconnected })
  })

  it('reports that the line is gone while bytes are still on the way', async () => {
    for (let n = 0; n < 20; n++) {
      const other = new PtyPair()
      const brief = makeSerialLink(`serial://${other.path}`, new SystemClock())
      const heard = ear(brief)
      await brief.open(never)
      other.send('first')
      await heard.until('first')
      const lost = reported(brief, false)
      other.unplug()
      await lost
    }
  })

  it('opens and closes many times', async () => {
    const heard = ear(link)
    for (let n = 0; n < 5; n++) {
      await link.open(never)
      pty.send(`<${n}>`)
      await heard.until(`<${n}>`)
      await link.close()
    }
  })

  it('says which line is missing', async () => {
    const missing = makeSerialLink(`serial://${join(folder, 'nothing')}`, new SystemClock())
    await expect(missing.open(never)).rejects.toMatchObject({
      code: ErrorCode.disconnected,
      message: expect.stringContaining(join(folder, 'nothing')) as string
    })
    await expect(missing.close()).resolves.toBeUndefined()
  })

  it('refuses a speed that is no number, and options that it does not know', () => {
    const make = (options: string) => () => makeSerialLink(`serial:///dev/x?${options}`, new SystemClock())
    expect(make('baudRate=fast')).toThrow(/option baudRate is wrong/)
    expect(make('baud=9600')).toThrow(/unknown option baud/)
    expect(() => makeSerialLink('serial://dev/ttyUSB0', new SystemClock())).toThrow(/no host/)
  })
})
