import { decodeMsadc } from '../drivers/digitiser/slink-msadc/decode.ts'
import { decodeTrigger } from '../drivers/trigger/trigger-crate/decode.ts'
import type { DecoderTable } from './event/decode-block.ts'

/** Format -> decoder, for the online pass, its workers and replay. */
export const decoders: DecoderTable = { msadc: decodeMsadc, trigger: decodeTrigger }
