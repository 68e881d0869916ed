// The MSADC driver keeps the contract of digitisers, in memory and on TCP and UDP, with a board written by hand.
import { silentLog } from '../../../core/log.ts'
import { SlinkMsadc } from '../../../drivers/digitiser/slink-msadc/slink-msadc.ts'
import { type FrontEndLinks, memoryLinks, MODULES, MsadcFarEnd, wireLinks } from '../front-end.ts'
import { describeDigitiser, type DigitiserBench } from './digitiser-suite.ts'

const SOURCE = 600

async function bench(linksTo: (board: MsadcFarEnd) => Promise<FrontEndLinks>): Promise<DigitiserBench> {
  const board = new MsadcFarEnd(SOURCE)
  const links = await linksTo(board)
  return {
    source: SOURCE,
    modules: MODULES,
    make: (wrong) =>
      new SlinkMsadc(
        {
          id: 'msadc',
          role: 'required',
          controlUrl: links.controlUrl,
          dataUrl: links.dataUrl,
          source: wrong === 'source' ? SOURCE + 1 : SOURCE,
          modules: wrong === 'modules' ? MODULES.slice(1) : MODULES
        },
        { clock: links.clock, links: links.links, log: silentLog }
      ),
    spill: (spill, events) => {
      board.spill(spill, events)
      return Promise.resolve()
    },
    cutData: () => {
      board.bridge.cut()
      return Promise.resolve()
    },
    silence: (isSilent) => {
      board.isSilent = isSilent
    },
    run: links.run,
    end: links.end
  }
}

describeDigitiser('slink-msadc in memory', () => bench(memoryLinks))
describeDigitiser('slink-msadc on the wire', () => bench(wireLinks))
