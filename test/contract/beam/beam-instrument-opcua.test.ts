// The magnet keeps the contract of beam instruments over OPC UA; apart from the others, because its servers start slowly.
import { kindOf, onTheWire } from './beam-benches.ts'
import { describeBeamInstrument } from './beam-instrument.ts'

describeBeamInstrument('magnet on the wire', () => onTheWire(kindOf('magnet')))
