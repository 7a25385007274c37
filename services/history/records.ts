import type { Venue } from '../../schemas/common.ts'
import type { Market } from '../../schemas/market.ts'
import type { VerdictSource, VerdictState } from '../integrity/verdict.ts'
import type { PriceE4, SizeE6 } from '../numbers/decimal.ts'
import type { VenueCandle } from '../venue/port.ts'

/** Best first; price in ten-thousandths of a dollar, YES terms; size in millionths of a contract. */
export type RecordedLevel = readonly [price: PriceE4, size: SizeE6]

/** Why a snapshot was recorded. */
export const SNAPSHOT_CAUSES = ['change', 'interval', 'verdict', 'poll'] as const
export type SnapshotCause = (typeof SNAPSHOT_CAUSES)[number]

/** What a book was at one instant, as far as its top levels say. Times are epoch milliseconds. */
export interface SnapshotRecord {
  marketId: string
  /** `websocket`: the streamed book; `poll`: an answer of the venue's REST API. */
  source: VerdictSource
  cause: SnapshotCause
  /** The venue's counter; null where it sends none, and for REST answers. */
  sequence: number | null
  venueTimeMs: number | null
  /** Our clock when this was the book. */
  atMs: number
  /** Our clock at the last message for this market. */
  receivedAtMs: number | null
  /** Ask sides are in YES terms too. Empty sides: null prices. */
  bestBid: PriceE4 | null
  bestBidSize: SizeE6 | null
  bestAsk: PriceE4 | null
  bestAskSize: SizeE6 | null
  bids: readonly RecordedLevel[]
  asks: readonly RecordedLevel[]
  state: VerdictState
  reason: string | null
  verifiedAtMs: number | null
  mismatches: number
}

/** One trade, in YES terms. */
export interface TradeRecord {
  marketId: string
  /** The venue's id of the trade; null where it sends none. */
  tradeId: string | null
  venueTimeMs: number | null
  /** Its place in time: when it came or, where it was read again for a gap, when the venue says that it was. */
  atMs: number
  /** Our clock when it came, or was read again. */
  receivedAtMs: number
  price: PriceE4
  size: SizeE6
  /** Which outcome the taker bought; null where the venue does not say. */
  takerSide: 'yes' | 'no' | null
}

export const GAP_KINDS = [
  'sequence_gap',
  'hash_mismatch',
  'audit_mismatch',
  'disconnected',
  'drift',
  'stray_change',
  'restart',
  'standstill',
  'journal_hole',
  'recorder_overflow',
  'storage_down'
] as const
export type GapKind = (typeof GAP_KINDS)[number]
/** What was wrong with books, and ends with the book that is seen whole again. */
export const BOOK_GAP_KINDS: readonly GapKind[] = [
  'sequence_gap',
  'hash_mismatch',
  'audit_mismatch',
  'disconnected',
  'drift',
  'stray_change'
]

/** How the books came back after a gap; null while it is open, `none` where what is missing never will. */
export const GAP_RECOVERIES = ['snapshot', 'rest', 'trades', 'candles', 'none'] as const
export type GapRecovery = (typeof GAP_RECOVERIES)[number]

/** A stretch of which something is missing or was wrong. */
export interface GapRecord {
  /** Ours, unique over all runs: written again, the row is replaced. */
  id: string
  venue: Venue
  kind: GapKind
  connection: string | null
  /** The venue's subscription (Kalshi: `sid`); null where it has none. */
  subscription: string | null
  /** Missing numbers of the venue's counter, both included; null for venues or kinds without one. */
  fromSequence: number | null
  toSequence: number | null
  /** Markets concerned; null: all of the venue. */
  marketIds: readonly string[] | null
  /** Our clock when all was last known to be well. */
  startedAtMs: number
  detectedAtMs: number
  /**
   * Our clock when the books were whole again, or when the run ended that lost them, or the next one began, where they
   * never were; null while they are not.
   */
  endedAtMs: number | null
  recoveredBy: GapRecovery | null
  /**
   * Our clock when `recoveredBy` was decided, which may be long after the end; null while it is not. Rows of before this
   * was kept have null with a decision too: that is told from the gap's end on.
   */
  decidedAtMs: number | null
  /** One sentence. */
  detail: string
}

