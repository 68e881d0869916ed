// The links keep their contracts against the servers of the simulated hall as well: both ends were written from
// docs/hardware alone.
import { SystemClock } from '../../../core/clock.ts'
import { makeIpbusLink } from '../../../drivers/link/ipbus.ts'
import { makeTcpLink } from '../../../drivers/link/tcp.ts'
import { serveIpbus } from '../../../hil-sim/wire/ipbus-udp.ts'
import { serveTcp } from '../../../hil-sim/wire/tcp.ts'
import { describeByteLink } from './byte-link-suite.ts'
import { describeRegisterLink } from './register-link-suite.ts'

describeByteLink('tcp to the simulated hall', async (face) => {
  const twin = { kind: 'bytes' as const, attach: face.attach.bind(face) }
  let wire = await serveTcp(twin)
  const port = Number(new URL(wire.url).port)
  return {
    link: makeTcpLink(wire.url),
    takeAway: () => wire.close(),
    bringBack: async () => {
      wire = await serveTcp(twin, { port })
    },
    end: () => wire.close()
  }
})

describeRegisterLink('ipbus+udp to the simulated hall', async (face) => {
  const wire = await serveIpbus({
    kind: 'registers',
    read: face.read.bind(face),
    write: face.write.bind(face)
  })
  return {
    link: makeIpbusLink(wire.url, new SystemClock(), { replyMs: 30, rounds: 4 }),
    run: (work) => work,
    end: () => wire.close()
  }
})
