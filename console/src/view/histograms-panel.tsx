import { signal } from '@preact/signals'
import type { Histogram } from '../../api/api.ts'
import { countText } from '../logic/format.ts'
import { plotHistogram } from '../logic/histogram-plot.ts'
import { histograms } from '../state/store.ts'
import { Tile } from './tiles.tsx'

export const scale = signal<'linear' | 'log'>('log')

export function toggleScale(): void {
  scale.value = scale.value === 'log' ? 'linear' : 'log'
}

/** Live spectra of this run. What fell outside the axis is said in numbers. */
export function HistogramsPanel() {
  return (
    <Tile name="Energy" class="histograms">
      <button
        type="button"
        class="small scale"
        aria-label={`Scale is ${scale.value === 'log' ? 'logarithmic' : 'linear'}; change`}
        onClick={toggleScale}
      >
        {scale.value === 'log' ? 'Make linear' : 'Make logarithmic'}
      </button>
      <div class="scroll plots" tabIndex={0} role="region" aria-label="Energy histograms">
        {histograms.value.length === 0 && <p class="muted">No histograms yet.</p>}
        {histograms.value.map((histogram) => (
          <Plot key={histogram.name} histogram={histogram} />
        ))}
      </div>
    </Tile>
  )
}

/** Box of the bins; the page stretches it, so that texts keep their size. */
const BOX = { width: 400, height: 100 }

function Plot({ histogram }: { histogram: Histogram }) {
  const { path, xTicks, yTicks } = plotHistogram(histogram, BOX, scale.value)
  const { title, unit, entries, underflow, overflow } = histogram
  return (
    <figure class="plot">
      <figcaption>
        {title} <span class="muted">({unit})</span>
      </figcaption>
      <div class="plot-area">
        {yTicks.map((tick) => (
          <span key={tick.text} class="tick y" style={{ top: `${(100 * tick.at) / BOX.height}%` }}>
            {tick.text}
          </span>
        ))}
        <svg
          viewBox={`0 0 ${BOX.width} ${BOX.height}`}
          preserveAspectRatio="none"
          role="img"
          aria-label={`${title}: ${entries} entries, ${underflow} below and ${overflow} above the axis`}
        >
          {yTicks.map((tick) => (
            <line key={tick.text} class="grid" x1="0" x2={BOX.width} y1={tick.at} y2={tick.at} />
          ))}
          <path class="bins" d={path} />
        </svg>
        {xTicks.map((tick) => (
          <span key={tick.text} class="tick x" style={{ left: `${(100 * tick.at) / BOX.width}%` }}>
            {tick.text}
          </span>
        ))}
      </div>
      <p class="muted plot-facts">
        {countText(entries)} entries, {countText(underflow)} below, {countText(overflow)} above
      </p>
    </figure>
  )
}
