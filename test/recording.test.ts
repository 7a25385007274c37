import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { Gate } from '../faults/gate.ts'
import { Gateway } from '../faults/gateway.ts'
import { VENUES, Venues } from '../faults/venues.ts'
import type { BookAtInstant, MarketCoverage, MarketGaps, SnapshotHistory } from '../schemas/history.ts'
import { JournalReader } from '../services/history/journal/reader.ts'
import { type BookVersion, bookDigest } from '../simulator/control/book-history.ts'
import { createRandom } from '../simulator/model/random.ts'
import { freshDatabase, SERVER, withoutServer } from './engines.ts'
import { PrivatePostgres, withoutServerPrograms } from './private-postgres.ts'

/** The whole gateway, recording, with everything going wrong around it. */

const MARKETS = 60
const RATE = 2_000
const FLUSH_MS = 500
/** Between the last sign of life in the database and the end: a flush, and one slow turn on a busy machine. */
const LOST_AT_MOST_MS = FLUSH_MS + 1_500
/** A message may be under way for so long. */
const IN_FLIGHT_MS = 1_000
/** The clock of the book log stands still within a turn of a busy event loop. */
const CLOCK_MS = 250
const INSTANTS = 1_000
const RECORD_MS = 12_000
const FROZEN_MS = 8_000

let worlds = 0

async function world(t: Test, settings: Record<string, string> = {}) {
  const name = `recording-${++worlds}`
  const venues = await Venues.start(`${name}-venues`, { markets: MARKETS, rate: RATE, seed: 11 })
  t.teardown(() => venues.process.child.kill('SIGKILL'))
  const dataDir = t.testdir()
  let starts = 0
  const serve = async () => {
    const gateway = await Gateway.start(`${name}-gateway-${++starts}`, {
      ...venues.settings(),
      HISTORY: 'on',
      HISTORY_FLUSH_MS: String(FLUSH_MS),
      DATA_DIR: dataDir,
      AUDIT_PERIOD_MS: '20000',
      GAP_FILL_INTERVAL_MS: '1000',
      ...settings
    })
    t.teardown(() => gateway.process.child.kill('SIGKILL'))
    await gateway.untilReady()
    const isWell = await gateway.until(async () => (await gateway.health()).history?.state === 'well', 60_000)
    if (!isWell) throw new Error('the database did not open')
    return gateway
  }
  return { venues, serve, dataDir }
}

async function end({ process: { child } }: Gateway, signal: NodeJS.Signals): Promise<void> {
  const ended = once(child, 'exit')
  child.kill(signal)
  await ended
}

async function ask<Answer>(
  gateway: Gateway,
  id: string,
  path: string
): Promise<{ status: number; body: Answer }> {
  const response = await fetch(`${gateway.url}/v1/markets/${id}/${path}`)
  return { status: response.status, body: (await response.json()) as Answer }
}

/** Every version that the true books had, by market. */
async function truthsDuring(venues: Venues, ms: number): Promise<Map<string, BookVersion[]>> {
  const truths = new Map<string, Map<string, BookVersion>>()
  const untilMs = performance.now() + ms
  while (performance.now() < untilMs) {
    for (const venue of VENUES) {
      for (const { marketId, versions } of await venues.versions(venue)) {
        const id = `${venue}:${marketId}`
        const known = truths.get(id) ?? new Map<string, BookVersion>()
        truths.set(id, known)
        for (const version of versions) known.set(`${version.fromMs} ${version.digest}`, version)
      }
    }
    await sleep(500)
  }
  return new Map([...truths].map(([id, versions]) => [id, [...versions.values()]]))
}

/** Every recorded row of a range, page by page. */
async function* rowsOf(gateway: Gateway, id: string, fromMs: number, toMs: number) {
  for (let cursor = ''; ; ) {
    const path = `snapshots?from=${fromMs}&to=${toMs}&limit=500${cursor}`
    const { body } = await ask<SnapshotHistory>(gateway, id, path)
    yield* body.items
    if (body.cursor === null) return
    cursor = `&cursor=${encodeURIComponent(body.cursor)}`
  }
}

