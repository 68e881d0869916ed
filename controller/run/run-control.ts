import { type Clock, isAborted } from '../../core/clock.ts'
import type { DeviceRole } from '../../core/device.ts'
import { ErrorCode, sentence, SpillwayError } from '../../core/errors.ts'
import type { Journal } from '../../core/journal.ts'
import type { Log } from '../../core/log.ts'
import { milliseconds, seconds } from '../../core/units.ts'
import type { Digitiser, DigitiserSettings } from '../../drivers/digitiser/contract/digitiser.ts'
import type { TriggerCrate, TriggerSettings } from '../../drivers/trigger/contract/trigger-crate.ts'
import type { RunBook } from './run-book.ts'
import { checkStep, type Condition, inOrder, isAcquiring, permitted, type RunState } from './run-state.ts'

/** A device as run control sees it: also those of the slow-control process. */
export interface Participant {
  readonly id: string
  readonly role: DeviceRole
  readonly isConnected: boolean
  /** why not, in words */
  readonly trouble: string
}

/** What takes the data of a run; controller/readout.ts. */
export interface RunReadout {
  beginRun(run: number, isSimulated: boolean): Promise<void>
  /** Resolves when no spill is open any more; bounded by its own deadlines. */
  settle(): Promise<void>
  /** Closes an open spill now, with what is there, under the given condition. */
  abandonSpill(condition: Condition, reason: string): Promise<void>
  /** Finishes and closes the files; the hashes of the result columns, by column. */
  endRun(): Promise<Readonly<Record<string, string>>>
}

export interface RunControlOptions {
  readonly clock: Clock
  readonly journal: Journal
  readonly log: Log
  readonly book: RunBook
  readonly readout: RunReadout
  readonly crate: TriggerCrate
  readonly triggerSettings: TriggerSettings
  readonly digitisers: readonly { readonly device: Digitiser; readonly settings: DigitiserSettings }[]
  readonly participants: () => readonly Participant[]
  /** further reasons not to arm: disk, interlocks ... */
  readonly preflight: () => readonly string[]
  readonly spillSource: 'sps' | 'local'
  readonly spillsPerRun: number
  readonly isSimulated: boolean
}

const SETTINGS_LIMIT = seconds(20)
const COMMAND_LIMIT = seconds(5)
/** longer than any extraction */
const EARLIER_SPILL_LIMIT = seconds(30)

/**
 * Run control: the states of a run and what each step asks of the devices. A state is entered only when it is
 * true. One command works at a time; make-safe interrupts whatever goes on. The status sentence is for people.
 */
export class RunControl {
  readonly #o: RunControlOptions
  readonly #listeners = new Set<() => void>()
  #state: RunState = 'idle'
  #status = 'ready to start'
  #sinceUtc: Date
  #wanted: number | undefined
  /** cut off by make-safe */
  #work = new AbortController()
  #stopping: Promise<void> | undefined
  #rollingOver = false
  readonly #condition = new Set<Condition>()

  constructor(options: RunControlOptions) {
    this.#o = options
    this.#sinceUtc = options.clock.utc()
  }

