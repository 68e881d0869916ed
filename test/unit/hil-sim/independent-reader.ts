/** Reads a bridge's byte stream and MSADC blocks from the manuals alone; shares nothing with either end. */

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n
  for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0x82f63b78 : c >>> 1
  return c >>> 0
})
function castagnoli(bytes: Uint8Array): number {
  let c = 0xffffffff
  for (const b of bytes) c = TABLE[(c ^ b) & 0xff]! ^ (c >>> 8)
  return (c ^ 0xffffffff) >>> 0
}

export interface Frame {
  readonly kind: number
  readonly sequence: number
  readonly payload: Buffer
}

export function readFrames(bytes: Uint8Array): { frames: Frame[]; garbage: number } {
  const b = Buffer.from(bytes)
  const frames: Frame[] = []
  let garbage = 0
  for (let at = 0; at < b.length;) {
    const length = at + 20 <= b.length ? b.readUInt32LE(at + 8) : -1
    const isWhole =
      length >= 0 &&
      b.subarray(at, at + 4).toString('latin1') === 'SLNK' &&
      b.readUInt16LE(at + 4) === 1 &&
      at + 20 + length <= b.length &&
      castagnoli(b.subarray(at, at + 16 + length)) === b.readUInt32LE(at + 16 + length)
    if (!isWhole) {
      at++
      garbage++
      continue
    }
    frames.push({
      kind: b.readUInt16LE(at + 6),
      sequence: b.readUInt32LE(at + 12),
      payload: b.subarray(at + 16, at + 16 + length)
    })
    at += 20 + length
  }
  return { frames, garbage }
}

export interface Module {
  readonly key: number
  readonly event: number
  readonly size: number
  readonly port: number
  readonly adc: number
  readonly channels: { readonly number: number; readonly sum: number; readonly samples: number[] }[]
}
export interface Block {
  readonly words: number
  readonly source: number
  readonly event: number
  readonly spill: number
  readonly tcsError: number
  readonly format: number
  readonly payload: number[]
}

export function readBlock(payload: Buffer): Block {
  const w = Array.from({ length: payload.length / 4 }, (_, i) => payload.readUInt32LE(4 * i))
  return {
    words: w[0]! % 65536,
    source: (w[0]! >>> 16) % 1024,
    event: w[1]! % 1048576,
    spill: (w[1]! >>> 20) % 2048,
    tcsError: (w[2]! >>> 8) % 256,
    format: w[2]! >>> 24,
    payload: w.slice(3)
  }
}

/** Modules of an undamaged block. */
export function readModules(words: readonly number[]): Module[] {
  const modules: Module[] = []
  for (let at = 0; at < words.length;) {
    const h = words[at]!
    const size = (h >>> 12) % 4096
    const channels: Module['channels'] = []
    for (let i = at + 1; i < at + size;) {
      const c = words[i++]!
      const n = (c >>> 16) % 512
      const samples: number[] = []
      for (let k = 0; k < n; k += 2, i++) {
        if (words[i]! >>> 24 !== (k === 0 ? 0x40 : 0x80)) samples.push(NaN)
        samples.push(words[i]! % 4096, (words[i]! >>> 12) % 4096)
      }
      channels.push({ number: (c >>> 26) % 16, sum: c % 65536, samples })
    }
    modules.push({
      key: h >>> 30,
      event: h % 4096,
      size,
      port: (h >>> 27) % 8,
      adc: (h >>> 25) % 4,
      channels
    })
    at += Math.max(1, size)
  }
  return modules
}
