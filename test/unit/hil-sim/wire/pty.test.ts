/** A face on a serial line: the peers are `cat`-like plain files and the serialport library. */
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ReadStream } from 'node:tty'
import { SerialPort } from 'serialport'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { servePty } from '../../../../hil-sim/wire/pty.ts'
import type { Wire } from '../../../../hil-sim/wire/wire.ts'
import { Collector, EchoFace, soon } from './faces.ts'

let folder = ''
let wire: Wire | undefined
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'spillway-pty-'))
})
afterEach(async () => {
  await wire?.close()
  wire = undefined
  rmSync(folder, { recursive: true, force: true })
})

const ALL_BYTES = Uint8Array.from({ length: 256 }, (_, i) => i)
const successors = (bytes: Uint8Array): number[] => [...bytes].map((byte) => (byte + 1) & 0xff)

it('carries every byte value unchanged for a program that sets nothing at all', async () => {
  const path = join(folder, 'line')
  wire = await servePty(new EchoFace(), { path })
  const descriptor = openSync(path, 'r+')
  const stream = new ReadStream(descriptor)
  const collector = new Collector()
  stream.on('data', collector.take)
  writeSync(descriptor, ALL_BYTES)
  expect([...(await collector.atLeast(256))]).toEqual(successors(ALL_BYTES))
  const closed = new Promise<void>((resolve) => stream.once('close', () => resolve()))
  stream.destroy()
  await soon('close', closed)
})

it('stays raw and alive between two openings by the serial library', async () => {
  const path = join(folder, 'line')
  const face = new EchoFace()
  wire = await servePty(face, { path })
  expect(wire.url).toBe(`serial://${path}?baudRate=9600`)
  for (let opening = 0; opening < 2; opening++) {
    const port = new SerialPort({ path, baudRate: 9600, autoOpen: false })
    const collector = new Collector()
    port.on('data', collector.take)
    await soon('open', new Promise<void>((resolve) => port.open(() => resolve())))
    port.write(Buffer.from(ALL_BYTES))
    expect([...(await collector.atLeast(256))]).toEqual(successors(ALL_BYTES))
    await soon('close', new Promise<void>((resolve) => port.close(() => resolve())))
  }
  expect(face.events).toEqual(['attached'])
})

it('loses what nobody reads instead of standing still', async () => {
  const face = new EchoFace()
  wire = await servePty(face, { path: join(folder, 'line') })
  face.sends[0]!(new Uint8Array(1_000_000)) // returns at once
  const descriptor = openSync(join(folder, 'line'), 'r')
  closeSync(descriptor)
})

it('is found at the same path after a restart, and takes its path away only while it is its own', async () => {
  const path = join(folder, 'deep', 'line')
  wire = await servePty(new EchoFace(), { path })
  const before = readlinkSync(path)
  // as after a kill: the old link stays behind, and a new simulator takes the path over
  const newer = await servePty(new EchoFace(), { path })
  expect(readlinkSync(path)).not.toBe(before)
  await wire.close()
  expect(existsSync(path)).toBe(true)
  await newer.close()
  expect(existsSync(path)).toBe(false)
  symlinkSync('/nowhere', path)
  wire = await servePty(new EchoFace(), { path })
  expect(readlinkSync(path)).toMatch(/^\/dev\/pts\//)
})
