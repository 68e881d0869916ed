// The drivers of supplies that speak lines keep the family's contract on real wires: a serial line (a pty) and TCP. Both
// ends live in one virtual time, the wires do not. (caen-n1470.test.ts has the serial line with XON/XOFF.)
import { CAEN, ISEG, onTheWire } from './hv-bench.ts'
import { hvSupplySuite } from './hv-supply.ts'

const GRADE = { isVirtual: false, isMutable: true }

hvSupplySuite('iseg-scpi on a serial line', () => onTheWire(ISEG, 'serial'), GRADE)
hvSupplySuite('caen-n1470 on TCP', () => onTheWire(CAEN, 'tcp'), GRADE)
