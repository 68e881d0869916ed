import { useComputed } from '@preact/signals'
import { attentionOf } from '../logic/attention.ts'
import { isLive, snapshot } from '../state/store.ts'
import { SeverityMark } from './marks.tsx'

/** Lines shown; the rest is a number. */
const SHOWN_MAX = 5

/** What needs the shifter, and what to do about it. One quiet line when nothing does. */
export function AttentionBand() {
  const items = useComputed(() => (snapshot.value === undefined ? [] : attentionOf(snapshot.value)))
  if (items.value.length === 0)
    return (
      <section class="attention quiet" aria-label="Attention">
        <p class="muted">
          {isLive.value
            ? 'Nothing needs you.'
            : 'Whether something needs you is not known without the controller.'}
        </p>
      </section>
    )
  const hidden = items.value.length - SHOWN_MAX
  return (
    <section class="attention" aria-label="Attention" role="status">
      <ul>
        {items.value.slice(0, SHOWN_MAX).map((item) => (
          <li key={item.key}>
            <SeverityMark severity={item.severity} />
            <span class="what">{item.what}</span>
            <span class="action">{item.action}</span>
          </li>
        ))}
      </ul>
      {hidden > 0 && <p class="muted">and {hidden} more: see Devices and Signals</p>}
    </section>
  )
}
