import type { Edits } from './folder.ts'

/** Supplies as they stand in a devices.yaml, for experiments of tests. */
export const CAEN_CHAIN = `
  - id: hv-mm
    kind: caen-n1470
    process: slow
    role: optional
    links: { control: 'serial:///dev/ttyCAEN?xonxoff=true' }
    simulatedLinks: { control: 'serial://./hv-mm.tty?xonxoff=true' }
    pollMs: 1000
    settings:
      toleranceV: 2
      simulatedInitially: nominal
      boards:
        - number: 0
          channels:
            - { number: 0, name: MM0, limitV: 500, nominalV: 480, rampVPerS: 10, currentLimitUa: 10, provenance: 'A: test' }
            - { number: 1, name: MM1, limitV: 500, nominalV: 480, rampVPerS: 10, currentLimitUa: 10, provenance: 'A: test' }
        - number: 7
          channels:
            - { number: 2, name: MM2, limitV: 500, nominalV: 470, rampVPerS: 10, currentLimitUa: 10, provenance: 'A: test' }
    provenance: 'A: test'
`

export const CRATE = `
  - id: hv-crate
    kind: opcua-crate
    process: slow
    role: optional
    links: { control: 'opc.tcp://192.168.64.40:4901' }
    simulatedLinks: { control: 'opc.tcp://127.0.0.1:5799' }
    pollMs: 1000
    settings:
      map: sy4527
      crate: CAEN01
      toleranceV: 2
      simulatedInitially: nominal
      channels:
        - { number: 0, name: GEM0, node: CAEN01.Board00.Chan000, limitV: 4000, nominalV: 3800, rampVPerS: 20, currentLimitUa: 800, provenance: 'A: test' }
        - { number: 1, name: GEM1, node: CAEN01.Board00.Chan001, limitV: 4000, nominalV: 3700, rampVPerS: 20, currentLimitUa: 800, provenance: 'A: test' }
    provenance: 'A: test'
`

/** The bench with these supplies besides its own. */
export const withSupplies = (...blocks: readonly string[]): Edits => ({
  'devices.yaml': [
    ['  - id: bench-plc', `${blocks.join('').trimStart().replace(/^/, '  ')}\n  - id: bench-plc`]
  ]
})
