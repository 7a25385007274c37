import { type Kysely, sql } from 'kysely'
import type { VenueCandle } from '../../venue/port.ts'
import type { TimeRange } from '../records.ts'
import { keyOf, type MarketKeys } from './market-keys.ts'
import { batchOf, type Columns, knownBy, lastOfEach, namesOf } from './sql-columns.ts'
import type { Tables } from './tables.ts'

const VENUE_CANDLE_COLUMNS: Columns = [
  ['market_key', 'integer'],
  ['from_ms', 'bigint'],
  ['bid', 'json'],
  ['ask', 'json'],
  ['price', 'json'],
  ['volume_e6', 'bigint'],
  ['heard_at_ms', 'bigint']
]

/** Inserts candles of one minute; one that is told again is replaced, and counts as heard when it first was. */
export async function writeVenueCandles(
  db: Kysely<Tables>,
  keys: MarketKeys,
  rows: readonly VenueCandle[],
  heardAtMs: number
): Promise<void> {
  const candles = lastOfEach(rows, (row) => `${row.fromMs} ${row.marketId}`)
  const keyOfMarket = await keys.of(candles.map((row) => row.marketId))
  const cells = candles.map((row) => [
    keyOfMarket(row.marketId),
    row.fromMs,
    JSON.stringify(row.bid),
    JSON.stringify(row.ask),
    row.price === null ? null : JSON.stringify(row.price),
    row.volume,
    heardAtMs
  ])
  const names = namesOf(VENUE_CANDLE_COLUMNS)
  await sql`
    insert into venue_candles (${names}) select ${names} from ${batchOf(VENUE_CANDLE_COLUMNS, cells)}
    on conflict (market_key, from_ms) do update
    set bid = excluded.bid, ask = excluded.ask, price = excluded.price, volume_e6 = excluded.volume_e6`.execute(
    db
  )
}

/** The candles of a market that begin in a range, oldest first. */
export async function readVenueCandles(
  db: Kysely<Tables>,
  { marketId, fromMs, toMs }: TimeRange & { marketId: string },
  asOfMs: number | null = null
): Promise<VenueCandle[]> {
  const rows = await db
    .selectFrom('venue_candles')
    .selectAll()
    .where('market_key', '=', keyOf(marketId))
    .where('from_ms', '>=', fromMs)
    .where('from_ms', '<', toMs)
    .where(knownBy(asOfMs, 'heard_at_ms'))
    .orderBy('from_ms')
    .execute()
  return rows.map(({ from_ms, bid, ask, price, volume_e6 }) => ({
    marketId,
    fromMs: from_ms,
    bid,
    ask,
    price,
    volume: volume_e6
  }))
}
