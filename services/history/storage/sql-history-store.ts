import { sql } from 'kysely'
import type { VenueCandle } from '../../venue/port.ts'
import type {
  CandleInterval,
  CoverageRecord,
  GapQuery,
  GapRecord,
  HistoryRows,
  HistoryStore,
  MarketMetaRecord,
  RecordedSpan,
  RecyclerRunRecord,
  SessionRecord,
  SnapshotQuery,
  SnapshotRecord,
  TimeRange,
  TradeQuery,
  TradeRecord
} from '../records.ts'
import { readCandles } from './candles.ts'
import {
  readCoverage,
  readCoveredMarkets,
  readRecordedSpan,
  readSessions,
  writeCoverage,
  writeSession
} from './coverage.ts'
import type { Engine } from './engine.ts'
import { readGaps, readOpenGaps, writeGaps } from './gaps.ts'
import { knows, MarketKeys } from './market-keys.ts'
import { readMarketMeta, writeMarkets } from './market-meta.ts'
import { prune } from './prune.ts'
import {
  exportSnapshots,
  exportTrades,
  firstProofs,
  latestSnapshots,
  snapshotPage,
  tradePage
} from './read-rows.ts'
import { SqlRowsAsOf } from './sql-rows-as-of.ts'
import type { TimeLayout } from './time-layout.ts'
import { readVenueCandles, writeVenueCandles } from './venue-candles.ts'
import { writeSnapshots, writeTrades } from './write-rows.ts'

/** The history in plain SQL of PostgreSQL 15, whichever engine runs it. */
export class SqlHistoryStore implements HistoryStore {
  private readonly on: Engine
  private readonly layout: TimeLayout
  private readonly keys: MarketKeys
  private closed: Promise<void> | null = null

  constructor(engine: Engine, layout: TimeLayout) {
    this.on = engine
    this.layout = layout
    this.keys = new MarketKeys(engine.db)
  }

  get engine(): 'pglite' | 'postgres' {
    return this.on.name
  }

  async writeSnapshots(rows: readonly SnapshotRecord[]): Promise<void> {
    if (rows.length === 0) return
    await writeSnapshots({ db: this.on.db, keys: this.keys, layout: this.layout }, rows)
    await this.on.wrote(rows.length)
  }

  async writeTrades(rows: readonly TradeRecord[]): Promise<void> {
    if (rows.length === 0) return
    await writeTrades({ db: this.on.db, keys: this.keys, layout: this.layout }, rows)
    await this.on.wrote(rows.length)
  }

  async writeGaps(rows: readonly GapRecord[]): Promise<void> {
    if (rows.length === 0) return
    await writeGaps(this.on.db, this.keys, rows)
    await this.on.wrote(rows.length)
  }

  async writeCoverage(rows: readonly CoverageRecord[]): Promise<void> {
    if (rows.length === 0) return
    await writeCoverage(this.on.db, this.keys, rows)
    await this.on.wrote(rows.length)
  }

  async writeMarkets(rows: readonly MarketMetaRecord[]): Promise<void> {
    if (rows.length === 0) return
    await writeMarkets(this.on.db, this.keys, rows)
    await this.on.wrote(rows.length)
  }

  async writeVenueCandles(rows: readonly VenueCandle[], heardAtMs: number): Promise<void> {
    if (rows.length === 0) return
    await writeVenueCandles(this.on.db, this.keys, rows, heardAtMs)
    await this.on.wrote(rows.length)
  }

  async writeSession(session: SessionRecord): Promise<void> {
    await writeSession(this.on.db, session)
    await this.on.wrote(1)
  }

  async writeRecyclerRun({ runId, startedAtMs, endedAtMs, report }: RecyclerRunRecord): Promise<void> {
    const cells = {
      started_at_ms: startedAtMs,
      ended_at_ms: endedAtMs,
      report: JSON.stringify(report ?? null)
    }
    await this.on.db
      .insertInto('recycler_runs')
      .values({ run_id: runId, ...cells })
      .onConflict((conflict) => conflict.column('run_id').doUpdateSet(cells))
      .execute()
    await this.on.wrote(1)
  }

  latestSnapshots(marketId: string): Promise<SnapshotRecord[]> {
    return latestSnapshots(this.on.db, marketId)
  }

  snapshots(query: SnapshotQuery) {
    return snapshotPage(this.on.db, query)
  }

  firstProofs(query: TimeRange & { marketIds: readonly string[] }) {
    return firstProofs(this.on.db, query)
  }

  trades(query: TradeQuery) {
    return tradePage(this.on.db, query)
  }

  gaps(query: GapQuery): Promise<GapRecord[]> {
    return readGaps(this.on.db, query)
  }

  openGaps(): Promise<GapRecord[]> {
    return readOpenGaps(this.on.db)
  }

  coverage(query: TimeRange & { marketId: string }): Promise<CoverageRecord[]> {
    return readCoverage(this.on.db, query)
  }

  recordedSpan(marketId: string): Promise<RecordedSpan | null> {
    return readRecordedSpan(this.on.db, marketId)
  }

  coveredMarkets(range: TimeRange): Promise<string[]> {
    return readCoveredMarkets(this.on.patient, range)
  }

  sessions(range: TimeRange): Promise<SessionRecord[]> {
    return readSessions(this.on.db, range)
  }

  candles(query: TimeRange & { marketId: string; interval: CandleInterval }) {
    return readCandles(this.on.db, query)
  }

  venueCandles(query: TimeRange & { marketId: string }): Promise<VenueCandle[]> {
    return readVenueCandles(this.on.db, query)
  }

  marketMeta(marketId: string): Promise<MarketMetaRecord[]> {
    return readMarketMeta(this.on.db, marketId)
  }

  knows(marketId: string): Promise<boolean> {
    return knows(this.on.db, marketId)
  }

  asOf(atMs: number): HistoryRows {
    return new SqlRowsAsOf(this.on.db, atMs)
  }

  exportSnapshots(range: TimeRange, batch: number): AsyncIterable<SnapshotRecord[]> {
    return exportSnapshots(this.on.patient, range, batch)
  }

  exportTrades(range: TimeRange, batch: number): AsyncIterable<TradeRecord[]> {
    return exportTrades(this.on.patient, range, batch)
  }

  async prune(limits: { deleteBeforeMs: number; thinBeforeMs: number }): Promise<number> {
    const removed = await prune({ db: this.on.patient, layout: this.layout }, limits)
    await this.on.wrote(removed)
    return removed
  }

  async ping(): Promise<void> {
    await sql`select 1`.execute(this.on.db)
  }

  close(): Promise<void> {
    this.closed ??= this.on.close()
    return this.closed
  }
}
