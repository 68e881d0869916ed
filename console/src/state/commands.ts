import { effect, signal } from '@preact/signals'
import type { ApiError, Command } from '../../api/api.ts'
import { type CommandProgress, followCommand, sentCommand } from '../logic/command-progress.ts'
import { run } from './store.ts'

/** The last command of this page, with how it stands. */
export const progress = signal<CommandProgress | undefined>(undefined)

/** Limit on the server's answer to a command. */
const COMMAND_MS = 10_000

/** Follows the run state that the server reports; call once. */
export function followRunState(): void {
  effect(() => {
    const current = run.value
    const before = progress.value
    if (current === undefined || before === undefined) return
    progress.value = followCommand(before, current, Date.now())
  })
}

/** Sends a command. What comes of it is in `progress`; this never rejects. */
export async function send(command: Command, label: string): Promise<void> {
  const from = run.value?.state
  if (from === undefined) return
  const sent = sentCommand(command, label, from, Date.now())
  progress.value = sent
  const settle = (phase: 'accepted' | 'failed', why: string): void => {
    // a newer command may be on the page by now
    if (progress.value?.at !== sent.at || progress.value.phase !== 'sent') return
    progress.value = { ...progress.value, phase, why }
  }
  try {
    const response = await fetch('api/command', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(command),
      signal: AbortSignal.timeout(COMMAND_MS)
    })
    if (response.ok) settle('accepted', '')
    else settle('failed', await refusalText(response))
  } catch {
    settle(
      'failed',
      `no answer from the controller within ${COMMAND_MS / 1000} s: it may still be carried out, so watch the run state`
    )
  }
}

async function refusalText(response: Response): Promise<string> {
  try {
    const error = (await response.json()) as Partial<ApiError>
    if (typeof error.message === 'string')
      return typeof error.hint === 'string' ? `${error.message}. ${error.hint}` : error.message
  } catch {
    // not our server's answer: the status is all there is to say
  }
  return `the controller answered ${response.status} ${response.statusText}`
}
