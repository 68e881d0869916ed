import { BlockHeader, type EventBlock, EventStatus } from '../core/block.ts'
import { ErrorCode, sentence, SpillwayError } from '../core/errors.ts'

/**
 * Runs blocks through the pipeline: here, or in worker threads. Every block that is submitted comes back exactly
 * once, in the order of submission, also one on which the stages failed: its events then carry
 * `notReconstructed`, and its raw bytes are as good as any.
 */
export interface BlockProcessor {
  submit(index: number): void
  /** One listener; set before the first block. */
  onDone(listener: (index: number) => void): void
  /** A failure of ours, never of the data; the block comes back none the less. One listener. */
  onError(listener: (error: SpillwayError) => void): void
  /** Resolves when every block that was submitted is back. Bounded by the caller. */
  drain(): Promise<void>
  /** Ends the threads. Blocks that are still away come back first. */
  close(): Promise<void>
}

/** Processes on the calling thread, at once: for virtual time, replay and small machines. */
export function makeInlineProcessor(
  blocks: readonly EventBlock[],
  pipeline: (block: EventBlock) => void
): BlockProcessor {
  let onDone: (index: number) => void = () => undefined
  let onError: (error: SpillwayError) => void = () => undefined
  return {
    submit: (index) => {
      try {
        pipeline(blocks[index]!)
      } catch (cause) {
        markNotReconstructed(blocks[index]!)
        onError(reconstructionError(index, cause))
      }
      onDone(index)
    },
    onDone: (listener) => void (onDone = listener),
    onError: (listener) => void (onError = listener),
    drain: () => Promise.resolve(),
    close: () => Promise.resolve()
  }
}

/** Empties what a failed pipeline may have left half done. */
export function markNotReconstructed(block: EventBlock): void {
  block.header[BlockHeader.hitCount] = 0
  block.header[BlockHeader.sampleCount] = 0
  block.hitBegin.fill(0)
  block.hitCount.fill(0)
  block.sums.fill(0)
  block.cutMask.fill(0)
  block.selected.fill(0)
  for (let row = 0; row < block.header[BlockHeader.eventCount]!; row++)
    if ((block.eventStatus[row]! & EventStatus.absent) === 0)
      block.eventStatus[row]! |= EventStatus.notReconstructed
}

export function reconstructionError(index: number, cause: unknown): SpillwayError {
  return new SpillwayError(
    ErrorCode.internal,
    `block ${index} could not be reconstructed: ${sentence(cause)}`,
    {
      cause,
      hint: 'raw data are not affected and can be replayed; report this with the log'
    }
  )
}