const pairs = (levels: { price: string; size: string }[]) =>
  levels.map(({ price, size }): [string, string] => [price, size])

async function databases(t: Test): Promise<[engine: string, url: string][]> {
  if (SERVER === '') {
    t.comment('TEST_DATABASE_URL is not set: PostgreSQL is left out')
    return [['pglite', '']]
  }
  return [
    ['pglite', ''],
    ['postgres', await freshDatabase(t)]
  ]
}

t.test('SIGKILL in mid-traffic', { timeout: 300_000 }, async (t) => {
  for (const [engine, databaseUrl] of await databases(t)) {
    await t.test(engine, { timeout: 300_000 }, async (t) => {
      const { venues, serve, dataDir } = await world(t, { DATABASE_URL: databaseUrl })
      const first = await serve()
      const recordedFromMs = Date.now()
      const truths = await truthsDuring(venues, RECORD_MS)
      const killedAtMs = Date.now()
      await end(first, 'SIGKILL')
      await sleep(1_000)
      const restartedAtMs = Date.now()
      const second = await serve()
      const ids = [...truths.keys()]
      const range = `from=${recordedFromMs}&to=${Date.now()}`

      await t.test('the exact hole is told, and nothing before it is lost', async (t) => {
        const wrong: unknown[] = []
        for (const id of ids.slice(0, 40)) {
          const { body: coverage } = await ask<MarketCoverage>(second, id, `coverage?${range}`)
          const hole = coverage.intervals.find(({ reason }) => reason === 'not_recorded')
          const fromMs = Date.parse(hole?.from ?? '')
          const toMs = Date.parse(hole?.to ?? '')
          const isGapless = coverage.intervals.every(
            ({ from }, i, all) => i === 0 || from === (all[i - 1] as { to: string }).to
          )
          const rows = await ask<SnapshotHistory>(second, id, `snapshots?from=${restartedAtMs}&limit=1`)
          const firstMs = Date.parse(rows.body.items[0]?.at ?? '')
          const isExact =
            toMs <= firstMs &&
            fromMs <= killedAtMs + FLUSH_MS &&
            fromMs >= killedAtMs - LOST_AT_MOST_MS &&
            toMs >= restartedAtMs &&
            isGapless
          if (!isExact) wrong.push({ id, killedAtMs, fromMs, toMs, isGapless, intervals: coverage.intervals })
          const { body: gaps } = await ask<MarketGaps>(second, id, `gaps?${range}`)
          const restart = gaps.intervals.find(({ kind }) => kind === 'restart')
          const startedMs = Date.parse(restart?.from ?? '')
          if (
            !gaps.hasGaps ||
            !(startedMs <= killedAtMs + FLUSH_MS && startedMs >= killedAtMs - LOST_AT_MOST_MS)
          )
            wrong.push({ id, killedAtMs, gaps: gaps.intervals })
        }
        t.strictSame(wrong.slice(0, 2), [])
        for (const venue of VENUES) {
          const holes = await new JournalReader({ folder: join(dataDir, 'journal'), name: venue }).verify()
          t.strictSame(
            holes.filter(({ reason }) => reason !== 'torn'),
            [],
            `nothing in the journal of ${venue} is damaged but its torn end`
          )
        }
      })

      await t.test(`the book at ${INSTANTS} random instants is the true one`, async (t) => {
        const random = createRandom(7)
        const fromMs = recordedFromMs + IN_FLIGHT_MS
        const toMs = killedAtMs - LOST_AT_MOST_MS
        let proven = 0
        const wrong: unknown[] = []
        const one = async () => {
          const id = ids[random.int(ids.length)] as string
          const atMs = fromMs + random.int(toMs - fromMs)
          const { status, body } = await ask<BookAtInstant>(second, id, `book?asOf=${atMs}&depth=100`)
          if (status === 200) {
            const digest = bookDigest(pairs(body.orderBook.bids), pairs(body.orderBook.asks))
            const isTrue = (truths.get(id) ?? []).some(
              (version) =>
                version.digest === digest &&
                version.fromMs <= atMs + CLOCK_MS &&
                (version.untilMs === null || version.untilMs >= atMs - IN_FLIGHT_MS)
            )
            if (isTrue) proven++
            else wrong.push({ id, atMs, body })
          } else wrong.push({ id, atMs, status, body })
        }
        for (let asked = 0; asked < INSTANTS; asked += 4) await Promise.all([one(), one(), one(), one()])
        t.strictSame(wrong.slice(0, 1), [])
        t.equal(proven, INSTANTS)
      })

      await t.test('every row that was written before it is a book that there was', async (t) => {
        const fromMs = recordedFromMs + IN_FLIGHT_MS
        const wrong: unknown[] = []
        const counts = { poll: 0, websocket: 0 }
        for (const id of ids)
          for await (const row of rowsOf(second, id, fromMs, killedAtMs - LOST_AT_MOST_MS)) {
            const { bids, asks } = row.orderBook
            const atMs = Date.parse(row.at)
            const digest = bookDigest(pairs(bids), pairs(asks))
            const isTrue = (truths.get(id) ?? []).some(
              (version) =>
                version.topDigest === digest &&
                version.fromMs <= atMs + CLOCK_MS &&
                (version.untilMs === null || version.untilMs >= atMs - IN_FLIGHT_MS)
            )
            const { bestBid, bestBidSize, bestAsk, bestAskSize } = row.quote
            const isQuoted =
              JSON.stringify([bestBid, bestBidSize, bestAsk, bestAskSize]) ===
              JSON.stringify([bids[0], asks[0]].flatMap((best) => [best?.price ?? null, best?.size ?? null]))
            if (!isTrue || !isQuoted) wrong.push({ id, row })
            counts[row.source]++
          }
        t.comment(`measured: rows read back on ${engine}: ${JSON.stringify(counts)}, wrong ${wrong.length}`)
        t.strictSame(wrong.slice(0, 2), [])
        t.ok(
          counts.poll > 0 && counts.websocket > ids.length,
          'of both sources, more than one of each market'
        )
      })

      await t.test('what cannot be proved is refused with the hole named', async (t) => {
        const id = ids[0] as string
        const atMs = killedAtMs + Math.floor((restartedAtMs - killedAtMs) / 2)
        const refused = await ask<{ code: string; message: string }>(second, id, `book?asOf=${atMs}`)
        t.equal(refused.status, 409)
        t.equal(refused.body.code, 'BOOK_UNPROVEN')
        const taken = await ask<BookAtInstant>(second, id, `book?asOf=${atMs}&allowDegraded=true`)
        t.equal(taken.status, 200)
        t.equal(taken.body.proof.proven, false)
        t.ok(taken.body.proof.hole)
      })
      await end(second, 'SIGTERM')
    })
  }
})

