import { HistoryUnavailableError, RangeInvalidError } from '../../../services/errors.ts'
import { coverageAsOf, gapAsOf, sessionAsOf } from '../../../services/history/as-of.ts'
import {
  CANDLE_INTERVALS,
  type CandleInterval,
  type CandleRecord,
  type CoverageRecord,
  type GapQuery,
  type GapRecord,
  type HistoryRows,
  type HistoryStore,
  type MarketMetaRecord,
  type PriceBar,
  type Proof,
  type RecordedSpan,
  type RecordPage,
  type RecyclerRunRecord,
  type SessionRecord,
  type SnapshotQuery,
  type SnapshotRecord,
  type TimeRange,
  type TradeQuery,
  type TradeRecord
} from '../../../services/history/records.ts'
import type { VenueCandle } from '../../../services/venue/port.ts'

const MINUTE_MS = 60_000

/** A history in memory that keeps every promise of `HistoryStore`, and can be away, slow or pedantic when a test asks. */
export class MemoryHistoryStore implements HistoryStore {
  readonly engine = 'pglite'
  readonly snapshotRows: SnapshotRecord[] = []
  readonly tradeRows: TradeRecord[] = []
  readonly venueCandleRows = new Map<string, VenueCandle>()
  private readonly candlesHeardAt = new Map<string, number>()
  readonly gapRows = new Map<string, GapRecord>()
  readonly coverageRows = new Map<string, CoverageRecord>()
  readonly metaRows = new Map<string, MarketMetaRecord>()
  readonly sessionRows = new Map<string, SessionRecord>()
  readonly recyclerRuns: RecyclerRunRecord[] = []
  /** Number of rows of each write that was asked for, refused or not. */
  readonly batches: { kind: string; rows: number }[] = []
  /** While true everything rejects, as when the database is away. */
  away = false
  /** Writes wait for this before they are done. */
  held: Promise<void> = Promise.resolve()
  /** Throws for rows that the database would refuse. */
  refuse: (rows: readonly object[]) => void = () => {}
  isClosed = false
  private thinnedBeforeMs = 0

  async writeSnapshots(rows: readonly SnapshotRecord[]): Promise<void> {
    await this.accept('snapshots', rows)
    this.snapshotRows.push(...rows)
  }

  async writeTrades(rows: readonly TradeRecord[]): Promise<void> {
    await this.accept('trades', rows)
    this.tradeRows.push(...rows)
  }

  async writeGaps(rows: readonly GapRecord[]): Promise<void> {
    await this.accept('gaps', rows, ({ id }) => id)
    for (const row of rows) this.gapRows.set(row.id, row)
  }

  async writeCoverage(rows: readonly CoverageRecord[]): Promise<void> {
    await this.accept('coverage', rows, coverageKey)
    for (const row of rows) this.coverageRows.set(coverageKey(row), row)
  }

  async writeMarkets(rows: readonly MarketMetaRecord[]): Promise<void> {
    await this.accept('markets', rows, metaKey)
    for (const row of rows) this.metaRows.set(metaKey(row), row)
  }

  async writeSession(session: SessionRecord): Promise<void> {
    await this.accept('session', [session])
    this.sessionRows.set(session.sessionId, { ...session })
  }

  async writeRecyclerRun(run: RecyclerRunRecord): Promise<void> {
    await this.accept('recycler', [run])
    this.recyclerRuns.push(run)
  }

  async writeVenueCandles(rows: readonly VenueCandle[], heardAtMs: number): Promise<void> {
    await this.accept('candles', rows)
    for (const row of rows) {
      const key = `${row.fromMs} ${row.marketId}`
      this.venueCandleRows.set(key, row)
      if (!this.candlesHeardAt.has(key)) this.candlesHeardAt.set(key, heardAtMs)
    }
  }

  async venueCandles({ marketId, fromMs, toMs }: TimeRange & { marketId: string }): Promise<VenueCandle[]> {
    this.answer()
    return [...this.venueCandleRows.values()]
      .filter((row) => row.marketId === marketId && row.fromMs >= fromMs && row.fromMs < toMs)
      .sort((a, b) => a.fromMs - b.fromMs)
  }

