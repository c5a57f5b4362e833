// Runs the public suite against one cache and prints each test's kind and result as JSON: node suite.mjs FOLDER BASE
import { pathToFileURL } from 'node:url'

const [folder, base] = process.argv.slice(2)
const load = (path) => import(pathToFileURL(`${folder}/node_modules/${path}`).href)
const tests = (await load('http-cache-tests/tests/index.mjs')).default
const { runTests, getResults } = await load('http-cache-tests/client/runner.mjs')
const display = await load('http-cache-tests/lib/display.mjs')
const fetch = (await load('node-fetch/lib/index.js')).default

const names = { '✅': 'passed', '⛔️': 'failed', '⚠️': 'optional failed', Y: 'yes', N: 'no', '🔹': 'set-up failed', '⁉️': 'harness failed', '⚪️': 'depends on another', '↻': 'retried', '-': 'untested' }
await runTests(tests, fetch, false, base)
const results = getResults()
const told = {}
for (const { id, kind = 'required', browser_only: browser } of tests.flatMap((suite) => suite.tests)) {
  if (browser) continue
  const [, , symbol] = display.determineTestResult(tests, id, results)
  told[id] = { kind, result: names[symbol] ?? symbol, why: results[id]?.[1] }
}
process.stdout.write(JSON.stringify(told))
process.exit(0)
