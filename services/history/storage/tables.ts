import type { ColumnType } from 'kysely'
import type { VenueCandle } from '../../venue/port.ts'

/** Rows as the database holds them. Times are epoch milliseconds, JSON columns are read parsed and written as text. */
type Json<T> = ColumnType<T, string, string>

export interface MarketKeysTable {
  market_key: ColumnType<number, never, never>
  market_id: string
}

export interface MarketsMetaTable {
  market_key: number
  from_ms: number
  venue: string
  status: string
  rules_hash: string
  market: Json<unknown>
}

export interface MarketSnapshotsTable {
  at_ms: number
  row_no: ColumnType<number, never, never>
  market_key: number
  digest: string
  source: string
  cause: string
  sequence: number | null
  venue_time_ms: number | null
  received_at_ms: number | null
  best_bid_e4: number | null
  best_bid_size_e6: number | null
  best_ask_e4: number | null
  best_ask_size_e6: number | null
  bids: Json<[number, number][]>
  asks: Json<[number, number][]>
  state: string
  reason: string | null
  verified_at_ms: number | null
  mismatches: number
}

export interface TradesTable {
  /** Its place in time: when we received it or, where that was for a gap and later, the venue's time. */
  received_at_ms: number
  /** When we received it, where that is not its place. */
  heard_at_ms: number | null
  row_no: ColumnType<number, never, never>
  market_key: number
  digest: string
  trade_id: string | null
  venue_time_ms: number | null
  price_e4: number
  size_e6: number
  taker_side: string | null
}

export interface GapsTable {
  id: string
  venue: string
  kind: string
  connection: string | null
  subscription: string | null
  from_sequence: number | null
  to_sequence: number | null
  /** True where no market is listed since all of the venue is concerned. */
  all_markets: boolean
  started_at_ms: number
  detected_at_ms: number
  ended_at_ms: number | null
  recovered_by: string | null
  /** Null also in rows of before this was kept. */
  decided_at_ms: number | null
  detail: string
}

export interface GapMarketsTable {
  gap_id: string
  market_key: number
  position: number
}

export interface CoverageTable {
  market_key: number
  session_id: string
  from_ms: number
  to_ms: number | null
  kind: string
  reason: string | null
}

export interface SessionsTable {
  session_id: string
  started_at_ms: number
  heartbeat_at_ms: number
  ended_at_ms: number | null
}

export interface RecyclerRunsTable {
  run_id: string
  started_at_ms: number
  ended_at_ms: number
  report: Json<unknown>
}

/** Minutes as a venue itself tells them. */
export interface VenueCandlesTable {
  market_key: number
  from_ms: number
  bid: Json<VenueCandle['bid']>
  ask: Json<VenueCandle['ask']>
  price: Json<NonNullable<VenueCandle['price']>> | null
  volume_e6: number
  heard_at_ms: number
}

/** How far a task got, so that it does not begin anew. */
export interface ProgressTable {
  task: string
  done_before_ms: number
}

export interface Tables {
  market_keys: MarketKeysTable
  markets_meta: MarketsMetaTable
  market_snapshots: MarketSnapshotsTable
  trades: TradesTable
  gaps: GapsTable
  gap_markets: GapMarketsTable
  coverage: CoverageTable
  sessions: SessionsTable
  recycler_runs: RecyclerRunsTable
  venue_candles: VenueCandlesTable
  progress: ProgressTable
}
