// Every beam instrument keeps the contract of its family over its own wire: serial lines, Modbus, UDP, MQTT, TCP.
import { KINDS, onTheWire, probeOverTcp } from './beam-benches.ts'
import { describeBeamInstrument } from './beam-instrument.ts'

for (const kind of KINDS)
  if (kind.kind !== 'magnet') describeBeamInstrument(`${kind.kind} on the wire`, () => onTheWire(kind))
describeBeamInstrument('hall-probe over TCP', () => onTheWire(probeOverTcp()))
