// The trigger crate's driver keeps the contract of its family, in memory and on TCP and UDP, with a crate written
// by hand.
import { silentLog } from '../../../core/log.ts'
import { IpbusTriggerCrate } from '../../../drivers/trigger/trigger-crate/trigger-crate.ts'
import { COUNTERS, CrateFarEnd, type FrontEndLinks, LINES, memoryLinks, wireLinks } from '../front-end.ts'
import { describeTriggerCrate, type TriggerBench } from './trigger-crate-suite.ts'

const SOURCE = 700

async function bench(linksTo: (crate: CrateFarEnd) => Promise<FrontEndLinks>): Promise<TriggerBench> {
  const crate = new CrateFarEnd(SOURCE)
  const links = await linksTo(crate)
  return {
    source: SOURCE,
    counters: COUNTERS,
    lines: LINES,
    make: (wrong) =>
      new IpbusTriggerCrate(
        {
          id: 'crate',
          role: 'essential',
          controlUrl: links.controlUrl,
          dataUrl: links.dataUrl,
          source: wrong === 'source' ? SOURCE + 1 : SOURCE
        },
        { clock: links.clock, links: links.links, log: silentLog }
      ),
    fire: (count) => {
      crate.fire(count)
      return Promise.resolve()
    },
    extraction: (isOn) => {
      if (isOn) crate.startSpill()
      else crate.endSpill()
      return Promise.resolve()
    },
    cutData: () => {
      crate.bridge.cut()
      return Promise.resolve()
    },
    run: links.run,
    end: links.end
  }
}

describeTriggerCrate('trigger-crate in memory', () => bench(memoryLinks))
describeTriggerCrate('trigger-crate on the wire', () => bench(wireLinks))
