// Counts what the test runner wrote, for the closing line; a file that did not load counts as failed.
import { existsSync, readFileSync } from 'node:fs'

const file = new URL('../build/vitest.json', import.meta.url)
let passed = 0
let failed = process.env.PACKED_FAILED === undefined ? 0 : 1
if (existsSync(file)) {
  const report = JSON.parse(readFileSync(file, 'utf8'))
  const unloaded = report.testResults.filter(
    (f) => f.status === 'failed' && f.assertionResults.every((a) => a.status !== 'failed')
  )
  passed = report.numPassedTests
  failed += report.numFailedTests + unloaded.length
  for (const f of unloaded) console.log(`did not load: ${f.name}\n${f.message}`)
} else failed++
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 && passed > 0 ? 0 : 1)
