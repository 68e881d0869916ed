import type { RunState } from './api.ts'

/**
 * How every run state looks and what it asks of the shifter: the one table that pages, docs and tests use.
 * Colour is for what is abnormal; running is plain ink, because normal is not celebrated.
 */
export interface RunLook {
  readonly word: string
  readonly shape: 'hollow' | 'half' | 'ring' | 'filled' | 'arrow' | 'shield' | 'cross'
  /** grey, ink: nothing to see; blue: outline; amber, red: frame round the state */
  readonly tint: 'grey' | 'ink' | 'blue' | 'amber' | 'red'
  /** on the way from one state to the next: drawn with a moving bar */
  readonly isMoving: boolean
  readonly meaning: string
  /** what the shifter does; empty: nothing */
  readonly action: string
}

const moving = (word: string, meaning: string): RunLook => ({
  word,
  shape: 'arrow',
  tint: 'grey',
  isMoving: true,
  meaning,
  action: ''
})

export const RUN_LOOKS: Readonly<Record<RunState, RunLook>> = {
  idle: {
    word: 'Idle',
    shape: 'hollow',
    tint: 'grey',
    isMoving: false,
    meaning: 'No run. Devices may be unconfigured.',
    action: 'Start a run when the beam is there and the run coordinator agrees.'
  },
  configuring: moving('Configuring', 'Devices are being connected and set up.'),
  configured: {
    word: 'Configured',
    shape: 'half',
    tint: 'grey',
    isMoving: false,
    meaning: 'Devices are set up; no run.',
    action: 'Start a run when the beam is there and the run coordinator agrees.'
  },
  arming: moving('Arming', 'Thresholds are written and read back.'),
  armed: {
    word: 'Armed',
    shape: 'ring',
    tint: 'blue',
    isMoving: false,
    meaning: 'Thresholds agree with their readback; the next spill can be taken.',
    action: ''
  },
  starting: moving('Starting', 'The run is opened; the first spill comes next.'),
  running: {
    word: 'Running',
    shape: 'filled',
    tint: 'ink',
    isMoving: false,
    meaning: 'Spills are taken and written.',
    action: ''
  },
  stopping: moving('Stopping', 'The current spill is finished, then the run is closed.'),
  disarming: moving('Disarming', 'Triggers are switched off.'),
  'making-safe': moving('Making safe', 'Triggers are inhibited and files closed.'),
  safe: {
    word: 'Safe',
    shape: 'shield',
    tint: 'amber',
    isMoving: false,
    meaning:
      'Data taking stopped, triggers inhibited, files closed, hardware in a known condition. High voltage is as it was.',
    action: 'Read the reason, mend it, then Recover and Start run.'
  },
  fault: {
    word: 'Fault',
    shape: 'cross',
    tint: 'red',
    isMoving: false,
    meaning: 'The condition of the hardware is not known.',
    action: 'Call the DAQ expert before you recover. Do not restart crates on your own.'
  }
}