  async latestSnapshots(marketId: string): Promise<SnapshotRecord[]> {
    this.answer()
    const newest = new Map<string, SnapshotRecord>()
    for (const row of this.snapshotRows) {
      if (row.marketId === marketId && row.atMs >= (newest.get(row.source)?.atMs ?? 0))
        newest.set(row.source, row)
    }
    return [...newest.values()]
  }

  async snapshots({ source, ...query }: SnapshotQuery): Promise<RecordPage<SnapshotRecord>> {
    this.answer()
    const rows = this.snapshotRows.filter(
      (row) => row.marketId === query.marketId && (source === null || row.source === source)
    )
    return pageOf(rows, ({ atMs }) => atMs, query)
  }

  async firstProofs({
    marketIds,
    fromMs,
    toMs
  }: TimeRange & { marketIds: readonly string[] }): Promise<Map<string, Proof>> {
    this.answer()
    const proofs = new Map<string, Proof>()
    for (const { marketId, atMs, state, source, cause } of byTime(this.snapshotRows, (row) => row.atMs)) {
      if (state !== 'live' || cause === 'poll' || atMs < fromMs || atMs >= toMs) continue
      if (!marketIds.includes(marketId) || proofs.has(marketId)) continue
      proofs.set(marketId, { atMs, recoveredBy: source === 'poll' ? 'rest' : 'snapshot' })
    }
    return proofs
  }

  async trades(query: TradeQuery): Promise<RecordPage<TradeRecord>> {
    this.answer()
    const rows = this.tradeRows.filter(({ marketId }) => marketId === query.marketId)
    return pageOf(rows, tradeTime, query)
  }

  async gaps({ fromMs, toMs, marketId, limit, kinds, lateKinds = [] }: GapQuery): Promise<GapRecord[]> {
    this.answer()
    return [...this.gapRows.values()]
      .filter(({ kind, startedAtMs, detectedAtMs }) => {
        const isLate = detectedAtMs > Math.max(startedAtMs, fromMs)
        return kinds === undefined || kinds.includes(kind) || (isLate && lateKinds.includes(kind))
      })
      .filter((gap) => marketId === null || concerns(gap, marketId))
      .filter((gap) => overlaps(gap.startedAtMs, gap.endedAtMs, { fromMs, toMs }))
      .sort((a, b) => a.startedAtMs - b.startedAtMs)
      .slice(0, limit)
  }

  async openGaps(): Promise<GapRecord[]> {
    this.answer()
    return [...this.gapRows.values()].filter(({ endedAtMs }) => endedAtMs === null)
  }

  async coverage({ marketId, ...range }: TimeRange & { marketId: string }): Promise<CoverageRecord[]> {
    this.answer()
    return [...this.coverageRows.values()]
      .filter((row) => row.marketId === marketId && overlaps(row.fromMs, row.toMs, range))
      .sort((a, b) => a.fromMs - b.fromMs)
  }

  async recordedSpan(marketId: string): Promise<RecordedSpan | null> {
    const rows = await this.coverage({ marketId, fromMs: 0, toMs: Number.MAX_SAFE_INTEGER })
    const [first, last] = [rows[0], rows.at(-1)]
    return first === undefined || last === undefined
      ? null
      : { fromMs: first.fromMs, lastFromMs: last.fromMs }
  }

  async coveredMarkets(range: TimeRange): Promise<string[]> {
    this.answer()
    const sessions = [...this.sessionRows.values()]
    const isOver = ({ toMs, sessionId }: CoverageRecord) => {
      const startedAtMs = this.sessionRows.get(sessionId)?.startedAtMs ?? Number.NEGATIVE_INFINITY
      const isLater = (at: number) => at > startedAtMs && at < range.fromMs
      return toMs === null && sessions.some((session) => isLater(session.startedAtMs))
    }
    const rows = [...this.coverageRows.values()].filter((row) => overlaps(row.fromMs, row.toMs, range))
    return [...new Set(rows.filter((row) => !isOver(row)).map(({ marketId }) => marketId))].sort()
  }

  async sessions(range: TimeRange): Promise<SessionRecord[]> {
    this.answer()
    return [...this.sessionRows.values()]
      .filter(({ startedAtMs, heartbeatAtMs }) => overlaps(startedAtMs, heartbeatAtMs, range))
      .sort((a, b) => a.startedAtMs - b.startedAtMs)
  }

