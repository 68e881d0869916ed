/**
 * The supervisor's care for one process, a real one that dies as it is told: what the supervisor says of it, when it is
 * started again and when not.
 */
import { expect, test, type TestContext } from 'vitest'
import { SystemClock } from '../../core/clock.ts'
import { silentLog } from '../../core/log.ts'
import { Service } from '../../controller/supervisor.ts'
import { isAlive } from '../../controller/process-registry.ts'
import { gone, kill, soon } from './spillway.ts'

interface Crash {
  readonly how: string
  readonly willRestart: boolean
}

/**
 * @param first words of the first start
 * @param later words of every other
 */
function service(
  { onTestFinished }: Pick<TestContext, 'onTestFinished'>,
  first: string[],
  later: string[]
): { service: Service; crash: (nth: number) => Promise<Crash> } {
  const crashes: Crash[] = []
  let heard: () => void = () => undefined
  const made = new Service(
    {
      name: 'daq',
      script: 'test/integration/service-process',
      arguments: (isRestart) => (isRestart ? later : first),
      onCrash: (how, willRestart) => {
        crashes.push({ how, willRestart })
        heard()
      }
    },
    new SystemClock(),
    silentLog
  )
  onTestFinished(() => made.stop())
  return {
    service: made,
    crash: (nth) =>
      soon(
        `crash ${nth}`,
        new Promise((resolve) => {
          heard = () => {
            if (crashes.length >= nth) resolve(crashes[nth - 1]!)
          }
          heard()
        })
      )
  }
}

test.concurrent(
  'a process that cannot start is reported in its own words, and not started again',
  async (context) => {
    const { service: daq } = service(context, ['fail', 'exit'], ['ready', 'stay'])
    await expect(daq.start()).rejects.toMatchObject({
      code: 'usage',
      message: 'the port is taken',
      details: { hint: 'choose another' }
    })
    expect(daq.pid).toBeUndefined()
  }
)

test.concurrent(
  'a process that ends without a word before it is ready is reported by its exit code',
  async (context) => {
    const { service: daq } = service(context, ['exit'], [])
    await expect(daq.start()).rejects.toMatchObject({
      code: 'disconnected',
      message: expect.stringContaining('exit code 3') as string
    })
  }
)

test.concurrent(
  'a process that dies is started again with the words of a restart; one that is stopped is not',
  async (context) => {
    const { service: daq, crash } = service(context, ['ready', 'stay'], ['ready', 'again', 'stay'])
    expect(await daq.start()).toMatchObject({ words: ['ready', 'stay'] })
    const first = daq.pid!
    kill(first)
    expect(await crash(1)).toEqual({ how: 'signal SIGKILL', willRestart: true })
    kill(await nextPid(daq, first))
    expect(await crash(2)).toMatchObject({ willRestart: true })
    await daq.stop()
    expect(daq.pid === undefined || !isAlive(daq.pid)).toBe(true)
  }
)

test.concurrent(
  'a restart that fails is tried again, but no more than five starts in a minute',
  async (context) => {
    const { service: daq, crash } = service(context, ['ready', 'fail', 'exit'], ['fail', 'exit'])
    await daq.start()
    expect(await crash(1)).toEqual({ how: 'exit code 3: the port is taken', willRestart: true })
    for (const nth of [2, 3, 4]) expect(await crash(nth)).toMatchObject({ willRestart: true })
    expect(await crash(5)).toEqual({ how: 'the port is taken; choose another', willRestart: false })
  }
)

test.concurrent(
  'an adopted process is watched, started again when it dies, and ended with the others',
  async (context) => {
    const other = service(context, ['ready', 'stay'], [])
    await other.service.start()
    const adopted = other.service.pid!
    const { service: daq, crash } = service(context, [], ['ready', 'stay'])
    daq.adopt(adopted)
    expect(daq.pid).toBe(adopted)
    kill(adopted)
    await other.service.stop()
    expect(await crash(1)).toEqual({ how: 'it ended', willRestart: true })
    const next = await nextPid(daq, adopted)
    await daq.stop()
    await gone(next)
  }
)

/** id of the process that is started after that one */
function nextPid(daq: Service, before: number): Promise<number> {
  const clock = new SystemClock()
  return soon(
    'a restart',
    (async () => {
      while (daq.pid === undefined || daq.pid === before) await clock.sleep('look again', 20e6)
      return daq.pid
    })()
  )
}
