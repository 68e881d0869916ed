// A node link in memory keeps the contract of node links: shown by the suite that the OPC UA link passes too.
import { SystemClock } from '../../../core/clock.ts'
import { makeMemoryNodeLink } from '../../../drivers/link/memory-nodes.ts'
import { benchNodes, type BenchNode, nodeLinkSuite } from './node-link-suite.ts'

const nodes = benchNodes()
const face = {
  nodes: Object.values(nodes).map((node: BenchNode) => ({
    id: node.id,
    read: () => ({ value: node.value, quality: node.quality, sourceTime: node.sourceTime }),
    ...(node.write === undefined ? {} : { write: node.write })
  }))
}

nodeLinkSuite('in memory', nodes, () => {
  const link = makeMemoryNodeLink('opc.tcp://memory', face, new SystemClock())
  return {
    link,
    breakOff: () => {
      link.cut('the server is gone')
      return Promise.resolve()
    },
    repair: () => {
      link.restore()
      return Promise.resolve()
    }
  }
})
