import { signal } from '@preact/signals'
import type { SpillSummary } from '../../api/api.ts'
import { countText } from '../logic/format.ts'
import { isLoss, LEDGER_COLUMNS, reasonText, verdictOf } from '../logic/spill-verdict.ts'
import { clockText } from '../logic/time.ts'
import { spills } from '../state/store.ts'
import { VerdictMark } from './marks.tsx'
import { Tile } from './tiles.tsx'

const keyOf = (spill: SpillSummary): string => `${spill.run}/${spill.spill}`
/** the spill whose reason is shown: under the pointer or focused */
const looked = signal<string | undefined>(undefined)
/** the spill whose ledger is shown; undefined: always the last */
const picked = signal<string | undefined>(undefined)

/** The last 20 spills as squares, and the ledger of one of them. */
export function SpillsPanel() {
  const list = spills.value
  const last = list.at(-1)
  const looking = list.find((spill) => keyOf(spill) === looked.value)
  const shown = list.find((spill) => keyOf(spill) === picked.value) ?? last
  const line = looking ?? shown
  return (
    <Tile name="Last spills" class="spills">
      <SpillStrip list={list} shown={shown} />
      <p class="spill-line" data-testid="spill-line">
        {line === undefined ? 'No spill yet.' : spillLine(line)}
      </p>
      {shown !== undefined && (
        <>
          <div class="ledger-head">
            <h3>
              Ledger of spill {shown.spill}
              {shown === last ? ', the last' : ''}, in fragments
            </h3>
            {shown !== last && (
              <button type="button" class="small" onClick={() => (picked.value = undefined)}>
                Show the last spill
              </button>
            )}
          </div>
          <LedgerTable spill={shown} />
        </>
      )}
    </Tile>
  )
}

function spillLine(spill: SpillSummary): string {
  const muons = spill.muonsOnTarget === null ? 'muons not counted' : `${countText(spill.muonsOnTarget)} muons`
  return `Run ${spill.run}, spill ${spill.spill}, ${clockText(spill.utc)}: ${reasonText(spill)}. ${muons}, ${countText(spill.eventsBuilt)} events.`
}

/** One stop of the tab key; arrows move along it, Enter shows the ledger. */
function SpillStrip({ list, shown }: { list: readonly SpillSummary[]; shown: SpillSummary | undefined }) {
  const onKeyDown = (event: KeyboardEvent & { currentTarget: HTMLElement }): void => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
    if (step === undefined) return
    const squares = [...event.currentTarget.querySelectorAll('button')]
    const at = squares.findIndex((square) => square === document.activeElement)
    squares[at + step]?.focus()
    event.preventDefault()
  }
  const empty = Math.max(0, 20 - list.length)
  return (
    <div
      class="strip"
      id="spill-strip"
      role="group"
      aria-label="Last spills, oldest first"
      onKeyDown={onKeyDown}
    >
      {Array.from({ length: empty }, (_, i) => (
        <span key={`empty ${i}`} class="square empty" aria-hidden="true" />
      ))}
      {list.map((spill) => {
        const key = keyOf(spill)
        const verdict = verdictOf(spill)
        return (
          <button
            key={key}
            type="button"
            class={`square ${spill === shown ? 'shown' : ''}`}
            tabIndex={spill === shown ? 0 : -1}
            aria-pressed={spill === shown}
            aria-label={`Spill ${spill.spill}: ${verdict}${verdict === 'good' ? '' : `, ${reasonText(spill)}`}`}
            onMouseEnter={() => (looked.value = key)}
            onMouseLeave={() => (looked.value = undefined)}
            onFocus={() => (looked.value = key)}
            onBlur={() => (looked.value = undefined)}
            onClick={() => (picked.value = spill === list.at(-1) ? undefined : key)}
          >
            <VerdictMark verdict={verdict} />
          </button>
        )
      })}
    </div>
  )
}

function LedgerTable({ spill }: { spill: SpillSummary }) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={`Ledger of spill ${spill.spill}`}>
      <table class="ledger">
        <thead>
          <tr>
            <th scope="col">source</th>
            {LEDGER_COLUMNS.map((column) => (
              <th key={column} scope="col" class="number">
                {column}
              </th>
            ))}
            <th scope="col">sums</th>
          </tr>
        </thead>
        <tbody>
          {spill.sources.map((source) => (
            <tr key={source.source}>
              <th scope="row">
                {source.device} <span class="muted">{source.source}</span>
              </th>
              {LEDGER_COLUMNS.map((column) => (
                <td key={column} class={isLoss(column, source[column]) ? 'number loss' : 'number'}>
                  {countText(source[column])}
                </td>
              ))}
              <td class={source.closed ? '' : 'loss'}>{source.closed ? 'closed' : 'open'}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <Faults spill={spill} />
    </div>
  )
}

/** What damaged the streams, by kind. */
function Faults({ spill }: { spill: SpillSummary }) {
  const lines = spill.sources.flatMap((source) => {
    const kinds = Object.entries(source.faults).filter(([, count]) => count > 0)
    return kinds.length === 0
      ? []
      : [`${source.device}: ${kinds.map(([kind, count]) => `${kind} ${countText(count)}`).join(', ')}`]
  })
  return lines.length === 0 ? null : <p class="faults">Faults in the streams: {lines.join('; ')}</p>
}
