import { Worker } from 'node:worker_threads'
import { ErrorCode, sentence, SpillwayError } from '../core/errors.ts'
import { type BlockProcessor, markNotReconstructed, reconstructionError } from './block-processor.ts'
import type { BlockPool } from './event/block-pool.ts'
import type { PipelineConfig } from './reconstruction/pipeline.ts'
import type { WorkerAnswer, WorkerStart } from './reconstruction-worker.ts'

export interface WorkerPoolOptions {
  readonly workers: number
  /** made by `kernelMemory`; the pool lies in it */
  readonly memory: WebAssembly.Memory
  readonly pool: BlockPool
  readonly config: PipelineConfig
  /** false: the reference, with the same results */
  readonly useKernels: boolean
}

/** Type stripping runs the `.ts` file; the built copy has a `.js` beside it. */
const workerUrl = new URL(
  import.meta.filename.endsWith('.ts') ? './reconstruction-worker.ts' : './reconstruction-worker.js',
  import.meta.url
)

interface Thread {
  readonly worker: Worker
  /** indices that it has, oldest first */
  readonly away: Set<number>
  /** indices that go with the next message */
  next: number[]
  isAlive: boolean
}

/**
 * Reconstruction threads over the pool's memory. Blocks go to the thread that has least, in batches: what is
 * submitted in one turn of the event loop is one message. When a thread dies its blocks come back as not
 * reconstructed, and so does every later one when no thread is left: nothing waits for a thread that is gone.
 */
export function makeWorkerPool(options: WorkerPoolOptions): BlockProcessor {
  const { base, count, shape } = options.pool.layout
  const { memory, config, useKernels } = options
  const workerData: WorkerStart = { memory, layout: { base, count, shape }, config, useKernels }
  let onDone: (index: number) => void = () => undefined
  let onError: (error: SpillwayError) => void = () => undefined
  /** in order of submission; true: back */
  const isBack = new Map<number, boolean>()
  let waiting: (() => void)[] = []
  let isFlushing = false
  let isClosing = false

  function handBack(): void {
    for (const [index, back] of isBack) {
      if (!back) return
      isBack.delete(index)
      onDone(index)
    }
    const resolved = waiting
    waiting = []
    for (const resolve of resolved) resolve()
  }

  function fail(index: number, why: unknown): void {
    markNotReconstructed(options.pool.blocks[index]!)
    onError(reconstructionError(index, why))
    isBack.set(index, true)
  }

  function answered(thread: Thread, answer: WorkerAnswer): void {
    for (const index of answer.done) {
      thread.away.delete(index)
      isBack.set(index, true)
    }
    for (const { index, why } of answer.failures) onError(reconstructionError(index, why))
    handBack()
  }

  /** The thread is gone, for this reason: what it had comes back unfinished. */
  function ended(thread: Thread, why: unknown): void {
    if (!thread.isAlive) return
    thread.isAlive = false
    if (!isClosing)
      onError(
        new SpillwayError(ErrorCode.internal, `a reconstruction thread ended: ${sentence(why)}`, {
          cause: why,
          hint: 'blocks go to the other threads, if there are any; restart the controller between two runs'
        })
      )
    const lost = [...thread.away, ...thread.next]
    thread.away.clear()
    thread.next = []
    for (const index of lost) fail(index, why)
    handBack()
  }

  const threads = Array.from({ length: options.workers }, (): Thread => {
    const worker = new Worker(workerUrl, { workerData, name: 'reconstruction' })
    const thread: Thread = { worker, away: new Set(), next: [], isAlive: true }
    worker.on('message', (answer: WorkerAnswer) => answered(thread, answer))
    worker.on('error', (error) => ended(thread, error))
    worker.on('exit', (code) => ended(thread, `exit code ${code}`))
    return thread
  })

  function flush(): void {
    isFlushing = false
    for (const thread of threads) {
      if (thread.next.length === 0) continue
      for (const index of thread.next) thread.away.add(index)
      thread.worker.postMessage(thread.next)
      thread.next = []
    }
  }

  return {
    submit(index) {
      let least: Thread | undefined
      for (const thread of threads) {
        const load = thread.away.size + thread.next.length
        if (thread.isAlive && (least === undefined || load < least.away.size + least.next.length))
          least = thread
      }
      isBack.set(index, false)
      if (least === undefined) {
        fail(index, 'no reconstruction thread is left')
        handBack()
        return
      }
      least.next.push(index)
      if (isFlushing) return
      isFlushing = true
      setImmediate(flush)
    },
    onDone: (listener) => void (onDone = listener),
    onError: (listener) => void (onError = listener),
    drain: () =>
      new Promise((resolve) => {
        if (isBack.size === 0) resolve()
        else waiting.push(resolve)
      }),
    async close() {
      isClosing = true
      await Promise.all(threads.map((thread) => thread.worker.terminate()))
      for (const thread of threads) ended(thread, 'the controller closes')
    }
  }
}
