import type { FormatName } from '../../core/decoder.ts'
import { SLINK_HEADER_BYTES } from '../../core/slink.ts'
import type { Experiment, SettingsOf } from '../../config/schema.ts'

/** One S-LINK source as the data plane sees it; its index in the list is its column in the fragment table. */
export interface DataSource {
  readonly id: number
  readonly device: string
  readonly format: FormatName
  /** larger blocks are refused; the memory for raw bytes is made for this */
  readonly maximumBlockBytes: number
  /** events after a missing fragment carry `afterGap` */
  readonly distrustAfterGap: boolean
  /** hits that one event may have */
  readonly hitsMax: number
  /** as configured; 0 when the source has no samples */
  readonly samplesPerEvent: number
}

const CHANNELS_PER_MODULE = 16
/** mask, time, busy, type: docs/hardware/trigger-crate.md */
const TRIGGER_PAYLOAD_BYTES = 16
/** A damaged block may announce and hold more than the configuration says: it is kept, to be looked at. */
const ROOM_FOR_DAMAGE = 1.25

/** The sources of an experiment in the order of its devices, with what memory they need. */
export function dataSourcesOf(experiment: Pick<Experiment, 'devices'>): readonly DataSource[] {
  return experiment.devices.flatMap((device): DataSource[] => {
    if (device.links.data === undefined) return []
    switch (device.kind) {
      case 'slink-msadc': {
        const settings = device.settings as SettingsOf<'slink-msadc'>
        const channels = settings.modules.length * CHANNELS_PER_MODULE
        const bytes =
          SLINK_HEADER_BYTES + settings.modules.length * 4 + channels * (4 + 2 * settings.samplesPerEvent)
        return [
          {
            id: settings.source,
            device: device.id,
            format: 'msadc',
            maximumBlockBytes: Math.ceil((bytes * ROOM_FOR_DAMAGE) / 4) * 4,
            distrustAfterGap: settings.distrustAfterGap,
            hitsMax: channels,
            samplesPerEvent: settings.samplesPerEvent
          }
        ]
      }
      case 'trigger-crate': {
        const settings = device.settings as SettingsOf<'trigger-crate'>
        return [
          {
            id: settings.source,
            device: device.id,
            format: 'trigger',
            maximumBlockBytes: 2 * (SLINK_HEADER_BYTES + TRIGGER_PAYLOAD_BYTES),
            distrustAfterGap: settings.distrustAfterGap,
            hitsMax: 0,
            samplesPerEvent: 0
          }
        ]
      }
      default:
        return []
    }
  })
}