/**
 * `verified`: streamed in sequence with no failed proof, and recorded; `degraded`: something was served, flagged, or
 * only polled, or was wrong and not noticed yet, or the process stood still, or the journal has a hole; `missing`: nothing is known.
 */
export const COVERAGE_KINDS = ['verified', 'degraded', 'missing'] as const
export type CoverageKind = (typeof COVERAGE_KINDS)[number]

/** A stretch of one market's coverage, half-open. `toMs` is null for the one that still goes on. */
export interface CoverageRecord {
  marketId: string
  /** Of the run that recorded it: an interval without an end ends at that run's last heartbeat. */
  sessionId: string
  fromMs: number
  toMs: number | null
  kind: CoverageKind
  reason: string | null
}

/** When recording of a market began, as far as its rows are kept, and when its last interval of coverage did. */
export interface RecordedSpan {
  fromMs: number
  lastFromMs: number
}

/** What a venue said of a market from an instant on. */
export interface MarketMetaRecord {
  marketId: string
  venue: Venue
  fromMs: number
  status: Market['status']
  /** SHA-256 of the settlement rules, hexadecimal. */
  rulesHash: string
  market: Market
}

/** When and how a book was recorded whole. */
export interface Proof {
  atMs: number
  recoveredBy: Extract<GapRecovery, 'snapshot' | 'rest'>
}

/** One run of the recorder: from its start to its last sign of life. */
export interface SessionRecord {
  sessionId: string
  startedAtMs: number
  heartbeatAtMs: number
  /** Set by a clean stop. */
  endedAtMs: number | null
}

export interface RecyclerRunRecord {
  runId: string
  startedAtMs: number
  endedAtMs: number
  report: unknown
}

/** Half-open: from is inside, to is not. */
export interface TimeRange {
  fromMs: number
  toMs: number
}

export interface SnapshotQuery extends TimeRange {
  marketId: string
  source: VerdictSource | null
  limit: number
  /** Opaque, from the page before; null for the first. */
  cursor: string | null
}

export interface GapQuery extends TimeRange {
  /** Null: all gaps of the range. */
  marketId: string | null
  limit: number
  /** Of all kinds if not given. */
  kinds?: readonly GapKind[]
  /** Beside those of `kinds`: of these, the gaps that were noticed within the range or later, and later than they began. */
  lateKinds?: readonly GapKind[]
}

export interface TradeQuery extends TimeRange {
  marketId: string
  limit: number
  cursor: string | null
}

export interface RecordPage<Row> {
  rows: Row[]
  /** For the next page; null on the last. */
  cursor: string | null
}

export const CANDLE_INTERVALS = { '1m': 60_000, '5m': 300_000, '1h': 3_600_000, '1d': 86_400_000 } as const
export type CandleInterval = keyof typeof CANDLE_INTERVALS

export interface PriceBar {
  open: PriceE4
  high: PriceE4
  low: PriceE4
  close: PriceE4
}

/** One candle; a bar is null when nothing of it was recorded. Prices in ten-thousandths of a dollar; mids may be halves. */
export interface CandleRecord {
  fromMs: number
  bid: PriceBar | null
  ask: PriceBar | null
  /** Twice the mid, so that it is whole: bid plus ask of snapshots that have both. */
  doubleMid: PriceBar | null
  trades: { count: number; sizeE6: bigint; bar: PriceBar | null }
  snapshots: number
  /** Its snapshots, or a part of them, are those that thinning left: what they were in between may be gone. */
  thinned: boolean
}