  async candles({
    fromMs,
    toMs,
    marketId,
    interval
  }: TimeRange & { marketId: string; interval: CandleInterval }): Promise<CandleRecord[]> {
    this.answer()
    const lengthMs = CANDLE_INTERVALS[interval]
    const inside = (atMs: number) => atMs >= fromMs && atMs < toMs
    const candles = new Map<number, CandleRecord>()
    const candleAt = (atMs: number) => {
      const startMs = Math.floor(atMs / lengthMs) * lengthMs
      const trades = { count: 0, sizeE6: 0n, bar: null }
      const empty = {
        fromMs: startMs,
        bid: null,
        ask: null,
        doubleMid: null,
        trades,
        snapshots: 0,
        thinned: false
      }
      const candle = candles.get(startMs) ?? empty
      candles.set(startMs, candle)
      return candle
    }
    for (const row of byTime(this.snapshotRows, ({ atMs }) => atMs)) {
      if (row.marketId !== marketId || !inside(row.atMs)) continue
      if (row.cause === 'poll') continue
      const candle = candleAt(row.atMs)
      const { bestBid, bestAsk } = row
      candle.snapshots++
      candle.thinned = candle.fromMs < this.thinnedBeforeMs
      candle.bid = extended(candle.bid, bestBid)
      candle.ask = extended(candle.ask, bestAsk)
      candle.doubleMid = extended(
        candle.doubleMid,
        bestBid === null || bestAsk === null ? null : bestBid + bestAsk
      )
    }
    for (const row of byTime(this.tradeRows, tradeTime)) {
      if (row.marketId !== marketId || !inside(tradeTime(row))) continue
      const { trades } = candleAt(tradeTime(row))
      trades.count++
      trades.sizeE6 += BigInt(row.size)
      trades.bar = extended(trades.bar, row.price)
    }
    return byTime([...candles.values()], (candle) => candle.fromMs)
  }

  async marketMeta(marketId: string): Promise<MarketMetaRecord[]> {
    this.answer()
    const rows = [...this.metaRows.values()].filter((row) => row.marketId === marketId)
    return byTime(rows, ({ fromMs }) => fromMs)
  }

  async knows(marketId: string): Promise<boolean> {
    this.answer()
    const kinds = [
      this.snapshotRows,
      this.tradeRows,
      [...this.coverageRows.values()],
      [...this.metaRows.values()]
    ]
    return kinds.some((rows) => rows.some((row) => row.marketId === marketId))
  }

  async *exportSnapshots(range: TimeRange, batch: number): AsyncIterable<SnapshotRecord[]> {
    this.answer()
    yield* inBatches(this.snapshotRows, ({ atMs }) => atMs, range, batch)
  }

  async *exportTrades(range: TimeRange, batch: number): AsyncIterable<TradeRecord[]> {
    this.answer()
    yield* inBatches(this.tradeRows, tradeTime, range, batch)
  }

  async prune({
    deleteBeforeMs,
    thinBeforeMs
  }: {
    deleteBeforeMs: number
    thinBeforeMs: number
  }): Promise<number> {
    this.answer()
    const before = this.snapshotRows.length + this.tradeRows.length
    this.thinnedBeforeMs = Math.max(this.thinnedBeforeMs, Math.floor(thinBeforeMs / MINUTE_MS) * MINUTE_MS)
    const lastOfMinute = new Map<string, SnapshotRecord>()
    const minute = ({ marketId, source, atMs }: SnapshotRecord) =>
      `${marketId} ${source} ${Math.floor(atMs / MINUTE_MS)}`
    for (const row of byTime(this.snapshotRows, ({ atMs }) => atMs)) lastOfMinute.set(minute(row), row)
    keep(
      this.snapshotRows,
      (row) =>
        row.atMs >= deleteBeforeMs &&
        (row.atMs >= thinBeforeMs || row.cause === 'verdict' || lastOfMinute.get(minute(row)) === row)
    )
    keep(this.tradeRows, (row) => row.atMs >= deleteBeforeMs)
    return before - this.snapshotRows.length - this.tradeRows.length
  }

