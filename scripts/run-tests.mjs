// Runs each test file in a process of its own, those of whole worlds alone and the others a few at a time, and says of
// each how it went; what failed is shown in full. Closes with a plain count of tests, which is what people and CI look for.
//
//   node scripts/run-tests.mjs [FILE or part of a path...]
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { Parser } from 'tap-parser'

/** A file that is still running then has hung. */
const FILE_TIMEOUT_S = 400
/** Several processes under load that are held to times: another test beside them would take the cores they are judged on. */
const ALONE = ['end-to-end', 'cluster', 'recording'].map((name) => `test/${name}.test.ts`)
/** Those that take half a minute and more: first, so that the short ones fill the time beside them. */
const LONG = [
  'cli',
  'restart',
  'export',
  'replay-history',
  'services/history/history',
  'services/kalshi/silence',
  'services/polymarket/silence',
  'services/venue/recovery',
  'services/kalshi/feed',
  'shutdown'
].map((name) => `test/${name}.test.ts`)
/** The bundle, which a process starts from in a fifth of the time that the sources take. */
const PROGRAM = fileURLToPath(new URL('../dist/crossbook.mjs', import.meta.url))
/** At once, of the others: one more than there are cores, since many wait for a venue to fall silent. */
const WORKERS = availableParallelism() + 1

process.chdir(fileURLToPath(new URL('..', import.meta.url)))
await import('./build.mjs')
const wanted = process.argv.slice(2)
const files = readdirSync('test', { recursive: true })
  .map((path) => `test/${path.replaceAll('\\', '/')}`)
  .filter((path) => path.endsWith('.test.ts'))
  .filter((path) => wanted.length === 0 || wanted.some((part) => path.includes(part)))
  .sort((a, b) => Number(LONG.includes(b)) - Number(LONG.includes(a)) || a.localeCompare(b))

const totals = { pass: 0, fail: 0, skip: 0 }
const failed = []
const again = []
for (const file of files) if (ALONE.includes(file)) await run(file)
const waiting = files.filter((file) => !ALONE.includes(file))
await Promise.all(Array.from({ length: WORKERS }, worker))
for (const file of again) {
  console.log(`once more, alone: ${file}`)
  await run(file, true)
}
if (files.length === 0) console.log(`no test file matches ${wanted.join(', ')}`)
const mended = again.filter((file) => !failed.includes(file))
if (mended.length > 0) console.log(`\npassed only the second time: ${mended.join(', ')}`)
if (failed.length > 0) console.log(`\nfailed: ${failed.join(', ')}`)
console.log(`${totals.pass} passed, ${totals.fail} failed, ${totals.skip} skipped`)
process.exitCode = failed.length > 0 || totals.pass === 0 ? 1 : 0

async function worker() {
  for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) await run(file)
}

/** What fails is run once more, alone: a machine that was taken away for seconds is no fault, one that is seen twice is. */
async function run(file, isLast = false) {
  const startedAt = performance.now()
  const { text, code, signal, results, left, measured } = await output(file)
  const isWell = code === 0 && results.ok
  if (isWell || isLast) {
    totals.pass += results.pass ?? 0
    totals.fail += results.fail ?? 0
    totals.skip += results.skip ?? 0
  }
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1)
  console.log(`${isWell ? 'ok  ' : 'FAIL'} ${file}  ${results.pass ?? 0} passed, ${seconds} s`)
  for (const why of left) console.log(`       left out: ${why}`)
  for (const figure of measured) console.log(`       measured: ${figure}`)
  if (isWell) return
  if (isLast) {
    failed.push(file)
    // A file that ends badly without a failed test has crashed or hung.
    if ((results.fail ?? 0) === 0) totals.fail++
  } else again.push(file)
  console.log(text)
  if (signal !== null || code !== 0) console.log(`${file} ended with ${signal ?? `code ${code}`}`)
}

function output(file) {
  const child = spawn(process.execPath, ['--import', 'tsx', file], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TAP_TIMEOUT: String(FILE_TIMEOUT_S), CROSSBOOK_PROGRAM: PROGRAM }
  })
  const hung = setTimeout(() => child.kill('SIGKILL'), (FILE_TIMEOUT_S + 20) * 1_000)
  const parts = []
  const left = new Set()
  const measured = new Set()
  const parser = new Parser()
  listen(parser, left, measured)
  child.stdout.pipe(parser)
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => parts.push(part))
  return new Promise((resolve) => {
    let results = { ok: false }
    parser.on('complete', (found) => {
      results = found
    })
    child.on('close', (code, signal) => {
      clearTimeout(hung)
      setImmediate(() =>
        resolve({ text: Buffer.concat(parts).toString(), code, signal, results, left, measured })
      )
    })
  })
}

/** What was left out, and why, and what was measured, wherever it stands in the file. */
function listen(parser, left, measured) {
  parser.on('child', (child) => listen(child, left, measured))
  parser.on('assert', ({ skip, name }) => {
    if (skip) left.add(typeof skip === 'string' ? `${name}: ${skip}` : name)
  })
  parser.on('comment', (comment) => {
    if (/left out/.test(comment) && !comment.includes('Subtest:'))
      left.add(comment.replace(/^#\s*/, '').trim())
    const [, figure] = /^#\s*measured: (.*)/.exec(comment) ?? []
    if (figure !== undefined) measured.add(figure)
  })
}
