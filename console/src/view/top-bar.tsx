import { useComputed } from '@preact/signals'
import { RUN_LOOKS } from '../../api/run-looks.ts'
import { NONE } from '../logic/format.ts'
import { clockText, durationText, phaseView } from '../logic/time.ts'
import { heardAt, knownNow, now, run, serverNow, snapshot, spill } from '../state/store.ts'
import { KeysHint } from './keys.tsx'
import { RunShape } from './marks.tsx'

/** Data older than this are worth a word, although the connection stands. */
const OLD_MS = 6000

/** On every page: run state, run, conditions, the SPS, how old all this is. */
export function TopBar() {
  return (
    <header class="top-bar">
      <RunState />
      <PhaseBar />
      <Ages />
    </header>
  )
}

function RunState() {
  const current = run.value
  if (current === undefined) return <section class="run-state" aria-label="Run" />
  const look = RUN_LOOKS[current.state]
  return (
    <section class={`run-state tint-${look.tint}`} aria-label="Run">
      <div class="run-word">
        <RunShape shape={look.shape} />
        <strong data-testid="run-state">{look.word}</strong>
        <span class="run-number">{current.number === null ? 'no run' : `run ${current.number}`}</span>
      </div>
      <div class="moving" aria-hidden="true">
        {look.isMoving && <span />}
      </div>
      <p class="status" title={current.status}>
        {current.status}
      </p>
      <p class="conditions">
        <Since utc={current.since} />
        {current.condition.map((bit) => (
          <span key={bit} class={`chip ${bit === 'simulated' ? 'simulated' : 'abnormal'}`}>
            {bit}
          </span>
        ))}
      </p>
    </section>
  )
}

function Since({ utc }: { utc: string }) {
  const age = durationText(knownNow.value - Date.parse(utc))
  return (
    <span class="muted">
      for {age}, since {clockText(utc)}
    </span>
  )
}

function PhaseBar() {
  const current = spill.value
  if (current === undefined) return <section class="phase" aria-label="Spill" />
  const { word, seconds, caption, position, extractionShare } = phaseView(current, knownNow.value)
  const source = { sps: 'SPS', artificial: 'Artificial spills', continuous: 'Continuous' }[current.source]
  return (
    <section class="phase" aria-label="Spill">
      <div class="phase-line">
        <span class="phase-word" data-testid="phase">
          {word}
        </span>
        <span class="big" data-testid="countdown">
          {seconds}
        </span>
        <span class="muted">{caption}</span>
        <span class="muted phase-source">
          {source}
          {current.number === null ? '' : `, spill ${current.number}`}
        </span>
      </div>
      <svg
        class="phase-track"
        viewBox="0 0 1000 26"
        preserveAspectRatio="none"
        role="img"
        aria-label={
          position === undefined
            ? 'place in the cycle not known'
            : `${Math.round(position * 100)} percent of the cycle`
        }
      >
        <rect class="cycle" x="0" y="4" width="1000" height="18" />
        {extractionShare !== undefined && (
          <rect class="extraction" x="0" y="4" width={extractionShare * 1000} height="18" />
        )}
        {position !== undefined && (
          <rect
            class="hand"
            x={Math.min(996, Math.max(0, position * 1000 - 2))}
            y="0"
            width="5"
            height="26"
          />
        )}
      </svg>
      <div class="phase-legend muted">
        <span>extraction</span>
        <span>
          {current.cycleLengthMs === null ? '' : `cycle ${(current.cycleLengthMs / 1000).toFixed(1)} s`}
        </span>
      </div>
    </section>
  )
}

function Ages() {
  const isOld = useComputed(() => now.value - heardAt.value > OLD_MS)
  return (
    <section class="ages" aria-label="Time">
      <div class="clock">
        <span>
          <span class="tabular">{clockText(serverNow.value)}</span> <span class="muted">UTC</span>
        </span>
        <KeysHint />
      </div>
      <div class={isOld.value ? 'age old' : 'age muted'} data-testid="age">
        newest datum {snapshot.value === undefined ? NONE : `${durationText(now.value - heardAt.value)} old`}
      </div>
      <div class="muted experiment">{snapshot.value?.title ?? ''}</div>
    </section>
  )
}
