import type { CoverageRecord, GapRecord, MarketMetaRecord, RecyclerRunRecord } from './records.ts'
import { RowRing } from './row-ring.ts'

/** Metadata rows that may wait; above it a market's newer row takes the place of the one that waits. */
const MARKETS_MAX = 50_000

export type StandingBatch =
  | { kind: 'gaps'; rows: GapRecord[] }
  | { kind: 'coverage'; rows: CoverageRecord[]; end: number }
  | { kind: 'markets'; rows: MarketMetaRecord[]; end: number }
  | { kind: 'recycler'; rows: RecyclerRunRecord[]; end: number }

/**
 * Rows that are never dropped and are written before all others: they say what is missing. They stay few because
 * whoever writes them is bounded: open gaps, one interval a market under pressure, one row of metadata a
 * market. A batch never holds a key twice, which one SQL statement could not write.
 */
export class StandingRows {
  private readonly gaps = new Map<string, GapRecord>()
  private readonly coverage = new RowRing<CoverageRecord>()
  private readonly markets = new RowRing<MarketMetaRecord>()
  private readonly newestMeta = new Map<string, number>()
  private readonly recycler = new RowRing<RecyclerRunRecord>()

  get size(): number {
    return this.gaps.size + this.coverage.size + this.markets.size + this.recycler.size
  }

  get coverageSize(): number {
    return this.coverage.size
  }

  /** When the oldest row of coverage or metadata came; NaN when none waits. */
  get oldestAt(): number {
    const ages = [this.coverage, this.markets].filter(({ size }) => size > 0).map(({ oldestAt }) => oldestAt)
    return ages.length === 0 ? Number.NaN : Math.min(...ages)
  }

  addGap(row: GapRecord): void {
    this.gaps.delete(row.id)
    this.gaps.set(row.id, row)
  }

  addCoverage(row: CoverageRecord, at: number): void {
    this.coverage.push(row, at)
  }

  addMarket(row: MarketMetaRecord, at: number): void {
    if (this.markets.size >= MARKETS_MAX) this.markets.take(this.newestMeta.get(row.marketId) ?? -1)
    this.newestMeta.set(row.marketId, this.markets.push(row, at))
  }

  addRecyclerRun(row: RecyclerRunRecord, at: number): void {
    this.recycler.push(row, at)
  }

  /** Returns what is to be written next, which stays until `finish`; null when nothing waits. */
  claim(limit: number): StandingBatch | null {
    if (this.gaps.size > 0) return { kind: 'gaps', rows: [...this.gaps.values()].slice(0, limit) }
    if (this.coverage.size > 0) return { kind: 'coverage', ...claimed(this.coverage, limit, coverageKey) }
    if (this.markets.size > 0) return { kind: 'markets', ...claimed(this.markets, limit, metaKey) }
    if (this.recycler.size > 0)
      return { kind: 'recycler', ...claimed(this.recycler, 1, ({ runId }) => runId) }
    return null
  }

  /** The claimed rows need to wait no more; those that were replaced meanwhile do. */
  finish(batch: StandingBatch): void {
    if (batch.kind === 'gaps') {
      for (const row of batch.rows) if (this.gaps.get(row.id) === row) this.gaps.delete(row.id)
    } else {
      this[batch.kind].dropBefore(batch.end)
      if (this.markets.size === 0) this.newestMeta.clear()
    }
  }
}

function claimed<Row>(
  ring: RowRing<Row>,
  limit: number,
  key: (row: Row) => string
): { rows: Row[]; end: number } {
  const { rows, end } = ring.peek(limit)
  const newest = new Map<string, Row>()
  for (const row of rows) newest.set(key(row), row)
  return { rows: [...newest.values()], end }
}

function coverageKey({ marketId, fromMs }: CoverageRecord): string {
  return `${marketId} ${fromMs}`
}

function metaKey({ marketId, fromMs }: MarketMetaRecord): string {
  return `${marketId} ${fromMs}`
}
