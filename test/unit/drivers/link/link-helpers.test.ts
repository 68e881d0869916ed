// What links and drivers share: the state of a link, URLs, topic filters, and the being-connected of a device.
import { describe, expect, it } from 'vitest'
import type { DeviceIdentity } from '../../../../core/device.ts'
import { ErrorCode } from '../../../../core/errors.ts'
import { silentLog } from '../../../../core/log.ts'
import { SignalCell } from '../../../../core/signal-value.ts'
import { VirtualClock } from '../../../../core/virtual-clock.ts'
import { DeviceConnection } from '../../../../drivers/link/device-connection.ts'
import { LinkState } from '../../../../drivers/link/link-state.ts'
import { numberOption, parseLinkUrl, withoutPassword, wordOption } from '../../../../drivers/link/link-url.ts'
import { topicMatches } from '../../../../drivers/link/topic-filter.ts'

const never = new AbortController().signal

describe('a link URL', () => {
  it('is taken apart', () => {
    expect(parseLinkUrl('modbus+tcp://plc:1502?unit=3', 'modbus+tcp', ['unit'], 502)).toEqual({
      host: 'plc',
      port: 1502,
      path: '',
      query: { unit: '3' }
    })
    expect(parseLinkUrl('mqtt://[::1]', 'mqtt', [], 1883)).toMatchObject({ host: '::1', port: 1883 })
    expect(parseLinkUrl('serial:///dev/my%20line', 'serial', [])).toMatchObject({ path: '/dev/my line' })
  })

  it.each(['plc:502', 'http://plc', 'modbus+tcp://plc?Unit=1', ''])('is refused when it is %j', (url) => {
    expect(() => parseLinkUrl(url, 'modbus+tcp', ['unit'])).toThrow(
      expect.objectContaining({ code: ErrorCode.configuration }) as Error
    )
  })

  it('names a user only where the scheme knows users', () => {
    expect(parseLinkUrl('mqtts://na64@hall', 'mqtts', [], 8883, 'users').user).toBe('na64')
    expect(parseLinkUrl('mqtts://hall', 'mqtts', [], 8883, 'users').user).toBeUndefined()
    expect(() => parseLinkUrl('tcp://na64@hall:1', 'tcp', [])).toThrow(/knows no users/)
  })

  it.each([
    ['mqtts://na64:secret@hall:8883?ca=/a@b', 'mqtts://na64@hall:8883?ca=/a@b'],
    ['mqtts://:secret@hall', 'mqtts://@hall'],
    ['mqtts://na64:secret@hall:many', 'mqtts://na64@hall:many'],
    ['mqtts://na64:sec/ret@hall', 'mqtts://na64@hall'],
    ['ftp://na64:secret@hall', 'ftp://na64@hall']
  ])('is refused with a password, which is not repeated: %s', (url, shown) => {
    expect(withoutPassword(url)).toBe(shown)
    expect(() => parseLinkUrl(url, 'mqtts', ['ca'], 8883, 'users')).toThrow(
      expect.objectContaining({
        code: ErrorCode.configuration,
        message: `${shown}: a URL holds no password`
      }) as Error
    )
  })

  it.each(['tcp://hall:1', 'mqtts://na64@[::1]:1?ca=/a:b@c', 'serial:///dev/a:b@c', 'hall:1'])(
    'is shown as it is without one: %s',
    (url) => expect(withoutPassword(url)).toBe(url)
  )

  it('has options with bounds and words', () => {
    expect(numberOption('u', {}, 'unit', 1, 0, 255)).toBe(1)
    expect(numberOption('u', { unit: '7' }, 'unit', 1, 0, 255)).toBe(7)
    for (const unit of ['256', '-1', '1.5', 'one', ' '])
      expect(() => numberOption('u', { unit }, 'unit', 1, 1, 255)).toThrow(/unit is wrong/)
    expect(wordOption('u', {}, 'p', ['a', 'b'])).toBe('a')
    expect(() => wordOption('u', { p: 'c' }, 'p', ['a', 'b'])).toThrow(/p is wrong/)
  })
})

