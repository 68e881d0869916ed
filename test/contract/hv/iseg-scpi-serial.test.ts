// The iseg driver does on a real serial line (a pty) what it does in memory: it identifies, sets, ramps, notices
// that the line is gone, and comes back on another line behind the same name.
import { mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { SystemClock } from '../../../core/clock.ts'
import { silentLog } from '../../../core/log.ts'
import { IsegScpi } from '../../../drivers/hv/iseg-scpi/iseg-scpi.ts'
import { makeSerialLink } from '../../../drivers/link/serial.ts'
import { PtyPair } from '../link/pty-pair.ts'
import { IsegFarEnd } from './iseg-far-end.ts'
import { linksOf } from './link-factory.ts'

const never = new AbortController().signal

it('serves a supply on a serial line, through a loss of the line', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'iseg-'))
  const path = join(folder, 'hv')
  const clock = new SystemClock()
  const far = new IsegFarEnd(clock, 1)
  far.echoes = true
  const plug = (): PtyPair => {
    const pty = new PtyPair((text) => far.receive(text))
    far.attach(
      (bytes) => pty.send(Buffer.from(bytes).toString('latin1')),
      () => undefined
    )
    pty.link(`${path}.new`)
    renameSync(`${path}.new`, path)
    return pty
  }
  let pty = plug()
  const supply = new IsegScpi(
    {
      id: 'hv-bench',
      role: 'required',
      url: `serial://${path}?baudRate=9600`,
      toleranceV: 1,
      channels: [{ number: 0, name: 'BENCH', limitV: 200, rampVPerS: 1000, currentLimitUa: 100 }]
    },
    { clock, links: linksOf({ bytes: (url) => makeSerialLink(url, clock) }), log: silentLog }
  )
  expect(await supply.connect(never)).toMatchObject({ model: 'NR042060r4050000200' })
  const [channel] = supply.channels
  await channel!.demand.set(150, never)
  const reached = await channel!.energise({ by: 'test' }, never)
  expect(reached.value).toBeCloseTo(150, 0)

  const lost = new Promise<void>((resolve) =>
    supply.onState(({ kind }) => {
      if (kind === 'disconnected') resolve()
    })
  )
  pty.unplug()
  await lost
  expect(channel!.voltage.latest()?.quality).toBe('stale')

  pty = plug()
  far.heard.length = 0
  await supply.connect(never)
  expect(channel!.voltage.latest()).toMatchObject({ value: 150, quality: 'good' })
  expect(far.heard.filter((line) => !line.includes('?'))).toEqual([])
  await channel!.rampOff(never)
  expect(far.channels[0]!.isOn).toBe(false)
  await supply.disconnect()
  pty.unplug()
  rmSync(folder, { recursive: true })
})