t.test('a connection that is cut is a gap with its times', { timeout: 120_000 }, async (t) => {
  const { venues, serve } = await world(t)
  const gateway = await serve()
  const [connection] = await venues.connections('kalshi')
  const id = `kalshi:${connection?.markets[0]}`
  const cutAtMs = Date.now()
  await venues.setFault('kalshi', 'cut_socket', { connection: connection?.id ?? 1 })
  const found = await gateway.until(async () => {
    const { body } = await ask<MarketGaps>(gateway, id, `gaps?from=${cutAtMs - 5_000}`)
    return body.intervals.some(({ kind, to }) => kind === 'disconnected' && to !== null)
  }, 30_000)
  t.ok(found, 'it is told, with its end')
  const { body } = await ask<MarketCoverage>(gateway, id, `coverage?from=${cutAtMs - 2_000}`)
  t.ok(
    body.intervals.some(({ kind }) => kind !== 'verified'),
    'and the stretch is not called verified'
  )
  await end(gateway, 'SIGTERM')
})

t.test('a process that is frozen proves nothing of that time', { timeout: 120_000 }, async (t) => {
  const { venues, serve } = await world(t)
  const gateway = await serve()
  const { child } = gateway.process
  const [connection] = await venues.connections('kalshi')
  const id = `kalshi:${connection?.markets[0]}`
  const isVerified = await gateway.until(async () => {
    const { body } = await ask<MarketCoverage>(gateway, id, `coverage?from=${Date.now() - 500}`)
    return body.intervals.every(({ kind }) => kind === 'verified')
  }, 30_000)
  t.ok(isVerified)
  child.kill('SIGSTOP')
  const frozenAtMs = Date.now()
  await sleep(FROZEN_MS)
  const wokeAtMs = Date.now()
  child.kill('SIGCONT')
  const middleMs = Math.floor((frozenAtMs + wokeAtMs) / 2)
  const range = `from=${middleMs - 1_000}&to=${middleMs + 1_000}`
  const { body: coverage } = await ask<MarketCoverage>(gateway, id, `coverage?${range}`)
  t.match(coverage.intervals, [{ kind: 'degraded', reason: 'standstill' }], 'as soon as anything is answered')
  t.equal(coverage.shares.verified.durationMs, 0)
  const refused = await ask<{ code: string; message: string }>(gateway, id, `book?asOf=${middleMs}`)
  t.match(refused, { status: 409, body: { code: 'BOOK_UNPROVEN', message: /standstill/ } })
  const { body: gaps } = await ask<MarketGaps>(gateway, id, `gaps?${range}`)
  const gap = gaps.intervals.find(({ kind }) => kind === 'standstill')
  const fromMs = Date.parse(gap?.from ?? '')
  t.ok(fromMs <= frozenAtMs && fromMs >= frozenAtMs - LOST_AT_MOST_MS, 'from the last sign of life')
  t.ok(Date.parse(gap?.to ?? '') >= wokeAtMs)
  const isWell = await gateway.until(async () => {
    const { status } = await ask(gateway, id, `book?asOf=${Date.now() - 500}`)
    return status === 200
  }, 30_000)
  t.ok(isWell, 'and books are proved again')
  await end(gateway, 'SIGTERM')
})

