// A tapped link keeps the contract of its kind, and what the tap recorded in each test of that contract, written to
// its file and read again, replays: a puppet that makes the recorded requests hears what was heard.
import { SystemClock } from '../../../core/clock.ts'
import { VirtualClock } from '../../../core/virtual-clock.ts'
import { makeMemoryByteLink } from '../../../drivers/link/memory-bytes.ts'
import { makeMemoryNodeLink } from '../../../drivers/link/memory-nodes.ts'
import { makeMemoryRegisterLink } from '../../../drivers/link/memory-registers.ts'
import { makeMemoryTopicLink, MemoryTopicBus } from '../../../drivers/link/memory-topics.ts'
import { tapped } from '../../../drivers/link/tap.ts'
import { describeByteLink } from './byte-link-suite.ts'
import { benchNodes, nodeLinkSuite } from './node-link-suite.ts'
import { describeRegisterLink } from './register-link-suite.ts'
import { recordAndReplayEachTest } from './tap-bench.ts'
import { topicLinkSuite } from './topic-link-suite.ts'

const { recorder } = recordAndReplayEachTest()

describeByteLink('tapped memory', (face) => {
  const url = 'tcp://memory:1'
  let isThere = true
  const set = (there: boolean): Promise<void> => {
    isThere = there
    return Promise.resolve()
  }
  const link = makeMemoryByteLink(url, {
    attach: (send, hangUp) => {
      if (isThere) return face.attach(send, hangUp)
      hangUp()
      return { receive: () => undefined, closed: () => undefined }
    }
  })
  return Promise.resolve({
    link: tapped(link, recorder().sink(url, 'bytes')),
    takeAway: () => set(false),
    bringBack: () => set(true),
    end: () => Promise.resolve()
  })
})

describeRegisterLink('tapped memory', (face) => {
  const url = 'ipbus+udp://memory:1'
  const virtual = new VirtualClock()
  return Promise.resolve({
    link: tapped(makeMemoryRegisterLink(url, face, virtual), recorder().sink(url, 'registers')),
    run: (work) => virtual.resolve(work),
    end: () => Promise.resolve()
  })
})

topicLinkSuite('in memory, tapped', () => {
  const url = 'mqtt://memory'
  const bus = new MemoryTopicBus()
  const link = tapped(makeMemoryTopicLink(url, bus), recorder().sink(url, 'topics'))
  return Promise.resolve({
    link,
    publish: (topic, payload, retain) => {
      bus.publish(topic, payload, retain)
      return Promise.resolve()
    },
    expectArrival: (topic) =>
      new Promise((resolve) => bus.subscribe({}, topic, (_topic, payload) => resolve(payload))),
    breakOff: () => {
      link.cut('the broker is gone')
      return Promise.resolve()
    },
    repair: () => {
      link.restore()
      return Promise.resolve()
    },
    end: () => Promise.resolve()
  })
})

const nodes = benchNodes()

nodeLinkSuite('in memory, tapped', nodes, () => {
  const url = 'opc.tcp://memory'
  const face = {
    nodes: Object.values(nodes).map((node) => ({
      id: node.id,
      read: () => ({ value: node.value, quality: node.quality, sourceTime: node.sourceTime }),
      ...(node.write === undefined ? {} : { write: node.write })
    }))
  }
  const link = tapped(makeMemoryNodeLink(url, face, new SystemClock()), recorder().sink(url, 'nodes'))
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
