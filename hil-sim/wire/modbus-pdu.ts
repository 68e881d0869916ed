import { view } from '../../core/bytes.ts'
import type { RegisterFace, RegisterRefusal, RegisterSpace } from '../device/face.ts'

const ILLEGAL_FUNCTION = 1
const ILLEGAL_ADDRESS = 2
const ILLEGAL_VALUE = 3
const DEVICE_FAILURE = 4

/** Largest numbers of one request (protocols 8.1). */
const READ_BITS_MAX = 2000
const READ_REGISTERS_MAX = 125
const WRITE_BITS_MAX = 1968
const WRITE_REGISTERS_MAX = 123
const READ_WRITE_WRITES_MAX = 121

const READ_SPACES: Readonly<Record<number, RegisterSpace>> = {
  1: 'coil',
  2: 'discrete',
  3: 'holding',
  4: 'input'
}

/** Answers one Modbus request (PDU: function code and what follows); undefined: the device hangs. */
export function answerModbus(face: RegisterFace, request: Uint8Array): Uint8Array | undefined {
  const code = request[0] ?? 0
  const answer = dispatch(face, code, request.subarray(1))
  if (answer === 'silent') return undefined
  return typeof answer === 'number' ? Uint8Array.of(code | 0x80, answer) : Uint8Array.of(code, ...answer)
}

/** Body of the answer, or the number of the exception. */
type Answer = readonly number[] | number | 'silent'

function dispatch(face: RegisterFace, code: number, body: Uint8Array): Answer {
  switch (code) {
    case 1:
    case 2:
    case 3:
    case 4:
      return read(face, READ_SPACES[code]!, body)
    case 5:
    case 6:
      return writeOne(face, code === 5 ? 'coil' : 'holding', body)
    case 15:
    case 16:
      return writeMany(face, code === 15 ? 'coil' : 'holding', body)
    case 23:
      return readWrite(face, body)
    case 43:
      return identify(face, body)
    default:
      return ILLEGAL_FUNCTION
  }
}

function read(face: RegisterFace, space: RegisterSpace, body: Uint8Array): Answer {
  if (body.length !== 4) return ILLEGAL_VALUE
  const address = view(body).getUint16(0)
  const count = view(body).getUint16(2)
  const isBits = space === 'coil' || space === 'discrete'
  const values = readChecked(face, space, address, count, isBits ? READ_BITS_MAX : READ_REGISTERS_MAX)
  if (!Array.isArray(values)) return values
  const packed = isBits ? packBits(values) : packWords(values)
  return [packed.length, ...packed]
}

function readChecked(
  face: RegisterFace,
  space: RegisterSpace,
  address: number,
  count: number,
  countMax: number
): number[] | number | 'silent' {
  if (count < 1 || count > countMax) return ILLEGAL_VALUE
  if (address + count > 0x10000) return ILLEGAL_ADDRESS
  const values = face.read(space, address, count)
  return typeof values === 'string' ? exception(values) : values
}

function writeOne(face: RegisterFace, space: 'coil' | 'holding', body: Uint8Array): Answer {
  if (body.length !== 4) return ILLEGAL_VALUE
  const value = view(body).getUint16(2)
  if (space === 'coil' && value !== 0 && value !== 0xff00) return ILLEGAL_VALUE
  const refusal = face.write(space, view(body).getUint16(0), [space === 'coil' ? value >>> 15 : value])
  return refusal === undefined ? [...body] : exception(refusal)
}

function writeMany(face: RegisterFace, space: 'coil' | 'holding', body: Uint8Array): Answer {
  if (body.length < 5) return ILLEGAL_VALUE
  const address = view(body).getUint16(0)
  const count = view(body).getUint16(2)
  const isBits = space === 'coil'
  const bytes = isBits ? Math.ceil(count / 8) : 2 * count
  if (count < 1 || count > (isBits ? WRITE_BITS_MAX : WRITE_REGISTERS_MAX)) return ILLEGAL_VALUE
  if (body[4] !== bytes || body.length !== 5 + bytes) return ILLEGAL_VALUE
  if (address + count > 0x10000) return ILLEGAL_ADDRESS
  const data = body.subarray(5)
  const refusal = face.write(space, address, isBits ? unpackBits(data, count) : unpackWords(data))
  return refusal === undefined ? [...body.subarray(0, 4)] : exception(refusal)
}

