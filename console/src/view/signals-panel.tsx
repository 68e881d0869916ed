import { useComputed } from '@preact/signals'
import type { SignalSummary } from '../../api/api.ts'
import { NONE, unitText, valueText } from '../logic/format.ts'
import { groupSignals, type SignalRow } from '../logic/signal-groups.ts'
import { ageMs, durationText } from '../logic/time.ts'
import { devices, isLive, serverNow, signals } from '../state/store.ts'
import { SeverityMark } from './marks.tsx'
import { Tile } from './tiles.tsx'

/** Voltages, interlocks, environment ... by device, what is not good first. */
export function SignalsPanel() {
  const groups = useComputed(() => groupSignals(signals.value, devices.value))
  return (
    <Tile name="Signals" class="signals">
      <div class="scroll" tabIndex={0} role="region" aria-label="Signals by device">
        {groups.value.length === 0 && <p class="muted">No signals.</p>}
        <div class="signal-columns">
          {groups.value.map((group) => (
            <div key={group.device} class="signal-group">
              <h3>
                {group.device} <span class="muted">{group.kind}</span>
              </h3>
              <dl>
                {group.rows.map((row) => (
                  <Row key={row.signal.path} row={row} />
                ))}
              </dl>
            </div>
          ))}
        </div>
      </div>
    </Tile>
  )
}

function Row({ row: { signal, name } }: { row: SignalRow }) {
  return (
    <div class={`signal quality-${signal.quality}`}>
      <dt title={signal.path}>{name}</dt>
      <dd>
        <Value signal={signal} />
      </dd>
    </div>
  )
}

/** A value that is not confirmed any more stays, struck, with its age. */
function Value({ signal }: { signal: SignalSummary }) {
  const text = `${valueText(signal.value)}${signal.unit === '' || signal.value === null ? '' : ` ${unitText(signal.unit)}`}`
  if (signal.quality === 'stale' || !isLive.value)
    return (
      <>
        <s>{text}</s> <Age utc={signal.utc} />
      </>
    )
  if (signal.quality === 'good') return <>{text}</>
  return (
    <>
      <SeverityMark severity={signal.quality === 'bad' ? 'warning' : 'advice'} /> {text}{' '}
      <span class="quality">{signal.quality}</span>
    </>
  )
}

function Age({ utc }: { utc: string | null }) {
  const age = ageMs(utc, serverNow.value)
  return <span class="stale-age">{age === undefined ? NONE : `${durationText(age)} old`}</span>
}
