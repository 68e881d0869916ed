import type { SettingsOf } from '../../../config/schema.ts'
import { ActiveFaults } from '../active-faults.ts'
import type { MakeSimDevice } from '../context.ts'
import type { ByteFace, SimFault } from '../face.ts'
import { makeReplies } from '../replies.ts'
import { Ticker } from '../ticker.ts'
import { Board, type BoardConditions, type BoardState } from './board.ts'
import { parseRequest } from './request.ts'

const TICK_NS = 100e6
const REBOOT_MS = 1000
const LATENCY_NS = { least: 15e6, most: 50e6 }
/** a longer line is thrown away, up to its end */
const LINE_BYTES_MAX = 256
/** lines that wait while the boards are busy; more are lost, as by a controller that ignores XOFF */
const WAITING_MAX = 16
const OVERCURRENT_UA = 10_000
const XON = 0x11
const XOFF = 0x13

/**
 * A chain of CAEN N1470 boards (docs/hardware/caen-n1470.md) on one line. `simulatedInitially` says how it is found when
 * nobody has touched it yet; after that it keeps its state over restarts of the simulator, and never switches on by
 * itself. Faults: README.md.
 */
export const makeCaenN1470: MakeSimDevice = (config, context) => {
  const settings = config.settings as SettingsOf<'caen-n1470'>
  const faults = new ActiveFaults([
    ...['silent', 'absent', 'slow-reply', 'half-reply', 'garbage', 'busy', 'unconfirmed', 'local', 'reboot'],
    ...['overcurrent', 'interlock', 'kill', 'disabled', 'ramp-stuck']
  ])
  const boards = settings.boards.map(
    (board) =>
      new Board(config.id, board, settings.simulatedInitially, context.rng.split(`board ${board.number}`))
  )

  const strikes = (kind: string, board: number, channel?: number): SimFault | undefined => {
    const fault = faults.get(kind)
    if (fault === undefined || (fault['board'] ?? board) !== board) return undefined
    return channel === undefined || (fault['channel'] ?? channel) === channel ? fault : undefined
  }
  const conditionsOf = (board: number): BoardConditions => ({
    isKilled: strikes('kill', board) !== undefined,
    isInterlocked: strikes('interlock', board) !== undefined,
    isLocal: strikes('local', board) !== undefined,
    isDisabled: (channel) => strikes('disabled', board, channel) !== undefined,
    isRampStuck: (channel) => strikes('ramp-stuck', board, channel) !== undefined,
    extraUa: (channel) => {
      const fault = strikes('overcurrent', board, channel)
      const given = fault?.['microamps']
      return fault === undefined ? 0 : typeof given === 'number' ? given : OVERCURRENT_UA
    }
  })

  const latency = context.rng.split('latency')
  const replies = makeReplies(faults, () => latency.between(LATENCY_NS.least, LATENCY_NS.most))
  /** tells everybody on the line to stop or to go on */
  const flow = new Set<{ say(character: number): void; goOn(): void }>()
  const answerTo = (line: string): string | undefined => {
    if (faults.has('silent')) return undefined
    const request = parseRequest(line)
    const board = boards.find(({ number }) => number === request?.board)
    if (request === undefined || board === undefined) return undefined
    const isThere = ['absent', 'reboot'].every((kind) => strikes(kind, board.number) === undefined)
    if (!isThere) return undefined
    const reply = board.obey(request, conditionsOf(board.number))
    const isUnconfirmed = request.command === 'SET' && faults.has('unconfirmed')
    return isUnconfirmed ? undefined : `${reply}\r\n`
  }
  const face: ByteFace = {
    kind: 'bytes',
    attach: (send, hangUp) => {
      let line = ''
      let isOverlong = false
      let isHeld = false
      const waiting: string[] = []
      const held: Uint8Array[] = []
      const wire = replies.attach((bytes) => {
        if (!isHeld) send(bytes)
        else if (held.length < WAITING_MAX) held.push(bytes)
      }, hangUp)
      const obey = (text: string): void => {
        const answer = answerTo(text)
        if (answer !== undefined) wire.reply(answer)
      }
      const control = {
        say: (character: number) => send(Uint8Array.of(character)),
        goOn: () => {
          for (const text of waiting.splice(0)) obey(text)
        }
      }
      flow.add(control)
      const end = (): void => {
        const text = line
        line = ''
        const wasOverlong = isOverlong
        isOverlong = false
        if (wasOverlong) return
        if (!faults.has('busy')) obey(text)
        else if (waiting.length < WAITING_MAX) waiting.push(text)
      }
      return {
        receive: (bytes) => {
          for (const byte of bytes) {
            if (byte === XOFF) isHeld = true
            else if (byte === XON) {
              isHeld = false
              for (const reply of held.splice(0)) send(reply)
            } else if (byte === 0x0a) end()
            else if (line.length >= LINE_BYTES_MAX) isOverlong = true
            else if (byte !== 0x0d) line += String.fromCharCode(byte)
          }
        },
        closed: () => {
          flow.delete(control)
          wire.closed()
        }
      }
    }
  }

  const ticker = new Ticker(TICK_NS, () => {
    for (const board of boards) board.tick(TICK_NS / 1e9, conditionsOf(board.number))
    const wasBusy = faults.has('busy')
    faults.advance(TICK_NS)
    if (wasBusy && !faults.has('busy')) release()
  })
  const release = (): void => {
    for (const control of flow) {
      control.say(XON)
      control.goOn()
    }
  }
  const inject = (fault: SimFault): boolean => {
    const aims = (board: Board): boolean => (fault['board'] ?? board.number) === board.number
    if (fault.kind === 'trip') {
      for (const board of boards.filter(aims))
        board.outputs.forEach((output, channel) => {
          if ((fault['channel'] ?? channel) === channel) output.trip()
        })
      return true
    }
    if (fault.kind === 'reboot') {
      for (const board of boards.filter(aims)) board.powerUp()
      return faults.inject({ ...fault, forMs: REBOOT_MS })
    }
    const wasBusy = faults.has('busy')
    const isKnown = faults.inject(fault)
    if (!wasBusy && faults.has('busy')) for (const control of flow) control.say(XOFF)
    if (wasBusy && !faults.has('busy')) release()
    return isKnown
  }
  return {
    id: config.id,
    kind: config.kind,
    faces: { control: face },
    advance: (dtNs) => {
      ticker.advance(dtNs)
      replies.advance(dtNs)
    },
    inject,
    truth: () => ({
      boards: boards.map(({ number, model, outputs }) => ({
        number,
        model: model.name,
        channels: outputs.map(({ state, measuredV, measuredUa }) => ({ ...state, measuredV, measuredUa }))
      })),
      faults: faults.list()
    }),
    save: () => ({ boards: boards.map((board) => board.save()) }),
    restore: (saved) => {
      const { boards: states } = (saved ?? {}) as { boards?: readonly (BoardState | undefined)[] }
      boards.forEach((board, i) => board.restore(Array.isArray(states) ? states[i] : undefined))
    }
  }
}
