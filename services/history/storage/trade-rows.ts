import { type RawBuilder, type Selectable, sql } from 'kysely'
import type { TradeRecord } from '../records.ts'
import { digestOf } from './digest.ts'
import { type Cell, type Columns, knownBy, storable } from './sql-columns.ts'
import type { TradesTable } from './tables.ts'

export const TRADE_COLUMNS: Columns = [
  ['market_key', 'integer'],
  ['digest', 'bigint'],
  ['trade_id', 'text'],
  ['venue_time_ms', 'bigint'],
  ['received_at_ms', 'bigint'],
  ['price_e4', 'integer'],
  ['size_e6', 'bigint'],
  ['taker_side', 'text'],
  ['heard_at_ms', 'bigint']
]

/** A row as queries answer it. */
export type TradeRow = Omit<Selectable<TradesTable>, 'digest'>

/**
 * Returns the cells of a batch of trades, in the order of `TRADE_COLUMNS`. A trade with an id is that trade whenever
 * it comes, so only its first in the batch is kept; trades without one that are equal are told apart by how many of
 * them the batch had before.
 */
export function tradeCells(rows: readonly TradeRecord[], keyOf: (marketId: string) => number): Cell[][] {
  const seen = new Map<string, number>()
  const cells: Cell[][] = []
  for (const row of rows) {
    const tradeId = storable(row.tradeId)
    const content = [tradeId, row.venueTimeMs, row.atMs, row.price, row.size, row.takerSide]
    const heardAtMs = row.receivedAtMs === row.atMs ? null : row.receivedAtMs
    const identity = tradeId === null ? content : [tradeId]
    const name = JSON.stringify([row.marketId, identity])
    const before = seen.get(name) ?? 0
    seen.set(name, before + 1)
    if (tradeId !== null && before > 0) continue
    cells.push([keyOf(row.marketId), digestOf([...identity, before]), ...content, heardAtMs])
  }
  return cells
}

/** SQL that is true of trades that were heard of at an instant: at their place in time, where nothing else is said. */
export function heardBy(asOfMs: number | null): RawBuilder<boolean> {
  return sql`(heard_at_ms is null or ${knownBy(asOfMs, 'heard_at_ms')})`
}

export function readTrade(row: TradeRow, marketId: string): TradeRecord {
  return {
    marketId,
    tradeId: row.trade_id,
    venueTimeMs: row.venue_time_ms,
    atMs: row.received_at_ms,
    receivedAtMs: row.heard_at_ms ?? row.received_at_ms,
    price: row.price_e4,
    size: row.size_e6,
    takerSide: row.taker_side as TradeRecord['takerSide']
  }
}
