import type { Trigger } from './spill-stream.ts'

/** A board on the trigger bus: it digitises when the crate says so. Calls come in the order of time. */
export interface BusListener {
  startOfSpill(spill: number, cycle: number): void
  /** `seed` fixes the signals of the event; the trigger is only valid during the call */
  trigger(trigger: Readonly<Trigger>, seed: number): void
  endOfSpill(): void
  /** the hall has finished a step of time: send what was collected */
  flush(): void
}

/** The crate as the hall drives it. */
export interface BusMaster {
  /** spill time passes */
  run(dtNs: number): void
  /** until the crate has something to do; infinite outside spills */
  untilNextNs(): number
  /** number that the next spill will have; 0 while no run is enabled */
  nextSpill(): number
}

/** The bus that carries start of spill, triggers and end of spill from the trigger crate to the boards. */
export class TriggerBus {
  readonly #listeners: BusListener[] = []
  #master: BusMaster | undefined

  join(listener: BusListener): void {
    this.#listeners.push(listener)
  }

  /** The one crate of the hall takes the bus. */
  drive(master: BusMaster): void {
    this.#master = master
  }

  run(dtNs: number): void {
    this.#master?.run(dtNs)
  }

  untilNextNs(): number {
    return this.#master?.untilNextNs() ?? Number.POSITIVE_INFINITY
  }

  nextSpill(): number {
    return this.#master?.nextSpill() ?? 0
  }

  startOfSpill(spill: number, cycle: number): void {
    for (const listener of this.#listeners) listener.startOfSpill(spill, cycle)
  }

  trigger(trigger: Readonly<Trigger>, seed: number): void {
    for (const listener of this.#listeners) listener.trigger(trigger, seed)
  }

  endOfSpill(): void {
    for (const listener of this.#listeners) listener.endOfSpill()
  }

  flush(): void {
    for (const listener of this.#listeners) listener.flush()
  }
}
