/** Plain faces and hand-made peers for tests of the wires. */
import type { ByteFace, RegisterFace, RegisterSpace } from '../../../../hil-sim/device/face.ts'
import { SystemClock } from '../../../../core/clock.ts'
import { seconds } from '../../../../core/units.ts'

/** Answers every byte with its successor; remembers what happened. */
export class EchoFace implements ByteFace {
  readonly kind = 'bytes'
  readonly sends: ((bytes: Uint8Array) => void)[] = []
  readonly hangUps: (() => void)[] = []
  readonly events: string[] = []
  onEvent: () => void = () => undefined

  attach(send: (bytes: Uint8Array) => void, hangUp: () => void) {
    this.sends.push(send)
    this.hangUps.push(hangUp)
    this.#note('attached')
    return {
      receive: (bytes: Uint8Array) => send(bytes.map((byte) => byte + 1)),
      closed: () => this.#note('closed')
    }
  }

  #note(event: string): void {
    this.events.push(event)
    this.onEvent()
  }
}

/** Registers in a map; addresses that are not in it are refused, and so is what `refuse` says. */
export class TableFace implements RegisterFace {
  readonly kind = 'registers'
  readonly identification = ['Maker', 'Model', '2.1']
  readonly writes: string[] = []
  readonly table: Map<number, number>
  refuse: 'silent' | 'device-failure' | undefined

  constructor(entries: Iterable<readonly [number, number]>) {
    this.table = new Map(entries)
  }

  read(_space: RegisterSpace, address: number, count: number) {
    if (this.refuse !== undefined) return this.refuse
    const values = Array.from({ length: count }, (_, i) => this.table.get(address + i))
    return values.every((value) => value !== undefined) ? values : 'illegal-address'
  }

  write(space: RegisterSpace, address: number, values: readonly number[]) {
    if (this.refuse !== undefined) return this.refuse
    if (!values.every((_, i) => this.table.has(address + i))) return 'illegal-address'
    values.forEach((value, i) => this.table.set(address + i, value))
    this.writes.push(`${space} ${address} ${values.join(',')}`)
    return undefined
  }
}

/** Waits for something outside, with a bound. */
export function soon<T>(name: string, work: Promise<T>): Promise<T> {
  return new SystemClock().within(name, seconds(10), () => work)
}

/** Collects bytes and waits until there are enough. */
export class Collector {
  #bytes = Buffer.alloc(0)
  #wake: () => void = () => undefined

  readonly take = (bytes: Uint8Array): void => {
    this.#bytes = Buffer.concat([this.#bytes, bytes])
    this.#wake()
  }

  get bytes(): Buffer {
    return this.#bytes
  }

  atLeast(count: number): Promise<Buffer> {
    const enough = new Promise<Buffer>((resolve) => {
      this.#wake = () => {
        if (this.#bytes.length >= count) resolve(this.#bytes)
      }
      this.#wake()
    })
    return soon(`${count} bytes`, enough)
  }
}
