// Every high-voltage driver keeps the family's contract against its twin in memory, under virtual time. Both ends were
// written from docs/hardware alone.
import { CAEN, CRATE, inMemory, ISEG } from './hv-bench.ts'
import { hvSupplySuite } from './hv-supply.ts'

const GRADE = { isVirtual: true, isMutable: true }

hvSupplySuite('iseg-scpi in memory', () => inMemory(ISEG), GRADE)
hvSupplySuite('caen-n1470 in memory', () => inMemory(CAEN), GRADE)
hvSupplySuite('opcua-crate in memory', () => inMemory(CRATE), GRADE)
