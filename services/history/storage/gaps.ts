import { type Kysely, type RawBuilder, type Selectable, sql } from 'kysely'
import type { GapQuery, GapRecord, TimeRange } from '../records.ts'
import { keyOf, type MarketKeys } from './market-keys.ts'
import { batchOf, type Cell, type Columns, knownBy, lastOfEach, namesOf, storable } from './sql-columns.ts'
import type { GapsTable, Tables } from './tables.ts'

const GAP_COLUMNS: Columns = [
  ['id', 'text'],
  ['venue', 'text'],
  ['kind', 'text'],
  ['connection', 'text'],
  ['subscription', 'text'],
  ['from_sequence', 'bigint'],
  ['to_sequence', 'bigint'],
  ['all_markets', 'boolean'],
  ['started_at_ms', 'bigint'],
  ['detected_at_ms', 'bigint'],
  ['ended_at_ms', 'bigint'],
  ['recovered_by', 'text'],
  ['decided_at_ms', 'bigint'],
  ['detail', 'text']
]

const LINK_COLUMNS: Columns = [
  ['gap_id', 'text'],
  ['market_key', 'integer'],
  ['position', 'integer']
]

type GapRow = Selectable<GapsTable> & { market_ids: string[] | null }

/** Inserts gaps, or replaces them by id with all of their markets. */
export async function writeGaps(
  db: Kysely<Tables>,
  keys: MarketKeys,
  rows: readonly GapRecord[]
): Promise<void> {
  const gaps = lastOfEach(rows, (gap) => storable(gap.id))
  const keyOfMarket = await keys.of(gaps.flatMap((gap) => gap.marketIds ?? []))
  const links = gaps.flatMap((gap) =>
    [...new Set(gap.marketIds)].map((id, position) => [storable(gap.id), keyOfMarket(id), position])
  )
  const others = sql.join(
    GAP_COLUMNS.slice(1).map(([name]) => sql`${sql.ref(name)} = excluded.${sql.ref(name)}`)
  )
  const names = namesOf(GAP_COLUMNS)
  await db.transaction().execute(async (transaction) => {
    await sql`
      insert into gaps (${names}) select ${names} from ${batchOf(GAP_COLUMNS, gaps.map(cellsOf))}
      on conflict (id) do update set ${others}`.execute(transaction)
    await sql`delete from gap_markets where gap_id = any(${gaps.map((gap) => storable(gap.id))}::text[])`.execute(
      transaction
    )
    if (links.length === 0) return
    const linkNames = namesOf(LINK_COLUMNS)
    await sql`
      insert into gap_markets (${linkNames}) select ${linkNames} from ${batchOf(LINK_COLUMNS, links)}`.execute(
      transaction
    )
  })
}

/**
 * Gaps that overlap a range, oldest first; of one market, those of its whole venue included, or of all; of those that
 * were known at an instant.
 */
export async function readGaps(
  db: Kysely<Tables>,
  query: GapQuery,
  asOfMs: number | null = null
): Promise<GapRecord[]> {
  const { marketId, fromMs, limit, kinds, lateKinds = [] } = query
  const concerned =
    marketId === null
      ? sql`true`
      : sql`(all_markets and venue = ${venueOf(marketId)} or exists (
          select from gap_markets where gap_id = gaps.id and market_key = ${keyOf(marketId)}))`
  const wanted =
    kinds === undefined
      ? sql`true`
      : sql`(kind = any(${kinds}::text[]) or kind = any(${lateKinds}::text[])
          and detected_at_ms > greatest(started_at_ms, ${fromMs}::bigint))`
  const overlapping = overlaps(query, 'started_at_ms', 'ended_at_ms')
  const known = knownBy(asOfMs, 'detected_at_ms')
  return selectGaps(db, sql`${overlapping} and ${known} and ${wanted} and ${concerned}`, limit)
}

export async function readOpenGaps(db: Kysely<Tables>): Promise<GapRecord[]> {
  return selectGaps(db, sql`ended_at_ms is null`, null)
}

/**
 * SQL for intervals that overlap a range, all half-open: one without an end goes on, and one without a length lies
 * inside when its instant does.
 */
export function overlaps({ fromMs, toMs }: TimeRange, from: string, to: string): RawBuilder<boolean> {
  const [start, end] = [sql.ref(from), sql.ref(to)]
  return sql`(${start} < ${toMs}::bigint
    and (${end} is null or ${end} > ${fromMs}::bigint or ${start} >= ${fromMs}::bigint))`
}

async function selectGaps(
  db: Kysely<Tables>,
  where: RawBuilder<unknown>,
  limit: number | null
): Promise<GapRecord[]> {
  const { rows } = await sql<GapRow>`
    select found.*, (
      select array_agg(market_id order by position) from gap_markets join market_keys using (market_key)
      where gap_id = found.id) as market_ids
    from (select * from gaps where ${where} order by started_at_ms, id limit ${limit}::bigint) found
    order by started_at_ms, id`.execute(db)
  return rows.map(readGap)
}

/** The part of a market's id before its colon. */
function venueOf(marketId: string): string {
  return storable(marketId.slice(0, Math.max(0, marketId.indexOf(':'))))
}

function cellsOf(gap: GapRecord): Cell[] {
  return [
    storable(gap.id),
    gap.venue,
    gap.kind,
    storable(gap.connection),
    storable(gap.subscription),
    gap.fromSequence,
    gap.toSequence,
    gap.marketIds === null,
    gap.startedAtMs,
    gap.detectedAtMs,
    gap.endedAtMs,
    gap.recoveredBy,
    gap.decidedAtMs,
    storable(gap.detail)
  ]
}

function readGap(row: GapRow): GapRecord {
  return {
    id: row.id,
    venue: row.venue as GapRecord['venue'],
    kind: row.kind as GapRecord['kind'],
    connection: row.connection,
    subscription: row.subscription,
    fromSequence: row.from_sequence,
    toSequence: row.to_sequence,
    marketIds: row.all_markets ? null : (row.market_ids ?? []),
    startedAtMs: row.started_at_ms,
    detectedAtMs: row.detected_at_ms,
    endedAtMs: row.ended_at_ms,
    recoveredBy: row.recovered_by as GapRecord['recoveredBy'],
    decidedAtMs: row.decided_at_ms,
    detail: row.detail
  }
}
