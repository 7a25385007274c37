import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { Gateway } from '../faults/gateway.ts'
import { logFolder } from '../faults/process.ts'
import { PROGRAM } from '../faults/program.ts'
import { VENUES, Venues } from '../faults/venues.ts'
import type { MarketGaps } from '../schemas/history.ts'
import type { MarketAggregate, MarketPage } from '../schemas/market.ts'
import { type Engine, onEachEngine } from './engines.ts'

/** What a gateway that was stopped leaves behind: a journal to serve again, and a last state to begin with. */

const MARKETS = 30
const FRAMES = 3_000
const DOWN = ['refuse_upgrade', 'rest_status'] as const

const isLive = ({ verdict }: MarketAggregate) => verdict.state === 'live'
const booksOf = (markets: MarketAggregate[]) =>
  new Map(markets.map(({ id, orderBook, verdict }) => [id, { orderBook, receivedAt: verdict.receivedAt }]))

function logOf(name: string): { msg: string; [field: string]: unknown }[] {
  const lines = readFileSync(join(logFolder(), `${name}.log`), 'utf8').split('\n')
  return lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line))
}

t.test('a gateway that was stopped', { timeout: 300_000 }, (t) => onEachEngine(t, stopped))

async function stopped(t: Test, { engine, databaseUrl }: Engine): Promise<void> {
  const venues = await Venues.start(`restart-${engine}-venues`, { markets: MARKETS, rate: 400, seed: 23 })
  t.teardown(() => venues.process.child.kill('SIGKILL'))
  const dataDir = t.testdir()
  const started = async (name: string, settings: Record<string, string>, options: string[] = []) => {
    const gateway = await Gateway.start(name, settings, options)
    t.teardown(() => gateway.process.child.kill('SIGKILL'))
    return gateway
  }
  const recording = { ...venues.settings(), HISTORY: 'on', DATA_DIR: dataDir, DATABASE_URL: databaseUrl }

  const first = await started(`restart-${engine}-first`, recording)
  const beganAtMs = Date.now()
  t.ok(await first.untilReady(), 'both venues are synchronised, and the database is open')
  const wasBusy = await first.until(async () => {
    const { venues: all } = await first.health()
    return all.every(({ counters }) => counters.frames > FRAMES / all.length)
  }, 60_000)
  t.ok(wasBusy)
  await venues.control('POST', '/rate', { perSecond: 0 })
  let before: MarketAggregate[] = []
  const isQuiet = await first.until(async () => {
    const earlier = booksOf(before)
    await sleep(500)
    before = await first.markets()
    const books = booksOf(before)
    const isSame = [...books].every(([id, { receivedAt }]) => earlier.get(id)?.receivedAt === receivedAt)
    return isSame && before.length === 2 * MARKETS && before.every(isLive)
  }, 60_000)
  t.ok(isQuiet, 'every book is whole, and nothing moves')
  const midMs = Math.floor((beganAtMs + Date.now()) / 2)
  const quietAtMs = Date.now()
  t.equal((await first.process.stop()).code, 0)
  const stoppedAtMs = Date.now()

  // A replay reads its books from the journal, which is the same beside either database.
  const skip = engine === 'postgres' && 'it is the same journal'
  await t.test(
    'is served again from its journal, the same each time, whatever the speed',
    { skip },
    async (t) => {
      const replayed = async (name: string, options: string[]) => {
        const gateway = await started(name, {}, ['--replay', dataDir, ...options])
        const report = () => logOf(name).find(({ msg }) => msg.startsWith('the journal is replayed'))
        t.ok(await gateway.until(async () => report() !== undefined, 60_000))
        t.ok(await gateway.untilReady())
        const text = await (await fetch(`${gateway.url}/v1/markets.ndjson?depth=100`)).text()
        const markets = await gateway.markets()
        t.equal((await gateway.process.stop()).code, 0)
        const said = report()
        return { digest: said?.digest, records: said?.records, frames: said?.frames, text, markets }
      }
      const one = await replayed(`restart-${engine}-replay-1`, [])
      t.match(one, { digest: /^[0-9a-f]{64}$/ })
      t.ok((one.frames as number) >= FRAMES)
      t.strictSame(booksOf(one.markets), booksOf(before), 'its last state is the last that was served')
      const paced = ['--from', String(midMs), '--speed', '20']
      const two = await replayed(`restart-${engine}-replay-2`, paced)
      t.strictSame([two.digest, two.records, two.text], [one.digest, one.records, one.text])
      const part = await replayed(`restart-${engine}-replay-3`, ['--to', String(midMs)])
      t.ok((part.records as number) < (one.records as number))
      t.not(part.digest, one.digest, 'it is of every change')
    }
  )

  await t.test(
    'begins with its last state while the venues are down, and goes on when they come',
    async (t) => {
      for (const venue of VENUES) for (const fault of DOWN) await venues.setFault(venue, fault)
      const name = `restart-${engine}-second`
      const second = await started(name, { ...recording, BREAKER_OPEN_MS: '500' })
      const startedAtMs = Date.now()
      const response = await fetch(`${second.url}/v1/markets?pageSize=100&depth=100`)
      t.equal(response.status, 200, 'at once')
      const page = (await response.json()) as MarketPage
      t.equal(page.total, 2 * MARKETS)
      t.ok(page.items.every(({ quotes }) => !quotes.usable))
      t.ok(
        page.items.every(({ verdict }) => verdict.state === 'stale' && verdict.reason === 'disconnected'),
        'flagged'
      )
      t.strictSame(booksOf(page.items), booksOf(before), 'the books that they were, as old as they are')
      t.equal((await fetch(`${second.url}/v1/readyz`)).status, 503)
      t.ok((await second.health()).venues.every(({ synced }) => !synced))
      const served = logOf(name).find(({ msg }) => msg.startsWith('the last state is served'))
      t.match(served, { markets: 2 * MARKETS })
      t.ok((served?.ageMs as number) > 0)

      for (const venue of VENUES) for (const fault of DOWN) await venues.clearFault(venue, fault)
      await venues.control('POST', '/rate', { perSecond: 400 })
      const isReplaced = await second.until(async () => {
        const markets = await second.markets()
        return markets.length === 2 * MARKETS && markets.every(isLive)
      }, 60_000)
      t.ok(isReplaced, 'every one is live')
      t.ok(await second.untilReady())
      const id = before[0]?.id
      const asked = await fetch(`${second.url}/v1/markets/${id}/gaps?from=${beganAtMs}`)
      const restarts = ((await asked.json()) as MarketGaps).intervals.filter(({ kind }) => kind === 'restart')
      t.equal(restarts.length, 1, 'the time in between is one gap')
      const [{ from, to } = { from: '', to: '' }] = restarts
      t.ok(Date.parse(from) >= quietAtMs && Date.parse(from) <= stoppedAtMs, 'from the stop')
      t.ok(Date.parse(to ?? '') >= stoppedAtMs && Date.parse(to ?? '') <= startedAtMs, 'to the start')
      t.equal((await second.process.stop()).code, 0)
    }
  )
}