/** The write is done before the read. */
function readWrite(face: RegisterFace, body: Uint8Array): Answer {
  if (body.length < 9) return ILLEGAL_VALUE
  const data = view(body)
  const writeCount = data.getUint16(6)
  if (writeCount < 1 || writeCount > READ_WRITE_WRITES_MAX) return ILLEGAL_VALUE
  if (body[8] !== 2 * writeCount || body.length !== 9 + 2 * writeCount) return ILLEGAL_VALUE
  const readCount = data.getUint16(2)
  if (readCount < 1 || readCount > READ_REGISTERS_MAX) return ILLEGAL_VALUE
  if (data.getUint16(4) + writeCount > 0x10000) return ILLEGAL_ADDRESS
  const refusal = face.write('holding', data.getUint16(4), unpackWords(body.subarray(9)))
  if (refusal !== undefined) return exception(refusal)
  const values = readChecked(face, 'holding', data.getUint16(0), readCount, READ_REGISTERS_MAX)
  if (!Array.isArray(values)) return values
  return [2 * values.length, ...packWords(values)]
}

/** 43/14: the face's identification as objects 0 (vendor), 1 (product), 2 (revision), ... */
function identify(face: RegisterFace, body: Uint8Array): Answer {
  const objects = face.identification
  const [mei, access = 0, first = 0] = body
  if (mei !== 14 || objects === undefined) return ILLEGAL_FUNCTION
  if (body.length !== 3 || access < 1 || access > 4) return ILLEGAL_VALUE
  const encode = (id: number): number[] => {
    const text = Buffer.from(objects[id] ?? '', 'ascii')
    return [id, text.length, ...text]
  }
  const conformity = objects.length > 3 ? 0x82 : 0x81
  const answer = (ids: readonly number[]): number[] => {
    return [14, access, conformity, 0, 0, ids.length, ...ids.flatMap(encode)]
  }
  if (access === 4) return first < objects.length ? answer([first]) : ILLEGAL_ADDRESS
  const end = access === 1 ? Math.min(3, objects.length) : objects.length
  const from = first < end ? first : 0 // the standard: an unknown start begins again at 0
  return answer(Array.from({ length: end - from }, (_, i) => from + i))
}

function exception(refusal: RegisterRefusal): number | 'silent' {
  switch (refusal) {
    case 'illegal-function':
      return ILLEGAL_FUNCTION
    case 'illegal-address':
      return ILLEGAL_ADDRESS
    case 'illegal-value':
      return ILLEGAL_VALUE
    case 'device-failure':
      return DEVICE_FAILURE
    case 'silent':
      return 'silent'
  }
}

const packWords = (values: readonly number[]): number[] =>
  values.flatMap((value) => [(value >>> 8) & 0xff, value & 0xff])

function unpackWords(bytes: Uint8Array): number[] {
  const data = view(bytes)
  return Array.from({ length: bytes.length >> 1 }, (_, i) => data.getUint16(2 * i))
}

/** Bit 0 of the first byte is the first value. */
function packBits(values: readonly number[]): number[] {
  const bytes = new Array<number>(Math.ceil(values.length / 8)).fill(0)
  values.forEach((value, i) => {
    if (value !== 0) bytes[i >> 3] = (bytes[i >> 3] ?? 0) | (1 << (i & 7))
  })
  return bytes
}

const unpackBits = (bytes: Uint8Array, count: number): number[] =>
  Array.from({ length: count }, (_, i) => ((bytes[i >> 3] ?? 0) >> (i & 7)) & 1)
