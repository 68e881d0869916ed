/** The golden transcripts beside this file, with their bytes as bytes. Made by make_golden.py. */
import { readFileSync } from 'node:fs'

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(name, import.meta.url), 'utf8')) as unknown

export interface GoldenFrame {
  readonly name: string
  readonly kind: number
  readonly sequence: number
  readonly payload?: string
  readonly frame: string
}

export interface GoldenSlink {
  readonly crc32c: { readonly of: string; readonly value: number }
  readonly bridgeToController: readonly GoldenFrame[]
  readonly controllerToBridge: readonly GoldenFrame[]
  readonly records: {
    readonly startOfSpill: { readonly spill: number; readonly cycle: number; readonly unixNs: string }
    readonly endOfSpill: {
      readonly spill: number
      readonly sources: readonly {
        readonly source: number
        readonly eventsSent: number
        readonly wordsSent: number
        readonly busyNs: number
      }[]
    }
    readonly fragments: readonly {
      readonly source: number
      readonly spill: number
      readonly event: number
    }[]
  }
  readonly triggerBlocks: readonly {
    readonly event: number
    readonly triggerMask: number
    readonly ticks: number
    readonly busyTicks: number
    readonly dateType: number
    readonly block: string
  }[]
}

export type GoldenCall =
  | { readonly do: 'read'; readonly address: number; readonly count: number; readonly values?: number[] }
  | { readonly do: 'write'; readonly address: number; readonly values: number[] }
  | {
      readonly do: 'modify'
      readonly address: number
      readonly and: number
      readonly or: number
      readonly before: number
    }

export interface GoldenIpbus {
  readonly conversation: readonly {
    readonly name: string
    readonly request: string
    readonly reply: string | null
    /** what a caller of the link did to cause it; `refusedAt`: the address that the error must name */
    readonly call?: GoldenCall & { readonly refusedAt?: number }
  }[]
  readonly ids: { readonly first: number; readonly last: number; readonly afterLast: number }
}

export const goldenSlink = (): GoldenSlink => read('slink.json') as GoldenSlink
export const goldenIpbus = (): GoldenIpbus => read('ipbus.json') as GoldenIpbus
export const fromHex = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'))
export const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