/** A database that goes away and comes back. */
interface Absent {
  url: string
  leave: () => void
  comeBack: () => void
}

const ABSENCES: [name: string, skip: string | false, open: (t: Test) => Promise<Absent>][] = [
  [
    'whose way is shut',
    SERVER === '' ? 'TEST_DATABASE_URL is not set' : false,
    async (t) => {
      const gate = await Gate.to(await freshDatabase(t))
      t.teardown(() => gate.close())
      return { url: gate.url, leave: () => gate.shut(), comeBack: () => gate.reopen() }
    }
  ],
  [
    'whose server is stopped and started',
    withoutServerPrograms(),
    async (t) => {
      const server = await PrivatePostgres.start(t)
      return { url: server.url, leave: () => server.stop(), comeBack: () => server.start() }
    }
  ]
]

for (const [name, skip, open] of ABSENCES) {
  t.test(
    `PostgreSQL ${name} loses nothing that the bound does not say`,
    { timeout: 180_000, skip },
    async (t) => {
      const database = await open(t)
      const { serve, venues } = await world(t, { DATABASE_URL: database.url })
      const gateway = await serve()
      const fromMs = Date.now()
      database.leave()
      const isAway = await gateway.until(
        async () => (await gateway.health()).history?.state === 'away',
        30_000
      )
      t.ok(isAway, 'health says so')
      await sleep(5_000)
      t.ok(
        (await gateway.markets()).some(({ verdict }) => verdict.state === 'live'),
        'books live on'
      )
      const untilMs = Date.now()
      database.comeBack()
      const caughtUp = await gateway.until(async () => {
        const { history } = await gateway.health()
        return history?.state === 'well' && history.lagMs < 2_000
      }, 60_000)
      t.ok(caughtUp, 'rows that waited are written')
      const { history } = await gateway.health()
      t.match(history, { dropped: 0 })
      const ids = (await gateway.markets()).map(({ id }) => id)
      t.equal(ids.length, 2 * MARKETS)
      const rowsOf = async (id: string) => {
        const path = `snapshots?from=${fromMs}&to=${untilMs}&source=websocket`
        return (await ask<SnapshotHistory>(gateway, id, path)).body.items.length
      }
      const rows = (await Promise.all(ids.map(rowsOf))).reduce((sum, count) => sum + count, 0)
      t.ok(rows > ids.length, 'rows of the time without a database are there')
      const [connection] = await venues.connections('kalshi')
      const id = `kalshi:${connection?.markets[0]}`
      const { body } = await ask<MarketGaps>(gateway, id, `gaps?from=${fromMs}`)
      const gone = body.intervals.find(({ kind }) => kind === 'storage_down')
      t.match(
        gone,
        { recoveredBy: 'snapshot', detail: /every row waited and was written/ },
        'it is on record'
      )
      t.ok(Date.parse(gone?.from ?? '') >= fromMs - FLUSH_MS && Date.parse(gone?.to ?? '') > untilMs)
      await end(gateway, 'SIGTERM')
    }
  )
}

