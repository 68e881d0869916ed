import { type Fault, FaultBook, REGISTER_FAULTS } from '../fault/fault.ts'
import type { Machine } from './context.ts'
import type { RegisterFace, RegisterRefusal } from './face.ts'

/** One 32-bit bus as its device sees it. */
export interface RegisterBank {
  /** undefined: no such register, or not readable */
  read(address: number): number | undefined
  /** `missing`: no such register, or not writable; `refused`: not now */
  write(address: number, value: number): 'ok' | 'missing' | 'refused'
}

/**
 * The control face over a bank, with the faults that a control face can have: no answer, or a bus error on
 * everything, from a start of spill to the machine's next warning of extraction; a register that is stuck.
 */
export class BusFace implements RegisterFace {
  readonly kind = 'registers'
  readonly #bank: RegisterBank
  readonly #faults = new FaultBook()
  readonly #stuck = new Set<number>()
  #failing: RegisterRefusal | undefined

  constructor(bank: RegisterBank, machine: Machine) {
    this.#bank = bank
    machine.onMark((mark) => {
      if (mark === 'WE') this.#failing = undefined
    })
  }

  /** false: not a fault of registers */
  inject(fault: Fault): boolean {
    if (!(REGISTER_FAULTS as readonly string[]).includes(fault.kind)) return false
    this.#faults.add(fault)
    if (fault.at.spill === 0) this.startOfSpill(0)
    return true
  }

  startOfSpill(spill: number): void {
    const fault = this.#faults.take(REGISTER_FAULTS, spill)
    if (fault === undefined) return
    if (fault.kind === 'register-stuck') this.#stuck.add(Number(fault.with['address']))
    else this.#failing = fault.kind === 'register-silent' ? 'silent' : 'illegal-value'
  }

  read(space: string, address: number, count: number): number[] | RegisterRefusal {
    if (this.#failing !== undefined) return this.#failing
    if (space !== 'bus') return 'illegal-function'
    const values: number[] = []
    for (let i = 0; i < count; i++) {
      const value = this.#bank.read(address + i)
      if (value === undefined) return 'illegal-address'
      values.push(value >>> 0)
    }
    return values
  }

  write(space: string, address: number, values: readonly number[]): undefined | RegisterRefusal {
    if (this.#failing !== undefined) return this.#failing
    if (space !== 'bus') return 'illegal-function'
    for (const [i, value] of values.entries()) {
      if (this.#stuck.has(address + i)) continue
      const result = this.#bank.write(address + i, value >>> 0)
      if (result === 'missing') return 'illegal-address'
      if (result === 'refused') return 'illegal-value'
    }
    return undefined
  }
}
