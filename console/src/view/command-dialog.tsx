import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { Command } from '../../api/api.ts'
import { RUN_LOOKS } from '../../api/run-looks.ts'
import { commandLabel, parseSpills, refusal } from '../logic/command-progress.ts'
import { countText, plural } from '../logic/format.ts'
import { durationText } from '../logic/time.ts'
import { send } from '../state/commands.ts'
import { commands, isLive, run, spill } from '../state/store.ts'
import { openDialog, type OpenDialog } from './command-panel.tsx'
import { Dialog } from './dialog.tsx'

const leave = (): void => {
  openDialog.value = undefined
}

/** Choose, review, confirm. Making safe and stopping have nothing to choose: one confirmation. */
export function CommandDialog() {
  const open = openDialog.value
  if (open === undefined) return null
  const label = commandLabel(open.name, open.run)
  return (
    <Dialog key={label} name={label} onLeave={leave}>
      {open.name === 'start' && <StartDialog open={open} />}
      {open.name === 'stop' && <StopDialog open={open} />}
      {open.name === 'make-safe' && <MakeSafeDialog open={open} />}
      {open.name === 'recover' && <RecoverDialog open={open} />}
    </Dialog>
  )
}

function StartDialog({ open }: { open: OpenDialog }) {
  const [spills, setSpills] = useState('')
  const [note, setNote] = useState('')
  const [isReviewing, setReviewing] = useState(false)
  const parsed = parseSpills(spills)
  const cycleMs = spill.value?.cycleLengthMs ?? null

  if (isReviewing && !('fault' in parsed)) {
    const text = note.trim()
    const command: Command = { name: 'start', ...parsed, ...(text === '' ? {} : { note: text }) }
    const length =
      parsed.spills === undefined
        ? 'until somebody stops it'
        : plural(parsed.spills, 'spill') +
          (cycleMs === null ? '' : `, about ${durationText(parsed.spills * cycleMs)} with beam`)
    return (
      <Review open={open} command={command} onBack={() => setReviewing(false)}>
        <Change to={RUN_LOOKS.running.word} />
        <Line name="Run number">given by the controller</Line>
        <Line name="Length">{length}</Line>
        <Line name="Note">{text === '' ? 'none' : text}</Line>
        <Line name="Voltages, magnets">not changed</Line>
      </Review>
    )
  }
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        if (!('fault' in parsed)) setReviewing(true)
      }}
    >
      <h2>Start run</h2>
      <label>
        Number of spills <span class="muted">(empty: until stopped)</span>
        <input
          name="spills"
          inputMode="numeric"
          autocomplete="off"
          value={spills}
          onInput={(event) => setSpills(event.currentTarget.value)}
          aria-invalid={'fault' in parsed}
          aria-describedby="spills-fault"
        />
      </label>
      <p id="spills-fault" class="fault-text" role="alert">
        {'fault' in parsed ? parsed.fault : ''}
      </p>
      <label>
        Note for the run record
        <input
          name="note"
          autocomplete="off"
          maxLength={200}
          value={note}
          onInput={(event) => setNote(event.currentTarget.value)}
        />
      </label>
      <div class="actions">
        <button type="submit" disabled={'fault' in parsed}>
          Review
        </button>
        <button type="button" onClick={leave}>
          Cancel
        </button>
      </div>
    </form>
  )
}

function StopDialog({ open }: { open: OpenDialog }) {
  const current = run.value
  return (
    <Review open={open} command={{ name: 'stop' }}>
      <Change to={`${RUN_LOOKS.stopping.word}, then the run is closed`} />
      <Line name="Run">
        {open.run ?? 'none'}, {plural(current?.spillsDone ?? 0, 'spill')} done
        {current?.spillsWanted == null ? '' : ` of ${countText(current.spillsWanted)}`}
      </Line>
      <Line name="When">after the spill that is being taken now</Line>
      <Line name="Voltages, magnets">not changed</Line>
    </Review>
  )
}

function MakeSafeDialog({ open }: { open: OpenDialog }) {
  const [reason, setReason] = useState('')
  const text = reason.trim()
  return (
    <Review
      open={open}
      command={{
        name: 'make-safe',
        reason: text === '' ? 'make safe from the console, no reason given' : text
      }}
    >
      <Change to={RUN_LOOKS.safe.word} />
      <Line name="Run">{open.run === null ? 'none' : `${open.run} ends at once`}</Line>
      <Line name="Triggers">inhibited at once</Line>
      <Line name="Voltages, magnets">not changed</Line>
      <label>
        Reason <span class="muted">(may stay empty)</span>
        <input
          name="reason"
          autocomplete="off"
          maxLength={200}
          value={reason}
          onInput={(event) => setReason(event.currentTarget.value)}
        />
      </label>
    </Review>
  )
}

function RecoverDialog({ open }: { open: OpenDialog }) {
  const state = run.value?.state
  return (
    <Review open={open} command={{ name: 'recover' }}>
      <Change to={RUN_LOOKS.idle.word} />
      <Line name="Reason of now">{run.value?.status ?? ''}</Line>
      {state === 'fault' && <Line name="Before you go on">{RUN_LOOKS.fault.action}</Line>}
      <Line name="Voltages, magnets">not changed</Line>
    </Review>
  )
}

function Change({ to }: { to: string }) {
  const state = run.value?.state
  return (
    <Line name="Run state">
      {state === undefined ? '' : RUN_LOOKS[state].word} → {to}
    </Line>
  )
}

function Line(props: { name: string; children: ComponentChildren }) {
  return (
    <p class="review-line">
      <span class="muted">{props.name}</span>
      <span>{props.children}</span>
    </p>
  )
}

/**
 * What will change, and the one button that does it. The button stands away from where "Review" was, and the
 * focus is on Cancel: neither a double click nor a second Enter gives a command.
 */
function Review(props: {
  open: OpenDialog
  command: Command
  onBack?: () => void
  children: ComponentChildren
}) {
  const { open, command, onBack } = props
  const cancel = useRef<HTMLButtonElement>(null)
  useEffect(() => cancel.current?.focus(), [])
  const label = commandLabel(open.name, open.run)
  const isOtherRun = command.name === 'stop' && run.value?.number !== open.run
  const why = isOtherRun
    ? `the run is now ${run.value?.number ?? 'over'}: cancel and look again`
    : refusal(command.name, commands.value, isLive.value)
  return (
    <div class="review">
      <h2>{label}?</h2>
      {props.children}
      <p class="fault-text" role="alert">
        {why === undefined ? '' : `Not possible: ${why}`}
      </p>
      <div class="actions reversed">
        <button
          type="button"
          class="confirm"
          disabled={why !== undefined}
          onClick={() => {
            leave()
            void send(command, label)
          }}
        >
          {label}
        </button>
        {onBack !== undefined && (
          <button type="button" onClick={onBack}>
            Back
          </button>
        )}
        <button type="button" autofocus ref={cancel} onClick={leave}>
          Cancel
        </button>
      </div>
    </div>
  )
}
