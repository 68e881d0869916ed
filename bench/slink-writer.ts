/** Writes S-LINK blocks as docs/hardware says, for benchmarks and tests: sound ones; damage is the caller's. */
const GOOD = 0x0800
const SCALER_FORMAT = 0x3000_0000

export interface WrittenModule {
  readonly port: number
  readonly adc: number
  readonly channels: readonly { readonly channel: number; readonly samples: ArrayLike<number> }[]
}

/** Little-endian words as bytes. */
export const bytesOf = (words: readonly number[]): Uint8Array =>
  new Uint8Array(Uint32Array.from(words, (word) => word >>> 0).buffer)

export function slinkWords(
  source: number,
  spill: number,
  event: number,
  payload: readonly number[],
  format = 0
): number[] {
  return [
    ((source << 16) | (payload.length + 3)) >>> 0,
    ((spill << 20) | event) >>> 0,
    (format | GOOD) >>> 0,
    ...payload
  ]
}

export function msadcPayload(event: number, modules: readonly WrittenModule[]): number[] {
  return modules.flatMap(({ port, adc, channels }) => {
    const words = channels.flatMap(({ channel, samples }) => channelWords(channel, samples))
    const header = (event & 0xfff) | ((words.length + 1) << 12) | (adc << 25) | (port << 27) | (3 << 30)
    return [header >>> 0, ...words]
  })
}

export function channelWords(channel: number, samples: ArrayLike<number>): number[] {
  let sum = 0
  const words: number[] = []
  for (let i = 0; i < samples.length; i += 2) {
    const even = samples[i]!
    const odd = i + 1 < samples.length ? samples[i + 1]! : 0
    sum += even + odd
    words.push((even | (odd << 12) | ((i === 0 ? 0x40 : 0x80) << 24)) >>> 0)
  }
  return [((sum & 0xffff) | (samples.length << 16) | (channel << 26) | (1 << 30)) >>> 0, ...words]
}

export const msadcWords = (
  source: number,
  spill: number,
  event: number,
  modules: readonly WrittenModule[]
): number[] => slinkWords(source, spill, event, msadcPayload(event, modules))

export const triggerWords = (
  source: number,
  spill: number,
  event: number,
  mask: number,
  ticks: number,
  type = 7
): number[] => slinkWords(source, spill, event, [mask, ticks, 0, type], SCALER_FORMAT)
