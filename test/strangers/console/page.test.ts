/**
 * The shift page in a real Chromium against a scripted server: what the operator reads in each situation, what the
 * page asks of the server, and that nothing is shown that was not said. Screenshots: build/screenshots/.
 */
import { mkdirSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { build } from 'vite'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Snapshot } from '../../../console/api/api.ts'
import { CHROMIUM_FLAGS, findChromium } from './chromium.ts'
import { type CommandAnswer, FakeServer } from './fake-server.ts'
import { HISTOGRAMS, idle, permits, running, safe, spillSummary } from './situations.ts'

const root = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url))
const pages = root('build/console-test')
const shots = root('build/screenshots')
const CONTROL_ROOM = { width: 1920, height: 1080 }
const PHONE = { width: 390, height: 844 }

const executablePath = findChromium('the shift page in Chromium')

describe.skipIf(executablePath === undefined)('shift page', () => {
  let browser: Browser
  let server: FakeServer
  let page: Page
  let complaints: string[]

  beforeAll(async () => {
    mkdirSync(shots, { recursive: true })
    rmSync(pages, { recursive: true, force: true })
    await build({
      configFile: false,
      root: root('console'),
      base: './',
      logLevel: 'warn',
      build: { outDir: pages, emptyOutDir: true }
    })
    browser = await chromium.launch({ executablePath: executablePath!, args: CHROMIUM_FLAGS })
  })
  afterAll(async () => {
    await browser.close()
  })

  beforeEach(() => {
    complaints = []
  })
  afterEach(async () => {
    await page.context().close()
    await server.close()
  })

  async function open(snapshot: Snapshot, options: BrowserContextOptions = {}): Promise<void> {
    server = await FakeServer.start(pages, snapshot)
    server.histograms = [...HISTOGRAMS]
    const context = await browser.newContext({ viewport: CONTROL_ROOM, ...options })
    page = await context.newPage()
    page.setDefaultTimeout(10_000)
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('request', (request) => {
      if (!request.url().startsWith(server.url) && !request.url().startsWith('data:'))
        complaints.push(`request to ${request.url()}`)
    })
    await page.goto(server.url)
    await page.getByTestId('run-state').waitFor()
  }

  const text = (testid: string): Promise<string> => page.getByTestId(testid).innerText()
  const region = (name: string) => page.getByRole('region', { name, exact: true })
  const saying = (words: string | RegExp) => page.getByText(words).first().waitFor()

  it('shows a running run at one glance, without a word of complaint in the browser', async () => {
    await open(running())
    expect(await text('run-state')).toBe('Running')
    expect(await page.title()).toBe('SIMULATED · Running · run 4711 · na64mu-2022')
    expect(await text('muons-spill')).toBe('2.347 × 10⁸')
    expect(await text('live')).toBe('98.2 %')
    expect(await text('built')).toBe('21\u202f480')
    expect(await text('muons-run')).toBe('8.610 × 10⁹')
    expect(await text('countdown')).toMatch(/^\d\.\d s$/)
    await region('Attention').getByText('Nothing needs you.').waitFor()
    expect(
      await region('Last spills')
        .getByRole('button', { name: /^Spill \d+:/ })
        .count()
    ).toBe(20)
    expect(await page.locator('.plot').count()).toBe(HISTOGRAMS.length)
    expect(complaints).toEqual([])
  })

  it('says in which second of the extraction we are', async () => {
    const base = running()
    await open({
      ...base,
      spill: { ...base.spill, phase: 'extracting', since: new Date().toISOString(), events: 8123 }
    })
    expect(await text('phase')).toBe('Extracting')
    await saying('of 4.8 s extraction')
  })

  it('applies numbered changes and new histograms', async () => {
    await open(running())
    const spills = [...server.snapshot.spills.slice(1), spillSummary(38, { eventsBuilt: 22_222 })]
    server.change({ spills })
    await page.getByTestId('built').getByText('22\u202f222').waitFor()
    server.sendHistograms([{ ...HISTOGRAMS[0]!, entries: 77_777 }])
    await saying('77\u202f777 entries, 12 below, 3 above')
    expect(server.snapshotRequests).toBe(0)
  })

  it('asks for the snapshot when a number is missing, and then shows both changes', async () => {
    await open(running())
    server.changeUnheard({ run: { ...server.snapshot.run, eventsSelected: 519 } })
    server.change({ spill: { ...server.snapshot.spill, phase: 'draining' } })
    await page.getByTestId('phase').getByText('Reading out').waitFor()
    await region('Exposure').getByText('519', { exact: true }).waitFor()
    expect(server.snapshotRequests).toBe(1)
  })

  it('greys, says since when and takes the commands away when the connection is lost, and comes back', async () => {
    await open(running())
    server.goDown()
    await saying(/Connection lost since \d\d:\d\d:\d\d UTC/)
    expect(await page.locator('.not-live').count()).toBe(1)
    expect(await page.title()).toContain('Connection lost')
    for (const name of ['Start run', 'Stop run 4711', 'Make safe', 'Recover'])
      expect(await page.getByRole('button', { name }).isDisabled()).toBe(true)
    expect(await page.locator('.signal s').count()).toBe(server.snapshot.signals.length)
    expect(await page.getByText('Nothing needs you.').count()).toBe(0)
    await page.screenshot({ path: `${shots}/lost-1920x1080-light.png` })

    server.changeUnheard({ run: { ...server.snapshot.run, eventsSelected: 600 } })
    server.comeBack()
    await page.getByRole('button', { name: 'Try now' }).click()
    await page.locator('.not-live').waitFor({ state: 'detached' })
    await region('Exposure').getByText('600', { exact: true }).waitFor()
    expect(await page.getByRole('button', { name: 'Stop run 4711' }).isEnabled()).toBe(true)
  })

  it('comes back by itself', async () => {
    await open(running())
    server.goDown()
    await saying(/Connection lost/)
    server.comeBack()
    await page.locator('.not-live').waitFor({ state: 'detached' })
  })

  it('puts the lost trigger crate first in Safe, with what to do', async () => {
    await open(safe())
    expect(await text('run-state')).toBe('Safe')
    const first = page.getByRole('list', { name: 'Devices, lost ones first' }).getByRole('listitem').first()
    expect(await first.innerText()).toMatch(
      /trigger[\s\S]*Check the power and the network cable of the trigger crate/
    )
    const lines = await region('Attention')
      .or(page.getByRole('status', { name: 'Attention' }))
      .innerText()
    expect(lines).toMatch(/trigger is lost[\s\S]*Safe since[\s\S]*veto-adc is lost/)
    // stale: the value stays, struck, with its age
    const stale = page.locator('.signal.quality-stale').first()
    expect(await stale.locator('s').innerText()).toContain('1453.3 V')
    expect(await stale.innerText()).toMatch(/(4[89]|5\d) s old/)
    // the ledger of the broken spill
    const row = region('Ledger of spill 38').getByRole('row', { name: /^trigger/ })
    expect(await row.innerText()).toMatch(/–[\s\S]*open/)
  })

  it('keeps a command that is not permitted off, with the reason beside it', async () => {
    await open(running())
    const start = page.getByRole('button', { name: 'Start run' })
    expect(await start.isDisabled()).toBe(true)
    expect(await region('Commands').innerText()).toContain('a run is going')
    server.change({
      commands: permits('make-safe').map((c) =>
        c.name === 'stop' ? { ...c, why: 'the run is being opened' } : c
      )
    })
    await saying('the run is being opened')
    expect(await page.getByRole('button', { name: 'Stop run 4711' }).isDisabled()).toBe(true)
  })

  it('starts a run in two steps and shows only what the server said', async () => {
    await open(idle())
    let release: (answer: CommandAnswer) => void = () => undefined
    server.answer = () => new Promise<CommandAnswer>((resolve) => (release = resolve))

    await page.getByRole('button', { name: 'Start run' }).click()
    const dialog = page.getByRole('dialog', { name: 'Start run' })
    await dialog.getByLabel('Number of spills').fill('ten')
    expect(await dialog.getByRole('button', { name: 'Review' }).isDisabled()).toBe(true)
    await dialog.getByLabel('Number of spills').fill('100')
    await dialog.getByLabel('Note').fill('<b>first light</b>')
    await page.keyboard.press('Enter')
    await dialog.getByText('Idle → Running').waitFor()
    await dialog.getByText('100 spills, about 24 min 00 s with beam').waitFor()
    await dialog.getByText('<b>first light</b>').waitFor()
    await page.screenshot({ path: `${shots}/start-review-1920x1080-light.png` })
    await dialog.getByRole('button', { name: 'Start run' }).click()

    await server.until(() => server.commands.length === 1)
    expect(server.commands).toEqual([{ name: 'start', spills: 100, note: '<b>first light</b>' }])
    await page.getByTestId('progress').getByText('Start run: sent').waitFor()
    expect(await text('run-state')).toBe('Idle')

    release({ status: 200, body: { accepted: true, state: 'configuring' } })
    await page.getByTestId('progress').getByText('Start run: accepted, not done yet').waitFor()
    expect(await text('run-state')).toBe('Idle')

    const run = { ...server.snapshot.run, number: 4712 }
    server.change({ run: { ...run, state: 'configuring' } })
    await page.getByTestId('run-state').getByText('Configuring').waitFor()
    server.change({ run: { ...run, state: 'running' }, commands: permits('stop', 'make-safe') })
    await page.getByTestId('progress').getByText('Start run: done').waitFor()
    await page.getByRole('button', { name: 'Stop run 4712' }).waitFor()
  })

  it('gives no command on a double click of Review, on Enter after it, or on Esc', async () => {
    await open(idle())
    await page.getByRole('button', { name: 'Start run' }).click()
    await page.getByRole('button', { name: 'Review' }).dblclick()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })

    await page.getByRole('button', { name: 'Start run' }).click()
    await page.getByLabel('Number of spills').press('Enter')
    await page.getByText('Idle → Running').waitFor()
    // Enter may come before the focus has moved to the button that closes: it then does nothing, and Esc closes
    await page.keyboard.press('Enter')
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    expect(server.commands).toEqual([])
  })

  it.each(['Stop run 4711', 'Make safe'])(
    'gives no command when Enter is pressed twice on %s',
    async (name) => {
      await open(running())
      await page.getByRole('button', { name }).focus()
      await page.keyboard.press('Enter')
      await page.getByRole('dialog', { name }).waitFor()
      await page.keyboard.press('Enter')
      await page.getByRole('dialog').waitFor({ state: 'detached' })
      expect(server.commands).toEqual([])
    }
  )

  it('says why a stop failed, in the words of the server', async () => {
    await open(running())
    server.answer = () => ({
      status: 400,
      body: { code: 'not-permitted', message: 'the run closes by itself', hint: 'wait for the spill' }
    })
    await page.getByRole('button', { name: 'Stop run 4711' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Stop run 4711' }).click()
    await page
      .getByTestId('progress')
      .getByText('Stop run 4711: failed, the run closes by itself. wait for the spill')
      .waitFor()
    expect(await text('run-state')).toBe('Running')
  })

  it('does not stop another run than the one that was looked at', async () => {
    await open(running())
    await page.getByRole('button', { name: 'Stop run 4711' }).click()
    server.change({ run: { ...server.snapshot.run, number: 4712 } })
    await saying('Not possible: the run is now 4712: cancel and look again')
    expect(await page.getByRole('dialog').getByRole('button', { name: 'Stop run 4711' }).isDisabled()).toBe(
      true
    )
  })

  it('makes safe with one confirmation in any state', async () => {
    await open({ ...running(), commands: [] })
    await page.getByRole('button', { name: 'Make safe' }).click()
    await page.getByRole('dialog').getByLabel('Reason').fill('smoke in rack 3')
    await page.getByRole('dialog').getByRole('button', { name: 'Make safe' }).click()
    await server.until(() => server.commands.length === 1)
    expect(server.commands).toEqual([{ name: 'make-safe', reason: 'smoke in rack 3' }])
  })

  it('draws what the server sends as text, never as HTML', async () => {
    const base = running()
    const nasty = '<img src=x onerror="document.title=1">'
    await open({
      ...base,
      run: { ...base.run, status: nasty },
      devices: base.devices.map((d) => ({ ...d, text: nasty }))
    })
    expect(await page.locator('.status').innerText()).toBe(nasty)
    expect(await page.locator('#page img').count()).toBe(0)
  })

  it('says so when it is told something that it cannot draw, and never shows a blank page', async () => {
    await open(running())
    server.change({ devices: [null as never] })
    await page.getByRole('alert').getByText('This page met something that it cannot draw').waitFor()
  })

  it('lists its keys on ?, walks along the spills by arrows and shows the reason and the ledger', async () => {
    await open(running())
    await page.keyboard.press('?')
    await page.getByRole('dialog', { name: 'Keys' }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })

    await page.keyboard.press('s')
    for (let i = 0; i < 12; i++) await page.keyboard.press('ArrowLeft')
    expect(await text('spill-line')).toMatch(/spill 25, .*hcal-adc sent no end-of-spill record/)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Ledger of spill 25' }).waitFor()
    const row = region('Ledger of spill 25').getByRole('row', { name: /^hcal-adc/ })
    expect(await row.innerText()).toMatch(/–[\s\S]*open/)
    await page.getByRole('button', { name: 'Show the last spill' }).click()
    await page.getByRole('heading', { name: 'Ledger of spill 37, the last' }).waitFor()
    expect(server.commands).toEqual([])
  })

  const LOOKS = [
    ['running', running],
    ['safe', safe],
    ['idle', idle]
  ] as const
  for (const [name, situation] of LOOKS) {
    it(`fits ${name} on one control-room screen and on a telephone in one column`, async () => {
      await open(situation())
      for (const [room, viewport] of [
        ['1920x1080', CONTROL_ROOM],
        ['390x844', PHONE]
      ] as const)
        for (const colorScheme of ['light', 'dark'] as const) {
          await page.setViewportSize(viewport)
          await page.emulateMedia({ colorScheme })
          await page.screenshot({ path: `${shots}/${name}-${room}-${colorScheme}.png` })
          if (viewport === PHONE)
            await page.screenshot({
              path: `${shots}/${name}-${room}-${colorScheme}-whole.png`,
              fullPage: true
            })
          expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(
            viewport.width
          )
          expect(await page.evaluate(SMALLEST_FONT)).toBeGreaterThanOrEqual(16)
          if (viewport === CONTROL_ROOM)
            expect(await page.evaluate('document.documentElement.scrollHeight')).toBeLessThanOrEqual(1080)
        }
      expect(complaints).toEqual([])
    })
  }
})

/** px as drawn: SVG text is scaled by its box */
const SMALLEST_FONT = `Math.min(...[...document.querySelectorAll('#page *')]
  .filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim() !== '') && !e.closest('.mark'))
  .map((e) => {
    const svg = e.closest('svg')
    const scale = svg === null ? 1 : svg.getScreenCTM().a
    return Math.round(parseFloat(getComputedStyle(e).fontSize) * scale * 10) / 10
  }))`
