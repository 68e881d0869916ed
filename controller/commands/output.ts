import type { SpillSummary } from '../../console/api/api.ts'
import { isCode, ErrorCode, failureOf, sentence, SpillwayError } from '../../core/errors.ts'

/** Exit codes of every command. */
export const Exit = { done: 0, failed: 1, usage: 2 } as const

/** Writes the one JSON document of a command; resolves when it has left the process. */
export function printJson(document: unknown): Promise<void> {
  return new Promise((resolve) =>
    process.stdout.write(`${JSON.stringify(document, null, 2)}\n`, () => resolve())
  )
}

/** The same for a long list: `fields`, then `name` element by element, so that no string holds it all. */
export async function printJsonList(
  fields: Readonly<Record<string, unknown>>,
  name: string,
  list: readonly unknown[]
): Promise<void> {
  const write = (text: string): Promise<void> =>
    new Promise((resolve) => process.stdout.write(text, () => resolve()))
  await write(`${JSON.stringify(fields).slice(0, -1)},${JSON.stringify(name)}:[`)
  for (const [index, element] of list.entries())
    await write(`${index === 0 ? '' : ','}\n${JSON.stringify(element)}`)
  await write(']}\n')
}

export const print = (line: string): void => void process.stdout.write(`${line}\n`)
/** For people, apart from results: progress and warnings. */
export const tell = (line: string): void => void process.stderr.write(`${line}\n`)

/** Says what is wrong and what to do; returns the exit code. */
export async function reportFailure(error: unknown, asJson: boolean): Promise<number> {
  const isUsage =
    isCode(error, ErrorCode.usage) ||
    isCode(error, ErrorCode.configuration) ||
    isCode(error, ErrorCode.notFound)
  const known = error instanceof SpillwayError ? error : undefined
  tell(`spillway: ${sentence(error)}`)
  for (const fault of known?.details.faults ?? [])
    tell(`  ${fault.where}: ${fault.what}${fault.hint === undefined ? '' : ` (${fault.hint})`}`)
  if (asJson) await printJson({ error: failureOf(error) })
  return isUsage ? Exit.usage : Exit.failed
}

/** A spill as `run`, `spills` and `ledger` print it. */
export function spillDocument(spill: SpillSummary): Record<string, unknown> {
  return {
    run: spill.run,
    number: spill.spill,
    utc: spill.utc,
    condition: spill.condition,
    reasons: spill.reasons,
    muonsOnTarget: spill.muonsOnTarget,
    liveFraction: spill.liveFraction,
    triggers: spill.triggers,
    built: spill.eventsBuilt,
    partial: spill.eventsPartial,
    selected: spill.eventsSelected,
    closed: spill.closed,
    columnHash: spill.columnHash,
    sources: spill.sources
  }
}

/** A spill as one line of a terminal. */
export function spillLine(spill: SpillSummary): string {
  const condition = spill.condition.filter((c) => c !== 'simulated')
  const muons =
    spill.muonsOnTarget === null ? 'muons unknown' : `${spill.muonsOnTarget.toExponential(3)} muons on target`
  const ledger = spill.closed
    ? 'ledger closed'
    : `LEDGER OPEN (${spill.sources
        .filter((s) => !s.closed)
        .map((s) => s.device)
        .join(', ')})`
  const verdict = condition.length === 0 ? 'good' : `${condition.join('+')}: ${spill.reasons.join('; ')}`
  return (
    `run ${spill.run} spill ${String(spill.spill).padStart(3)}  ${muons}  ${spill.eventsBuilt} events` +
    `${spill.eventsPartial > 0 ? ` + ${spill.eventsPartial} partial` : ''}  ${spill.eventsSelected} selected  ${ledger}  ${verdict}`
  )
}