const DISK_MEGABYTES = 200
/** What is left on it for the gateway: some seconds of journals. */
const LEFT_BYTES = 3_000_000
const DISKS: [rows: string, openDatabase: ((t: Test) => Promise<string>) | null][] = [
  ['in PostgreSQL elsewhere', freshDatabase],
  ['in PGlite on it', null]
]

for (const [rows, openDatabase] of DISKS) {
  const skip = (openDatabase !== null && withoutServer) || cannotMount()
  t.test(`a full disk, with rows ${rows}`, { timeout: 180_000, skip }, async (t) => {
    const disk = mkdtempSync(join(tmpdir(), 'crossbook-disk-'))
    t.teardown(() => rmdirSync(disk))
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MEGABYTES}m`, 'tmpfs', disk])
    t.teardown(() => execFileSync('umount', ['-l', disk]))
    const databaseUrl = (await openDatabase?.(t)) ?? ''
    const { serve, venues } = await world(t, { DATABASE_URL: databaseUrl, DATA_DIR: disk })
    const gateway = await serve()
    const history = async () => (await gateway.health()).history
    const { bavail, bsize } = statfsSync(disk)
    const other = join(disk, 'other')
    writeFileSync(other, Buffer.alloc(bavail * bsize - LEFT_BYTES))
    const isFull = await gateway.until(async () => {
      const now = await history()
      const isJournalFull = Object.values(now?.journals ?? {}).some(({ state }) => state === 'disk_full')
      return isJournalFull && (openDatabase !== null || now?.state === 'away')
    }, 60_000)
    t.ok(isFull, 'health says so')
    t.ok(
      (await gateway.markets()).some(({ verdict }) => verdict.state === 'live'),
      'the gateway goes on'
    )
    rmSync(other)
    const isWell = await gateway.until(async () => {
      const now = await history()
      return now?.state === 'well' && now.lagMs < 2_000
    }, 60_000)
    t.ok(isWell, 'with room again the rows that waited are written')
    t.match(await history(), { dropped: 0, conflated: 0 })
    const told = async (venue: (typeof VENUES)[number]) => {
      const [connection] = await venues.connections(venue)
      const { body } = await ask<MarketGaps>(gateway, `${venue}:${connection?.markets[0]}`, 'gaps')
      return body.intervals.some(({ kind }) => kind === 'journal_hole')
    }
    // Which journal found no room first is chance: the hole is that of its venue.
    const isRecorded = await gateway.until(
      async () => (await Promise.all(VENUES.map(told))).includes(true),
      60_000
    )
    t.ok(isRecorded, 'and the hole of the journal is on record')
    await end(gateway, 'SIGTERM')
  })
}

function cannotMount(): string | false {
  if (process.getuid?.() !== 0) return 'only root can mount a small disk'
  const probe = t.testdir({ disk: {} })
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', join(probe, 'disk')], { stdio: 'ignore' })
    execFileSync('umount', [join(probe, 'disk')])
    return false
  } catch {
    return 'no disk can be mounted here'
  }
}
