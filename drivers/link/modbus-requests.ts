import type modbusSerial from 'modbus-serial'
import { ErrorCode, sentence, SpillwayError } from '../../core/errors.ts'
import type { RegisterSpace } from './link.ts'

/** Requests of a Modbus link in terms of the library's client, the same for TCP and RTU. */
export type ModbusClient = InstanceType<typeof modbusSerial.default>

/** Most registers and bits of one request (Modbus application protocol 1.1b3, chapter 6). */
const LIMITS = { read: { registers: 125, bits: 2000 }, write: { registers: 123, bits: 1968 } } as const

/** Modbus application protocol 1.1b3, chapter 7 */
const EXCEPTIONS: Readonly<Record<number, string>> = {
  1: 'illegal-function',
  2: 'illegal-data-address',
  3: 'illegal-data-value',
  4: 'server-device-failure',
  5: 'acknowledge',
  6: 'server-device-busy',
  8: 'memory-parity-error',
  10: 'gateway-path-unavailable',
  11: 'gateway-target-no-answer'
}

export async function readRegisters(
  client: ModbusClient,
  space: RegisterSpace,
  address: number,
  count: number
): Promise<number[]> {
  checkCount(space, count, LIMITS.read)
  switch (space) {
    case 'coil':
      return bits((await client.readCoils(address, count)).data, count)
    case 'discrete':
      return bits((await client.readDiscreteInputs(address, count)).data, count)
    case 'holding':
      return (await client.readHoldingRegisters(address, count)).data
    case 'input':
      return (await client.readInputRegisters(address, count)).data
    case 'bus':
      throw notPermitted(`Modbus has no ${space} space`)
  }
}

export async function writeRegisters(
  client: ModbusClient,
  space: RegisterSpace,
  address: number,
  values: readonly number[]
): Promise<void> {
  checkCount(space, values.length, LIMITS.write)
  const states = values.map((value) => value !== 0)
  if (space === 'coil' && states.length === 1) await client.writeCoil(address, states[0]!)
  else if (space === 'coil') await client.writeCoils(address, states)
  else if (space === 'holding' && values.length === 1) await client.writeRegister(address, values[0]!)
  else if (space === 'holding') await client.writeRegisters(address, [...values])
  else throw notPermitted(`Modbus cannot write to the ${space} space`)
}

/** 43/14, the basic objects: maker, model, revision. */
export async function readIdentification(client: ModbusClient): Promise<string[]> {
  const BASIC = 1
  // Declared as an array; it is an object with the object ids as keys.
  return Object.values((await client.readDeviceIdentification(BASIC, 0)).data)
}

export function noModify(): SpillwayError {
  return notPermitted('Modbus has no step that reads, modifies and tells the value before')
}

function checkCount(space: RegisterSpace, count: number, limit: { registers: number; bits: number }): void {
  const most = space === 'coil' || space === 'discrete' ? limit.bits : limit.registers
  if (!Number.isInteger(count) || count < 1 || count > most)
    throw notPermitted(`a Modbus request carries 1 to ${most} of ${space}, not ${count}`)
}

/** The answer comes in whole bytes; what is beyond `count` is padding. */
function bits(states: readonly boolean[], count: number): number[] {
  return states.slice(0, count).map(Number)
}

function notPermitted(message: string): SpillwayError {
  return new SpillwayError(ErrorCode.notPermitted, message)
}

/** An exception of the far end becomes `refused`, what the library complains about `protocol`. */
export function asModbusError(url: string, request: string, error: unknown): SpillwayError {
  if (error instanceof SpillwayError) return error
  const code = (error as { modbusCode?: unknown }).modbusCode
  if (typeof code === 'number') {
    const name = EXCEPTIONS[code] ?? `exception-${code}`
    return new SpillwayError(ErrorCode.refused, `${url}: ${request} refused: ${name} (exception ${code})`, {
      request,
      got: name
    })
  }
  return new SpillwayError(ErrorCode.protocol, `${url}: ${request}: ${sentence(error)}`, {
    request,
    cause: error
  })
}
