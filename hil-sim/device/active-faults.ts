import type { SimFault } from './face.ts'

/**
 * Faults in force. `{ kind, forMs? }` starts one (again: replaces it); without `forMs` it lasts until
 * `{ kind: 'clear' }`, which ends all, or `{ kind: 'clear', of: kind }`.
 */
export class ActiveFaults {
  readonly #known: readonly string[]
  readonly #active = new Map<string, { readonly fault: SimFault; leftNs: number }>()

  constructor(known: readonly string[]) {
    this.#known = known
  }

  /** false: no fault of this device */
  inject(fault: SimFault): boolean {
    if (fault.kind === 'clear') {
      const of = fault['of']
      if (typeof of === 'string') this.#active.delete(of)
      else this.#active.clear()
      return true
    }
    if (!this.#known.includes(fault.kind)) return false
    const forMs = fault['forMs']
    this.#active.set(fault.kind, {
      fault,
      leftNs: typeof forMs === 'number' ? forMs * 1e6 : Number.POSITIVE_INFINITY
    })
    return true
  }

  get(kind: string): SimFault | undefined {
    return this.#active.get(kind)?.fault
  }

  has(kind: string): boolean {
    return this.#active.has(kind)
  }

  advance(dtNs: number): void {
    for (const [kind, entry] of this.#active) {
      entry.leftNs -= dtNs
      if (entry.leftNs <= 0) this.#active.delete(kind)
    }
  }

  list(): string[] {
    return [...this.#active.keys()]
  }
}
