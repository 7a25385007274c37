import type { Kysely } from 'kysely'
import type { VenueCandle } from '../../venue/port.ts'
import { coverageAsOf, gapAsOf, rangeAsOf, sessionAsOf } from '../as-of.ts'
import type {
  CandleInterval,
  CandleRecord,
  CoverageRecord,
  GapQuery,
  GapRecord,
  HistoryRows,
  MarketMetaRecord,
  RecordedSpan,
  SessionRecord,
  SnapshotQuery,
  SnapshotRecord,
  TimeRange,
  TradeQuery
} from '../records.ts'
import { readCandles } from './candles.ts'
import { readCoverage, readRecordedSpan, readSessions } from './coverage.ts'
import { readGaps } from './gaps.ts'
import { knows } from './market-keys.ts'
import { readMarketMeta } from './market-meta.ts'
import { latestSnapshots, snapshotPage, tradePage } from './read-rows.ts'
import type { Tables } from './tables.ts'
import { readVenueCandles } from './venue-candles.ts'

/** The rows as they could be read at an instant. Where that bounds a list of unknown length, the database does it. */
export class SqlRowsAsOf implements HistoryRows {
  private readonly db: Kysely<Tables>
  private readonly atMs: number

  constructor(db: Kysely<Tables>, atMs: number) {
    this.db = db
    this.atMs = atMs
  }

  latestSnapshots(marketId: string): Promise<SnapshotRecord[]> {
    return latestSnapshots(this.db, marketId, this.atMs)
  }

  snapshots(query: SnapshotQuery) {
    return snapshotPage(this.db, rangeAsOf(query, this.atMs))
  }

  trades(query: TradeQuery) {
    return tradePage(this.db, rangeAsOf(query, this.atMs), this.atMs)
  }

  async gaps(query: GapQuery): Promise<GapRecord[]> {
    const gaps = await readGaps(this.db, query, this.atMs)
    return gaps.map((gap) => gapAsOf(gap, this.atMs))
  }

  async coverage(query: TimeRange & { marketId: string }): Promise<CoverageRecord[]> {
    const rows = await readCoverage(this.db, rangeAsOf(query, this.atMs))
    return rows.map((row) => coverageAsOf(row, this.atMs))
  }

  recordedSpan(marketId: string): Promise<RecordedSpan | null> {
    return readRecordedSpan(this.db, marketId, this.atMs)
  }

  async sessions(range: TimeRange): Promise<SessionRecord[]> {
    const sessions = await readSessions(this.db, rangeAsOf(range, this.atMs))
    return sessions.map((session) => sessionAsOf(session, this.atMs))
  }

  candles(query: TimeRange & { marketId: string; interval: CandleInterval }): Promise<CandleRecord[]> {
    return readCandles(this.db, query, this.atMs)
  }

  venueCandles(query: TimeRange & { marketId: string }): Promise<VenueCandle[]> {
    return readVenueCandles(this.db, query, this.atMs)
  }

  async marketMeta(marketId: string): Promise<MarketMetaRecord[]> {
    const told = await readMarketMeta(this.db, marketId)
    return told.filter(({ fromMs }) => fromMs <= this.atMs)
  }

  knows(marketId: string): Promise<boolean> {
    return knows(this.db, marketId, this.atMs)
  }
}
