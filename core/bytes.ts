import { crc32c as nativeCrc32c } from '@node-rs/crc32'

/** CRC-32C (Castagnoli) of `bytes`, continuing from `previous`; of "123456789" it is 0xe3069283. */
export function crc32c(bytes: Uint8Array, previous = 0): number {
  return nativeCrc32c(bytes, previous) >>> 0
}

export function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** A 32-bit word as the manuals write it: 0x00ff1200. */
export function hex32(word: number): string {
  return `0x${(word >>> 0).toString(16).padStart(8, '0')}`
}

/** Bytes for people: at most `max` of them, in hexadecimal, with the length when cut. */
export function hexDump(bytes: Uint8Array, max = 32): string {
  const shown = Array.from(bytes.subarray(0, max), (b) => b.toString(16).padStart(2, '0')).join(' ')
  return bytes.length > max ? `${shown} ... (${bytes.length} bytes)` : shown
}

/** CRC-16 of Modbus RTU, sent low byte first; of "123456789" it is 0x4b37. */
export function crc16Modbus(bytes: Uint8Array): number {
  let crc = 0xffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ 0xa001
  }
  return crc
}
