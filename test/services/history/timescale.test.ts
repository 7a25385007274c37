import { randomUUID } from 'node:crypto'
import pg from 'pg'
import t, { type Test } from 'tap'
import type { HistoryStore, SnapshotRecord, TradeRecord } from '../../../services/history/records.ts'
import { migrate } from '../../../services/history/storage/migrations.ts'
import { openHistory } from '../../../services/history/storage/open-history.ts'
import { openPostgres } from '../../../services/history/storage/postgres-engine.ts'

const MINUTE = 60_000
const DAY = 86_400_000
const TODAY = Math.floor(Date.now() / DAY) * DAY
const OLD = TODAY - 10 * DAY
const RANGE = { fromMs: OLD - DAY, toMs: TODAY }
const MARKETS = ['kalshi:A', 'kalshi:B', 'polymarket:C']
const NOTHING_OLD = { deleteBeforeMs: 0, thinBeforeMs: 0 }

function snapshot(marketId: string, atMs: number, sequence: number): SnapshotRecord {
  return {
    marketId,
    source: sequence % 3 === 0 ? 'poll' : 'websocket',
    cause: 'change',
    sequence,
    venueTimeMs: null,
    atMs,
    receivedAtMs: atMs,
    bestBid: sequence % 7 === 0 ? null : 4_000 + (sequence % 90),
    bestBidSize: 5,
    bestAsk: 4_200 + (sequence % 50),
    bestAskSize: 6,
    bids: [[4_000, 5]],
    asks: [[4_200, sequence]],
    state: 'live',
    reason: null,
    verifiedAtMs: null,
    mismatches: 0
  }
}

function trade(marketId: string, receivedAtMs: number, number: number): TradeRecord {
  const tradeId = number % 2 === 0 ? `${number}` : null
  return {
    marketId,
    tradeId,
    venueTimeMs: null,
    atMs: receivedAtMs,
    receivedAtMs,
    price: 4_000 + number,
    size: 1,
    takerSide: 'no'
  }
}

/** Two days of each market, a row every ten seconds of two minutes, three of each time. */
function twoDays(offsetMs: number) {
  const times = Array.from({ length: 36 }, (_, i) => Math.floor(i / 3) * 10_000 + offsetMs)
  const each = <Row>(make: (marketId: string, atMs: number, number: number) => Row) =>
    [OLD, OLD + DAY].flatMap((day) =>
      MARKETS.flatMap((marketId) => times.map((time, i) => make(marketId, day + time, i + offsetMs)))
    )
  return { snapshots: each(snapshot), trades: each(trade) }
}

/** Everything that is read of the rows of all markets. */
async function readAll(store: HistoryStore) {
  const exported: unknown[] = []
  for await (const batch of store.exportSnapshots(RANGE, 7)) exported.push(...batch)
  for await (const batch of store.exportTrades(RANGE, 7)) exported.push(...batch)
  const ofMarkets = MARKETS.map(async (marketId) => {
    const snapshots: SnapshotRecord[] = []
    const trades: TradeRecord[] = []
    const query = { marketId, ...RANGE, limit: 5 }
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page = await store.snapshots({ ...query, source: null, cursor: cursor ?? null })
      snapshots.push(...page.rows)
      cursor = page.cursor
    }
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page = await store.trades({ ...query, cursor: cursor ?? null })
      trades.push(...page.rows)
      cursor = page.cursor
    }
    const candles = await store.candles({ marketId, ...RANGE, interval: '1m' })
    return { snapshots, trades, candles, latest: await store.latestSnapshots(marketId) }
  })
  return { exported, markets: await Promise.all(ofMarkets) }
}

