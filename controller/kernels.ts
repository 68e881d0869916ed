import { readFileSync } from 'node:fs'
import { ErrorCode, SpillwayError } from '../core/errors.ts'
import type { Kernels } from './reconstruction/waveform/parameters.ts'

const PAGE_BYTES = 65_536
/** as the kernels were compiled (build.ts) */
const MAXIMUM_PAGES = 16_384
/** Blocks begin here: the page before belongs to the kernels. */
export const KERNEL_BASE = PAGE_BYTES

/** Shared memory for a pool of `bytes` from KERNEL_BASE on, in which kernels work on the blocks in place. */
export function kernelMemory(bytes: number): WebAssembly.Memory {
  const pages = 1 + Math.ceil(bytes / PAGE_BYTES)
  if (pages > MAXIMUM_PAGES)
    throw new SpillwayError(
      ErrorCode.configuration,
      `event blocks need ${Math.ceil(bytes / 2 ** 20)} MiB and may have ${(MAXIMUM_PAGES * PAGE_BYTES) / 2 ** 20}`,
      { hint: 'fewer modules or samples a source, or fewer blocks (core/limits.ts)' }
    )
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
}

/**
 * The compiled kernels over `memory`, for this thread. Rejected with `not-found` when they were not built: the
 * caller may go on with the reference, which gives the same bits more slowly.
 */
export function loadKernels(memory: WebAssembly.Memory): Kernels {
  const url = new URL('../kernels/build/kernels.wasm', import.meta.url)
  try {
    const instance = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(url)), { env: { memory } })
    return { buffer: memory.buffer, waveform: instance.exports['waveform'] as Kernels['waveform'] }
  } catch (cause) {
    throw new SpillwayError(ErrorCode.notFound, 'the compiled kernels cannot be loaded', {
      expected: 'kernels/build/kernels.wasm',
      hint: 'npm run prepare builds them',
      cause
    })
  }
}