t.test('what cannot be replayed ends the start with one sentence', async (t) => {
  const folder = t.testdir()
  const cases: [string[], RegExp][] = [
    [['--speed', '2'], /^crossbook: --speed, --from and --to go with --replay; /],
    [['--replay', folder], /^crossbook: --replay \S+ holds no journal of that time$/],
    [['--replay', join(folder, 'none')], /^crossbook: --replay \S+ holds no journal of that time$/],
    [['--replay', folder, '--speed', '0'], /^crossbook: --speed must be a number above 0, but is "0"$/],
    [['--replay', folder, '--speed', 'fast'], /^crossbook: --speed must be a number above 0, but is "fast"$/],
    [['--replay', folder, '--from', 'noon'], /^crossbook: --from must be ISO 8601 [^\n]*, but is "noon"$/],
    [['--replay', folder, '--from', '2', '--to', '2'], /^crossbook: --from must be before --to$/]
  ]
  const ended = await Promise.all(
    cases.map(
      ([args]) =>
        new Promise<{ code: number | null; stderr: string }>((resolve) => {
          const env = { PATH: process.env.PATH ?? '', PORT: '0', LOG_LEVEL: 'silent' }
          const child = execFile(
            process.execPath,
            [PROGRAM, 'serve', ...args],
            { env },
            (_error, _stdout, stderr) => resolve({ code: child.exitCode, stderr })
          )
        })
    )
  )
  for (const [index, [args, sentence]] of cases.entries()) {
    t.equal(ended[index]?.code, 1, args.join(' '))
    t.match(ended[index]?.stderr.trim(), sentence)
  }
})