const server = process.env.TEST_DATABASE_URL ?? ''
t.test('TimescaleDB', { skip: await missing() }, async (t) => {
  const admin = new pg.Client(server)
  await admin.connect()
  t.teardown(() => admin.end())
  /** Creates a database that refuses at 10 unpacked rows what is refused at 100,000 elsewhere; returns its URL. */
  const create = async () => {
    const name = `crossbook_test_${randomUUID().replaceAll('-', '')}`
    await admin.query(`create database ${name}`)
    t.teardown(() => admin.query(`drop database ${name} with (force)`))
    await admin.query(
      `alter database ${name} set timescaledb.max_tuples_decompressed_per_dml_transaction = 10`
    )
    const url = new URL(server)
    url.pathname = name
    return url.href
  }
  const url = await create()
  const plainUrl = await create()

  const opened: unknown[] = []
  const warned: unknown[] = []
  const log = {
    info: (fields: unknown) => opened.push(fields),
    warn: (fields: unknown) => warned.push(fields)
  }
  const open = (databaseUrl: string) => openHistory({ databaseUrl, dataDir: '', log })
  const [store, ...others] = await Promise.all([open(url), open(url), open(url)])
  await Promise.all(others.map((other) => other.close()))
  t.teardown(() => store.close())

  // As it was before the server had TimescaleDB.
  const engine = await openPostgres(plainUrl)
  await migrate(engine.patient, false)
  await engine.close()
  const plain = await open(plainUrl)
  t.teardown(() => plain.close())

  const client = new pg.Client(url)
  await client.connect()
  t.teardown(() => client.end())
  const rowsOf = async (statement: string) => (await client.query(statement)).rows
  const compress = async () => {
    for (const { job_id } of await rowsOf(
      `select job_id from timescaledb_information.jobs where proc_name = 'policy_compression'`
    ))
      await client.query(`call run_job(${job_id})`)
  }
  const compressedDays = async () =>
    (
      await rowsOf(`
        select hypertable_name, range_start_integer as start from timescaledb_information.chunks
        where is_compressed order by 1, 2`)
    ).map(({ hypertable_name, start }) => [hypertable_name, (Number(start) - OLD) / DAY])
  const both = (work: (store: HistoryStore) => Promise<unknown>) =>
    Promise.all([store, plain].map((one) => work(one)))
  const same = async (t: Test, message: string) =>
    t.strictSame(await readAll(store), await readAll(plain), message)
  const write = (offsetMs: number) =>
    both(async (one) => {
      const { snapshots, trades } = twoDays(offsetMs)
      await one.writeSnapshots(snapshots)
      await one.writeTrades(trades)
    })

  t.test('is set up once by all that open at once, and left alone later', async (t) => {
    t.match(opened.slice(0, 3), [{ timescale: true }, { timescale: true }, { timescale: true }])
    const setUp = () =>
      rowsOf(`
        select hypertable_name, compression_enabled, config->>'compress_after' as compress_after,
          (select count(*)::int from pg_indexes where tablename = hypertable_name) as indexes
        from timescaledb_information.hypertables left join timescaledb_information.jobs using (hypertable_name)
        order by 1`)
    const wanted = { compression_enabled: true, compress_after: String(2 * DAY) }
    t.match(await setUp(), [
      { hypertable_name: 'market_snapshots', ...wanted, indexes: 2 },
      { hypertable_name: 'trades', ...wanted, indexes: 3 }
    ])
    const before = await setUp()
    await write(0)
    await compress()
    await (await open(url)).close()
    t.strictSame(await setUp(), before)
    t.strictSame(warned, [])
  })

  t.test('answers of compressed days what plain partitions do', async (t) => {
    t.strictSame(await compressedDays(), [
      ['market_snapshots', 0],
      ['market_snapshots', 1],
      ['trades', 0],
      ['trades', 1]
    ])
    await same(t, 'compressed')
    await write(0)
    await same(t, 'the same rows again')
    await write(5)
    await same(t, 'late rows in between')
    await compress()
    await same(t, 'compressed again')
  })

  t.test('thins compressed days, however many rows are unpacked for it', async (t) => {
    const thinBeforeMs = OLD + DAY + MINUTE
    const removed = await both((one) => one.prune({ ...NOTHING_OLD, thinBeforeMs }))
    t.ok(Number(removed[0]) > 0)
    t.equal(removed[0], removed[1])
    await same(t, 'thinned')
    await compress()
    await same(t, 'compressed again')
  })

  t.test('keeps a compressed day until all of it is old', async (t) => {
    const before = await readAll(store)
    t.equal(await store.prune({ deleteBeforeMs: OLD + MINUTE, thinBeforeMs: 0 }), 0)
    t.strictSame(await readAll(store), before)
    const removed = await both((one) => one.prune({ deleteBeforeMs: OLD + DAY, thinBeforeMs: 0 }))
    t.ok(Number(removed[0]) > 0)
    t.equal(removed[0], removed[1])
    await same(t, 'the first day is gone')
    t.strictSame(await compressedDays(), [
      ['market_snapshots', 1],
      ['trades', 1]
    ])
    await write(0)
    await same(t, 'a day that was dropped can be written to again')
  })
})

/** Says why there is no TimescaleDB to test, or false. */
async function missing(): Promise<string | false> {
  if (server === '') return 'TEST_DATABASE_URL is not set'
  const client = new pg.Client(server)
  await client.connect()
  const { rows } = await client.query(`
    select from pg_available_extensions
    where name = 'timescaledb' and current_setting('timescaledb.max_background_workers', true) is not null`)
  await client.end()
  return rows.length === 0 && 'the server of TEST_DATABASE_URL has no TimescaleDB'
}
