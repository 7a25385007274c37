import { type Kysely, type RawBuilder, sql } from 'kysely'
import { SOURCES } from '../../integrity/verdict.ts'
import type {
  Proof,
  RecordPage,
  SnapshotQuery,
  SnapshotRecord,
  TimeRange,
  TradeQuery,
  TradeRecord
} from '../records.ts'
import { formatCursor, type Position, parseCursor } from './cursor.ts'
import { keyOf } from './market-keys.ts'
import { readSnapshot, SNAPSHOT_COLUMNS, type SnapshotRow } from './snapshot-rows.ts'
import { knownBy, shownOf, storable } from './sql-columns.ts'
import type { Tables } from './tables.ts'
import { heardBy, readTrade, TRADE_COLUMNS, type TradeRow } from './trade-rows.ts'

const SNAPSHOT_SHOWN = shownOf(SNAPSHOT_COLUMNS)
const TRADE_SHOWN = shownOf(TRADE_COLUMNS)

/** Rows of many markets say which. */
type WithMarket = { market_id: string }

/** The newest snapshot of each source, or the newest at an instant. */
export async function latestSnapshots(
  db: Kysely<Tables>,
  marketId: string,
  asOfMs: number | null = null
): Promise<SnapshotRecord[]> {
  // One descent of the index a source: sorted together, a source that fell silent would be looked for in all rows.
  const newest = SOURCES.map(
    (source) => sql`(
      select ${SNAPSHOT_SHOWN} from market_snapshots
      where market_key = ${keyOf(marketId)} and source = ${source} and ${knownBy(asOfMs, 'at_ms')}
      order by at_ms desc, row_no desc limit 1)`
  )
  const { rows } = await sql<SnapshotRow>`
    select * from (${sql.join(newest, sql` union all `)}) found`.execute(db)
  return rows.map((row) => readSnapshot(row, marketId))
}

/** A page of one market's snapshots, oldest first. */
export async function snapshotPage(
  db: Kysely<Tables>,
  query: SnapshotQuery
): Promise<RecordPage<SnapshotRecord>> {
  const { marketId, source, limit, cursor } = query
  const inside = within('at_ms', query, cursor === null ? null : parseCursor('snapshots', cursor))
  const parts = (source === null ? SOURCES : [source]).map(
    (one) => sql`(
      select ${SNAPSHOT_SHOWN} from market_snapshots
      where market_key = ${keyOf(marketId)} and source = ${one} and ${inside}
      order by at_ms, row_no limit ${limit + 1})`
  )
  const { rows } = await sql<SnapshotRow>`
    select * from (${sql.join(parts, sql` union all `)}) found
    order by at_ms, row_no limit ${limit + 1}`.execute(db)
  return pageOf(
    rows,
    limit,
    (row) => readSnapshot(row, marketId),
    (row) => formatCursor('snapshots', { atMs: row.at_ms, rowNo: row.row_no })
  )
}

/**
 * The first snapshot of each market in a range that was live then. A poll beside the stream proves nothing of the stream:
 * its rows go on while that is away.
 */
export async function firstProofs(
  db: Kysely<Tables>,
  { marketIds, ...range }: TimeRange & { marketIds: readonly string[] }
): Promise<Map<string, Proof>> {
  // One descent of the index a market and source: most books are live soon after they came.
  const { rows } = await sql<{ market_id: string; at_ms: number; source: string }>`
    select distinct on (market_id) market_id, at_ms, source
    from unnest(${marketIds.map(storable)}::text[]) as asked(market_id) join market_keys using (market_id)
    cross join unnest(${[...SOURCES]}::text[]) as sources(source)
    cross join lateral (
      select at_ms from market_snapshots row
      where row.market_key = market_keys.market_key and row.source = sources.source and row.state = 'live'
        and row.cause <> 'poll'
        and ${within('at_ms', range, null)}
      order by at_ms limit 1) found
    order by market_id, at_ms, source desc`.execute(db)
  return new Map(
    rows.map((row) => [
      row.market_id,
      { atMs: row.at_ms, recoveredBy: row.source === 'poll' ? 'rest' : 'snapshot' }
    ])
  )
}

