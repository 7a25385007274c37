import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs, styleText } from 'node:util'
import type { Health } from '../../schemas/health.ts'
import { Gateway } from '../gateway.ts'
import { isWhole } from '../judge.ts'
import { logFolder } from '../process.ts'
import { look, type Sample } from '../sample.ts'
import { VENUES, Venues } from '../venues.ts'
import { type Growth, MemoryWatch } from './memory.ts'

const USAGE = `Usage: npm run soak -- [options]

Runs the whole gateway under load and passing faults, then compares every book with the truth.

  --seconds N   how long (600)
  --rate N      messages a second, both venues together (3000)
  --markets N   markets a venue (300)
  --seed N      of the markets and of the faults (1)
  --faults MS   a fault on each venue in this time (5000)
  --json        the result as data
  --help        this text`

const SETTLE_MS = 90_000
/** Often, so that what it costs once is paid in the warm-up, and what it costs each time adds up and shows. */
const DISCOVERY_MS = 30_000
/** Of resident memory and of the heap each, after the first two minutes. */
const MAX_GROWTH = 0.1

interface Result {
  seconds: number
  seed: number
  /** Frames that reached the gateway, a second. */
  framesPerSecond: number
  faultsFired: number
  reconnects: number
  books: number
  wrong: string[]
  settledMs: number | null
  /** Null where the run was too short to tell. */
  memory: Growth | null
  failures: string[]
}

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '600' },
    rate: { type: 'string', default: '3000' },
    markets: { type: 'string', default: '300' },
    seed: { type: 'string', default: '1' },
    faults: { type: 'string', default: '5000' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false }
  }
})
const [seconds, rate, markets, seed, faultsMs] = [
  values.seconds,
  values.rate,
  values.markets,
  values.seed,
  values.faults
].map(Number) as [number, number, number, number, number]

if (values.help) console.log(USAGE)
else if (![seconds, rate, markets, seed, faultsMs].every((one) => Number.isSafeInteger(one) && one > 0)) {
  console.error(USAGE)
  process.exitCode = 1
} else {
  const result = await soak()
  if (values.json) console.log(JSON.stringify(result))
  else report(result)
  if (result.failures.length > 0) process.exitCode = 1
}

async function soak(): Promise<Result> {
  const venues = await Venues.start('soak-venues', { markets, rate, seed })
  try {
    const gateway = await Gateway.start('soak-gateway', {
      ...venues.settings(),
      LOG_LEVEL: 'warn',
      REDISCOVERY_INTERVAL_MS: String(DISCOVERY_MS),
      MAX_MARKETS_PER_VENUE: String(2 * markets)
    })
    try {
      if (!(await gateway.untilReady())) throw new Error('the gateway did not get ready')
      return await run(venues, gateway)
    } finally {
      await gateway.process.stop()
    }
  } finally {
    await venues.process.stop()
  }
}

