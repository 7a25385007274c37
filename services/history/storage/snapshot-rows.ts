import type { Selectable } from 'kysely'
import type { SnapshotRecord } from '../records.ts'
import { digestOf } from './digest.ts'
import { type Cell, type Columns, storable } from './sql-columns.ts'
import type { MarketSnapshotsTable } from './tables.ts'

export const SNAPSHOT_COLUMNS: Columns = [
  ['market_key', 'integer'],
  ['digest', 'bigint'],
  ['source', 'text'],
  ['cause', 'text'],
  ['sequence', 'bigint'],
  ['venue_time_ms', 'bigint'],
  ['at_ms', 'bigint'],
  ['received_at_ms', 'bigint'],
  ['best_bid_e4', 'integer'],
  ['best_bid_size_e6', 'bigint'],
  ['best_ask_e4', 'integer'],
  ['best_ask_size_e6', 'bigint'],
  ['bids', 'json'],
  ['asks', 'json'],
  ['state', 'text'],
  ['reason', 'text'],
  ['verified_at_ms', 'bigint'],
  ['mismatches', 'integer']
]

/** A row as queries answer it. */
export type SnapshotRow = Omit<Selectable<MarketSnapshotsTable>, 'digest'>

/** Returns the cells of a snapshot, in the order of `SNAPSHOT_COLUMNS`; the same snapshot has the same digest. */
export function snapshotCells(row: SnapshotRecord, marketKey: number): Cell[] {
  const content = [
    row.source,
    row.cause,
    row.sequence,
    row.venueTimeMs,
    row.atMs,
    row.receivedAtMs,
    row.bestBid,
    row.bestBidSize,
    row.bestAsk,
    row.bestAskSize,
    JSON.stringify(row.bids),
    JSON.stringify(row.asks),
    row.state,
    storable(row.reason),
    row.verifiedAtMs,
    row.mismatches
  ]
  return [marketKey, digestOf(content), ...content]
}

export function readSnapshot(row: SnapshotRow, marketId: string): SnapshotRecord {
  return {
    marketId,
    source: row.source as SnapshotRecord['source'],
    cause: row.cause as SnapshotRecord['cause'],
    sequence: row.sequence,
    venueTimeMs: row.venue_time_ms,
    atMs: row.at_ms,
    receivedAtMs: row.received_at_ms,
    bestBid: row.best_bid_e4,
    bestBidSize: row.best_bid_size_e6,
    bestAsk: row.best_ask_e4,
    bestAskSize: row.best_ask_size_e6,
    bids: row.bids,
    asks: row.asks,
    state: row.state as SnapshotRecord['state'],
    reason: row.reason,
    verifiedAtMs: row.verified_at_ms,
    mismatches: row.mismatches
  }
}