/** A page of one market's trades by their place in time, oldest first; of those that were heard of at an instant. */
export async function tradePage(
  db: Kysely<Tables>,
  query: TradeQuery,
  asOfMs: number | null = null
): Promise<RecordPage<TradeRecord>> {
  const { marketId, limit, cursor } = query
  const inside = within('received_at_ms', query, cursor === null ? null : parseCursor('trades', cursor))
  const { rows } = await sql<TradeRow>`
    select ${TRADE_SHOWN} from trades
    where market_key = ${keyOf(marketId)} and ${inside} and ${heardBy(asOfMs)}
    order by received_at_ms, row_no limit ${limit + 1}`.execute(db)
  return pageOf(
    rows,
    limit,
    (row) => readTrade(row, marketId),
    (row) => formatCursor('trades', { atMs: row.received_at_ms, rowNo: row.row_no })
  )
}

/** All snapshots of a range, oldest first, so many at a time. */
export async function* exportSnapshots(
  db: Kysely<Tables>,
  range: TimeRange,
  batch: number
): AsyncGenerator<SnapshotRecord[]> {
  let after: Position | null = null
  do {
    const { rows } = await sql<SnapshotRow & WithMarket>`
      select found.*, market_keys.market_id from (
        select ${SNAPSHOT_SHOWN} from market_snapshots where ${within('at_ms', range, after)}
        order by at_ms, row_no limit ${batch}) found
      join market_keys using (market_key) order by at_ms, row_no`.execute(db)
    after = lastOf(rows, batch, (row) => row.at_ms)
    if (rows.length > 0) yield rows.map((row) => readSnapshot(row, row.market_id))
  } while (after !== null)
}

/** All trades that have their place in a range, oldest first, so many at a time. */
export async function* exportTrades(
  db: Kysely<Tables>,
  range: TimeRange,
  batch: number
): AsyncGenerator<TradeRecord[]> {
  let after: Position | null = null
  do {
    const { rows } = await sql<TradeRow & WithMarket>`
      select found.*, market_keys.market_id from (
        select ${TRADE_SHOWN} from trades where ${within('received_at_ms', range, after)}
        order by received_at_ms, row_no limit ${batch}) found
      join market_keys using (market_key) order by received_at_ms, row_no`.execute(db)
    after = lastOf(rows, batch, (row) => row.received_at_ms)
    if (rows.length > 0) yield rows.map((row) => readTrade(row, row.market_id))
  } while (after !== null)
}

function within(column: string, { fromMs, toMs }: TimeRange, after: Position | null): RawBuilder<unknown> {
  const at = sql.ref(column)
  // The planner picks partitions by single comparisons, not by one of rows: hence the bound twice.
  const start = Math.max(fromMs, after?.atMs ?? fromMs)
  const beyond =
    after === null ? sql`` : sql`and (${at}, row_no) > (${after.atMs}::bigint, ${after.rowNo}::bigint)`
  return sql`${at} >= ${start}::bigint and ${at} < ${toMs}::bigint ${beyond}`
}

function pageOf<Row, Record>(
  rows: Row[],
  limit: number,
  read: (row: Row) => Record,
  cursorOf: (row: Row) => string
): RecordPage<Record> {
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  return {
    rows: shown.map(read),
    cursor: rows.length > limit && last !== undefined ? cursorOf(last) : null
  }
}

function lastOf<Row extends { row_no: number }>(
  rows: Row[],
  batch: number,
  timeOf: (row: Row) => number
): Position | null {
  const last = rows.at(-1)
  return rows.length < batch || last === undefined ? null : { atMs: timeOf(last), rowNo: last.row_no }
}
