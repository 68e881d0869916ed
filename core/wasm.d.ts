/** The part of WebAssembly that we use: lib.dom has it, and the DOM does not belong into a server. */
declare namespace WebAssembly {
  class Memory {
    constructor(descriptor: { initial: number; maximum: number; shared: true })
    readonly buffer: SharedArrayBuffer
  }
  // eslint-disable-next-line @typescript-eslint/no-extraneous-class -- that is what the platform has
  class Module {
    constructor(bytes: Uint8Array)
  }
  class Instance {
    constructor(module: Module, imports: Record<string, Record<string, unknown>>)
    readonly exports: Record<string, unknown>
  }
}