  get state(): RunState {
    return this.#state
  }
  get status(): string {
    return this.#status
  }
  get sinceUtc(): Date {
    return this.#sinceUtc
  }
  get condition(): Condition[] {
    return inOrder(this.#condition)
  }
  /** spills asked for; undefined: until somebody stops */
  get spillsWanted(): number | undefined {
    return this.#wanted
  }
  /** a spill that starts now belongs to the run */
  get wantsSpills(): boolean {
    return this.#state === 'running' && !this.#rollingOver
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * Configures, checks, arms and starts. Resolves when running. Rejects with `not-permitted` (state, devices,
   * preflight), `readback` (a setting that did not take), or what a device said; the hardware is then disarmed.
   */
  async start(request: { readonly spills?: number; readonly note?: string } = {}): Promise<void> {
    this.#permit('start')
    this.#work = new AbortController()
    const signal = this.#work.signal
    try {
      this.#enter('configuring', 'writing settings and reading them back')
      this.#requireDevices()
      await this.#quiesce(signal)
      await this.#configure(signal)
      this.#enter('configured', 'all settings read back as written')
      this.#requirePreflight()
      this.#enter('arming', 'arming the digitisers')
      await this.#each('arm', (digitiser, s) => digitiser.acquire.arm(s), signal)
      this.#enter('armed', 'digitisers armed')
      this.#enter('starting', 'opening the run')
      this.#wanted = request.spills
      this.#o.book.begin(request.note)
      await this.#openRun(signal)
      this.#enter('running', 'taking data')
    } catch (error) {
      if (isAborted(signal)) throw error // make-safe is at work
      this.#o.journal.write('start-failed', { why: sentence(error) })
      await this.#unwind(sentence(error))
      throw error
    }
  }

  /** Finishes the current spill, closes the run and disarms. Resolves when configured again. */
  async stop(reason: string, condition?: Condition): Promise<void> {
    if (this.#stopping !== undefined) return this.#stopping
    this.#permit('stop')
    this.#stopping = this.#stop(reason, condition).finally(() => (this.#stopping = undefined))
    return this.#stopping
  }

  /** Inhibits triggers at once, closes what is open, disarms. Moves no high voltage. Always permitted. */
  async makeSafe(reason: string, condition: Condition = 'aborted'): Promise<void> {
    if (this.#state === 'making-safe' || this.#state === 'safe') return
    const hadRun = isAcquiring(this.#state)
    this.#work.abort()
    this.#enter('making-safe', reason)
    const failures: { device: string | undefined; what: string }[] = []
    const attempt = async (
      name: string,
      device: string | undefined,
      work: (s: AbortSignal) => Promise<void>
    ): Promise<void> => {
      try {
        await this.#o.clock.within(name, COMMAND_LIMIT, work)
      } catch (error) {
        failures.push({ device, what: `${name}: ${sentence(error)}` })
      }
    }
    const { crate, readout, digitisers } = this.#o
    await attempt('inhibit triggers', crate.id, (s) => crate.inhibit(s))
    if (hadRun) {
      this.#condition.add(condition)
      await attempt('close the spill', undefined, () => readout.abandonSpill(condition, reason))
      await attempt('close the run', undefined, () => this.#closeRun(reason))
    }
    await Promise.all(
      digitisers.map(({ device }) => attempt(`disarm ${device.id}`, device.id, () => device.makeSafe(reason)))
    )
    // A device that is away sends us nothing: safe. One that is there and refuses is in a condition that we
    // do not know.
    const away = new Set(
      this.#o
        .participants()
        .filter((p) => !p.isConnected)
        .map((p) => p.id)
    )
    const unknown = failures.filter(({ device }) => device === undefined || !away.has(device))
    if (unknown.length > 0) this.#enter('fault', `${reason}; ${unknown.map((f) => f.what).join('; ')}`)
    else this.#enter('safe', reason)
  }

  /** A person decides that safe or fault is over. */
  recover(): void {
    this.#permit('recover')
    this.#condition.clear()
    this.#enter('idle', 'ready to start')
  }

  /** A device went away or came back. */
  deviceChanged(participant: Participant): void {
    if (participant.isConnected || !isAcquiring(this.#state)) return
    const what = `${participant.id} is gone (${participant.trouble})`
    this.#o.journal.write('device-lost', { device: participant.id, role: participant.role })
    if (participant.role === 'optional') {
      this.addCondition('degraded', what)
    } else if (participant.role === 'required' && this.#state === 'running') {
      void this.stop(`${what}: run stopped`, 'interrupted').catch((error: unknown) => {
        this.#o.log.error({ why: sentence(error) }, 'stopping failed')
      })
    } else {
      void this.makeSafe(what)
    }
  }

  addCondition(condition: Condition, why: string): void {
    if (this.#condition.has(condition)) return
    this.#condition.add(condition)
    this.#o.journal.write('condition', { condition, why })
    this.#changed()
  }

  /** A spill of the run is closed and recorded. */
  async spillClosed(): Promise<void> {
    if (this.#state !== 'running') return
    const { book } = this.#o
    if (this.#wanted !== undefined && book.spillsOfAllRuns >= this.#wanted) {
      await this.stop(`${this.#wanted} spills taken`)
    } else if (Math.max(book.spillsOfRun, book.recent.at(-1)?.spill ?? 0) >= this.#o.spillsPerRun) {
      // by the number as well: extractions that brought no data were counted by the crate, and its field is short
      await this.#rollOver()
    }
    this.#changed()
  }

  async #stop(reason: string, condition: Condition | undefined): Promise<void> {
    const signal = this.#work.signal
    if (condition !== undefined) this.#condition.add(condition)
    this.#enter('stopping', `${reason}; finishing the current spill`)
    try {
      await this.#command('disable the trigger crate', (s) => this.#o.crate.disable(s), signal)
      await this.#o.readout.settle()
      await this.#closeRun(reason)
      this.#enter('disarming', reason)
      await this.#disarm(signal)
      this.#enter('configured', reason)
    } catch (error) {
      if (isAborted(signal)) return
      await this.makeSafe(`${reason}; ${sentence(error)}`)
    }
  }

  /** A new run between two spills: nothing is disarmed, the spill number starts again. */
  async #rollOver(): Promise<void> {
    const signal = this.#work.signal
    this.#rollingOver = true
    try {
      await this.#command('disable the trigger crate', (s) => this.#o.crate.disable(s), signal)
      await this.#o.readout.settle()
      await this.#closeRun('rolled over')
      await this.#openRun(signal)
      this.#o.journal.write('rolled-over', { run: this.#o.book.run })
    } catch (error) {
      if (!isAborted(signal)) await this.makeSafe(`roll-over failed; ${sentence(error)}`)
    } finally {
      this.#rollingOver = false
    }
  }

  async #openRun(signal: AbortSignal): Promise<void> {
    this.#condition.clear()
    if (this.#o.isSimulated) this.#condition.add('simulated')
    for (const participant of this.#o.participants())
      if (participant.role === 'optional' && !participant.isConnected) this.#condition.add('degraded')
    const run = this.#o.book.openRun()
    await this.#o.readout.beginRun(run, this.#o.isSimulated)
    this.#o.journal.write('run-open', { run })
    await this.#command('enable triggers', (s) => this.#o.crate.enable(run, this.#o.spillSource, s), signal)
  }

  async #closeRun(reason: string): Promise<void> {
    if (this.#o.book.run === undefined) return
    let columnHashes: Readonly<Record<string, string>> = {}
    try {
      columnHashes = await this.#o.readout.endRun()
    } finally {
      const condition = inOrder([...this.#condition, ...this.#o.book.conditionOfSpills()])
      this.#o.journal.write('run-closed', { run: this.#o.book.run, condition, reason, columnHashes })
      this.#o.book.closeRun(condition, reason, columnHashes)
    }
  }

  /** A run that an earlier process left enabled goes on in the hardware: it is ended, with its current spill. */
  async #quiesce(signal: AbortSignal): Promise<void> {
    const { crate, clock } = this.#o
    // a local spill that nobody ends lasts for ever; refused when there is none
    if (this.#o.spillSource === 'local')
      await this.#command('end an earlier spill', (s) => crate.endSpill(s), signal).catch(() => undefined)
    await this.#command('disable the trigger crate', (s) => crate.disable(s), signal)
    await this.#each('disarm', (digitiser, s) => digitiser.acquire.disarm(s), signal)
    const until = clock.now() + EARLIER_SPILL_LIMIT
    while (await clock.within('ask the trigger crate', COMMAND_LIMIT, (s) => crate.isRunning(s), signal)) {
      if (clock.now() > until)
        throw new SpillwayError(
          ErrorCode.notPermitted,
          `${crate.id} does not end the spill of an earlier run`,
          {
            hint: 'make safe, then recover and start again'
          }
        )
      await clock.sleep('end of an earlier spill', milliseconds(200), signal)
    }
  }

  async #configure(signal: AbortSignal): Promise<void> {
    const { crate, digitisers, clock } = this.#o
    const differences: string[] = []
    const note = (
      device: string,
      list: readonly { setting: string; wanted: number; got: number }[]
    ): void => {
      for (const d of list) differences.push(`${device} ${d.setting}: wrote ${d.wanted}, reads ${d.got}`)
    }
    await Promise.all([
      clock
        .within(
          `configure ${crate.id}`,
          SETTINGS_LIMIT,
          (s) => crate.apply(this.#o.triggerSettings, s),
          signal
        )
        .then((list) => note(crate.id, list)),
      ...digitisers.map(({ device, settings }) =>
        clock
          .within(`configure ${device.id}`, SETTINGS_LIMIT, (s) => device.trigger.apply(settings, s), signal)
          .then((list) => note(device.id, list))
      )
    ])
    if (differences.length > 0)
      throw new SpillwayError(ErrorCode.readback, `settings do not read back: ${differences.join('; ')}`, {
        hint: 'check the value against the range of the register, then start again'
      })
  }

  #requireDevices(): void {
    const missing = this.#o.participants().filter((p) => p.role !== 'optional' && !p.isConnected)
    if (missing.length > 0)
      throw new SpillwayError(
        ErrorCode.notPermitted,
        `not reachable: ${missing.map((p) => `${p.id} (${p.trouble})`).join('; ')}`,
        { hint: 'check power, cable and the URL in devices.yaml; it is tried again by itself' }
      )
  }

  #requirePreflight(): void {
    const reasons = this.#o.preflight()
    if (reasons.length > 0) throw new SpillwayError(ErrorCode.notPermitted, reasons.join('; '))
  }

  /** After a failed start: back to idle when the hardware follows, else safe. */
  async #unwind(why: string): Promise<void> {
    if (this.#state === 'configuring' || this.#state === 'configured') {
      this.#enter('idle', `not started: ${why}`)
      return
    }
    try {
      if (this.#state === 'starting') this.#enter('stopping', why)
      await this.#command('disable the trigger crate', (s) => this.#o.crate.disable(s), this.#work.signal)
      await this.#closeRun(why)
      this.#enter('disarming', why)
      await this.#each('disarm', (digitiser, s) => digitiser.acquire.disarm(s), this.#work.signal)
      this.#enter('idle', `not started: ${why}`)
    } catch (error) {
      await this.makeSafe(`${why}; ${sentence(error)}`)
    }
  }

  /** A board that is away sends nothing; the next start disarms it before anything else. */
  async #disarm(signal: AbortSignal): Promise<void> {
    const connected = new Set(
      this.#o
        .participants()
        .filter((p) => p.isConnected)
        .map((p) => p.id)
    )
    await this.#each(
      'disarm',
      (digitiser, s) => (connected.has(digitiser.id) ? digitiser.acquire.disarm(s) : Promise.resolve()),
      signal
    )
  }

  #command(name: string, work: (s: AbortSignal) => Promise<void>, outer: AbortSignal): Promise<void> {
    return this.#o.clock.within(name, COMMAND_LIMIT, work, outer)
  }

  async #each(
    verb: string,
    work: (digitiser: Digitiser, s: AbortSignal) => Promise<void>,
    outer: AbortSignal
  ): Promise<void> {
    await Promise.all(
      this.#o.digitisers.map(({ device }) =>
        this.#command(`${verb} ${device.id}`, (s) => work(device, s), outer)
      )
    )
  }

  #permit(command: 'start' | 'stop' | 'make-safe' | 'recover'): void {
    const answer = permitted(this.#state)[command]
    if (answer !== true) throw new SpillwayError(ErrorCode.notPermitted, `cannot ${command}: ${answer}`)
  }

  #enter(state: RunState, status: string): void {
    if (state !== this.#state) checkStep(this.#state, state)
    this.#state = state
    this.#status = status
    this.#sinceUtc = this.#o.clock.utc()
    this.#o.journal.write('run-state', { state, status })
    this.#o.log.info({ state }, status)
    this.#changed()
  }

  #changed(): void {
    for (const listener of this.#listeners) listener()
  }
}
