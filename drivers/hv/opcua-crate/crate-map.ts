/** What a bit of a crate's status word may mean. */
export type StatusMeaning =
  | 'on'
  | 'ramping-up'
  | 'ramping-down'
  | 'over-current'
  | 'over-voltage'
  | 'under-voltage'
  | 'external-trip'
  | 'max-voltage'
  | 'external-disable'
  | 'internal-trip'
  | 'calibration-error'
  | 'unplugged'
  | 'over-voltage-protection'
  | 'power-fail'
  | 'temperature-error'

/**
 * Which variable of an OPC UA server means what: node ids in which `{node}` stands for the path of a channel and `{crate}`
 * for that of the crate. What is optional is used where it is there.
 */
export interface CrateMap {
  readonly nodes: {
    readonly demand: string
    readonly voltage: string
    readonly current: string
    /** the switch: 1 or true is on */
    readonly power: string
    readonly status: string
    readonly currentLimit?: string | undefined
    readonly rampUp?: string | undefined
    readonly rampDown?: string | undefined
    readonly tripTime?: string | undefined
    /** the crate follows no demand above this */
    readonly highestDemand?: string | undefined
    /** 1 forgets trips, of the whole crate; absent: a crate that forgets them when it is switched on */
    readonly clear?: string | undefined
    /** whether the server has its crate */
    readonly connected?: string | undefined
    readonly model?: string | undefined
    readonly serial?: string | undefined
    readonly firmware?: string | undefined
  }
  /** uA: the unit of the crate's currents */
  readonly currentUnitUa: number
  /** bit of the status word -> meaning */
  readonly statusBits: Readonly<Record<string, StatusMeaning | undefined>>
}

/** The id of the node that a pattern means. */
export const nodeId = (pattern: string, crate: string, node: string): string =>
  pattern.replaceAll('{crate}', crate).replaceAll('{node}', node)
