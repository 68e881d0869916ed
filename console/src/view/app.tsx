import { useErrorBoundary } from 'preact/hooks'
import { clockText, durationText } from '../logic/time.ts'
import { isLive, link, now, run, snapshot } from '../state/store.ts'
import { AttentionBand } from './attention-band.tsx'
import { CommandDialog } from './command-dialog.tsx'
import { CommandPanel } from './command-panel.tsx'
import { DevicesPanel } from './devices-panel.tsx'
import { HistogramsPanel } from './histograms-panel.tsx'
import { KeysDialog } from './keys.tsx'
import { SignalsPanel } from './signals-panel.tsx'
import { SpillsPanel } from './spills-panel.tsx'
import { BeamTile, DataTile, ExposureTile, TriggerTile } from './tiles.tsx'
import { TopBar } from './top-bar.tsx'

export function App({ onRetry }: { onRetry: () => void }) {
  const hasFault = useErrorBoundary()[0] !== undefined
  if (hasFault)
    return (
      <p class="connection" role="alert">
        This page met something that it cannot draw. Nothing is changed in the controller. Reload the page;
        when it comes again, tell the DAQ expert.
      </p>
    )
  const simulated = snapshot.value?.simulated === true
  return (
    <div class={`page ${isLive.value ? '' : 'not-live'}`}>
      {simulated && <div class="stripe">SIMULATED</div>}
      <Loss onRetry={onRetry} />
      {snapshot.value !== undefined && <Shift />}
      <CommandDialog />
      <KeysDialog />
    </div>
  )
}

function Shift() {
  return (
    <div class="shift-page">
      <TopBar />
      <AttentionBand />
      <main class="shift">
        <BeamTile />
        <TriggerTile />
        <DataTile />
        <ExposureTile />
        <CommandPanel />
        <SpillsPanel />
        <DevicesPanel />
        <HistogramsPanel />
        <SignalsPanel />
      </main>
    </div>
  )
}

/** Says that nothing on the page is live, since when, and what now. */
function Loss({ onRetry }: { onRetry: () => void }) {
  const current = link.value
  if (current.kind === 'live') return null
  const next =
    current.nextTry === undefined
      ? 'Trying now.'
      : `Trying again in ${durationText(current.nextTry - now.value + 999)}.`
  if (current.kind === 'connecting')
    return (
      <section class="connection waiting" role="status" aria-label="Connection">
        <p>
          <strong>No connection to the controller yet.</strong> {next}
        </p>
        <p>
          Is it running? On its machine: <code>npx spillway run</code>
        </p>
      </section>
    )
  return (
    <section class="connection" role="alert" aria-label="Connection">
      <p>
        <strong>
          Connection lost since {clockText(current.since)} UTC ({durationText(now.value - current.since)}).
        </strong>{' '}
        What is below is old; commands are off. {next}{' '}
        <button type="button" class="small" onClick={onRetry}>
          Try now
        </button>
      </p>
      <p>
        {run.value?.state === 'running' ? 'The run may be going on without this page. ' : ''}
        If it does not come back in a minute: look at another console, then call the DAQ expert. The hardware
        interlocks do not need this page.
      </p>
    </section>
  )
}
