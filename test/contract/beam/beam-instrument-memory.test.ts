// Every beam instrument keeps the contract of its family in memory, under virtual time, with its twin at the far end.
import { inMemory, KINDS } from './beam-benches.ts'
import { describeBeamInstrument, describeSilence } from './beam-instrument.ts'

for (const kind of KINDS) {
  describeBeamInstrument(`${kind.kind} in memory`, () => inMemory(kind))
  describeSilence(`${kind.kind} in memory`, () => inMemory(kind))
}
