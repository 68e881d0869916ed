import type {
  Command,
  CommandResult,
  DeviceSummary,
  SignalSummary,
  Snapshot,
  SpillSummary
} from '../console/api/api.ts'
import type { Experiment } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import { ErrorCode, sentence, SpillwayError } from '../core/errors.ts'
import type { Journal } from '../core/journal.ts'
import type { Log } from '../core/log.ts'
import { milliseconds, type RunNs } from '../core/units.ts'
import type { BlockProcessor } from './block-processor.ts'
import type { DaqDevices } from './devices.ts'
import type { BlockPool } from './event/block-pool.ts'
import type { DataSource } from './event/source.ts'
import type { Monitor } from './monitor/monitor.ts'
import { type RawStore, Readout } from './readout.ts'
import { RunBook, type RunRecords } from './run/run-book.ts'
import { type Participant, RunControl } from './run/run-control.ts'
import { type Condition, isAcquiring, permitted } from './run/run-state.ts'
import { deviceSummary, signalsOf } from './slow-control/slow-status.ts'
import { type SpillPhase, SpillSequencer } from './spill/spill-sequencer.ts'
import { triggerSettings } from './trigger/trigger-settings.ts'

/** What slow control tells, whichever way it is reached. */
export interface SlowView {
  latest(): { readonly devices: DeviceSummary[]; readonly signals: SignalSummary[] }
  readonly trouble: string | undefined
}

export interface AcquisitionOptions {
  readonly experiment: Experiment
  readonly clock: Clock
  readonly journal: Journal
  readonly log: Log
  readonly devices: DaqDevices
  readonly slow: SlowView
  readonly sources: readonly DataSource[]
  readonly pool: BlockPool
  readonly processor: BlockProcessor
  readonly raw: RawStore
  readonly records: RunRecords
  readonly monitor: Monitor
  readonly isSimulated: boolean
  readonly preflight: () => readonly string[]
  readonly onSpill?: (spill: SpillSummary) => void
}

/** conditions of a run that each of its spills shares */
const SHARED: readonly Condition[] = ['degraded', 'simulated']

/**
 * Data acquisition as a whole: run control, sequencer and readout joined. `daq.ts` runs it on real wires and
 * worker threads, `memory.ts` in virtual time.
 */
export class Acquisition {
  readonly #o: AcquisitionOptions
  readonly book: RunBook
  readonly run: RunControl
  readonly sequencer: SpillSequencer
  readonly readout: Readout
  readonly #connected = new Map<string, boolean>()
  /** the extraction that goes on began in a run */
  #isSpillDue = false
  #extractionEnded: RunNs | undefined
  /** spills that had begun then */
  #spillsOpened = 0

  constructor(options: AcquisitionOptions) {
    this.#o = options
    const { experiment, clock, journal, log, devices } = options
    const dataOf = new Map([
      ...devices.digitisers.flatMap(({ device }) =>
        device.data.sources.map((s) => [s, device.data] as const)
      ),
      ...devices.crate.data.sources.map((s) => [s, devices.crate.data] as const)
    ])
    this.book = new RunBook(clock, options.records)
    this.sequencer = new SpillSequencer(clock, journal, {
      cyclesWithoutWarning: experiment.spill.cyclesWithoutWarning,
      cycleLengthMs: experiment.simulation.cycle.cycleLengthMs,
      extractionMs: experiment.spill.lengthMs
    })
    this.readout = new Readout({
      clock,
      journal,
      log,
      sources: options.sources,
      pool: options.pool,
      processor: options.processor,
      raw: options.raw,
      crate: devices.crate,
      dataOf,
      monitor: options.monitor,
      lines: experiment.trigger.lines,
      extractionEnded: () => this.#extractionEnded,
      drainNs: milliseconds(experiment.spill.drainMs),
      timingOddities: () => this.sequencer.takeOddities(),
      isBeamExpected: experiment.spill.source === 'sps',
      runConditions: () => this.run.condition.filter((condition) => SHARED.includes(condition)),
      expected: () => this.#expectedSources(),
      onSpill: (spill) => {
        this.book.addSpill(spill)
        options.onSpill?.(spill)
      },
      onClosed: () => void this.#spillClosed()
    })
    this.run = new RunControl({
      clock,
      journal,
      log,
      book: this.book,
      readout: this.readout,
      crate: devices.crate,
      triggerSettings: triggerSettings(experiment.trigger),
      digitisers: devices.digitisers,
      participants: () => this.participants(),
      preflight: options.preflight,
      spillSource: experiment.spill.source === 'sps' ? 'sps' : 'local',
      spillsPerRun: experiment.run.spillsPerRun,
      isSimulated: options.isSimulated
    })
  }

