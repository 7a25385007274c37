import { type Kysely, type RawBuilder, sql } from 'kysely'
import {
  CANDLE_INTERVALS,
  type CandleInterval,
  type CandleRecord,
  type PriceBar,
  type TimeRange
} from '../records.ts'
import { keyOf } from './market-keys.ts'
import { thinnedBefore } from './prune.ts'
import type { Tables } from './tables.ts'
import { heardBy } from './trade-rows.ts'

/** Open, high, low, close; a null price means that there was none in the candle. */
type BarCells = [number | null, number | null, number | null, number | null]

interface CandleRow {
  from_ms: number
  bid: BarCells | null
  ask: BarCells | null
  double_mid: BarCells | null
  snapshots: number | null
  thinned: boolean | null
  trade_bar: BarCells | null
  trades: number | null
  size_e6: string | null
}

/**
 * Candles of a market over its snapshots and trades, oldest first; only those that hold something. Answers of polls beside
 * the stream are left out: one from a cache would put a price into a minute that did not have it. They start at
 * UTC multiples of the interval and are whole: the first and the last may reach beyond the range, but not beyond what
 * was known at an instant.
 */
export async function readCandles(
  db: Kysely<Tables>,
  query: TimeRange & { marketId: string; interval: CandleInterval },
  asOfMs: number | null = null
): Promise<CandleRecord[]> {
  const step = CANDLE_INTERVALS[query.interval]
  const from = Math.floor(query.fromMs / step) * step
  const to = Math.ceil(query.toMs / step) * step
  const end = asOfMs === null ? to : Math.min(to, asOfMs + 1)
  const within = (at: RawBuilder<unknown>) =>
    sql`market_key = ${keyOf(query.marketId)} and ${at} >= ${from}::bigint and ${at} < ${end}::bigint`
  const bucket = (at: RawBuilder<unknown>) => sql`${at} / ${sql.lit(step)} * ${sql.lit(step)}`
  const at = sql.ref('at_ms')
  const received = sql.ref('received_at_ms')
  const { rows } = await sql<CandleRow>`
    with books as (
      select ${bucket(at)} as from_ms, count(*) as snapshots,
        min(at_ms) < coalesce(${thinnedBefore()}, 0) as thinned,
        ${barOf(sql`best_bid_e4`, at)} as bid,
        ${barOf(sql`best_ask_e4`, at)} as ask,
        ${barOf(sql`(best_bid_e4 + best_ask_e4)`, at)} as double_mid
      from market_snapshots where ${within(at)} and cause <> 'poll' group by 1
    ), traded as (
      select ${bucket(received)} as from_ms, count(*) as trades, sum(size_e6)::text as size_e6,
        ${barOf(sql`price_e4`, received)} as trade_bar
      from trades where ${within(received)} and ${heardBy(asOfMs)} group by 1
    )
    select * from books full join traded using (from_ms) order by from_ms`.execute(db)
  return rows.map(readCandle)
}

/**
 * SQL for the bar of a price; rows of one millisecond count in the order in which they were written. The first and the
 * last are the least and the greatest of a triple: unlike an ordered list they need no sort, which a day of a busy
 * market takes to the disk.
 */
function barOf(price: RawBuilder<unknown>, at: RawBuilder<unknown>): RawBuilder<unknown> {
  const edge = (which: 'min' | 'max') => sql`
    (${sql.raw(which)}(array[${at}, row_no, ${price}]) filter (where ${price} is not null))[3]::integer`
  return sql`array[${edge('min')}, max(${price}), min(${price}), ${edge('max')}]`
}

function readCandle(row: CandleRow): CandleRecord {
  return {
    fromMs: row.from_ms,
    bid: readBar(row.bid),
    ask: readBar(row.ask),
    doubleMid: readBar(row.double_mid),
    trades: { count: row.trades ?? 0, sizeE6: BigInt(row.size_e6 ?? 0), bar: readBar(row.trade_bar) },
    snapshots: row.snapshots ?? 0,
    thinned: row.thinned ?? false
  }
}

function readBar(cells: BarCells | null): PriceBar | null {
  if (cells === null) return null
  const [open, high, low, close] = cells
  if (open === null || high === null || low === null || close === null) return null
  return { open, high, low, close }
}
