import type { ComponentChildren } from 'preact'
import { goodFraction, meanMuons } from '../logic/spill-verdict.ts'
import { countText, NONE, percentText } from '../logic/format.ts'
import { run, spill, spills } from '../state/store.ts'
import { SeverityMark } from './marks.tsx'

export function Tile(props: { name: string; class?: string; children: ComponentChildren }) {
  return (
    <section class={`tile ${props.class ?? ''}`} aria-label={props.name}>
      <h2>{props.name}</h2>
      {props.children}
    </section>
  )
}

function Big(props: { value: string; caption: string; testid?: string }) {
  return (
    <p class="big-line">
      <span class="big" data-testid={props.testid}>
        {props.value}
      </span>
      <span class="muted">{props.caption}</span>
    </p>
  )
}

function Facts({ rows }: { rows: readonly (readonly [string, ComponentChildren])[] }) {
  return (
    <dl class="facts">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}

export function BeamTile() {
  const last = spills.value.at(-1)
  return (
    <Tile name="Beam">
      <Big
        value={countText(last?.muonsOnTarget ?? null)}
        caption={last === undefined ? 'muons, no spill yet' : `muons, spill ${last.spill}`}
        testid="muons-spill"
      />
      <Facts
        rows={[
          [lastText('mean of', spills.value.length), countText(meanMuons(spills.value))],
          ['events in this spill', countText(spill.value?.events ?? null)]
        ]}
      />
    </Tile>
  )
}

export function TriggerTile() {
  const last = spills.value.at(-1)
  const lines = last?.triggers ?? null
  return (
    <Tile name="Trigger">
      <Big value={percentText(last?.liveFraction ?? null)} caption="live" testid="live" />
      {lines === null ? (
        <p class="muted">{last === undefined ? 'no spill yet' : 'the scalers were not read'}</p>
      ) : (
        <Facts rows={Object.entries(lines).map(([line, count]) => [line, countText(count)])} />
      )}
    </Tile>
  )
}

export function DataTile() {
  const last = spills.value.at(-1)
  return (
    <Tile name="Data">
      <Big
        value={countText(last?.eventsBuilt ?? null)}
        caption={last === undefined ? 'events, no spill yet' : `events built, spill ${last.spill}`}
        testid="built"
      />
      <Facts
        rows={[
          ['partial', countText(last?.eventsPartial ?? null)],
          ['selected', countText(last?.eventsSelected ?? null)],
          [
            'ledger',
            last === undefined ? (
              NONE
            ) : last.closed ? (
              'closed'
            ) : (
              <span class="warn-text">
                <SeverityMark severity="warning" /> does not close
              </span>
            )
          ]
        ]}
      />
    </Tile>
  )
}

export function ExposureTile() {
  const current = run.value
  const wanted = current?.spillsWanted ?? null
  return (
    <Tile name="Exposure">
      <Big
        value={countText(current?.muonsOnTarget ?? null)}
        caption={
          current?.number === null || current === undefined
            ? 'muons on target'
            : `muons on target, run ${current.number}`
        }
        testid="muons-run"
      />
      <Facts
        rows={[
          [
            'spills',
            current === undefined
              ? NONE
              : `${countText(current.spillsDone)}${wanted === null ? (current.number === null ? '' : ', until stopped') : ` of ${countText(wanted)}`}`
          ],
          [lastText('good of', spills.value.length), percentText(goodFraction(spills.value))],
          ['events built', countText(current?.eventsBuilt ?? null)],
          ['events selected', countText(current?.eventsSelected ?? null)]
        ]}
      />
    </Tile>
  )
}

function lastText(what: string, count: number): string {
  return count === 0 ? `${what} last spills` : `${what} last ${count}`
}
