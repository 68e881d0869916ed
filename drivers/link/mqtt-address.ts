import { readFile } from 'node:fs/promises'
import { ErrorCode, sentence, SpillwayError } from '../../core/errors.ts'
import { parseLinkUrl, wordOption } from './link-url.ts'

/** Used when the URL names a user and no `passwordFile`. */
const PASSWORD_VARIABLE = 'SPILLWAY_MQTT_PASSWORD'

/** Where a broker is and how it is spoken to. Holds no secret. */
export interface MqttAddress {
  readonly url: string
  readonly host: string
  readonly port: number
  readonly protocolVersion: 4 | 5
  readonly isEncrypted: boolean
  readonly user: string | undefined
  /** the authority that signed the broker's certificate, a PEM file; undefined: one of those that Node knows */
  readonly caFile: string | undefined
  readonly passwordFile: string | undefined
}

/** What is read at each opening, so that a new password or certificate needs no restart. */
export interface MqttSecrets {
  readonly ca?: Buffer
  readonly password?: Buffer
}

/** Takes `mqtt://...` or `mqtts://...` apart; rejects what does not fit together with code `configuration`. */
export function parseMqttUrl(url: string): MqttAddress {
  const isEncrypted = url.startsWith('mqtts:')
  const keys = ['protocol', 'passwordFile', ...(isEncrypted ? ['ca'] : [])]
  const { host, port, query, user } = isEncrypted
    ? parseLinkUrl(url, 'mqtts', keys, 8883, 'users')
    : parseLinkUrl(url, 'mqtt', keys, 1883, 'users')
  const { ca, passwordFile } = query
  if (passwordFile !== undefined && user === undefined)
    throw new SpillwayError(ErrorCode.configuration, `${url}: passwordFile without a user`, {
      hint: `write the user before the host: ${isEncrypted ? 'mqtts' : 'mqtt'}://user@${host}`
    })
  return {
    ...{ url, host, port, isEncrypted, user, passwordFile, caFile: ca },
    protocolVersion: wordOption(url, query, 'protocol', ['3.1.1', '5']) === '5' ? 5 : 4
  }
}

/** Rejects with code `configuration` when a file cannot be read, or a user has no password. */
export async function readMqttSecrets(address: MqttAddress): Promise<MqttSecrets> {
  const ca = address.caFile === undefined ? undefined : await read(address.url, 'ca', address.caFile)
  const password = address.user === undefined ? undefined : await passwordOf(address)
  return { ...(ca === undefined ? {} : { ca }), ...(password === undefined ? {} : { password }) }
}

async function passwordOf({ url, user, passwordFile }: MqttAddress): Promise<Buffer> {
  if (passwordFile !== undefined) {
    const text = (await read(url, 'passwordFile', passwordFile)).toString('utf8')
    // editors end the last line
    return Buffer.from(text.replace(/\r?\n$/, ''))
  }
  const password = process.env[PASSWORD_VARIABLE]
  if (password !== undefined) return Buffer.from(password)
  throw new SpillwayError(ErrorCode.configuration, `${url}: user ${user} has no password`, {
    hint: `name a file that holds it (passwordFile=...), or set ${PASSWORD_VARIABLE}`
  })
}

async function read(url: string, option: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (error) {
    throw new SpillwayError(
      ErrorCode.configuration,
      `${url}: the file of option ${option} cannot be read: ${sentence(error)}`,
      { cause: error }
    )
  }
}
