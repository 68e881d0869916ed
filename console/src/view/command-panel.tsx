import { signal } from '@preact/signals'
import type { Command } from '../../api/api.ts'
import { type CommandProgress, commandLabel, refusal } from '../logic/command-progress.ts'
import { clockText, durationText } from '../logic/time.ts'
import { progress } from '../state/commands.ts'
import { commands, isLive, now, run } from '../state/store.ts'
import { SeverityMark } from './marks.tsx'
import { Tile } from './tiles.tsx'

export interface OpenDialog {
  readonly name: Command['name']
  /** the run that the reader meant: another one needs another look */
  readonly run: number | null
}
export const openDialog = signal<OpenDialog | undefined>(undefined)

const NAMES: readonly Command['name'][] = ['start', 'stop', 'recover', 'make-safe']

/** Buttons name the action; why one is off stands beside it; how the last command went stands below. */
export function CommandPanel() {
  const number = run.value?.number ?? null
  return (
    <Tile name="Commands" class="commands">
      <ul>
        {NAMES.map((name) => {
          const why = refusal(name, commands.value, isLive.value)
          return (
            <li key={name}>
              <button
                type="button"
                id={`command-${name}`}
                disabled={why !== undefined}
                aria-describedby={`why-${name}`}
                onClick={() => (openDialog.value = { name, run: number })}
              >
                {commandLabel(name, number)}
              </button>
              <span id={`why-${name}`} class="muted why" title={why ?? ''}>
                {why ?? ''}
              </span>
            </li>
          )
        })}
      </ul>
      <Progress />
    </Tile>
  )
}

/** An accepted command that is not done after this is worth a word. */
const SLOW_MS = 60_000

function Progress() {
  const current = progress.value
  return (
    <p class={`progress ${current?.phase ?? ''}`} role="status" data-testid="progress">
      {current === undefined ? (
        <span class="muted">No command given from this page.</span>
      ) : (
        <Words of={current} />
      )}
    </p>
  )
}

function Words({ of: { label, phase, why, at } }: { of: CommandProgress }) {
  switch (phase) {
    case 'sent':
      return <>{label}: sent, waiting for the controller</>
    case 'accepted':
      return (
        <>
          {label}: accepted, not done yet
          {now.value - at > SLOW_MS ? ` after ${durationText(now.value - at)}: see the run state` : ''}
        </>
      )
    case 'done':
      return (
        <>
          {label}: done, {clockText(at)}
        </>
      )
    case 'failed':
      return (
        <>
          <SeverityMark severity="warning" /> {label}: failed, {why}
        </>
      )
  }
}
