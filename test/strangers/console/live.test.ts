/**
 * The shift page in a real Chromium against a real run: the simulated beam through every floor of the house up to what
 * the shifter reads, and a stop in two steps. Screenshots: build/screenshots/live-*.png.
 */
import { mkdirSync } from 'node:fs'
import { chromium, type Page } from 'playwright-core'
import { build, type InlineConfig } from 'vite'
import { describe, expect, test, vi } from 'vitest'
import type { Histogram } from '../../../console/api/api.ts'
import { type Console, inFolder, ROOT } from '../../integration/spillway.ts'
import { CHROMIUM_FLAGS, findChromium } from './chromium.ts'

vi.setConfig({ testTimeout: 240_000 })

const shots = `${ROOT}build/screenshots`
const executablePath = findChromium('the shift page on a live run')

/** The page that the program serves, from the sources as they are now: as build.ts makes it. */
const PAGES: InlineConfig = {
  configFile: false,
  root: `${ROOT}console`,
  base: './',
  logLevel: 'warn',
  build: { outDir: 'dist', emptyOutDir: true }
}

/** A page on the console, and what it complained about. */
async function withPage(
  url: string,
  work: (page: Page, complaints: string[]) => Promise<void>
): Promise<void> {
  const browser = await chromium.launch({ executablePath: executablePath!, args: CHROMIUM_FLAGS })
  try {
    const page = await browser.newPage({ viewport: { width: 1920, height: 1080 }, colorScheme: 'light' })
    page.setDefaultTimeout(60_000)
    const complaints: string[] = []
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('request', (request) => {
      if (!request.url().startsWith(url) && !request.url().startsWith('data:'))
        complaints.push(`request to ${request.url()}`)
    })
    await page.goto(url)
    await work(page, complaints)
  } finally {
    await browser.close()
  }
}

const histograms = async (console: Console): Promise<Histogram[]> =>
  (await (await fetch(`${console.url}/api/histograms`)).json()) as Histogram[]

describe.skipIf(executablePath === undefined)('the shift page on a live run', () => {
  test('shows the run, its spills and spectra, SIMULATED, and stops it in two steps', async () => {
    mkdirSync(shots, { recursive: true })
    await build(PAGES)
    await inFolder(async (folder) => {
      const run = folder.run('na64mu-2022', '--scenario', 'low-intensity')
      const console = await run.console()
      await withPage(console.url, async (page, complaints) => {
        const text = (testid: string): Promise<string> => page.getByTestId(testid).innerText()
        await page.getByTestId('run-state').getByText('Running').waitFor()
        expect(await page.title()).toMatch(/^SIMULATED · Running · run 1 · na64mu-2022$/)
        await page.getByText('SIMULATED').first().waitFor()
        await page.getByTestId('phase').getByText('Extracting').waitFor()
        await page.screenshot({ path: `${shots}/live-extracting-1920x1080-light.png` })

        const squares = page
          .getByRole('region', { name: 'Last spills' })
          .getByRole('button', { name: /^Spill \d+:/ })
        await squares.nth(1).waitFor()
        const { spills } = await console.snapshot()
        const second = spills.find((spill) => spill.spill === 2)!
        await page.getByRole('heading', { name: 'Ledger of spill 2, the last' }).waitFor()
        expect(Number((await text('built')).replace(/\D/g, ''))).toBe(second.eventsBuilt)
        for (const source of second.sources) {
          const row = page
            .getByRole('region', { name: 'Ledger of spill 2' })
            .getByRole('row', { name: source.device })
          expect((await row.innerText()).replace(/\u202f/g, '')).toContain(String(source.sent))
        }
        await page.getByText('Nothing needs you.').waitFor()

        const filled = (await histograms(console)).filter(({ entries }) => entries > 0)
        expect(filled.map(({ name }) => name)).toContain('energy/ecal')
        await page
          .getByText(/[1-9][\d\u202f]* entries/)
          .first()
          .waitFor()
        await page.screenshot({ path: `${shots}/live-running-1920x1080-light.png` })

        await page.getByRole('button', { name: 'Stop run 1' }).click()
        expect((await console.snapshot()).run.state).toBe('running')
        await page.getByRole('dialog').getByRole('button', { name: 'Stop run 1' }).click()
        await page.getByTestId('progress').getByText('Stop run 1: done').waitFor()
        await page.getByTestId('run-state').getByText('Configured').waitFor()
        await page.screenshot({ path: `${shots}/live-stopped-1920x1080-light.png` })
        expect(await console.snapshot()).toMatchObject({
          run: { state: 'configured', number: 1, condition: ['simulated'], status: 'stopped by the operator' }
        })
        expect(complaints).toEqual([])
      })
      expect(await run.end()).toMatchObject({ code: 0 })
      expect(await folder.read('runs')).toMatchObject({
        runs: [{ number: 1, condition: ['simulated'], reason: 'stopped by the operator' }]
      })
    })
  })
})
