import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ErrorCode, SpillwayError } from '../../core/errors.ts'
import { freePort, takesConnections } from './free-port.ts'

export interface SecureBrokerPrograms {
  readonly mosquitto: string
  readonly passwords: string
  readonly openssl: string
}

/** Undefined leaves the option out. */
export type UrlOptions = Readonly<Record<string, string | undefined>>

/** `gateway` may say everything, `controller` only listens. */
const RIGHTS = 'user gateway\ntopic readwrite na64/#\nuser controller\ntopic read na64/#\n'

/**
 * mosquitto with TLS and passwords, and with rights by user. Authority, certificates and passwords are made for it in
 * a folder of its own: `authority.pem`, `stranger.pem` (an authority that signed nothing), `<user>.password`.
 */
export class SecureBroker {
  readonly folder = mkdtempSync(join(tmpdir(), 'secure-broker-'))
  readonly #programs: SecureBrokerPrograms
  #port = 0
  #plainPort = 0
  #process: ChildProcess | undefined

  constructor(programs: SecureBrokerPrograms) {
    this.#programs = programs
    this.#makeAuthority('authority')
    this.#makeAuthority('stranger')
    this.#makeCertificate('here', 'IP:127.0.0.1')
    this.#makeCertificate('elsewhere', 'DNS:broker.example')
    writeFileSync(this.file('rights'), RIGHTS)
    writeFileSync(this.file('passwords'), '')
    for (const user of ['gateway', 'controller']) {
      const password = `${user}: a/b?c#d@e`
      writeFileSync(this.file(`${user}.password`), `${password}\n`)
      execFileSync(programs.passwords, ['-b', this.file('passwords'), user, password], { stdio: 'ignore' })
    }
    writeFileSync(this.file('wrong.password'), 'wrong\n')
  }

  file(name: string): string {
    return join(this.folder, name)
  }

  /** @param options of the URL, instead of the right ones */
  url(user: string, options: UrlOptions = {}): string {
    const right: UrlOptions = {
      protocol: '5',
      ca: this.file('authority.pem'),
      passwordFile: this.file(`${user}.password`)
    }
    const query = new URLSearchParams()
    for (const [key, value] of Object.entries({ ...right, ...options }))
      if (value !== undefined) query.set(key, value)
    return `mqtts://${user}@127.0.0.1:${this.#port}?${query.toString()}`
  }

  /** where it speaks without TLS */
  get plainPort(): number {
    return this.#plainPort
  }

  get port(): number {
    return this.#port
  }

  password(user: string): string {
    return readFileSync(this.file(`${user}.password`), 'utf8').trimEnd()
  }

  /** Resolves when it takes connections; again at the same ports after `stop`. */
  async start(certificate: 'here' | 'elsewhere' = 'here'): Promise<void> {
    if (this.#port === 0) {
      this.#port = await freePort()
      this.#plainPort = await freePort()
    }
    const configuration = [
      // the certificates are ours, and it would give up root
      'user root',
      `password_file ${this.file('passwords')}`,
      `acl_file ${this.file('rights')}`,
      'allow_anonymous false',
      'set_tcp_nodelay true',
      `listener ${this.#plainPort} 127.0.0.1`,
      `listener ${this.#port} 127.0.0.1`,
      `certfile ${this.file(`${certificate}.pem`)}`,
      `keyfile ${this.file(`${certificate}.key`)}`
    ]
    writeFileSync(this.file('mosquitto.conf'), `${configuration.join('\n')}\n`)
    const broker = spawn(this.#programs.mosquitto, ['-c', this.file('mosquitto.conf')], { stdio: 'ignore' })
    this.#process = broker
    for (const port of [this.#plainPort, this.#port])
      while (!(await takesConnections(port)))
        if (broker.exitCode !== null)
          throw new SpillwayError(ErrorCode.disconnected, 'mosquitto did not start')
  }

  /** As power goes. */
  stop(): Promise<void> {
    const broker = this.#process
    this.#process = undefined
    return new Promise((resolve) => {
      if (broker === undefined || broker.exitCode !== null || broker.signalCode !== null) {
        resolve()
        return
      }
      broker.once('exit', () => resolve())
      broker.kill('SIGKILL')
    })
  }

  remove(): void {
    rmSync(this.folder, { recursive: true })
  }

  #makeAuthority(name: string): void {
    const out = ['-keyout', this.file(`${name}.key`), '-out', this.file(`${name}.pem`)]
    this.#openssl('req', '-x509', '-days', '1', '-subj', `/CN=${name}`, ...KEY, ...out)
  }

  #makeCertificate(name: string, subjectName: string): void {
    const request = this.file(`${name}.csr`)
    const names = this.file(`${name}.names`)
    writeFileSync(names, `subjectAltName=${subjectName}\n`)
    this.#openssl('req', '-subj', `/CN=${name}`, ...KEY, '-keyout', this.file(`${name}.key`), '-out', request)
    const authority = ['-CA', this.file('authority.pem'), '-CAkey', this.file('authority.key')]
    const out = ['-days', '1', '-extfile', names, '-out', this.file(`${name}.pem`)]
    this.#openssl('x509', '-req', '-in', request, ...authority, '-CAcreateserial', ...out)
  }

  #openssl(...words: readonly string[]): void {
    execFileSync(this.#programs.openssl, words, { stdio: 'ignore' })
  }
}

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
