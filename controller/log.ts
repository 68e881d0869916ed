import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Logger, multistream, pino, destination } from 'pino'
import pretty from 'pino-pretty'

/** The program's logger: JSON in a file, and readable on the terminal when `onTerminal`. */
export function makeLog(process: string, folder: string, onTerminal: boolean): Logger {
  mkdirSync(join(folder, 'log'), { recursive: true })
  const file = destination({ dest: join(folder, 'log', `${process}.jsonl`), sync: true, append: true })
  const streams: { stream: NodeJS.WritableStream | typeof file; level: 'debug' | 'info' }[] = [
    { stream: file, level: 'debug' }
  ]
  if (onTerminal)
    streams.push({
      stream: pretty({
        destination: 2,
        sync: true,
        singleLine: true,
        ignore: 'pid,hostname,process,maker,model,serial,firmware',
        translateTime: 'SYS:HH:MM:ss',
        messageFormat: `${process}: {msg}`
      }),
      level: 'info'
    })
  return pino({ level: 'debug', base: { process } }, multistream(streams))
}

/** A child per device, so that every line names the device it is about. */
export const deviceLog = (log: Logger, device: string): Logger => log.child({ device })