  /** Connects the devices and follows the spills; takes no data before a start command. */
  open(): void {
    const { experiment, devices } = this.#o
    for (const { device } of devices.digitisers) device.data.attach(this.readout.sink)
    devices.crate.data.attach(this.readout.sink)
    for (const keeper of devices.keepers) {
      keeper.device.onState(() => this.devicesChanged())
      keeper.start()
    }
    this.sequencer.onPhase((phase) => this.#watchExtractions(phase))
    // without a run, or when its data were faster than its end mark, there is nothing to drain
    this.sequencer.onPhase((phase) => {
      if (phase === 'draining' && !this.readout.isBusy) this.sequencer.drained()
    })
    if (experiment.spill.source === 'sps') {
      if (devices.timing !== undefined) this.sequencer.followMachine(devices.timing)
    } else
      this.sequencer.makeSpills(
        {
          lengthMs: experiment.spill.lengthMs,
          pauseMs: experiment.spill.source === 'continuous' ? 0 : experiment.spill.pauseMs,
          start: (signal) => devices.crate.startSpill(signal),
          end: (signal) => devices.crate.endSpill(signal)
        },
        () => this.run.wantsSpills
      )
  }

  async close(): Promise<void> {
    this.sequencer.close()
    await Promise.allSettled(this.#o.devices.keepers.map((keeper) => keeper.stop()))
    await this.#o.processor.close()
  }

  /** Every device of the experiment, wherever it is driven; one that nobody has heard of is not connected. */
  participants(): Participant[] {
    const { experiment, devices, slow } = this.#o
    const heard = new Map(
      [...devices.keepers.map(deviceSummary), ...slow.latest().devices].map((d) => [d.id, d])
    )
    return experiment.devices.map(({ id, role }) => {
      const device = heard.get(id)
      return {
        id,
        role,
        isConnected: device?.state === 'connected',
        trouble: device?.text ?? slow.trouble ?? 'not heard of'
      }
    })
  }

  /** Somebody connected or went away, here or in slow control: run control decides what it means. */
  devicesChanged(): void {
    const { trouble } = this.#o.slow
    if (trouble !== undefined && isAcquiring(this.run.state)) this.run.addCondition('degraded', trouble)
    for (const participant of this.participants()) {
      const before = this.#connected.get(participant.id)
      this.#connected.set(participant.id, participant.isConnected)
      if (before === true && !participant.isConnected) this.run.deviceChanged(participant)
    }
  }

  /** Takes a command of a person; what comes of it is seen in the state. Throws what forbids it. */
  command(command: Command): CommandResult {
    const answer = permitted(this.run.state)[command.name]
    this.#o.journal.write('command', { ...command, permitted: answer })
    if (answer !== true) throw new SpillwayError(ErrorCode.notPermitted, `cannot ${command.name}: ${answer}`)
    const failed = (error: unknown): void =>
      this.#o.log.error({ command: command.name, why: sentence(error) }, 'command failed')
    switch (command.name) {
      case 'start': {
        const { spills, note } = command
        this.run
          .start({ ...(spills === undefined ? {} : { spills }), ...(note === undefined ? {} : { note }) })
          .catch(failed)
        break
      }
      case 'stop':
        this.run.stop('stopped by the operator').catch(failed)
        break
      case 'make-safe':
        this.run.makeSafe(`made safe by the operator: ${command.reason}`).catch(failed)
        break
      case 'recover':
        this.run.recover()
    }
    return { accepted: true, state: this.run.state }
  }

  /** The state as the pages show it. */
  fields(): Omit<Snapshot, 'n' | 'utc'> {
    const { experiment, devices, slow, isSimulated } = this.#o
    const { run, book, sequencer, readout } = this
    const totals = book.run === undefined ? book.closed.at(-1) : book.totals(run.condition, '')
    const view = slow.latest()
    return {
      experiment: experiment.name,
      title: experiment.title,
      simulated: isSimulated,
      run: {
        state: run.state,
        status: run.status,
        number: book.run ?? totals?.run ?? null,
        since: run.sinceUtc.toISOString(),
        condition: run.condition,
        spillsDone: book.run === undefined ? (totals?.spills ?? 0) : book.spillsOfRun,
        spillsWanted: run.spillsWanted ?? null,
        muonsOnTarget: totals?.muonsOnTarget ?? 0,
        eventsBuilt: totals?.eventsBuilt ?? 0,
        eventsSelected: totals?.eventsSelected ?? 0
      },
      spill: {
        phase: sequencer.phase,
        since: sequencer.sinceUtc.toISOString(),
        number: readout.spill ?? null,
        source: experiment.spill.source,
        nextStart: sequencer.nextStart?.toISOString() ?? null,
        extractionMs: experiment.spill.source === 'sps' ? sequencer.extractionMs : experiment.spill.lengthMs,
        cycleLengthMs:
          experiment.spill.source === 'sps'
            ? sequencer.cycleLengthMs
            : experiment.spill.lengthMs + experiment.spill.pauseMs,
        events: readout.eventsOfSpill
      },
      spills: [...book.recent],
      devices: [...devices.keepers.map(deviceSummary), ...view.devices],
      signals: [...view.signals, ...signalsOf(devices.keepers.map((keeper) => keeper.device))],
      commands: Object.entries(permitted(run.state)).map(([name, answer]) => ({
        name: name as Command['name'],
        permitted: answer === true,
        ...(answer === true ? {} : { why: answer })
      }))
    }
  }

  /** An extraction in a run must open a spill: else nobody would ever miss its muons. */
  #watchExtractions(phase: SpillPhase): void {
    if (phase === 'extracting') this.#isSpillDue = this.run.wantsSpills
    if (phase !== 'draining') return
    this.#extractionEnded = this.#o.clock.now()
    const { spillsOpened } = this.readout
    if (this.#isSpillDue && this.run.wantsSpills && spillsOpened === this.#spillsOpened)
      this.run.addCondition('incomplete', 'an extraction brought no data: nobody sent a start of spill')
    this.#spillsOpened = spillsOpened
    this.#isSpillDue = false
  }

  #expectedSources(): Map<number, boolean> {
    const list: [number, boolean][] = this.#o.devices.digitisers.flatMap(({ device }) =>
      device.data.sources.map((source): [number, boolean] => [
        source,
        device.role !== 'optional' || device.state.kind === 'connected'
      ])
    )
    return new Map(list)
  }

  async #spillClosed(): Promise<void> {
    try {
      await this.run.spillClosed()
    } catch (error) {
      this.#o.log.error({ why: sentence(error) }, 'after a spill')
    } finally {
      // a spill that overran the closed one drains by itself
      if (!this.readout.isBusy) this.sequencer.drained()
    }
  }
}
