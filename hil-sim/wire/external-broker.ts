import { readFileSync } from 'node:fs'
import type { IClientOptions } from 'mqtt'
import { ErrorCode, sentence, SpillwayError } from '../../core/errors.ts'

/** A broker that runs elsewhere. */
export interface ExternalBroker {
  /** what the library connects to */
  readonly address: string
  /** what a controller is told: the same user, authority and files, no password */
  readonly url: string
  readonly options: IClientOptions
}

/**
 * `mqtt://host:port`, or `mqtts://user@host:port?ca=authority.pem&passwordFile=file`; MQTT 5, or `protocol=3.1.1`. A
 * user's password may also be in SPILLWAY_MQTT_PASSWORD. Throws code `configuration` when that cannot be had.
 */
export function externalBroker(given: string): ExternalBroker {
  const url = new URL(given)
  const { searchParams: query, username } = url
  if (url.password !== '') throw wrong(url, 'a URL holds no password: it is shown and logged')
  const isOld = query.get('protocol') === '3.1.1'
  query.set('protocol', isOld ? '3.1.1' : '5')
  const options: IClientOptions = { protocolVersion: isOld ? 4 : 5 }
  const ca = query.get('ca')
  if (ca !== null) options.ca = read(url, ca)
  if (username !== '') {
    options.username = decodeURIComponent(username)
    options.password = passwordFor(url, query.get('passwordFile'))
  }
  // an empty path would be "/"
  const told = `${url.protocol}//${username === '' ? '' : `${username}@`}${url.host}${url.search}`
  return { address: `${url.protocol}//${url.host}`, url: told, options }
}

function passwordFor(url: URL, file: string | null): string | Buffer {
  if (file !== null)
    return read(url, file)
      .toString('utf8')
      .replace(/\r?\n$/, '')
  const password = process.env['SPILLWAY_MQTT_PASSWORD']
  if (password === undefined) throw wrong(url, 'the user has no password: name a passwordFile')
  return password
}

function read(url: URL, path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw wrong(url, sentence(error))
  }
}

function wrong(url: URL, what: string): SpillwayError {
  return new SpillwayError(ErrorCode.configuration, `mqtt: the broker at ${url.host}: ${what}`)
}
