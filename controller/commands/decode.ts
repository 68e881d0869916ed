import { decodeFile, parseSources } from '../store/decode.ts'
import { Exit, print, printJsonList } from './output.ts'

/** `decode`: a DATE file, plain or zstd, with typed faults. Faults are results, not failures: exit 0. */
export async function decodeCommand(file: string, sources: string, asJson: boolean): Promise<number> {
  const decoded = decodeFile(file, parseSources(sources))
  if (asJson) {
    const { events, ...file } = decoded
    await printJsonList({ ...file }, 'events', events)
    return Exit.done
  }
  let faults = 0
  for (const event of decoded.events) {
    faults += event.faults.length
    print(
      `@${event.offset}  type ${event.type}  run ${event.run}  spill ${event.spill}  event ${event.nbInSpill}  ` +
        `${event.size} bytes  ${event.subs.length} sub-events`
    )
    for (const fault of event.faults) print(`    ${JSON.stringify(fault)}`)
  }
  for (const fault of decoded.faults ?? []) print(`between events: ${JSON.stringify(fault)}`)
  print(
    `${decoded.bytes} bytes, ${decoded.events.length} events, ${faults + (decoded.faults ?? []).length} faults`
  )
  return Exit.done
}
