import { signal } from '@preact/signals'
import { Dialog } from './dialog.tsx'
import { toggleScale } from './histograms-panel.tsx'

const isOpen = signal(false)

const KEYS: readonly (readonly [string, string])[] = [
  ['?', 'this list'],
  ['Esc', 'leave a window'],
  ['Tab', 'next control'],
  ['s', 'go to the strip of spills'],
  ['← →', 'along the strip; Enter shows the ledger of that spill'],
  ['c', 'go to the commands (gives none)'],
  ['l', 'energy axis linear or logarithmic']
]

/** What a key does; no single key gives a command. */
export function onKey(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target instanceof HTMLInputElement) return
  if (document.querySelector('dialog[open]') !== null) return
  switch (event.key) {
    case '?':
      isOpen.value = true
      break
    case 's':
      document.querySelector<HTMLElement>('#spill-strip [tabindex="0"]')?.focus()
      break
    case 'c':
      document.querySelector<HTMLElement>('.commands button:enabled')?.focus()
      break
    case 'l':
      toggleScale()
      break
    default:
      return
  }
  event.preventDefault()
}

export function KeysDialog() {
  if (!isOpen.value) return null
  return (
    <Dialog name="Keys" onLeave={() => (isOpen.value = false)}>
      <h2>Keys</h2>
      <dl class="keys">
        {KEYS.map(([key, does]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <p class="muted">No single key starts, stops or switches anything.</p>
      <div class="actions">
        <button type="button" onClick={() => (isOpen.value = false)}>
          Close
        </button>
      </div>
    </Dialog>
  )
}

export function KeysHint() {
  return (
    <button type="button" class="small keys-hint" onClick={() => (isOpen.value = true)}>
      Keys: <kbd>?</kbd>
    </button>
  )
}