async function run(venues: Venues, gateway: Gateway): Promise<Result> {
  const framesBefore = frames(await gateway.health())
  for (const venue of VENUES) await venues.setFault(venue, 'auto', { ms: faultsMs })
  const startedMs = performance.now()
  const endMs = startedMs + seconds * 1_000
  const watch = new MemoryWatch(seconds * 1_000)
  const heapUsed = async () => (await gateway.process.tell()).heapUsed
  while (performance.now() < endMs) {
    await sleep(Math.min(2_000, endMs - performance.now()))
    const passedMs = performance.now() - startedMs
    const health = await gateway.health()
    await watch.look(passedMs, health.process.residentBytes, heapUsed)
    progress(
      `${Math.round(passedMs / 1_000)} s, ${books(health)}, ${Math.round(health.process.residentBytes / 1e6)} MB`
    )
  }
  const lastedMs = performance.now() - startedMs
  const health = await gateway.health()
  const memory = watch.growth(await heapUsed())
  for (const venue of VENUES) await venues.clearFault(venue, 'auto')
  await venues.control('DELETE', '/faults')
  const { sample, settledMs } = await settle(venues, gateway)
  const wrong = [...sample.books].filter(([, book]) => !isWhole(book))
  const missing = await notServed(venues, sample)
  const { firings } = await venues.state()
  const fired = Object.entries(firings).reduce(
    (sum, [name, { count }]) => sum + (name.endsWith(':auto') ? 0 : count),
    0
  )
  progress('')

  const failures: string[] = []
  if (wrong.length > 0) failures.push(`${wrong.length} books are not the true ones`)
  if (missing.length > 0) failures.push(`${missing.length} open markets are not served`)
  for (const kind of ['rss', 'heapUsed'] as const) {
    const grown = memory?.grown[kind] ?? 0
    // Not a number where the gateway did not answer for a minute: that is no proof either.
    if (!(grown <= MAX_GROWTH)) failures.push(`${kind} grew by ${percent(grown)} after the first two minutes`)
  }
  return {
    seconds: Math.round(lastedMs / 1_000),
    seed,
    framesPerSecond: Math.round((frames(health) - framesBefore) / (lastedMs / 1_000)),
    faultsFired: fired,
    reconnects: health.venues
      .flatMap(({ connections }) => connections)
      .reduce((sum, one) => sum + one.reconnects, 0),
    books: sample.books.size,
    wrong: [
      ...wrong.map(
        ([id, { state, reason, right }]) => `${id}: ${state} ${reason ?? ''} ${right ? '' : 'wrong'}`
      ),
      ...missing.map((id) => `${id}: not served`)
    ],
    settledMs,
    memory,
    failures
  }
}

/** Stops the market, and waits until every book is whole or the time for that is over. */
async function settle(
  venues: Venues,
  gateway: Gateway
): Promise<{ sample: Sample; settledMs: number | null }> {
  await venues.control('POST', '/pause')
  const startedMs = performance.now()
  for (;;) {
    const sample = await look(gateway, venues)
    const settledMs = Math.round(performance.now() - startedMs)
    if ([...sample.books.values()].every(isWhole)) return { sample, settledMs }
    if (settledMs > SETTLE_MS) return { sample, settledMs: null }
    const left = [...sample.books.values()].filter((book) => !isWhole(book)).length
    progress(`settling: ${left} books left`)
    await sleep(500)
  }
}

async function notServed(venues: Venues, sample: Sample): Promise<string[]> {
  const missing: string[] = []
  for (const venue of VENUES) {
    for (const { marketId, status } of await venues.versions(venue))
      if (status === 'active' && !sample.books.has(`${venue}:${marketId}`))
        missing.push(`${venue}:${marketId}`)
  }
  return missing
}

function frames(health: Health): number {
  return health.venues.reduce((sum, { counters }) => sum + counters.frames, 0)
}

function books(health: Health): string {
  return health.venues.map(({ venue, booksByState }) => `${venue} ${booksByState.live ?? 0} live`).join(', ')
}

function report(result: Result): void {
  const { failures, memory } = result
  console.log(`${result.seconds} s at ${result.framesPerSecond} frames a second, seed ${result.seed}`)
  console.log(`${result.faultsFired} faults fired, ${result.reconnects} reconnects`)
  console.log(
    `${result.books} books, settled after ${result.settledMs ?? '-'} ms, ${result.wrong.length} wrong`
  )
  for (const line of result.wrong.slice(0, 10)) console.log(`  ${line}`)
  if (memory === null) console.log('too short to tell whether memory grows')
  else
    for (const kind of ['rss', 'heapUsed'] as const)
      console.log(
        `${kind} ${megabytes(memory.warm[kind])} after two minutes, ${megabytes(memory.end[kind])} at the end: ${percent(memory.grown[kind])}`
      )
  for (const failure of failures) console.log(styleText('red', failure, { stream: process.stdout }))
  console.log(`logs in ${logFolder()}`)
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`
}

function percent(share: number): string {
  return `${share < 0 ? '' : '+'}${(100 * share).toFixed(1)} %`
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`)
}
