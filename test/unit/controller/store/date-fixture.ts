/** Builds DATE bytes word by word for tests; shares nothing with the code under test. */

export interface EventNumbers {
  type: number
  run: number
  spill: number
  eventInRun: number
  eventInSpill: number
  trigger: number
  time: number
}
export const NUMBERS: EventNumbers = {
  type: 7,
  run: 5,
  spill: 3,
  eventInRun: 40,
  eventInSpill: 9,
  trigger: 0x80000001,
  time: 1_700_000_000
}

export const words = (...values: number[]): Buffer => {
  const bytes = Buffer.alloc(4 * values.length)
  values.forEach((value, i) => bytes.writeUInt32LE(value >>> 0, 4 * i))
  return bytes
}

/** 3.6 header with `extra` bytes, around a body */
export function event36(n: EventNumbers, body: Buffer, isSuper: boolean, extra = 0): Buffer {
  const head = 68 + extra
  const header = words(
    ...[head + body.length, 0xda1e5afe, head, 0x0003000b, n.type, n.run, n.eventInRun],
    ...[n.eventInSpill + n.spill * 2 ** 20, n.trigger << 1, n.trigger >>> 31, 0],
    ...[0, 0, isSuper ? 0x10 : 0, isSuper ? 0xffffffff : 2, 1, n.time]
  )
  return Buffer.concat([header, Buffer.alloc(extra), body])
}

export function eventOld(n: EventNumbers, body: Buffer, isSuper: boolean): Buffer {
  const header = words(
    ...[80 + body.length, 0xda1e5afe, n.type, 80, n.run, n.spill, n.eventInRun, n.eventInSpill],
    ...[0, 0, isSuper ? 0x80000000 : 2, 0, 0, n.time, 0, 0, 0, 0, 0, n.trigger]
  )
  return Buffer.concat([header, body])
}

export const equipment36 = (data: Buffer, id = 1): Buffer =>
  Buffer.concat([words(28 + data.length, 64, id, 0, 0, 0, 4), data])

export function equipmentOld(data: Buffer, id = 1): Buffer {
  const header = Buffer.alloc(12)
  header.writeUInt16LE(64, 2)
  header.writeUInt16LE(id, 6)
  header.writeUInt32LE(data.length, 8)
  return Buffer.concat([header, data])
}

export interface SlinkOptions {
  source: number
  event?: number
  spill?: number
  tcs?: number
  format?: number
}
export function slink(options: SlinkOptions, ...payload: number[]): Buffer {
  const { source, event = NUMBERS.eventInSpill, spill = NUMBERS.spill, tcs = 8, format = 0 } = options
  return words(
    (3 + payload.length) | (source << 16),
    event | (spill << 20),
    (tcs << 8) | (format << 24),
    ...payload
  )
}

export function multiplexer(source: number, ...blocks: Buffer[]): Buffer {
  const body = Buffer.concat(blocks)
  return Buffer.concat([
    words((2 + body.length / 4) | (source << 16), NUMBERS.eventInSpill | (NUMBERS.spill << 20)),
    body
  ])
}

/** MSADC module with one channel per row of samples, channels from 0 */
export function msadcModule(event: number, port: number, adc: number, ...channels: number[][]): number[] {
  const body = channels.flatMap((samples, ch) => {
    const rows = [(1 << 30) | (ch << 26) | (samples.length << 16) | samples.reduce((sum, s) => sum + s, 0)]
    for (let i = 0; i < samples.length; i += 2)
      rows.push(((i === 0 ? 0x40 : 0x80) << 24) | ((samples[i + 1] ?? 0) << 12) | samples[i]!)
    return rows
  })
  return [(3 << 30) | (port << 27) | (adc << 25) | ((1 + body.length) << 12) | (event & 0xfff), ...body]
}
