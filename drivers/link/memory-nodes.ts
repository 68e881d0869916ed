import type { Clock } from '../../core/clock.ts'
import { ErrorCode, sentence, SpillwayError } from '../../core/errors.ts'
import { milliseconds } from '../../core/units.ts'
import type { NodeLink, NodeValue } from './link.ts'
import { disconnected, LinkState } from './link-state.ts'

/** What stands at the far end, as a simulated device shows itself: variables. */
export interface MemoryNodeFace {
  readonly nodes: readonly MemoryNode[]
}
export interface MemoryNode {
  /** without the `ns=1;s=` */
  readonly id: string
  /** index; absent: 1 */
  readonly namespace?: number
  read(): { value: number | string | boolean; quality: 'good' | 'suspect' | 'bad'; sourceTime: Date }
  write?(value: number | string | boolean): 'ok' | 'out-of-range' | 'refused'
}

type Receiver = (nodeId: string, value: NodeValue) => void
interface Watch {
  readonly nodeIds: readonly string[]
  readonly receiver: Receiver
}

/** as the publishing interval of the link over the real protocol */
const SAMPLING = milliseconds(250)

const STATUS = { good: 'Good', suspect: 'Uncertain', bad: 'Bad' } as const
const UNKNOWN: NodeValue = {
  value: null,
  sourceTime: undefined,
  quality: 'bad',
  status: 'BadNodeIdUnknown'
}

/** A node link that can be cut, as the wire can. */
export interface MemoryNodeLink extends NodeLink {
  /** The server is gone until `restore`. */
  cut(why: string): void
  restore(): void
}

/** A link to a device in the same process; watches sample on `clock`. */
export function makeMemoryNodeLink(url: string, face: MemoryNodeFace, clock: Clock): MemoryNodeLink {
  return new MemoryLink(url, face, clock)
}

class MemoryLink implements MemoryNodeLink {
  readonly url: string
  readonly #clock: Clock
  readonly #nodes: ReadonlyMap<string, MemoryNode>
  readonly #state: LinkState
  readonly #watches: Watch[] = []
  #opening = new AbortController()
  #cutBecause: string | undefined

  constructor(url: string, face: MemoryNodeFace, clock: Clock) {
    this.url = url
    this.#clock = clock
    this.#nodes = new Map(face.nodes.map((node) => [`ns=${node.namespace ?? 1};s=${node.id}`, node]))
    this.#state = new LinkState(url)
  }

  get isOpen(): boolean {
    return this.#state.isOpen
  }

  onState(listener: (isOpen: boolean, why: string) => void): () => void {
    return this.#state.onState(listener)
  }

  async open(signal: AbortSignal): Promise<void> {
    await Promise.resolve()
    if (this.#cutBecause !== undefined) throw disconnected(this.url, this.#cutBecause)
    if (signal.aborted) throw new SpillwayError(ErrorCode.aborted, `open ${this.url}: given up`)
    if (this.#state.isOpen) return
    this.#opening = new AbortController()
    this.#state.set(true, 'open')
    for (const watch of this.#watches) this.#sample(watch)
  }

  close(): Promise<void> {
    this.#drop('closed')
    return Promise.resolve()
  }

  read(nodeIds: readonly string[]): Promise<NodeValue[]> {
    return this.#state.whileOpen(() => Promise.resolve(nodeIds.map((nodeId) => this.#valueOf(nodeId))))
  }

  write(nodeId: string, value: number | string | boolean): Promise<void> {
    return this.#state.whileOpen(() => {
      const node = this.#nodes.get(nodeId)
      const outcome = node === undefined ? UNKNOWN.status : (node.write?.(value) ?? 'BadNotWritable')
      if (outcome === 'ok') return Promise.resolve()
      const message = `${this.url}: write ${nodeId} refused: ${outcome}`
      return Promise.reject(new SpillwayError(ErrorCode.refused, message, { got: outcome }))
    })
  }

  watch(nodeIds: readonly string[], receiver: Receiver): Promise<void> {
    return this.#state.whileOpen(() => {
      const watch = { nodeIds, receiver }
      this.#watches.push(watch)
      this.#sample(watch)
      return Promise.resolve()
    })
  }

  cut(why: string): void {
    this.#cutBecause = why
    this.#drop(why)
  }

  restore(): void {
    this.#cutBecause = undefined
  }

  /** Reports changes of value and status, not of time, as an OPC UA server does by default. */
  #sample({ nodeIds, receiver }: Watch): void {
    const { signal } = this.#opening
    const reported = new Map<string, NodeValue>()
    const once = (): void => {
      for (const nodeId of nodeIds) {
        const value = this.#valueOf(nodeId)
        const before = reported.get(nodeId)
        if (before?.value === value.value && before.status === value.status) continue
        reported.set(nodeId, value)
        receiver(nodeId, value)
      }
    }
    const loop = async (): Promise<void> => {
      await Promise.resolve()
      while (!signal.aborted) {
        once()
        await this.#clock.sleep(`sample ${this.url}`, SAMPLING, signal)
      }
    }
    loop().catch((error: unknown) => {
      if (!signal.aborted) this.#drop(`the far end failed: ${sentence(error)}`)
    })
  }

  #valueOf(nodeId: string): NodeValue {
    const node = this.#nodes.get(nodeId)
    if (node === undefined) return UNKNOWN
    const { value, quality, sourceTime } = node.read()
    return { value, quality, sourceTime, status: STATUS[quality] }
  }

  #drop(why: string): void {
    this.#opening.abort()
    this.#state.set(false, why)
  }
}
