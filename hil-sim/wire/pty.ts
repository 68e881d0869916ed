import { execFile } from 'node:child_process'
import { closeSync, mkdirSync, readlinkSync, renameSync, rmSync, symlinkSync, writeSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { ReadStream } from 'node:tty'
import { promisify } from 'node:util'
import { ErrorCode, SpillwayError } from '../../core/errors.ts'
import type { ByteFace } from '../device/face.ts'
import type { Wire } from './wire.ts'

export interface ServePtyOptions {
  /**
   * Where the line is found: a symbolic link to the pseudo terminal, made (with its folder) here and removed on
   * close, so that a restarted simulator has the same path. Absent: the terminal's own path.
   */
  readonly path?: string
  readonly baudRate?: number
  /** the drivers' side is to obey XON and XOFF; goes into the URL */
  readonly isFlowControlled?: boolean
}

interface NativePty {
  open(columns: number, rows: number): { master: number; slave: number; pty: string }
}

const STTY_MS_MAX = 5_000

/**
 * Puts bytes on a serial line: a pseudo terminal, whose other end any serial program opens.
 *
 * A new pseudo terminal is a *terminal*: it echoes, edits lines and turns CR into LF. All that is switched off
 * before the path is told to anybody (`stty raw -echo`), so the first byte of a driver that opens it without
 * settings is as clean as that of one that makes the line raw itself. We keep our own descriptor of the slave
 * side: the settings live as long as one is open, and without it the master would read EIO between two openings.
 *
 * There is no connection on a serial line: the face is attached once, and hanging up does nothing.
 * Bytes that nobody reads are lost when the line's buffer (some kB) is full, as without flow control.
 */
export async function servePty(face: ByteFace, options: ServePtyOptions = {}): Promise<Wire> {
  const { master, slave, pty } = nativePty().open(80, 25)
  try {
    await promisify(execFile)('stty', ['-F', pty, 'raw', '-echo'], { timeout: STTY_MS_MAX })
  } catch (error) {
    closeSync(slave)
    closeSync(master)
    throw new SpillwayError(ErrorCode.notFound, `serial line: stty could not make ${pty} raw`, {
      hint: 'install coreutils, or reach the supply over tcp',
      cause: error
    })
  }
  const stream = new ReadStream(master)
  stream.on('error', () => undefined) // ends in `close`
  const session = face.attach(
    (bytes) => writeWhatFits(master, bytes),
    () => undefined
  )
  stream.on('data', (bytes: Buffer) => session.receive(bytes))
  if (options.path !== undefined) pointTo(options.path, pty)
  let isClosed = false
  return {
    url:
      `serial://${options.path ?? pty}?baudRate=${options.baudRate ?? 9600}` +
      (options.isFlowControlled === true ? '&xonxoff=true' : ''),
    close: () =>
      new Promise((resolve) => {
        if (isClosed) {
          resolve()
          return
        }
        isClosed = true
        session.closed()
        if (options.path !== undefined) removeLink(options.path, pty)
        stream.once('close', () => resolve())
        stream.destroy()
        closeSync(slave)
      })
  }
}

/**
 * The master's descriptor is non-blocking. Its stream is not used for writing, because libuv writes to terminals
 * with blocking calls: one reader that sleeps would stop the whole hall.
 */
function writeWhatFits(master: number, bytes: Uint8Array): void {
  let at = 0
  while (at < bytes.length) {
    try {
      at += writeSync(master, bytes, at)
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined
      if (code === 'EAGAIN' || code === 'EBADF' || code === 'EIO') return
      throw error
    }
  }
}

/** `open` of the native module is not in its documentation: the version is pinned, and this is the only user. */
function nativePty(): NativePty {
  const name = `@lydell/node-pty-${process.platform}-${process.arch}/pty.node`
  // installed beside @lydell/node-pty, which need not be beside us
  const require = createRequire(createRequire(import.meta.url).resolve('@lydell/node-pty'))
  try {
    return require(name) as NativePty
  } catch (error) {
    throw new SpillwayError(
      ErrorCode.notFound,
      `serial line: no pseudo terminals for ${process.platform} ${process.arch}`,
      { hint: 'install with optional dependencies (npm ci without --omit=optional)', cause: error }
    )
  }
}

/** In one step, so that there is no moment without the path. */
function pointTo(path: string, pty: string): void {
  mkdirSync(dirname(path), { recursive: true })
  const fresh = `${path}.${process.pid}`
  rmSync(fresh, { force: true })
  symlinkSync(pty, fresh)
  renameSync(fresh, path)
}

/** Only ours: a newer simulator may have taken the path over. */
function removeLink(path: string, pty: string): void {
  try {
    if (readlinkSync(path) === pty) rmSync(path)
  } catch {
    // somebody removed it before
  }
}
