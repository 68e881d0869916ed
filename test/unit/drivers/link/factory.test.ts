/** The link factory chooses by the URL's scheme; nothing is opened here. */
import { describe, expect, test } from 'vitest'
import { silentLog } from '../../../../core/log.ts'
import { VirtualClock } from '../../../../core/virtual-clock.ts'
import { makeLinkFactory } from '../../../../drivers/link/factory.ts'

const factory = makeLinkFactory({
  clock: new VirtualClock(),
  log: silentLog,
  certificatesFolder: '/nowhere'
})

describe('link factory', () => {
  test('makes a closed link of every known scheme', () => {
    const links = [
      factory.bytes('tcp://127.0.0.1:7700'),
      factory.bytes('serial:///dev/ttyUSB0'),
      factory.registers('ipbus+udp://127.0.0.1:50001'),
      factory.registers('modbus+tcp://127.0.0.1:502'),
      factory.topics('mqtt://127.0.0.1:1883'),
      factory.topics('mqtts://na64@127.0.0.1:8883?ca=/nowhere'),
      factory.nodes('opc.tcp://127.0.0.1:4840')
    ]
    expect(links.map((link) => link.isOpen)).toEqual(Array<boolean>(7).fill(false))
  })

  test.each([
    ['ftp://127.0.0.1', 'tcp:// or serial:// or udp://'],
    ['127.0.0.1:7700', 'tcp:// or serial:// or udp://'],
    ['constructor://x', 'tcp:// or serial:// or udp://']
  ])('refuses %s and names the known schemes', (url, known) => {
    expect(() => factory.bytes(url)).toThrow(
      expect.objectContaining({
        code: 'usage',
        details: expect.objectContaining({ expected: known }) as unknown
      }) as Error
    )
  })

  test('refuses a scheme of another kind of link', () => {
    expect(() => factory.registers('tcp://127.0.0.1:7700')).toThrow(
      expect.objectContaining({ code: 'usage' }) as Error
    )
  })
})
