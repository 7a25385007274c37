import { formatPrice, formatSize } from '../../numbers/decimal.ts'
import type { SnapshotRecord, TradeRecord } from '../records.ts'

/** How a column's values are meant: a price in ten-thousandths of a dollar, a size in millionths of a contract, epoch ms. */
export type ColumnKind = 'text' | 'integer' | 'price' | 'size' | 'time' | 'levels'
/** Of levels, each as decimal text; a format without lists has them as JSON text. */
export type ColumnValue = string | number | null | [price: string, size: string][]

/** Of what a file holds, for whoever reads it. */
export const UNITS = {
  price: 'dollars per contract, decimal',
  size: 'contracts, decimal',
  levels:
    '[price, size] of each level as decimal text in the same units, best first; in csv and parquet as JSON text',
  time: 'UTC'
}

export interface Column<Row> {
  readonly name: string
  readonly kind: ColumnKind
  readonly value: (row: Row) => ColumnValue
}

export interface ExportTable<Row> {
  readonly name: string
  readonly columns: readonly Column<Row>[]
}

const levelsOf = (levels: SnapshotRecord['bids']) =>
  levels.map(([price, size]): [string, string] => [formatPrice(price), formatSize(size)])

/** One row a recorded snapshot. Levels are `[[price, size], ...]` in decimal text, best first. */
export const SNAPSHOTS: ExportTable<SnapshotRecord> = {
  name: 'snapshots',
  columns: [
    { name: 'market_id', kind: 'text', value: ({ marketId }) => marketId },
    { name: 'at', kind: 'time', value: ({ atMs }) => atMs },
    { name: 'source', kind: 'text', value: ({ source }) => source },
    { name: 'cause', kind: 'text', value: ({ cause }) => cause },
    { name: 'sequence', kind: 'integer', value: ({ sequence }) => sequence },
    { name: 'venue_time', kind: 'time', value: ({ venueTimeMs }) => venueTimeMs },
    { name: 'received_at', kind: 'time', value: ({ receivedAtMs }) => receivedAtMs },
    { name: 'best_bid', kind: 'price', value: ({ bestBid }) => bestBid },
    { name: 'best_bid_size', kind: 'size', value: ({ bestBidSize }) => bestBidSize },
    { name: 'best_ask', kind: 'price', value: ({ bestAsk }) => bestAsk },
    { name: 'best_ask_size', kind: 'size', value: ({ bestAskSize }) => bestAskSize },
    { name: 'bids', kind: 'levels', value: ({ bids }) => levelsOf(bids) },
    { name: 'asks', kind: 'levels', value: ({ asks }) => levelsOf(asks) },
    { name: 'state', kind: 'text', value: ({ state }) => state },
    { name: 'reason', kind: 'text', value: ({ reason }) => reason },
    { name: 'verified_at', kind: 'time', value: ({ verifiedAtMs }) => verifiedAtMs },
    { name: 'mismatches', kind: 'integer', value: ({ mismatches }) => mismatches }
  ]
}

/** One row a trade, in YES terms. */
export const TRADES: ExportTable<TradeRecord> = {
  name: 'trades',
  columns: [
    { name: 'market_id', kind: 'text', value: ({ marketId }) => marketId },
    { name: 'trade_id', kind: 'text', value: ({ tradeId }) => tradeId },
    { name: 'venue_time', kind: 'time', value: ({ venueTimeMs }) => venueTimeMs },
    { name: 'received_at', kind: 'time', value: ({ receivedAtMs }) => receivedAtMs },
    { name: 'price', kind: 'price', value: ({ price }) => price },
    { name: 'size', kind: 'size', value: ({ size }) => size },
    { name: 'taker_side', kind: 'text', value: ({ takerSide }) => takerSide }
  ]
}
