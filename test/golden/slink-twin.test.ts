// The simulated bridge says the golden conversation byte for byte: the driver's reader is held to the same file,
// so the two ends meet without having seen each other.
import { describe, expect, it } from 'vitest'
import { SlinkBridge } from '../../hil-sim/device/slink-bridge.ts'
import { fromHex, goldenSlink, toHex } from './wire/golden.ts'

const golden = goldenSlink()
const payloads = golden.bridgeToController.map(({ payload }) => fromHex(payload ?? ''))

function makeBridge(): { bridge: SlinkBridge; sent: string[] } {
  const bridge = new SlinkBridge({
    identity: { maker: 'golden', model: 'MSADC', serial: '0001', firmware: '1.2' },
    sources: [600]
  })
  return { bridge, sent: [] }
}

function speak(bridge: SlinkBridge): void {
  const { startOfSpill, endOfSpill } = golden.records
  bridge.startOfSpill(startOfSpill.spill, startOfSpill.cycle, BigInt(startOfSpill.unixNs))
  bridge.data(payloads[2]!)
  bridge.data(payloads[3]!)
  bridge.advance(1e9)
  bridge.data(payloads[5]!)
  bridge.endOfSpill(endOfSpill.spill, endOfSpill.sources)
  bridge.flush()
}

describe('the simulated S-LINK bridge', () => {
  it('sends the golden frames', () => {
    const { bridge, sent } = makeBridge()
    bridge.attach(
      (bytes) => sent.push(toHex(bytes)),
      () => undefined
    )
    speak(bridge)
    expect(sent.join('')).toBe(golden.bridgeToController.map(({ frame }) => frame).join(''))
  })

  it('understands the golden XOFF and XON', () => {
    const { bridge, sent } = makeBridge()
    const session = bridge.attach(
      (bytes) => sent.push(toHex(bytes)),
      () => undefined
    )
    const [xoff, xon] = golden.controllerToBridge.map(({ frame }) => fromHex(frame))
    session.receive(xoff!)
    const before = sent.length
    bridge.startOfSpill(7, 4711, 0n)
    bridge.flush()
    expect([bridge.isXoff, sent.length]).toEqual([true, before])
    session.receive(xon!)
    expect([bridge.isXoff, sent.length]).toEqual([false, before + 1])
  })
})
