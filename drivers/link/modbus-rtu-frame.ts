import { crc16Modbus, view } from '../../core/bytes.ts'

/** unit, function, CRC */
const AROUND_BYTES = 4
const EXCEPTION_BYTES = 5
const WRITE_REPLY_BYTES = 8
export const RTU_FRAME_BYTES_MAX = 256

/** `why`: what is wrong, if the line now falls silent; `strangeUnit`: the bytes are one whole reply of another unit. */
export type RtuReply =
  { readonly frame: Uint8Array } | { readonly why: string; readonly strangeUnit: number | undefined }

/**
 * Looks for the reply of `unit` to function `code` in everything that came since the request. RTU has no mark for the
 * start of a frame, so a frame is what begins with unit and function, is as long as it says, and ends in the right CRC;
 * bytes before it are noise.
 */
export function findRtuReply(bytes: Uint8Array, unit: number, code: number): RtuReply {
  let why = `${bytes.length} bytes that are no reply of unit ${unit} to function ${code}`
  for (let at = 0; at + 1 < bytes.length; at++) {
    if (bytes[at] !== unit || (bytes[at + 1]! | 0x80) !== (code | 0x80)) continue
    const length = replyLength(bytes.subarray(at))
    if (length === undefined || at + length > bytes.length) {
      why = `a reply that ends after ${bytes.length - at} bytes`
      continue
    }
    const frame = bytes.subarray(at, at + length)
    if (hasGoodCrc(frame)) return { frame }
    why = 'a reply with a wrong CRC'
  }
  const isStrange = bytes.length >= EXCEPTION_BYTES && bytes[0] !== unit && hasGoodCrc(bytes)
  return { why, strangeUnit: isStrange ? bytes[0] : undefined }
}

export function hasGoodCrc(frame: Uint8Array): boolean {
  if (frame.length < AROUND_BYTES) return false
  const end = frame.length - 2
  return view(frame).getUint16(end, true) === crc16Modbus(frame.subarray(0, end))
}

/** Length of a reply by its own words; undefined: not told yet. @param bytes from the unit on, at least 2 */
function replyLength(bytes: Uint8Array): number | undefined {
  const code = bytes[1]!
  if ((code & 0x80) !== 0) return EXCEPTION_BYTES
  const count = bytes[2]
  switch (code) {
    case 1:
    case 2:
    case 3:
    case 4:
      return count === undefined ? undefined : 3 + count + 2
    case 43:
      return identificationLength(bytes)
    default:
      return WRITE_REPLY_BYTES
  }
}

/** 43/14: after 8 bytes, so many objects of id, length and text as byte 7 says. */
function identificationLength(bytes: Uint8Array): number | undefined {
  const objects = bytes[7]
  if (objects === undefined) return undefined
  let end = 8
  for (let i = 0; i < objects; i++) {
    const length = bytes[end + 1]
    if (length === undefined) return undefined
    end += 2 + length
  }
  return end + 2
}
