import { type Kysely, sql } from 'kysely'
import { snapshotRow } from '../../services/history/snapshot-rows.ts'
import { openHistory } from '../../services/history/storage/open-history.ts'
import { openPglite } from '../../services/history/storage/pglite-engine.ts'
import { openPostgres } from '../../services/history/storage/postgres-engine.ts'
import type { Tables } from '../../services/history/storage/tables.ts'
import { SnapshotStore } from '../../services/snapshots/store.ts'
import { fillArena, syntheticBook } from '../synthetic/book.ts'
import { kalshiMarket } from '../synthetic/market.ts'
import type { HistoryPlace } from './engines.ts'

/** A recorded day, as it would lie in the tables. */
export interface RecordedDay {
  rows: number
  markets: number
  /** Half-open: from is inside, to is not. */
  fromMs: number
  toMs: number
}

/** Books that the rows take turns with. */
const BOOKS = 256
/** One row in so many is a REST answer. */
const POLLED_EVERY = 50
/** Rows a statement writes. */
const CHUNK_ROWS = 125_000
/** Snapshots for one trade. */
const SNAPSHOTS_A_TRADE = 20
const SESSION = 'recorded-day'

const log = { info() {}, warn() {} }

/** Makes the tables, their days, and what there is of each market besides its rows. */
export async function prepareDay(place: HistoryPlace, day: RecordedDay): Promise<void> {
  const store = await openHistory({ ...place, log })
  const books = new SnapshotStore({ capacityMarkets: day.markets, capacityLevels: day.markets * 256 })
  const first = Array.from({ length: day.markets }, (_, index) => {
    const record = books.put(kalshiMarket(index), 'Rules.')
    if (record === null) throw new Error('the table is full')
    fillArena(books.books.arena, record.slot, syntheticBook(index))
    books.books.received(record.slot, day.fromMs, day.fromMs, index)
    books.books.resynced(record.slot)
    return snapshotRow(books.books, record.slot, record.id, 'verdict', day.fromMs)
  })
  await store.writeSnapshots(first)
  await store.writeSnapshots(first.slice(0, 1).map((row) => ({ ...row, atMs: day.toMs - 1 })))
  const coverage = {
    sessionId: SESSION,
    fromMs: day.fromMs,
    toMs: day.toMs,
    kind: 'verified',
    reason: null
  } as const
  await store.writeCoverage(first.map(({ marketId }) => ({ ...coverage, marketId })))
  await store.writeSession({
    sessionId: SESSION,
    startedAtMs: day.fromMs,
    heartbeatAtMs: day.toMs,
    endedAtMs: day.toMs
  })
  const [trade] = first
  if (trade !== undefined)
    for (const receivedAtMs of [day.fromMs, day.toMs - 1])
      await store.writeTrades([
        {
          marketId: trade.marketId,
          tradeId: `bench-${receivedAtMs}`,
          venueTimeMs: receivedAtMs,
          atMs: receivedAtMs,
          receivedAtMs,
          price: 5_000,
          size: 1_000_000,
          takerSide: 'yes'
        }
      ])
  await store.close()
}

/**
 * Writes some rows of the day in the order of their times, the markets mixed as they come live: the busiest changes
 * almost once a second, the quiet ones a hundred times an hour. Afterwards the planner learns of them.
 */
export async function fillDay(
  place: HistoryPlace,
  day: RecordedDay,
  from: number,
  to: number
): Promise<void> {
  const isPostgres = place.databaseUrl !== ''
  const engine = isPostgres ? await openPostgres(place.databaseUrl) : await openPglite(place.dataDir, log)
  try {
    const db = engine.patient
    await sql`create table if not exists bench_books as
      select row_number() over (order by row_no) - 1 as book, bids, asks, best_bid_e4, best_bid_size_e6,
        best_ask_e4, best_ask_size_e6
      from market_snapshots order by row_no limit ${sql.lit(BOOKS)}`.execute(db)
    if (isPostgres && from === 0) await skipWriteAheadLog(db)
    let next = from
    const fill = async () => {
      while (next < to) {
        const first = next
        next = Math.min(to, first + CHUNK_ROWS)
        await writeChunk(db, day, first, next)
        await engine.wrote(CHUNK_ROWS)
      }
    }
    await Promise.all(isPostgres ? [fill(), fill()] : [fill()])
    if (to === day.rows) await sql`analyze`.execute(db)
  } finally {
    await engine.close()
  }
}

/** It is written for those who crash, and read by nobody here. */
async function skipWriteAheadLog(db: Kysely<Tables>): Promise<void> {
  const { rows } = await sql<{ name: string }>`
    select inhrelid::regclass::text as name from pg_inherits
    where inhparent = 'market_snapshots'::regclass and inhrelid::regclass::text like 'market_snapshots_p%'`.execute(
    db
  )
  for (const { name } of rows) await sql`alter table ${sql.table(name)} set unlogged`.execute(db)
}

async function writeChunk(
  db: Kysely<Tables>,
  { rows, markets, fromMs, toMs }: RecordedDay,
  from: number,
  to: number
): Promise<void> {
  // A hash of the row's number is as good as chance, and the same each time.
  const chance = sql`(hashint8(n) & 2147483647) / 2147483648.0::float8`
  const market = sql`1 + floor(${sql.lit(markets)} * power(${chance}, 1.5))::integer`
  const at = sql`${sql.lit(fromMs)}::bigint + (n::float8 * ${sql.lit((toMs - fromMs) / rows)})::bigint`
  await sql`
    insert into market_snapshots (at_ms, market_key, digest, source, cause, sequence, venue_time_ms, received_at_ms,
      best_bid_e4, best_bid_size_e6, best_ask_e4, best_ask_size_e6, bids, asks, state, verified_at_ms, mismatches)
    select ${at}, ${market}, hashint8extended(n, 1),
      case when n % ${sql.lit(POLLED_EVERY)} = 0 then 'poll' else 'websocket' end,
      case when n % ${sql.lit(POLLED_EVERY)} = 0 then 'poll' else 'change' end, n, ${at} - 20, ${at} - 1,
      best_bid_e4, best_bid_size_e6, best_ask_e4, best_ask_size_e6, bids, asks, 'live', ${at} - 1, 0
    from generate_series(${sql.lit(from)}::bigint, ${sql.lit(to - 1)}::bigint) n
    join bench_books on book = (n * 7919) % (select count(*) from bench_books)`.execute(db)
  await sql`
    insert into trades (received_at_ms, market_key, digest, trade_id, venue_time_ms, price_e4, size_e6, taker_side)
    select ${at}, ${market}, hashint8extended(n, 2), n::text, ${at} - 20, 4000 + n % 2000, 1000000 * (1 + n % 50), 'yes'
    from generate_series(${sql.lit(from)}::bigint, ${sql.lit(to - 1)}::bigint, ${sql.lit(SNAPSHOTS_A_TRADE)}) n`.execute(
    db
  )
}
