import type { RunLook } from '../../api/run-looks.ts'
import type { Severity } from '../logic/attention.ts'
import type { Verdict } from '../logic/spill-verdict.ts'

/** Severity by colour, shape and letter: red square C, amber triangle W, cyan circle A. */
export function SeverityMark({ severity }: { severity: Severity }) {
  const letter = { critical: 'C', warning: 'W', advice: 'A' }[severity]
  return (
    <svg class={`mark ${severity}`} viewBox="0 0 24 24" role="img" aria-label={severity}>
      {severity === 'critical' && <rect x="1" y="1" width="22" height="22" rx="2" />}
      {severity === 'warning' && <path d="M12 0 L24.5 23 H-0.5 Z" />}
      {severity === 'advice' && <circle cx="12" cy="12" r="11.5" />}
      <text x="12" y={severity === 'warning' ? 20.5 : 17.5} text-anchor="middle">
        {letter}
      </text>
    </svg>
  )
}

/** The shape of a run state; its word always stands beside it. */
export function RunShape({ shape }: { shape: RunLook['shape'] }) {
  return (
    <svg class="run-shape" viewBox="0 0 40 40" aria-hidden="true">
      {shape === 'hollow' && <circle class="stroke" cx="20" cy="20" r="16" />}
      {shape === 'half' && (
        <>
          <circle class="stroke" cx="20" cy="20" r="16" />
          <path class="solid" d="M20 4 A16 16 0 0 0 20 36 Z" />
        </>
      )}
      {shape === 'ring' && (
        <>
          <circle class="stroke" cx="20" cy="20" r="16" />
          <circle class="solid" cx="20" cy="20" r="7" />
        </>
      )}
      {shape === 'filled' && <circle class="solid" cx="20" cy="20" r="18" />}
      {shape === 'arrow' && <path class="stroke" d="M6 20 H33 M23 9 L34 20 L23 31" />}
      {shape === 'shield' && (
        <>
          <path class="stroke" d="M20 3 L35 8 V20 C35 29 28 35 20 38 C12 35 5 29 5 20 V8 Z" />
          <path class="stroke" d="M12 20 H28" />
        </>
      )}
      {shape === 'cross' && (
        <>
          <path class="solid" d="M12 2 H28 L38 12 V28 L28 38 H12 L2 28 V12 Z" />
          <path class="cut" d="M13 13 L27 27 M27 13 L13 27" />
        </>
      )}
    </svg>
  )
}

/** One spill of the strip: good is a plain square, flagged has a stroke and an exclamation mark, bad a cross. */
export function VerdictMark({ verdict }: { verdict: Verdict }) {
  return (
    <svg class={`verdict ${verdict}`} viewBox="0 0 24 24" aria-hidden="true">
      <rect x="1.5" y="1.5" width="21" height="21" rx="2" />
      {verdict === 'flagged' && <path d="M12 5 V14 M12 17 V19.5" />}
      {verdict === 'bad' && <path d="M6 6 L18 18 M18 6 L6 18" />}
    </svg>
  )
}

/** A link that stands, is being made, or is not there. */
export function LinkMark({ state }: { state: 'connected' | 'connecting' | 'disconnected' }) {
  return (
    <svg class="mark link" viewBox="0 0 24 24" aria-hidden="true">
      {state === 'connected' && <circle class="solid" cx="12" cy="12" r="6" />}
      {state === 'connecting' && <circle class="stroke dashed" cx="12" cy="12" r="7" />}
      {state === 'disconnected' && <circle class="stroke" cx="12" cy="12" r="7" />}
    </svg>
  )
}
