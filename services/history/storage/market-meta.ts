import { type Kysely, sql } from 'kysely'
import type { MarketMetaRecord } from '../records.ts'
import { keyOf, type MarketKeys } from './market-keys.ts'
import { batchOf, type Columns, lastOfEach, namesOf, storable } from './sql-columns.ts'
import type { Tables } from './tables.ts'

const META_COLUMNS: Columns = [
  ['market_key', 'integer'],
  ['from_ms', 'bigint'],
  ['venue', 'text'],
  ['status', 'text'],
  ['rules_hash', 'text'],
  ['market', 'json']
]

/** Inserts what was said of markets; what was said at the same instant is replaced. */
export async function writeMarkets(
  db: Kysely<Tables>,
  keys: MarketKeys,
  rows: readonly MarketMetaRecord[]
): Promise<void> {
  const said = lastOfEach(rows, (row) => `${row.fromMs} ${row.marketId}`)
  const keyOfMarket = await keys.of(said.map((row) => row.marketId))
  const cells = said.map((row) => [
    keyOfMarket(row.marketId),
    row.fromMs,
    row.venue,
    row.status,
    storable(row.rulesHash),
    JSON.stringify(row.market)
  ])
  const names = namesOf(META_COLUMNS)
  await sql`
    insert into markets_meta (${names}) select ${names} from ${batchOf(META_COLUMNS, cells)}
    on conflict (market_key, from_ms) do update set venue = excluded.venue, status = excluded.status,
      rules_hash = excluded.rules_hash, market = excluded.market`.execute(db)
}

/** What was said of a market over time, oldest first. */
export async function readMarketMeta(db: Kysely<Tables>, marketId: string): Promise<MarketMetaRecord[]> {
  const rows = await db
    .selectFrom('markets_meta')
    .selectAll()
    .where('market_key', '=', keyOf(marketId))
    .orderBy('from_ms')
    .execute()
  return rows.map((row) => ({
    marketId,
    venue: row.venue as MarketMetaRecord['venue'],
    fromMs: row.from_ms,
    status: row.status as MarketMetaRecord['status'],
    rulesHash: row.rules_hash,
    market: row.market as MarketMetaRecord['market']
  }))
}
