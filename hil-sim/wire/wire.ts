import type { SimFault } from '../device/face.ts'

/** A face on a real wire. */
export interface Wire {
  /** where it is reached, in the words of devices.yaml */
  readonly url: string
  /** Takes the face off the wire; never rejects. */
  close(): Promise<void>
  /**
   * A fault of the wire, not of the device, strikes (kinds begin with `wire-`); false when this wire knows no
   * such fault. Absent: this wire has none.
   */
  disturb?(fault: SimFault): boolean
}

/** What all servers take. They listen on the loopback interface only. */
export interface ServeOptions {
  /** 0 or absent: the system chooses */
  readonly port?: number
}

export const LOOPBACK = '127.0.0.1'

/** A number that a fault carries, in `with` or beside `kind`; `otherwise` when it carries none. */
export function faultNumber(fault: SimFault, name: string, otherwise: number): number {
  const value = faultField(fault, name)
  return typeof value === 'number' ? value : otherwise
}

/** A word that a fault carries. */
export function faultText(fault: SimFault, name: string): string | undefined {
  const value = faultField(fault, name)
  return typeof value === 'string' ? value : undefined
}

function faultField(fault: SimFault, name: string): unknown {
  const inner = fault['with']
  const isRecord = typeof inner === 'object' && inner !== null && name in inner
  return isRecord ? (inner as Record<string, unknown>)[name] : fault[name]
}
