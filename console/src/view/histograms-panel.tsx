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

const WIDTH = 300
const HEIGHT = 104
const LEFT = 50
const BOTTOM = 22
const TOP = 6

function Plot({ histogram }: { histogram: Histogram }) {
  const { path, xTicks, yTicks } = plotHistogram(histogram, { width: WIDTH, height: HEIGHT }, scale.value)
  const { title, unit, entries, underflow, overflow } = histogram
  return (
    <figure class="plot">
      <figcaption>
        <span>
          {title} <span class="muted">({unit})</span>
        </span>
      </figcaption>
      <svg
        viewBox={`0 0 ${LEFT + WIDTH + 14} ${TOP + HEIGHT + BOTTOM}`}
        role="img"
        aria-label={`${title}: ${entries} entries, ${underflow} below and ${overflow} above the axis`}
      >
        <g transform={`translate(${LEFT} ${TOP})`}>
          {yTicks.map((tick) => (
            <g key={tick.text}>
              <line class="grid" x1="0" x2={WIDTH} y1={tick.at} y2={tick.at} />
              <text class="tick" x="-6" y={tick.at + 5} text-anchor="end">
                {tick.text}
              </text>
            </g>
          ))}
          <path class="bins" d={path} />
          <line class="axis" x1="0" x2={WIDTH} y1={HEIGHT} y2={HEIGHT} />
          {xTicks.map((tick) => (
            <text key={tick.text} class="tick" x={tick.at} y={HEIGHT + 18} text-anchor="middle">
              {tick.text}
            </text>
          ))}
        </g>
      </svg>
      <p class="muted plot-facts">
        {countText(entries)} entries, {countText(underflow)} below, {countText(overflow)} above
      </p>
    </figure>
  )
}