  /** A history of its own, as away as this one. */
  asOf(atMs: number): HistoryRows {
    const then = new MemoryHistoryStore()
    then.away = this.away || this.isClosed
    then.thinnedBeforeMs = this.thinnedBeforeMs
    then.snapshotRows.push(...this.snapshotRows.filter((row) => row.atMs <= atMs))
    then.tradeRows.push(...this.tradeRows.filter((row) => Math.max(row.atMs, row.receivedAtMs) <= atMs))
    for (const [key, row] of this.metaRows) if (row.fromMs <= atMs) then.metaRows.set(key, row)
    for (const [key, row] of this.gapRows)
      if (row.detectedAtMs <= atMs) then.gapRows.set(key, gapAsOf(row, atMs))
    for (const [key, row] of this.coverageRows)
      if (row.fromMs <= atMs) then.coverageRows.set(key, coverageAsOf(row, atMs))
    for (const [key, row] of this.sessionRows)
      if (row.startedAtMs <= atMs) then.sessionRows.set(key, sessionAsOf(row, atMs))
    for (const [key, row] of this.venueCandleRows)
      if ((this.candlesHeardAt.get(key) as number) <= atMs) then.venueCandleRows.set(key, row)
    return then
  }

  async ping(): Promise<void> {
    this.answer()
  }

  async close(): Promise<void> {
    this.isClosed = true
  }

  private answer(): void {
    if (this.away || this.isClosed) throw new HistoryUnavailableError('away')
  }

  /** One statement cannot write one key twice: a store that lets it pass would hide a fault. */
  private async accept<Row extends object>(
    kind: string,
    rows: readonly Row[],
    key?: (row: Row) => string
  ): Promise<void> {
    this.batches.push({ kind, rows: rows.length })
    await this.held
    this.answer()
    this.refuse(rows)
    if (key !== undefined && new Set(rows.map(key)).size !== rows.length) {
      throw new Error(`a batch of ${kind} holds a key twice`)
    }
  }
}

function coverageKey({ marketId, sessionId, fromMs }: CoverageRecord): string {
  return `${marketId} ${sessionId} ${fromMs}`
}

function metaKey({ marketId, fromMs }: MarketMetaRecord): string {
  return `${marketId} ${fromMs}`
}

function tradeTime({ atMs }: TradeRecord): number {
  return atMs
}

function concerns({ venue, marketIds }: GapRecord, marketId: string): boolean {
  return marketIds === null ? marketId.startsWith(`${venue}:`) : marketIds.includes(marketId)
}

/** A stretch of no length still happened: it overlaps the range that it lies in. */
function overlaps(startMs: number, endMs: number | null, { fromMs, toMs }: TimeRange): boolean {
  return startMs < toMs && (endMs === null || endMs > fromMs || startMs >= fromMs)
}

function byTime<Row>(rows: readonly Row[], time: (row: Row) => number): Row[] {
  return [...rows].sort((a, b) => time(a) - time(b))
}

function pageOf<Row>(
  all: readonly Row[],
  time: (row: Row) => number,
  { fromMs, toMs, limit, cursor }: TimeRange & { limit: number; cursor: string | null }
): RecordPage<Row> {
  const rows = byTime(all, time).filter((row) => time(row) >= fromMs && time(row) < toMs)
  const start = cursor === null ? 0 : Number(cursor)
  if (!Number.isSafeInteger(start) || start < 0) throw new RangeInvalidError(`${cursor} is no cursor`)
  const end = start + limit
  return { rows: rows.slice(start, end), cursor: end < rows.length ? String(end) : null }
}

function extended(bar: PriceBar | null, price: number | null): PriceBar | null {
  if (price === null) return bar
  if (bar === null) return { open: price, high: price, low: price, close: price }
  const { open, high, low } = bar
  return { open, high: Math.max(high, price), low: Math.min(low, price), close: price }
}

function* inBatches<Row>(
  all: readonly Row[],
  time: (row: Row) => number,
  { fromMs, toMs }: TimeRange,
  batch: number
): Generator<Row[]> {
  const rows = byTime(all, time).filter((row) => time(row) >= fromMs && time(row) < toMs)
  for (let at = 0; at < rows.length; at += batch) yield rows.slice(at, at + batch)
}

function keep<Row>(rows: Row[], wanted: (row: Row) => boolean): void {
  rows.splice(0, rows.length, ...rows.filter(wanted))
}
