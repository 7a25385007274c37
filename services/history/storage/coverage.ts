import { type Kysely, sql } from 'kysely'
import type { CoverageRecord, RecordedSpan, SessionRecord, TimeRange } from '../records.ts'
import { overlaps } from './gaps.ts'
import { keyOf, type MarketKeys } from './market-keys.ts'
import { deletedBefore } from './prune.ts'
import { batchOf, type Columns, knownBy, lastOfEach, namesOf, storable } from './sql-columns.ts'
import type { Tables } from './tables.ts'

const COVERAGE_COLUMNS: Columns = [
  ['market_key', 'integer'],
  ['session_id', 'text'],
  ['from_ms', 'bigint'],
  ['to_ms', 'bigint'],
  ['kind', 'text'],
  ['reason', 'text']
]

/** Inserts intervals; one with the same market, session and start is replaced. */
export async function writeCoverage(
  db: Kysely<Tables>,
  keys: MarketKeys,
  rows: readonly CoverageRecord[]
): Promise<void> {
  const intervals = lastOfEach(rows, (row) => `${row.fromMs} ${row.sessionId} ${row.marketId}`)
  const keyOfMarket = await keys.of(intervals.map((row) => row.marketId))
  const cells = intervals.map((row) => [
    keyOfMarket(row.marketId),
    storable(row.sessionId),
    row.fromMs,
    row.toMs,
    row.kind,
    storable(row.reason)
  ])
  const names = namesOf(COVERAGE_COLUMNS)
  await sql`
    insert into coverage (${names}) select ${names} from ${batchOf(COVERAGE_COLUMNS, cells)}
    on conflict (market_key, from_ms, session_id)
    do update set to_ms = excluded.to_ms, kind = excluded.kind, reason = excluded.reason`.execute(db)
}

/** What is left of an interval where the rows of its beginning are deleted: of that nothing can be shown any more. */
const KEPT_FROM = sql<number>`greatest(from_ms, ${deletedBefore()})`

/** Intervals of a market that overlap a range, oldest first, as far as the rows that they speak of are kept. */
export async function readCoverage(
  db: Kysely<Tables>,
  query: TimeRange & { marketId: string }
): Promise<CoverageRecord[]> {
  const rows = await db
    .selectFrom('coverage')
    .select(['session_id', 'to_ms', 'kind', 'reason'])
    .select(KEPT_FROM.as('kept_from_ms'))
    .where('market_key', '=', keyOf(query.marketId))
    .where(overlaps(query, 'from_ms', 'to_ms'))
    .where(sql<boolean>`${KEPT_FROM} < coalesce(to_ms, ${query.toMs}::bigint)`)
    .where(KEPT_FROM, '<', query.toMs)
    .orderBy('from_ms')
    .orderBy('session_id')
    .execute()
  return rows.map((row) => ({
    marketId: query.marketId,
    sessionId: row.session_id,
    fromMs: row.kept_from_ms,
    toMs: row.to_ms,
    kind: row.kind as CoverageRecord['kind'],
    reason: row.reason
  }))
}

/** When the first interval of a market begins, as far as it is kept, and when the last one does; null without any. */
export async function readRecordedSpan(
  db: Kysely<Tables>,
  marketId: string,
  asOfMs: number | null = null
): Promise<RecordedSpan | null> {
  const { rows } = await sql<{ from_ms: number | null; last_from_ms: number | null }>`
    select greatest(min(from_ms), ${deletedBefore()}) as from_ms,
      greatest(max(from_ms), ${deletedBefore()}) as last_from_ms
    from coverage where market_key = ${keyOf(marketId)} and ${knownBy(asOfMs, 'from_ms')} having count(*) > 0`.execute(
    db
  )
  const [row] = rows
  if (row === undefined || row.from_ms === null || row.last_from_ms === null) return null
  return { fromMs: row.from_ms, lastFromMs: row.last_from_ms }
}

/**
 * Ids of the markets with coverage in a range, in order. An interval that nobody closed reaches into every later range;
 * it counts until another run has begun, which tells itself whether the market is still followed.
 */
export async function readCoveredMarkets(db: Kysely<Tables>, range: TimeRange): Promise<string[]> {
  const { rows } = await sql<{ market_id: string }>`
    select distinct market_id from coverage join sessions using (session_id) join market_keys using (market_key)
    where ${overlaps(range, 'from_ms', 'to_ms')} and (to_ms is not null or not exists (
      select from sessions later where later.started_at_ms > sessions.started_at_ms
        and later.started_at_ms < ${range.fromMs}::bigint))
    order by market_id`.execute(db)
  return rows.map((row) => row.market_id)
}

/** Inserts a session, or replaces it by id. */
export async function writeSession(db: Kysely<Tables>, session: SessionRecord): Promise<void> {
  const times = {
    started_at_ms: session.startedAtMs,
    heartbeat_at_ms: session.heartbeatAtMs,
    ended_at_ms: session.endedAtMs
  }
  await db
    .insertInto('sessions')
    .values({ session_id: session.sessionId, ...times })
    .onConflict((conflict) => conflict.column('session_id').doUpdateSet(times))
    .execute()
}

/**
 * Sessions that overlap a range, oldest first. One that never ended is among them whatever its last heartbeat: its
 * intervals without an end reach into every later range, and only the session says where they stop.
 */
export async function readSessions(db: Kysely<Tables>, range: TimeRange): Promise<SessionRecord[]> {
  const rows = await db
    .selectFrom('sessions')
    .selectAll()
    .where(overlaps(range, 'started_at_ms', 'ended_at_ms'))
    .orderBy('started_at_ms')
    .orderBy('session_id')
    .execute()
  return rows.map((row) => ({
    sessionId: row.session_id,
    startedAtMs: row.started_at_ms,
    heartbeatAtMs: row.heartbeat_at_ms,
    endedAtMs: row.ended_at_ms
  }))
}
