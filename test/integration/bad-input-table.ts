/**
 * Plays every case of bad-input-cases.ts and writes what came out as docs/measurements/bad-input.md:
 *
 *     npx node test/integration/bad-input-table.ts
 */
import { readFileSync, writeFileSync } from 'node:fs'
import type { SpillSummary } from '../../console/api/api.ts'
import {
  BOARD,
  MACHINE_CASES,
  playMachine,
  playRole,
  playStream,
  ROLE_CASES,
  SEED,
  STREAM_CASES,
  timeless
} from './bad-input-cases.ts'

const FILE = new URL('../../docs/measurements/bad-input.md', import.meta.url)
/** below this line the file is kept as it is */
const KEPT = '## Random plans'

const row = (...cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`
const same = (a: SpillSummary, b: SpillSummary): boolean =>
  JSON.stringify(timeless(a)) === JSON.stringify(timeless(b))

/** Counts of a source that are not as in a clean spill, and its faults by kind. */
function reported(spill: SpillSummary, device: string): string {
  const source = spill.sources.find((s) => s.device === device)!
  const counts = (['lost', 'duplicate', 'corrupt', 'dropped', 'late'] as const)
    .filter((key) => (source[key] ?? 0) > 0)
    .map((key) => `${key} ${source[key]}`)
  if (source.sent === null) counts.push('sent unknown')
  const faults = Object.entries(source.faults).map(([kind, count]) => `\`${kind}\` ${count}`)
  return [...counts, ...faults].join(', ') || 'nothing'
}

const conditionOf = (condition: readonly string[]): string =>
  condition.filter((bit) => bit !== 'simulated').join(', ') || 'good'

const lines = [
  '# What bad input gets',
  '',
  `Written by \`npx node test/integration/bad-input-table.ts\`: runs of na64mu-2022 in virtual time, seed ${SEED}, fast`,
  'cycle, few muons (about 120 events a spill, two blocks). Each fault is played alone and compared with the same run',
  'without it. `partial` counts the events that are not complete. A next spill that is *the same* agrees in every count,',
  'every hash of its columns and its condition with that of the clean run. `test/integration/bad-input.test.ts` holds all',
  'of it in place.',
  '',
  '## One source of data',
  '',
  'Struck: the first event of a spill, the last and the first of a block, the last of the spill; the first and the last also',
  'in the first spill of the run. Places with the same outcome share a line.',
  '',
  row('fault', 'struck', 'reported', 'partial', 'sums', 'condition', 'next spill'),
  row('---', '---', '---', '---', '---', '---', '---')
]
for (const one of STREAM_CASES) {
  const device = one.device ?? BOARD
  const outcomes = new Map<string, string[]>()
  for (const { event, spill, clean, next, cleanNext } of await playStream(one)) {
    const outcome = row(
      ...[reported(spill, device), spill.eventsPartial, spill.closed ? 'closed' : 'open'],
      ...[conditionOf(spill.condition), same(next, cleanNext) ? 'the same' : conditionOf(next.condition)]
    )
    const isWhole = one.places?.length === 1 && one.muons === undefined
    const where = isWhole ? `spill ${spill.spill}` : `${event}/${clean.eventsBuilt}`
    outcomes.set(outcome, [...(outcomes.get(outcome) ?? []), where])
  }
  const name = `\`${one.kind}\`${device === BOARD ? '' : ` (${device})`}: ${one.what}`
  ;[...outcomes].forEach(([outcome, where], i) =>
    lines.push(`${row(i === 0 ? name : '', where.join(', '))}${outcome.slice(1)}`)
  )
}
lines.push('', '## The machine', '', row('fault', 'reported', 'events', 'sums', 'condition', 'next spill'))
lines.push(row('---', '---', '---', '---', '---', '---'))
for (const one of MACHINE_CASES) {
  const { struck, run } = await playMachine(one)
  const { spill, clean, next, cleanNext } = struck[0]!
  const signal = run.signals.find((s) => s.path === one.signal)
  const told = [
    ...spill.reasons,
    ...(signal === undefined ? [] : [`signal ${signal.path} ${String(signal.value)}`])
  ]
  const events = `${spill.eventsBuilt}${spill.eventsBuilt === clean.eventsBuilt ? '' : ` (clean: ${clean.eventsBuilt})`}`
  lines.push(
    row(
      ...[
        `\`${one.kind}\`: ${one.what}`,
        told.join('; ') || 'nothing: the length is announced, not assumed',
        events
      ],
      ...[
        spill.closed ? 'closed' : 'open',
        conditionOf(spill.condition),
        same(next, cleanNext) ? 'the same' : 'differs'
      ]
    )
  )
}
lines.push(
  ...['', '## Devices that go away, in spill 2 of 6', ''],
  row(
    'fault',
    'role',
    'run ends',
    'condition of the run',
    'spills',
    'spill 2: built + partial',
    'reported of the device'
  ),
  row('---', '---', '---', '---', '---', '---', '---')
)
for (const one of ROLE_CASES) {
  const run = await playRole(one)
  const struck = run.spills[1]!
  lines.push(
    row(
      ...[one.what, one.role, `${run.state}: ${run.status.replace(/memory:\/\/\S+ /, '')}`],
      ...[conditionOf(run.runs[0]!.condition), run.spills.length],
      ...[`${struck.eventsBuilt} + ${struck.eventsPartial}`, reported(struck, one.device)]
    )
  )
}
let kept = ''
try {
  const before = readFileSync(FILE, 'utf8')
  kept = before.includes(KEPT) ? before.slice(before.indexOf(KEPT)) : ''
} catch {
  // the first time
}
writeFileSync(FILE, `${lines.join('\n')}\n${kept === '' ? '' : `\n${kept}`}`)
