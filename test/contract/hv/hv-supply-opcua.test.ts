// The driver of OPC UA crates keeps the family's contract against a real server, signed and encrypted, with its variables
// in namespace 2 as those of quasar servers.
import { CRATE, onTheWire } from './hv-bench.ts'
import { hvSupplySuite } from './hv-supply.ts'

const GRADE = { isVirtual: false, isMutable: false }

hvSupplySuite('opcua-crate on OPC UA', () => onTheWire(CRATE, 'opc.tcp'), GRADE)
