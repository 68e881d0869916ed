/** Settings of high-voltage supplies in devices.yaml, by kind. */
import { z } from 'zod'
import { provenanceText } from './provenance.ts'

const positive = z.number().positive()
const natural = z.number().int().nonnegative()

const channel = z.strictObject({
  number: natural.describe('as printed on the module'),
  name: z.string().min(1),
  limitV: positive.describe("V; our own limit, at or below the crate's"),
  nominalV: z.number().nonnegative().describe('V; the voltage of normal operation, at or below limitV'),
  rampVPerS: positive,
  currentLimitUa: positive,
  provenance: provenanceText
})

const supply = {
  toleranceV: positive.describe('V; measured and demanded voltage agree within this'),
  simulatedInitially: z
    .enum(['nominal', 'off'])
    .describe('what the supply does when nobody has touched it yet (simulation): at nominal, or off')
}

/** What a bit of a crate's status word may mean. */
export const CRATE_STATUS_BITS = [
  'on',
  'ramping-up',
  'ramping-down',
  'over-current',
  'over-voltage',
  'under-voltage',
  'external-trip',
  'max-voltage',
  'external-disable',
  'internal-trip',
  'calibration-error',
  'unplugged',
  'over-voltage-protection',
  'power-fail',
  'temperature-error'
] as const

const nodePattern = z
  .string()
  .regex(/^ns=\d+;[sigb]=.+$/, 'a node id with {node} or {crate}: "ns=2;s={node}.V0Set"')

/** Which variable of an OPC UA server means what; {node} is the channel's own path, {crate} that of the crate. */
export const crateMapSchema = z.strictObject({
  nodes: z
    .strictObject({
      demand: nodePattern,
      voltage: nodePattern,
      current: nodePattern,
      power: nodePattern.describe('the switch: 1 or true is on'),
      status: nodePattern,
      currentLimit: nodePattern.optional(),
      rampUp: nodePattern.optional(),
      rampDown: nodePattern.optional(),
      tripTime: nodePattern.optional(),
      highestDemand: nodePattern.optional(),
      clear: nodePattern
        .optional()
        .describe('1 forgets trips; absent: a crate that forgets them when it is switched on'),
      connected: nodePattern.optional().describe('whether the server has its crate'),
      model: nodePattern.optional(),
      serial: nodePattern.optional(),
      firmware: nodePattern.optional()
    })
    .describe('node ids by meaning'),
  currentUnitUa: positive.describe('uA; unit of the currents of this crate: 1, or 1000 for mA'),
  statusBits: z
    .partialRecord(z.string().regex(/^([12]?\d|30)$/, 'a bit, 0 to 30'), z.enum(CRATE_STATUS_BITS))
    .describe('bit of the status word -> meaning')
})

export const highVoltageSettings = {
  'iseg-scpi': z.strictObject({ channels: z.array(channel).min(1), ...supply }),
  'caen-n1470': z.strictObject({
    boards: z
      .array(
        z.strictObject({
          number: z.number().int().min(0).max(31).describe('as set on the board, 0 to 31'),
          channels: z.array(channel).min(1)
        })
      )
      .min(1)
      .max(32)
      .describe('the boards of the chain on this line'),
    ...supply
  }),
  'opcua-crate': z.strictObject({
    map: z
      .union([z.enum(['sy4527']), crateMapSchema])
      .describe('the name of a map that comes with the driver, or a map'),
    crate: z.string().min(1).describe('name of the crate in its OPC UA server: the {crate} of the map'),
    channels: z
      .array(
        channel.extend({
          node: z
            .string()
            .min(1)
            .describe('path of the channel in the server: the {node} of the map; CAEN01.Board00.Chan000')
        })
      )
      .min(1),
    ...supply
  })
} as const