describe('a topic filter', () => {
  it.each([
    ['a/b', 'a/b', true],
    ['a/b', 'a/c', false],
    ['a/+', 'a/b', true],
    ['a/+', 'a', false],
    ['a/+', 'a/b/c', false],
    ['+/b', 'a/b', true],
    ['a/#', 'a', true],
    ['a/#', 'a/b/c', true],
    ['a/#', 'ab', false],
    ['#', '$SYS/x', false],
    ['+/x', '$SYS/x', false],
    ['$SYS/#', '$SYS/x', true]
  ])('%s and %s: %s', (filter, topic, matches) => {
    expect(topicMatches(filter, topic)).toBe(matches)
  })
})

describe('the state of a link', () => {
  it('is told on changes only, to those who still listen', () => {
    const state = new LinkState('x://y')
    const told: string[] = []
    const stop = state.onState((isOpen, why) => told.push(`${isOpen} ${why}`))
    state.set(false, 'not a change')
    state.set(true, 'open')
    state.set(true, 'again')
    state.set(false, 'gone')
    stop()
    state.set(true, 'unheard')
    expect(told).toEqual(['true open', 'false gone'])
  })

  it('ends requests that wait when it goes down, and refuses new ones', async () => {
    const state = new LinkState('x://y')
    const disconnected = { code: ErrorCode.disconnected }
    await expect(state.whileOpen(() => Promise.resolve(1))).rejects.toMatchObject(disconnected)
    state.set(true, 'open')
    expect(await state.whileOpen(() => Promise.resolve(1))).toBe(1)
    const waiting = state.whileOpen(() => new Promise<never>(() => undefined))
    state.set(false, 'the cable is out')
    await expect(waiting).rejects.toMatchObject({
      ...disconnected,
      message: expect.stringContaining('the cable is out') as string
    })
  })
})

describe('the connection of a device', () => {
  const identity: DeviceIdentity = { maker: 'a', model: 'b', serial: 'c', firmware: 'd' }

  function make() {
    const state = new LinkState('x://y')
    const link = {
      url: 'x://y',
      get isOpen() {
        return state.isOpen
      },
      open: () => {
        state.set(true, 'open')
        return Promise.resolve()
      },
      close: () => {
        state.set(false, 'closed')
        return Promise.resolve()
      },
      onState: (listener: (isOpen: boolean, why: string) => void) => state.onState(listener)
    }
    const cell = new SignalCell<number>(new VirtualClock(), 'dev/x', {
      unit: '',
      description: '',
      staleAfterMs: 1000,
      zones: []
    })
    const connection = new DeviceConnection('dev', link, silentLog, () => [cell])
    const states: string[] = []
    connection.onState(({ kind }) => states.push(kind))
    return { state, link, cell, connection, states }
  }

  it('is never claimed before the greeting succeeded', async () => {
    const { connection, states, link } = make()
    const failing = connection.connect(() => Promise.reject(new TypeError('nobody')), never)
    await expect(failing).rejects.toThrow('nobody')
    expect(states).toEqual(['connecting', 'disconnected'])
    expect(link.isOpen).toBe(false)
  })

  it('is made once for two who ask at the same time', async () => {
    const { connection, states } = make()
    let greetings = 0
    const greet = () => {
      greetings++
      return Promise.resolve(identity)
    }
    const both = await Promise.all([connection.connect(greet, never), connection.connect(greet, never)])
    expect(both).toEqual([identity, identity])
    expect(greetings).toBe(1)
    expect(states).toEqual(['connecting', 'connected'])
  })

  it('is lost with the link, signals included, also in the middle of the greeting', async () => {
    const { connection, state, cell, states } = make()
    await connection.connect(() => Promise.resolve(identity), never)
    cell.update(1)
    state.set(false, 'pulled')
    expect(connection.state).toEqual({ kind: 'disconnected', why: 'pulled' })
    expect(cell.latest()).toMatchObject({ value: 1, quality: 'stale', reason: 'pulled' })
    const half = connection.connect(() => {
      state.set(false, 'pulled again')
      return Promise.resolve(identity)
    }, never)
    await expect(half).rejects.toMatchObject({ code: ErrorCode.disconnected })
    expect(states.at(-1)).toBe('disconnected')
  })
})
