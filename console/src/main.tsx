import { batch, effect } from '@preact/signals'
import { render } from 'preact'
import { RUN_LOOKS } from '../api/run-looks.ts'
import type { Histogram } from '../api/api.ts'
import { browserWires } from './state/browser-wires.ts'
import { followRunState } from './state/commands.ts'
import { Connection } from './state/connection.ts'
import { clockOffset, firstHistograms, heardAt, isLive, link, now, snapshot, view } from './state/store.ts'
import { App } from './view/app.tsx'
import { onKey } from './view/keys.tsx'

/** Ages and countdowns move so often. */
const TICK_MS = 250

const tick = (): void => {
  now.value = Date.now()
}
tick()
setInterval(tick, TICK_MS)

let isClockKnown = false
const connection = new Connection(browserWires, {
  view: (next, message) => {
    batch(() => {
      view.value = next
      heardAt.value = Date.now()
      const offset = Date.parse(message.utc) - heardAt.value
      // messages are late by what the network and a quiet server add: the newest-looking one is nearest
      if (!isClockKnown || offset > clockOffset.value) clockOffset.value = Number.isNaN(offset) ? 0 : offset
      isClockKnown = true
    })
  },
  link: (next) => {
    // a new connection may be to a server whose clock was set
    if (next.kind !== 'live') isClockKnown = false
    link.value = next
  }
})
link.value = connection.link

followRunState()
effect(() => {
  const current = snapshot.value
  if (current === undefined) return
  const { run, experiment, simulated } = current
  document.title = [
    ...(simulated ? ['SIMULATED'] : []),
    isLive.value ? RUN_LOOKS[run.state].word : 'Connection lost',
    ...(run.number === null ? [] : [`run ${run.number}`]),
    experiment
  ].join(' · ')
})

/** The feed sends histograms every few seconds; a new page need not wait for the next ones. */
async function fetchHistograms(): Promise<void> {
  try {
    const response = await fetch('api/histograms', { signal: AbortSignal.timeout(5000) })
    if (!response.ok) return
    const histograms = (await response.json()) as Histogram[]
    if (Array.isArray(histograms)) firstHistograms.value = histograms
  } catch {
    // the feed brings them
  }
}

const root = document.getElementById('page')
if (root !== null) render(<App onRetry={() => connection.connect()} />, root)
document.addEventListener('keydown', onKey)
addEventListener('online', () => connection.connect())
connection.connect()
void fetchHistograms()