/** What was recorded, as far as the API asks for it. Rejects with `HistoryUnavailableError` while it cannot be read. */
export interface HistoryRows {
  /** The newest of each source: at most two. */
  latestSnapshots(marketId: string): Promise<SnapshotRecord[]>
  /** Oldest first. */
  snapshots(query: SnapshotQuery): Promise<RecordPage<SnapshotRecord>>
  trades(query: TradeQuery): Promise<RecordPage<TradeRecord>>
  /** Gaps that concern a market and overlap the range, oldest first. */
  gaps(query: GapQuery): Promise<GapRecord[]>
  /**
   * Intervals that overlap the range, oldest first, as they were written; of one whose beginning is deleted, the rest.
   */
  coverage(query: TimeRange & { marketId: string }): Promise<CoverageRecord[]>
  /** Null for a market without intervals. */
  recordedSpan(marketId: string): Promise<RecordedSpan | null>
  sessions(range: TimeRange): Promise<SessionRecord[]>
  candles(query: TimeRange & { marketId: string; interval: CandleInterval }): Promise<CandleRecord[]>
  /** The venue's own minutes that begin in a range, oldest first; only those that a gap touched. */
  venueCandles(query: TimeRange & { marketId: string }): Promise<VenueCandle[]>
  /** Metadata of a market over time, oldest first. */
  marketMeta(marketId: string): Promise<MarketMetaRecord[]>
  /** True when anything was ever recorded of a market. */
  knows(marketId: string): Promise<boolean>
}

/**
 * Where recorded rows go and come from; one implementation for PGlite and PostgreSQL. Writes take whole batches, and a
 * batch is written whole or not at all. Everything rejects with `HistoryUnavailableError` while the database is away.
 */
export interface HistoryStore extends HistoryRows {
  readonly engine: 'pglite' | 'postgres'
  writeSnapshots(rows: readonly SnapshotRecord[]): Promise<void>
  writeTrades(rows: readonly TradeRecord[]): Promise<void>
  /** Inserts, or replaces by id. */
  writeGaps(rows: readonly GapRecord[]): Promise<void>
  /** Inserts new intervals; one with the same market, session and start is replaced (it got its end). */
  writeCoverage(rows: readonly CoverageRecord[]): Promise<void>
  writeMarkets(rows: readonly MarketMetaRecord[]): Promise<void>
  writeSession(session: SessionRecord): Promise<void>
  /** Inserts the venue's own minutes, heard at an instant, or replaces those that it tells again. */
  writeVenueCandles(rows: readonly VenueCandle[], heardAtMs: number): Promise<void>
  writeRecyclerRun(run: RecyclerRunRecord): Promise<void>

  /**
   * Returns the rows as they could be read at an instant, in which epoch milliseconds are whole: what came later is not
   * there, and what ended later goes on.
   */
  asOf(atMs: number): HistoryRows
  /** The first snapshot of each market in a range that was live then; markets that have none are left out. */
  firstProofs(query: TimeRange & { marketIds: readonly string[] }): Promise<Map<string, Proof>>
  /** Gaps without an end. */
  openGaps(): Promise<GapRecord[]>
  /** Ids of the markets that were recorded, or should have been, at any time of a range; in order. */
  coveredMarkets(range: TimeRange): Promise<string[]>
  /** All snapshots of a range in time order, in batches, for exports. */
  exportSnapshots(range: TimeRange, batch: number): AsyncIterable<SnapshotRecord[]>
  exportTrades(range: TimeRange, batch: number): AsyncIterable<TradeRecord[]>
  /**
   * Deletes what is older; thins snapshots older than `thinBeforeMs` to the last of each minute and those of changed
   * verdicts. Returns rows removed.
   */
  prune(limits: { deleteBeforeMs: number; thinBeforeMs: number }): Promise<number>
  /** Resolves when the database answers. */
  ping(): Promise<void>
  close(): Promise<void>
}
