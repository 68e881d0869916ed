import { computed, signal } from '@preact/signals'
import type { Histogram } from '../../api/api.ts'
import { EMPTY_VIEW, type LiveView } from '../logic/live.ts'
import type { LinkState } from './connection.ts'

/** What is known, as signals: a part of the page is drawn again only when its own part of the snapshot changes. */
export const view = signal<LiveView>(EMPTY_VIEW)
export const link = signal<LinkState>({ kind: 'connecting', since: 0, nextTry: undefined })
/** ms, page clock; moves four times a second */
export const now = signal(0)
/** server's clock minus page clock, ms, from the newest message: phones and control rooms disagree */
export const clockOffset = signal(0)
/** ms, page clock: when the newest datum came */
export const heardAt = signal(0)

export const snapshot = computed(() => view.value.snapshot)
export const run = computed(() => snapshot.value?.run)
export const spill = computed(() => snapshot.value?.spill)
export const spills = computed(() => snapshot.value?.spills ?? [])
export const devices = computed(() => snapshot.value?.devices ?? [])
export const signals = computed(() => snapshot.value?.signals ?? [])
export const commands = computed(() => snapshot.value?.commands ?? [])
/** those that were fetched when the page opened, until the feed brings some */
export const firstHistograms = signal<readonly Histogram[]>([])
export const histograms = computed(() =>
  view.value.histograms.length > 0 ? view.value.histograms : firstHistograms.value
)
export const isLive = computed(() => link.value.kind === 'live')
/** ms on the server's clock: what ages and countdowns are taken from */
export const serverNow = computed(() => now.value + clockOffset.value)
/** the same, standing still while the connection is lost: nothing counts on from what is not known */
export const knownNow = computed(() => (isLive.value ? serverNow.value : heardAt.value + clockOffset.value))
